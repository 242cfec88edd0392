"""Fixtures: one embedded AWS per run, the sample table in it, and the app imported under given settings."""

from __future__ import annotations

import importlib
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import boto3
import pytest
from chalice.test import Client, HTTPResponse
from hypothesis import HealthCheck, settings

from chalicelib.dynamodb.client import Cost, DynamoDB
from local import emulator, sample, writes

ROOT = pathlib.Path(__file__).resolve().parent.parent

settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.register_profile("fuzz", settings.get_profile("suite"), derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


# These fixtures start processes. A test that uses one of them is not a unit test.
SYSTEM_FIXTURES = {"browser", "clone", "cloud", "endpoint", "merged", "package"}


@pytest.hookimpl(tryfirst=True)  # Before pytest-xdist reads the groups.
def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Mark the tests that are not unit tests, and have one worker run each file. The longest begin first."""
    for item in items:
        if SYSTEM_FIXTURES.intersection(item.fixturenames):
            item.add_marker("system")
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
    items.sort(key=lambda item: not item.get_closest_marker("system"))


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    with emulator.running() as url:
        environ = emulator.environment(url)
        before = dict(os.environ)
        os.environ.clear()
        os.environ.update(environ)
        yield url
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="session")
def dynamodb(endpoint: str) -> Any:
    return boto3.client("dynamodb")


def put_items(dynamodb: Any, table: str, items: list[dict[str, Any]]) -> None:
    assert writes.put(dynamodb, table, list(enumerate(items)), lambda _: None) == []


@pytest.fixture(scope="session")
def quakes(dynamodb: Any) -> list[dict[str, Any]]:
    """Create the sample table. Return its items in typed JSON."""
    items = sample.items()
    dynamodb.create_table(**sample.TABLE)
    put_items(dynamodb, sample.TABLE["TableName"], items)
    return items


def copy_project(folder: pathlib.Path) -> pathlib.Path:
    """Copy the project's files to `folder`, without those that git ignores. Return `folder`."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split():
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


Load = Callable[..., ModuleType]


@pytest.fixture
def load_app(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Return a function that imports the module app again, under the given settings."""

    def load(**environ: str) -> ModuleType:
        for name, value in {"TABLE_NAME": "study_test", **environ}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delitem(sys.modules, "app", raising=False)
        return importlib.import_module("app")

    return load


Get = Callable[..., HTTPResponse]


@pytest.fixture
def get(load_app: Load) -> Get:
    """Return a function that gets a path of the app over study_test."""
    client = Client(load_app().app, stage_name="local")

    def get(path: str, **headers: str) -> HTTPResponse:
        return client.http.get(path, headers=headers)

    return get


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Record the requests to DynamoDB from now on. Return their list."""
    requests: list[dict[str, Any]] = []
    call = DynamoDB.call

    def recorded(self: DynamoDB, operation: str, **request: Any) -> tuple[dict[str, Any], Cost]:
        requests.append({"operation": operation, **request})
        return call(self, operation, **request)

    monkeypatch.setattr(DynamoDB, "call", recorded)
    return requests
