"""One call of DynamoDB: its client, made when first needed, and what a call costs. Used by `table` and `feed` alone."""

from __future__ import annotations

import base64
import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import botocore
import botocore.session
import orjson
from botocore.config import Config
from botocore.exceptions import HTTPClientError
from botocore.parsers import JSONParser, ResponseParserFactory

from chalicelib.wire import TypedItem

# Three attempts of a second to connect and two and a half to answer, and at most three seconds of waiting between them:
# two calls, both at their worst, fit into a function's 29 seconds.
CONNECT_SECONDS, READ_SECONDS, ATTEMPTS, BACKOFF_SECONDS = 1, 2.5, 3, 3
CALL_SECONDS = ATTEMPTS * (CONNECT_SECONDS + READ_SECONDS) + BACKOFF_SECONDS

_METHODS = {
    "DescribeTable": "describe_table",
    "GetItem": "get_item",
    "Query": "query",
    "Scan": "scan",
    "TransactWriteItems": "transact_write_items",
}
_READS = {"GetItem", "Query", "Scan"}
_VALUES = {"Key", "ExclusiveStartKey", "ExpressionAttributeValues"}


class _BodyParser(JSONParser):  # type: ignore[misc]
    """botocore's parser for errors; for an answer, its body as it came. Its own walk over DynamoDB's recursive shapes
    costs more than all else in a request together (boto/boto3#2928)."""

    def parse(self, response: dict[str, Any], shape: Any) -> dict[str, Any]:
        if response["status_code"] >= 300:
            parsed: dict[str, Any] = super().parse(response, shape)
            return parsed
        return {"body": response["body"], "ResponseMetadata": {"HTTPStatusCode": response["status_code"]}}


class _BodyParserFactory(ResponseParserFactory):  # type: ignore[misc]
    def create_parser(self, protocol_name: str) -> _BodyParser:
        return _BodyParser()


def connect(service: str = "dynamodb") -> Any:
    """A client of botocore's whose answers are {"body": bytes}: credentials, region, endpoint and signing as botocore
    has them, and retries that end within CALL_SECONDS."""
    session = botocore.session.get_session()
    session.register_component("response_parser_factory", _BodyParserFactory())
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        parameter_validation=False,
        # botocore's own is put together anew for each request.
        user_agent=f"tablecast botocore/{botocore.__version__}",
    )
    client = session.create_client(service, config=config)
    # What is here by now stays as long as the function does: the collector need not go through it for every page.
    gc.freeze()
    return client


@dataclass(frozen=True)
class Cost:
    """`units`: read capacity units. `seconds`: spent waiting for DynamoDB."""

    units: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.units + other.units, self.seconds + other.seconds)


class DynamoDB:
    """A DynamoDB to call."""

    def __init__(self, client: Any = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock

    def call(self, operation: str, **request: Any) -> tuple[dict[str, Any], Cost]:
        """DynamoDB's answer, with the `bytes` it came in, and what it cost.

        `request`: the operation's parameters, binary in keys and expression values as base64. Raises as botocore does.
        """
        if self._client is None:
            self._client = connect()
        call = getattr(self._client, _METHODS[operation])
        if operation in _READS:
            request["ReturnConsumedCapacity"] = "TOTAL"
        sent = {name: _with_bytes(value) if name in _VALUES else value for name, value in request.items()}
        began = self._clock()
        body = call(**sent)["body"]
        spent = self._clock() - began
        try:
            answer: dict[str, Any] = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise HTTPClientError(error=f"half an answer: {error}") from error
        answer["bytes"] = len(body)
        return answer, Cost(float(answer.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0)), spent)


def _with_bytes(values: TypedItem) -> TypedItem:
    """`values` with binary as the bytes that botocore makes base64 of again."""
    return {name: {"B": base64.b64decode(value["B"])} if "B" in value else value for name, value in values.items()}
