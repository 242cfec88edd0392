"""The API does what /openapi.json says, and refuses what it does not say: schemathesis asks it over HTTP, as
`make run` serves it. `make fuzz` asks more, and other things each time."""

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
CASES = ["--max-examples", "500"] if FUZZ else ["--max-examples", "10", "--generation-deterministic"]
SECONDS = 3600 if FUZZ else 120

ORDERS = "customer,number,total\n1,a,12.50\n1,b,7\n1,b/c,1e3\n2.5,a,0\n"


OF_ORDERS = ["--table-file", "orders.csv", "--partition-key", "customer", "--sort-key", "number"]


@pytest.mark.system
@pytest.mark.parametrize(
    ("options", "changes", "numbers"),
    [([], 1707, "string"), (OF_ORDERS, 4, "number")],
    ids=["a table with indexes", "a table with a sort key"],
)
def test_schemathesis_finds_nothing(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, options: list[str], changes: int, numbers: str
) -> None:
    monkeypatch.setenv("NUMBERS", numbers)
    clone = copy_project(tmp_path)
    (clone / "orders.csv").write_text(ORDERS)
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", "tests/openapi/schemathesis.toml", "run"]
    with running(clone, *options) as run:
        run.wait_for_position(changes)
        ended = subprocess.run(
            [*command, f"http://127.0.0.1:{run.port}/openapi.json", "--checks", "all", *CASES],
            cwd=clone,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    ((generated, passed),) = re.findall(r"(\d+) generated, (\d+) passed", ended.stdout)
    assert int(generated) == int(passed) > 300
