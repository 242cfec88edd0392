"""AWS Signature Version 4 of one DynamoDB call: a POST of JSON to /. Pure.

IAM user guide, "Create a signed AWS API request".
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import time
from typing import NamedTuple

CONTENT_TYPE = "application/x-amz-json-1.0"


class Credentials(NamedTuple):
    """`token`: of a session, as each function in Lambda has it; None for the keys of a user."""

    access_key: str
    secret_key: str
    token: str | None


def headers(body: bytes, target: str, host: str, region: str, credentials: Credentials, now: float) -> dict[str, str]:
    """Return the headers to send with `body`. `target`: such as DynamoDB_20120810.Query. `now`: seconds since 1970."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    signed = {"content-type": CONTENT_TYPE, "host": host, "x-amz-date": moment}
    if credentials.token:
        signed["x-amz-security-token"] = credentials.token
    signed["x-amz-target"] = target
    names = ";".join(signed)
    lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
    canonical = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(body).hexdigest()}"
    scope = f"{moment[:8]}/{region}/dynamodb/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.digest(_key(credentials.secret_key, moment[:8], region), text.encode(), "sha256").hex()
    signed["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return signed


@functools.lru_cache(maxsize=1)
def _key(secret_key: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, "dynamodb", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
