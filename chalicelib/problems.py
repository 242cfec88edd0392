"""What goes wrong, as RFC 9457 problem documents: what happened, and what would be right.

A `Problem` is raised wherever the answer is known to be an error; `problem_of` turns everything else that
a request can end in into one. The cause goes to the log, never to the body.
"""

from __future__ import annotations

from http import HTTPStatus

import orjson

from chalicelib.transport import NO_CREDENTIALS, NO_REGION, UNREACHABLE, DynamoDBError

Headers = dict[str, str | list[str]]  # as Chalice's Response has them

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """An answer of `status` whose `detail` says what is wrong and what would be right."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail

    @property
    def headers(self) -> Headers:
        retry = {"Retry-After": str(RETRY_AFTER_SECONDS.get(self.detail, 2))} if self.status == 503 else {}
        return {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store", **retry}

    @property
    def body(self) -> str:
        return orjson.dumps(
            {
                "type": "about:blank",
                "title": HTTPStatus(self.status).phrase,
                "status": self.status,
                "detail": self.detail,
            }
        ).decode()


def bad_request(detail: str) -> Problem:
    return Problem(400, detail)


BUSY = "DynamoDB is throttling reads of this table: ask again in a moment."
DOWN = "DynamoDB cannot be reached at the moment: ask again in a moment."
REFUSED = (
    "This API may not read its table: its credentials are missing, expired or lack a permission. "
    "The log of the request has the cause."
)
CHANGED = "The table's indexes have just changed: ask again in a moment."
ABSENT = "A table that this API reads is not there: its owner should check TABLE_NAME, FEED_TABLE, region and endpoint."

NO_FEED = (
    "This API keeps no change feed: its owner turns it on by setting FEED_TABLE, and STREAM_ARN for the handler that "
    "fills it, as docs/feed.md says."
)

# What its owner has to mend takes longer.
RETRY_AFTER_SECONDS = {REFUSED: 60, ABSENT: 60, NO_FEED: 60}

# Error codes as DynamoDB's API reference lists them ("Error handling with DynamoDB"), and our own.
CODES = {
    NO_CREDENTIALS: REFUSED,
    NO_REGION: ABSENT,
    UNREACHABLE: DOWN,
    "ProvisionedThroughputExceededException": BUSY,
    "ThrottlingException": BUSY,
    "Throttling": BUSY,
    "RequestLimitExceeded": BUSY,
    "InternalServerError": DOWN,
    "ServiceUnavailable": DOWN,
    "ResourceNotFoundException": ABSENT,
    "AccessDeniedException": REFUSED,
    "ExpiredTokenException": REFUSED,
    "IncompleteSignatureException": REFUSED,
    "InvalidSignatureException": REFUSED,
    "MissingAuthenticationTokenException": REFUSED,
    "UnrecognizedClientException": REFUSED,
}


def index_is_gone(error: DynamoDBError) -> bool:
    return "does not have the specified index" in error.message


def problem_of(error: Exception, request_id: str) -> Problem:
    """`error` as the problem to answer with; 500 with `request_id` where it is none that can be expected."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, DynamoDBError):
        if index_is_gone(error):
            return Problem(503, CHANGED)
        if detail := CODES.get(error.code, DOWN if error.status >= 500 else None):
            return Problem(503, detail)
    return Problem(500, f"Something went wrong here, not with the request. Its log entry is {request_id}.")
