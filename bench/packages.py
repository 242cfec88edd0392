"""What contenders run from: a venv of their own, and this project's zip."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass

import click

from bench.scenarios import OURS, Contender
from scripts import setup

PEERS = setup.ROOT / "bench/peers"
# Lambda has boto3 and what it needs, with their bytecode, and keeps none of what it compiles. A zip of Chalice's brings
# none of packages (aws/chalice#868).
LAMBDA_HAS = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six.py", "urllib3")
DEPLOYED = ("app.py", "chalicelib", ".chalice", "requirements.txt")


@dataclass(frozen=True)
class Packages:
    """`python`: one that has what the peers need. `zip`: this project's, unpacked."""

    python: pathlib.Path
    zip: pathlib.Path

    def root(self, contender: Contender) -> pathlib.Path:
        """The folder of `contender`'s own code."""
        return self.zip if contender.name == OURS else PEERS


def ready(folder: pathlib.Path) -> Packages:
    """All that contenders run from; the zip is made within `folder`."""
    venv = setup.venv(".venv-bench", [PEERS / "requirements.txt"], LAMBDA_HAS)
    return Packages(venv / "bin/python", _unpacked(folder))


def versions() -> list[str]:
    lines = (PEERS / "requirements.txt").read_text().splitlines()
    return [line.replace("==", " ") for line in lines if "==" in line]


def _unpacked(folder: pathlib.Path) -> pathlib.Path:
    project, to = folder / "project", folder / "unpacked"
    project.mkdir()
    for name in DEPLOYED:
        copy = shutil.copytree if (setup.ROOT / name).is_dir() else shutil.copy
        copy(setup.ROOT / name, project / name)
    setup.bytecode(sys.executable, project / "chalicelib")
    chalice = pathlib.Path(sys.executable).with_name("chalice")
    made = subprocess.run(
        [chalice, "package", "--stage", "stack", "out"],
        cwd=project,
        env={**os.environ, "AWS_DEFAULT_REGION": "us-east-1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if made.returncode:
        raise click.ClickException(f"chalice package made no zip: {made.stdout.strip()}")
    with zipfile.ZipFile(project / "out/deployment.zip") as zipped:
        zipped.extractall(to)
    return to
