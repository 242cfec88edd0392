from __future__ import annotations

import json

import pytest

from chalicelib.dynamodb.errors import FAILURES, DynamoDBError
from chalicelib.problems import MEDIA_TYPE, Problem, bad_request
from chalicelib.web.responses import problem_of

ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/study_test"


def refusal(code: str, status: int = 400, message: str = f"User: {ARN} is not authorized") -> DynamoDBError:
    return DynamoDBError(code, message, status)


def test_problem_has_the_body_of_a_problem_document() -> None:
    problem = bad_request("No such thing: say another.")
    assert json.loads(problem.body) == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "No such thing: say another.",
    }
    assert problem.headers == {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store"}
    assert problem_of(problem, "id") is problem


def test_503_has_a_retry_after() -> None:
    assert Problem(503, "Later.").headers["Retry-After"] == "2"


@pytest.mark.parametrize("code", FAILURES)
def test_refusal_of_dynamodb_is_a_503_without_its_arn(code: str) -> None:
    problem = problem_of(refusal(code), "id")
    assert problem.status == 503
    assert "arn:" not in problem.body


def test_unknown_failure_of_dynamodb_is_a_503() -> None:
    assert problem_of(refusal("Whatever", 500), "id").status == 503


def test_deleted_index_is_a_503() -> None:
    deleted_index = refusal("ValidationException", 400, "The table does not have the specified index: by_net")
    assert problem_of(deleted_index, "id").status == 503


@pytest.mark.parametrize("error", [KeyError("secret"), refusal("ValidationException", 400, f"{ARN} secret")])
def test_other_error_is_a_500_that_names_the_request(error: Exception) -> None:
    problem = problem_of(error, "request-1")
    assert problem.status == 500
    assert "request-1" in problem.detail
    assert "secret" not in problem.body
