"""One call of DynamoDB, and what it costs. Used by `table` and `feed` alone."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from chalicelib.dynamodb.endpoint import Transport
from chalicelib.dynamodb.errors import UNREACHABLE, DynamoDBError

_READS = {"GetItem", "Query", "Scan"}


@dataclass(frozen=True)
class Cost:
    """`units`: read capacity units. `seconds`: spent waiting for DynamoDB."""

    units: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.units + other.units, self.seconds + other.seconds)


class DynamoDB:
    """A DynamoDB to call."""

    def __init__(self, transport: Transport, clock: Callable[[], float] = time.monotonic) -> None:
        self._transport = transport
        self._clock = clock

    def call(self, operation: str, **request: Any) -> tuple[dict[str, Any], Cost]:
        """DynamoDB's answer, with the `bytes` it came in, and what it cost.

        `request`: the operation's parameters, binary in keys and expression values as base64. DynamoDBError: there is
        no answer, or one that is an error.
        """
        if operation in _READS:
            request["ReturnConsumedCapacity"] = "TOTAL"
        if operation == "TransactWriteItems":
            # The same call tried again is the same transaction.
            request["ClientRequestToken"] = str(uuid.uuid4())
        began = self._clock()
        body = self._transport.send(operation, request)
        spent = self._clock() - began
        try:
            answer: dict[str, Any] = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise DynamoDBError(UNREACHABLE, f"half an answer: {error}") from error
        answer["bytes"] = len(body)
        return answer, Cost(float(answer.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0)), spent)
