"""Responses: their headers, CORS, and exceptions as problem documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from chalice import CORSConfig, Response

from chalicelib.dynamodb.client import Cost
from chalicelib.dynamodb.errors import DynamoDBError, failure_of
from chalicelib.problems import MEDIA_TYPE, Headers, Problem
from chalicelib.settings import Settings

EXPOSED_HEADERS = ["ETag", "Link", "Retry-After", "Server-Timing", "X-Consumed-Capacity", "X-Plan", "X-Position"]
PREFLIGHT_SECONDS = 7200

READ_HEADERS: Headers = {"Content-Type": "application/json", "Cache-Control": "no-cache"}


def cors(settings: Settings) -> CORSConfig:
    return CORSConfig(
        allow_origin=settings.allow_origin,
        allow_headers=["Cache-Control", "If-None-Match"],
        expose_headers=EXPOSED_HEADERS,
        max_age=PREFLIGHT_SECONDS,
    )


def json_response(body: Mapping[str, Any], headers: Headers | None = None) -> Response:
    return Response(orjson.dumps(body).decode(), {**READ_HEADERS, **(headers or {})})


def problem_response(problem: Problem) -> Response:
    return Response(problem.body, problem.headers, problem.status)


def cost_headers(cost: Cost) -> Headers:
    return {"Server-Timing": f"dynamodb;dur={cost.seconds * 1000:.1f}", "X-Consumed-Capacity": f"{cost.units:g}"}


def add_origin_headers(response: Response, settings: Settings) -> None:
    # Lets pages of that origin read Server-Timing, and see whether an answer came whole or as a 304 (Resource Timing).
    response.headers["Timing-Allow-Origin"] = settings.allow_origin
    response.headers["X-Content-Type-Options"] = "nosniff"


def problem_of(error: Exception, request_id: str) -> Problem:
    """Return the problem to answer with. An error that nobody expects is a 500 that names `request_id`: the cause is in
    the log, never in the body."""
    if isinstance(error, Problem):
        return error
    failure = failure_of(error) if isinstance(error, DynamoDBError) else None
    if failure:
        return Problem(503, failure.detail, failure.retry_after)
    return Problem(500, f"Internal error. The log entry of this request is {request_id}.")


def chalice_error(response: Response, settings: Settings) -> Response:
    """Return an error of Chalice's (such as a method without a route) as a problem that a page can read."""
    if response.status_code < 400 or response.headers.get("Content-Type") == MEDIA_TYPE:
        return response
    problem = Problem(response.status_code, f"{response.body['Message']}.")
    headers = {**response.headers, **problem.headers, **cors(settings).get_access_control_headers()}
    return Response(problem.body, headers, problem.status)
