"""Opaque page cursors: where a read continues, bound to its plan. Pure.

A cursor is base64url of an 8-byte checksum and the start key's values as a JSON array. The checksum covers the plan, so
that a cursor of another query, or a truncated or edited one, is refused. It is not a signature and need not be one: the
key condition comes from the request each time, and a start key can only skip items within it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b

import orjson

from chalicelib.dynamodb.items import TypedItem, binary, number
from chalicelib.problems import Problem, bad_request

_CHECKSUM_BYTES = 8


def encode(start: TypedItem, names: Sequence[str], plan: str) -> str:
    """Return the cursor for `start`, an ExclusiveStartKey of the attributes `names`. `plan`: the plan's identity."""
    payload = orjson.dumps([content for name in names for content in start[name].values()])
    return _text(_checksum(payload, plan) + payload)


def decode(cursor: str, names: Sequence[str], types: Mapping[str, str], plan: str) -> TypedItem:
    """Return the ExclusiveStartKey in `cursor`. Raise Problem(400) if it was not made for this plan."""
    try:
        data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise not_a_cursor() from None
    checksum, payload = data[:_CHECKSUM_BYTES], data[_CHECKSUM_BYTES:]
    if checksum != _checksum(payload, plan) or cursor != _text(data):
        raise not_a_cursor()
    try:
        contents = dict(zip(names, orjson.loads(payload), strict=True))
        return {name: {types[name]: _KEYS[types[name]](content)} for name, content in contents.items()}
    except (TypeError, ValueError):
        # The checksum is not a signature: the decoded values can be anything.
        raise not_a_cursor() from None


def not_a_cursor() -> Problem:
    return bad_request(
        "_cursor does not belong to this request. Take it from the `next` of the page before, "
        "with the same filters, sort and index, or remove it to start again."
    )


def _binary(content: str) -> str:
    binary(content)
    return content


# type of a key -> its content; TypeError or ValueError if it cannot be one
_KEYS: Mapping[str, Callable[[str], str]] = {"S": str.__str__, "N": number, "B": _binary}


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _checksum(payload: bytes, plan: str) -> bytes:
    return blake2b(payload, key=blake2b(plan.encode(), digest_size=32).digest(), digest_size=_CHECKSUM_BYTES).digest()
