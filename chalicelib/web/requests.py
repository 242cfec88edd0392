"""What a request says, as API Gateway and Chalice hand it over."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from chalice.app import Request

from chalicelib.problems import bad_request
from chalicelib.query.controls import Query

_ETAG = re.compile(r'"([^"]*)"')


def query_of(request: Request) -> Query:
    given = request.query_params
    return {} if given is None else {name: given.getlist(name) for name in given}


def decoded(segment: str) -> str:
    """Return a path segment decoded once: API Gateway leaves it percent-encoded (aws/chalice#511).

    Raise Problem(400) if it is not UTF-8.
    """
    try:
        return unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise bad_request(f"{segment[:80]!r} is not percent-encoded UTF-8.") from None


def client_etags(if_none_match: str) -> list[str]:
    """Return the entity tags of an If-None-Match. It compares weakly (RFC 9110, 13.1.2): W/ makes no difference."""
    return _ETAG.findall(if_none_match)


def seconds_left(request: Request) -> float:
    left: float = _context(request).get_remaining_time_in_millis() / 1000
    return left


def request_id(request: Request) -> str:
    id: str = _context(request).aws_request_id
    return id


def _context(request: Request) -> Any:
    return request.lambda_context
