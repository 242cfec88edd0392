from __future__ import annotations

import pathlib
from collections.abc import Callable
from typing import Any

import pytest
from chalice.test import Client

from chalicelib.dynamodb import transport
from tests import faults
from tests.conftest import Load

FailingGet = Callable[..., Any]


@pytest.fixture
def failing_get(quakes: Any, load_app: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> FailingGet:
    """Return a function that gets /items under a changed environment, without AWS files, and checks the problem."""
    monkeypatch.setenv("HOME", str(tmp_path))

    def get(path: str = "/items", **environ: str | None) -> Any:
        for name, value in environ.items():
            monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)
        monkeypatch.setattr(transport, "CONNECT_SECONDS", 0.2)
        monkeypatch.setattr(transport, "READ_SECONDS", 0.2)
        monkeypatch.setattr(transport, "ATTEMPTS", 2)
        response = Client(load_app(**{name: value for name, value in environ.items() if value}).app).http.get(path)
        assert response.headers["Content-Type"] == "application/problem+json"
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert b"arn:" not in response.body
        assert b"Traceback" not in response.body
        return response

    return get


def test_missing_table_is_a_503(failing_get: FailingGet) -> None:
    response = failing_get(TABLE_NAME="no_such_table")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "60")
    assert "does not exist. The owner should check TABLE_NAME" in response.json_body["detail"]


def test_missing_credentials_are_a_503(failing_get: FailingGet) -> None:
    response = failing_get(
        AWS_ACCESS_KEY_ID=None,
        AWS_SECRET_ACCESS_KEY=None,
        AWS_CONFIG_FILE="/nowhere",
        AWS_SHARED_CREDENTIALS_FILE="/no",
    )
    assert response.status_code == 503
    assert "credentials are missing" in response.json_body["detail"]


def test_missing_region_is_a_503(failing_get: FailingGet) -> None:
    response = failing_get(AWS_DEFAULT_REGION=None, AWS_CONFIG_FILE="/nowhere")
    assert response.status_code == 503
    assert "region" in response.json_body["detail"]


def test_unreachable_dynamodb_is_a_503(failing_get: FailingGet) -> None:
    response = failing_get(AWS_ENDPOINT_URL_DYNAMODB="http://127.0.0.1:1")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
    assert "cannot be reached" in response.json_body["detail"]


@pytest.mark.parametrize(
    ("status", "body", "detail"),
    [
        (400, faults.error("ProvisionedThroughputExceededException", "slow down"), "throttling"),
        (400, faults.error("AccessDeniedException", "arn:aws:sts::1:assumed-role/x may not dynamodb:Query"), "lack"),
        (500, faults.error("InternalServerError", "oh"), "cannot be reached"),
        (503, b"<html>", "cannot be reached"),
        (200, b'{"Table": {"half', "cannot be reached"),
    ],
)
def test_error_of_dynamodb_is_a_503(failing_get: FailingGet, status: int, body: bytes, detail: str) -> None:
    with faults.scripted_server((status, body)) as (url, _):
        response = failing_get(AWS_ENDPOINT_URL_DYNAMODB=url)
    assert response.status_code == 503
    assert detail in response.json_body["detail"]


@pytest.mark.parametrize(
    ("fault", "detail"),
    [
        ("reset", "cannot be reached"),
        ("slow", "cannot be reached"),
        ("half", "cannot be reached"),
        ("checksum", "cannot be reached"),
        ((400, faults.error("ExpiredTokenException", "expired")), "credentials are missing, expired"),
    ],
)
def test_faulty_response_is_a_503(failing_get: FailingGet, fault: faults.Response, detail: str) -> None:
    with faults.scripted_server(fault) as (url, _):
        response = failing_get(AWS_ENDPOINT_URL_DYNAMODB=url)
    assert response.status_code == 503
    assert detail in response.json_body["detail"]


def test_connection_closed_within_the_response_is_a_503(failing_get: FailingGet) -> None:
    with faults.scripted_server("half") as (url, _):
        response = failing_get(AWS_ENDPOINT_URL_DYNAMODB=url)
    assert response.status_code == 503


def test_unexpected_error_is_a_500_with_its_cause_in_the_log(
    failing_get: FailingGet, caplog: pytest.LogCaptureFixture
) -> None:
    with faults.scripted_server((400, faults.error("ValidationException", "arn:aws:dynamodb: no"))) as (url, _):
        response = failing_get(AWS_ENDPOINT_URL_DYNAMODB=url)
    assert response.status_code == 500
    (record,) = [record for record in caplog.records if record.name == "tablecast"]
    assert record.exc_info is not None
    assert "ValidationException" in str(record.exc_info[1])
    assert record.getMessage().split(":")[0] in response.json_body["detail"]
