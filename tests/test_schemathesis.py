"""The API does what /openapi.json says, and refuses what it does not say: schemathesis asks it over HTTP, as
`make run` serves it. `make fuzz` asks more, and other things each time."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys

import pytest

from tests.conftest import copy_of_files
from tests.test_local import running

CASES = ["--max-examples", "15", "--generation-deterministic"]
if os.environ.get("HYPOTHESIS_PROFILE") == "fuzz":
    CASES = ["--max-examples", "1000"]

ORDERS = "customer,number,total\n1,a,12.50\n1,b,7\n1,b/c,1e3\n2.5,a,0\n"


@pytest.mark.parametrize(
    ("options", "changes"),
    [
        ([], 1707),
        (["--table-file", "orders.csv", "--partition-key", "customer", "--sort-key", "number"], 4),
    ],
    ids=["indexes", "a sort key"],
)
def test_schemathesis_finds_nothing(tmp_path: pathlib.Path, options: list[str], changes: int) -> None:
    clone = copy_of_files(tmp_path)
    (clone / "orders.csv").write_text(ORDERS)
    with running(clone, *options) as run:
        run.wait_for_position(changes)
        command = [sys.executable, "-m", "schemathesis.cli", "--config-file", "tests/schemathesis.toml", "run"]
        document = f"http://127.0.0.1:{run.port}/openapi.json"
        ended = subprocess.run(
            [*command, document, "--checks", "all", *CASES], cwd=clone, capture_output=True, text=True, check=False
        )
    said = ended.stdout + ended.stderr
    assert ended.returncode == 0, said
    tested = re.findall(r"(\d+) generated, (\d+) passed", said)
    assert tested, said
    assert int(tested[0][0]) == int(tested[0][1]) > 300
