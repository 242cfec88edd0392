"""One call of DynamoDB, and its cost. Only `table` and `changes` use it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import orjson

from chalicelib.dynamodb.endpoint import Transport
from chalicelib.dynamodb.errors import UNREACHABLE, DynamoDBError

_READS = {"GetItem", "Query", "Scan"}


class Cost:
    """`units`: read capacity units. `seconds`: time spent waiting for DynamoDB."""

    __slots__ = ("seconds", "units")

    def __init__(self, units: float = 0.0, seconds: float = 0.0) -> None:
        self.units, self.seconds = units, seconds

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.units + other.units, self.seconds + other.seconds)


class DynamoDB:
    def __init__(self, transport: Transport, clock: Callable[[], float] = time.monotonic) -> None:
        self._transport = transport
        self._clock = clock

    def call(self, operation: str, **request: Any) -> tuple[dict[str, Any], Cost]:
        """Return DynamoDB's answer, with its size as `bytes`, and its cost. Raise DynamoDBError if it fails.

        `request`: the operation's parameters, with binary in keys and expression values as base64.
        """
        if operation in _READS:
            request["ReturnConsumedCapacity"] = "TOTAL"
        if operation == "TransactWriteItems":
            # A retry of this call is the same transaction.
            request["ClientRequestToken"] = str(uuid.uuid4())
        began = self._clock()
        body = self._transport.send(operation, request)
        spent = self._clock() - began
        try:
            answer: dict[str, Any] = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise DynamoDBError(UNREACHABLE, f"the answer is not JSON: {error}") from error
        answer["bytes"] = len(body)
        return answer, Cost(float(answer.get("ConsumedCapacity", {}).get("CapacityUnits", 0.0)), spent)
