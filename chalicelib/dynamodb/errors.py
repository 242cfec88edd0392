"""Errors of a DynamoDB call: one table of their codes, with what to do about each. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class DynamoDBError(Exception):
    """A call that failed. `code`: DynamoDB's, or NO_CREDENTIALS, NO_REGION or UNREACHABLE. `status`: of the HTTP
    answer, 0 without one. `reasons`: the codes of a cancelled transaction, one an item."""

    def __init__(self, code: str, message: str, status: int = 0, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status, self.reasons = code, message, status, reasons


NO_CREDENTIALS, NO_REGION, UNREACHABLE = "NoCredentials", "NoRegion", "Unreachable"

# These may pass (botocore/retries/standard.py).
TRANSIENT_STATUSES = {500, 502, 503, 504}


class Failure(NamedTuple):
    """How to treat an error: whether the same call is worth another try at once, and what a client reads in the 503:
    the detail, and the seconds to wait before it asks again."""

    retried: bool
    detail: str
    retry_after: int


THROTTLED = Failure(True, "DynamoDB is throttling reads of this table. Try again in a moment.", 2)
DOWN = Failure(True, "DynamoDB cannot be reached. Try again in a moment.", 2)
# Only the owner can correct these, so clients wait longer.
FORBIDDEN = Failure(
    False,
    "This API may not read its table: its credentials are missing, expired or lack a permission. "
    "The owner finds the cause in the log of this request.",
    60,
)
NOT_FOUND = Failure(
    False,
    "A table that this API reads does not exist. The owner should check TABLE_NAME, FEED_TABLE, region and endpoint.",
    60,
)
NO_REGION_SET = Failure(False, "This API has no AWS region. The owner should set AWS_DEFAULT_REGION.", 60)
SCHEMA_CHANGED = Failure(False, "The table's indexes have just changed. Try again in a moment.", 2)

# The codes of DynamoDB's API reference ("Error handling with DynamoDB"), of botocore/retries/standard.py, and ours.
FAILURES: Mapping[str, Failure] = {
    NO_CREDENTIALS: FORBIDDEN,
    NO_REGION: NO_REGION_SET,
    UNREACHABLE: DOWN,
    "LimitExceededException": THROTTLED,
    "ProvisionedThroughputExceededException": THROTTLED,
    "RequestLimitExceeded": THROTTLED,
    "RequestThrottled": THROTTLED,
    "RequestThrottledException": THROTTLED,
    "Throttling": THROTTLED,
    "ThrottlingException": THROTTLED,
    "TooManyRequestsException": THROTTLED,
    "TransactionInProgressException": THROTTLED,
    "InternalServerError": DOWN,
    "RequestTimeout": DOWN,
    "RequestTimeoutException": DOWN,
    "ServiceUnavailable": DOWN,
    "ResourceNotFoundException": NOT_FOUND,
    "AccessDeniedException": FORBIDDEN,
    "ExpiredTokenException": FORBIDDEN,
    "IncompleteSignatureException": FORBIDDEN,
    "InvalidSignatureException": FORBIDDEN,
    "MissingAuthenticationTokenException": FORBIDDEN,
    "UnrecognizedClientException": FORBIDDEN,
}

# DynamoDB's answers to a plan that was made for an older schema.
OUTDATED_SCHEMA = {"ResourceNotFoundException", "ValidationException"}


def failure_of(error: DynamoDBError) -> Failure | None:
    """Return how to treat `error`, None for an error that nobody expects."""
    if index_is_gone(error):
        return SCHEMA_CHANGED
    return FAILURES.get(error.code) or (DOWN if error.status >= 500 else None)


def is_retried(error: DynamoDBError) -> bool:
    """Return whether the same call may succeed at once."""
    failure = FAILURES.get(error.code)
    return error.status in TRANSIENT_STATUSES or (failure is not None and failure.retried)


def index_is_gone(error: DynamoDBError) -> bool:
    return "does not have the specified index" in error.message


def cancellation_codes(error: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the codes of a cancelled transaction's items, from the JSON of DynamoDB's error."""
    return tuple(str(reason.get("Code")) for reason in error.get("CancellationReasons", ()))
