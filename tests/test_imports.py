"""Imports run one way, and a function that starts for one item loads no module that it does not use."""

from __future__ import annotations

import ast
import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.conftest import ROOT

# From the top floor down. A module imports its own wing and lower floors.
FLOORS = {
    "app": 6,
    "web": 5,
    "openapi": 4,
    "table": 3,
    "changes": 3,
    "query": 2,
    "dynamodb": 1,
    "settings": 0,
    "problems": 0,
}

# What `changes` may import of `query`.
ACCESS = "chalicelib.query.access"

# Modules that only a function imports, and only these modules: they are slow to start, or few requests need them.
LAZY = {
    "chalicelib.changes.writer": {"app"},
    "chalicelib.changes.records": {"chalicelib.changes.writer", "chalicelib.openapi.responses"},
    "chalicelib.dynamodb.botocore_transport": {"chalicelib.dynamodb.endpoint"},
    "chalicelib.openapi.document": {"chalicelib.web.api"},
    "chalicelib.openapi.parameters": {"chalicelib.openapi.document"},
    "chalicelib.openapi.responses": {"chalicelib.openapi.document"},
    "chalicelib.query.reasons": {"chalicelib.query.planner", "chalicelib.web.api"},
    "chalicelib.web.explorer.page": {"chalicelib.web.api"},
    "chalicelib.web.explorer.join": {"chalicelib.web.explorer.page"},
    "botocore": {"chalicelib.dynamodb.botocore_transport"},
    "http.client": {"chalicelib.dynamodb.http11"},
}

COLD_LOOKUP = [
    "chalicelib",
    "chalicelib.changes",
    "chalicelib.changes.entries",
    "chalicelib.changes.reader",
    "chalicelib.dynamodb",
    "chalicelib.dynamodb.client",
    "chalicelib.dynamodb.endpoint",
    "chalicelib.dynamodb.errors",
    "chalicelib.dynamodb.http11",
    "chalicelib.dynamodb.items",
    "chalicelib.dynamodb.schema",
    "chalicelib.dynamodb.signature_v4",
    "chalicelib.dynamodb.transport",
    "chalicelib.problems",
    "chalicelib.query",
    "chalicelib.query.access",
    "chalicelib.query.conditions",
    "chalicelib.query.controls",
    "chalicelib.query.cursors",
    "chalicelib.query.expressions",
    "chalicelib.query.operators",
    "chalicelib.query.planner",
    "chalicelib.query.plans",
    "chalicelib.query.values",
    "chalicelib.settings",
    "chalicelib.table",
    "chalicelib.web",
    "chalicelib.web.api",
    "chalicelib.web.caching",
    "chalicelib.web.formats",
    "chalicelib.web.requests",
    "chalicelib.web.responses",
]


class Import(NamedTuple):
    """`top`: whether it runs with its module, and not only in a function or for a type checker."""

    importer: str
    module: str
    top: bool


def name_of(path: pathlib.Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in (ROOT / "app.py", *sorted((ROOT / "chalicelib").rglob("*.py")))}


def imports(importer: str) -> Iterator[Import]:
    tree = ast.parse(MODULES[importer].read_text())
    later = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or is_type_checking(node)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(importer, alias.name, node not in later) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.module
            assert not node.level, f"{importer}: a relative import"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            modules = {name if name in MODULES else node.module for name in inner}
            yield from (Import(importer, module, node not in later) for module in sorted(modules))


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


ALL = [each for importer in MODULES for each in imports(importer)]


def wing(module: str) -> str:
    return module.removeprefix("chalicelib.").split(".")[0]


@pytest.mark.parametrize("importer", MODULES)
def test_imports_run_one_way(importer: str) -> None:
    for module in (each.module for each in ALL if each.importer == importer and each.module in MODULES):
        if module == "chalicelib":
            continue
        above = FLOORS[wing(importer)] - FLOORS[wing(module)]
        assert wing(importer) == wing(module) or above > 0, f"{importer} imports {module}"
        assert (wing(importer), wing(module)) != ("changes", "query") or module == ACCESS, (
            f"{importer} imports {module}"
        )


def test_no_two_modules_import_each_other() -> None:
    waiting = {
        name: {each.module for each in ALL if each.importer == name and each.top} & MODULES.keys() for name in MODULES
    }
    while ready := {name for name, needs in waiting.items() if not needs & waiting.keys()}:
        waiting = {name: needs for name, needs in waiting.items() if name not in ready}
    assert not waiting


@pytest.mark.parametrize("module", LAZY)
def test_only_modules_that_need_it_import(module: str) -> None:
    found = [each for each in ALL if each.module == module or each.module.startswith(f"{module}.")]
    assert {each.importer for each in found} == LAZY[module]
    for each in found:
        assert not each.top or each.importer in LAZY, f"{each.importer} imports {module} when it starts"


LOOKUP = """
import json, sys, types
import app
context = types.SimpleNamespace(aws_request_id="1", get_remaining_time_in_millis=lambda: 29_000)
answer = app.app(json.loads(sys.argv[1]), context)
assert answer["statusCode"] == 200, answer
print(json.dumps(sorted(sys.modules)))
"""


@pytest.fixture(scope="module")
def loaded(quakes: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The modules that a cold function has loaded after it answered for one item."""
    home = tmp_path_factory.mktemp("home")
    event = {
        "httpMethod": "GET",
        "headers": {},
        "multiValueQueryStringParameters": None,
        "pathParameters": {"partition": quakes[0]["idx"]["S"]},
        "requestContext": {"resourcePath": "/items/{partition}", "httpMethod": "GET", "path": "/items"},
        "stageVariables": None,
        "body": None,
        "isBase64Encoded": False,
    }
    environ = {**os.environ, "HOME": str(home), "TABLE_NAME": "study_test"}
    command = [sys.executable, "-c", LOOKUP, json.dumps(event)]
    said = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True)
    modules: list[str] = json.loads(said.stdout)
    return modules


def test_a_cold_lookup_loads_these_modules(loaded: list[str]) -> None:
    assert [module for module in loaded if module.partition(".")[0] == "chalicelib"] == COLD_LOOKUP


@pytest.mark.parametrize("module", ["botocore", "boto3", "http.client"])
def test_a_cold_lookup_does_without(loaded: list[str], module: str) -> None:
    assert module not in loaded
