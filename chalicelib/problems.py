"""Problem: an answer that is an error, as an RFC 9457 problem document. Imports nothing else of this project."""

from __future__ import annotations

from http import HTTPStatus

import orjson

Headers = dict[str, str | list[str]]  # as Chalice's Response has them

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2


class Problem(Exception):
    """An answer of `status`. `detail` says what is wrong, then what to write or do instead.

    `retry_after`: seconds to wait before the next try; only a 503 says so.
    """

    def __init__(self, status: int, detail: str, retry_after: int = RETRY_AFTER_SECONDS) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.retry_after = retry_after

    @property
    def headers(self) -> Headers:
        retry = {"Retry-After": str(self.retry_after)} if self.status == 503 else {}
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
