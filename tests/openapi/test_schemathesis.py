"""The API accepts what /openapi.json allows and refuses everything else. schemathesis tests it over HTTP, as `make run`
serves it. `make fuzz` sends more requests, and different ones each time."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys

import pytest

from tests.conftest import copy_project
from tests.local.test_local import running

FUZZ = os.environ.get("HYPOTHESIS_PROFILE") == "fuzz"
CASE_OPTIONS = ["--max-examples", "500"] if FUZZ else ["--max-examples", "10", "--generation-deterministic"]
TIMEOUT_SECONDS = 3600 if FUZZ else 120

ORDERS_CSV = "customer,number,total\n1,a,12.50\n1,b,7\n1,b/c,1e3\n2.5,a,0\n"


ORDERS_OPTIONS = ["--table-file", "orders.csv", "--partition-key", "customer", "--sort-key", "number"]


@pytest.mark.system
@pytest.mark.parametrize(
    ("options", "position", "numbers"),
    [([], 1707, "string"), (ORDERS_OPTIONS, 4, "number")],
    ids=["a table with indexes", "a table with a sort key"],
)
def test_schemathesis_finds_no_failure(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, options: list[str], position: int, numbers: str
) -> None:
    monkeypatch.setenv("NUMBERS", numbers)
    clone = copy_project(tmp_path)
    (clone / "orders.csv").write_text(ORDERS_CSV)
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", "tests/openapi/schemathesis.toml", "run"]
    with running(clone, *options) as run:
        run.wait_for_position(position)
        result = subprocess.run(
            [*command, f"http://127.0.0.1:{run.port}/openapi.json", "--checks", "all", *CASE_OPTIONS],
            cwd=clone,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    assert result.returncode == 0, result.stdout + result.stderr
    ((generated, passed),) = re.findall(r"(\d+) generated, (\d+) passed", result.stdout)
    assert int(generated) == int(passed) > 300
