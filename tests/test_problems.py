from __future__ import annotations

import json

import pytest
from botocore import exceptions as botocore

from chalicelib.problems import CAUSES, CODES, MEDIA_TYPE, Problem, bad_request, problem_of

ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/study_test"


def client_error(code: str, status: int = 400, message: str = f"User: {ARN} is not authorized") -> botocore.ClientError:
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return botocore.ClientError(response, "Query")


def test_a_problem_is_a_problem_document() -> None:
    problem = bad_request("No such thing: say another.")
    assert json.loads(problem.body) == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "No such thing: say another.",
    }
    assert problem.headers == {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store"}
    assert problem_of(problem, "id") is problem


def test_what_can_be_tried_again_says_when() -> None:
    assert Problem(503, "Later.").headers["Retry-After"] == "2"


@pytest.mark.parametrize("code", CODES)
def test_what_dynamodb_refuses_is_a_503_that_tells_no_secret(code: str) -> None:
    problem = problem_of(client_error(code), "id")
    assert problem.status == 503
    assert "arn:" not in problem.body


def test_an_unknown_failure_of_dynamodb_itself_is_a_503() -> None:
    assert problem_of(client_error("Whatever", 500), "id").status == 503


def test_an_index_that_has_gone_is_a_503() -> None:
    gone = client_error("ValidationException", 400, "The table does not have the specified index: by_net")
    assert problem_of(gone, "id").status == 503


@pytest.mark.parametrize("cause", [cause for cause, _ in CAUSES])
def test_what_keeps_us_from_dynamodb_is_a_503(cause: type[Exception]) -> None:
    assert problem_of(cause.__new__(cause), "id").status == 503


@pytest.mark.parametrize("error", [KeyError("secret"), client_error("ValidationException", 400, f"{ARN} secret")])
def test_anything_else_is_a_500_that_names_the_request(error: Exception) -> None:
    problem = problem_of(error, "request-1")
    assert problem.status == 500
    assert "request-1" in problem.detail
    assert "secret" not in problem.body
