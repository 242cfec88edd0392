from __future__ import annotations

import datetime
from typing import Any
from unittest import mock

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.dynamodb import signature_v4

TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)


@given(
    body=st.binary(max_size=200),
    operation=st.sampled_from(["Query", "TransactWriteItems"]),
    host=st.sampled_from(["dynamodb.eu-west-1.amazonaws.com", "127.0.0.1:4566"]),
    region=st.sampled_from(["us-east-1", "cn-north-1"]),
    credentials=st.tuples(TEXT, TEXT, st.none() | TEXT),
    now=st.integers(0, 4_000_000_000),
)
def test_signature_equals_that_of_botocore(
    body: bytes, operation: str, host: str, region: str, credentials: tuple[str, str, str | None], now: int
) -> None:
    target = f"DynamoDB_20120810.{operation}"
    signed = signature_v4.headers(body, target, host, region, signature_v4.Credentials(*credentials), now)
    unsigned = {"Content-Type": signature_v4.CONTENT_TYPE, "X-Amz-Target": target, "Host": host}
    request: Any = AWSRequest("POST", f"https://{host}/", unsigned, body)
    time = datetime.datetime.fromtimestamp(now, datetime.UTC).replace(tzinfo=None)
    with mock.patch("botocore.auth.get_current_datetime", return_value=time):
        SigV4Auth(BotocoreCredentials(*credentials), "dynamodb", region).add_auth(request)
    assert signed["authorization"] == request.headers["Authorization"]
    assert signed.get("x-amz-security-token") == credentials[2] == request.headers.get("X-Amz-Security-Token")
