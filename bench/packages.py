"""The code that contenders run from: a venv for the peers, and this project's zip."""

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
# Lambda provides boto3 and its dependencies with bytecode, and does not store bytecode that a function compiles.
# Chalice's zips contain no bytecode of packages (aws/chalice#868).
PRECOMPILED = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six.py", "urllib3")
DEPLOYED = ("app.py", "chalicelib", ".chalice", "requirements.txt")


@dataclass(frozen=True)
class Packages:
    """`python`: the executable of the peers' venv. `zip`: the folder of this project's zip, unpacked."""

    python: pathlib.Path
    zip: pathlib.Path

    def root(self, contender: Contender) -> pathlib.Path:
        """Return the folder of `contender`'s code."""
        return self.zip if contender.name == OURS else PEERS


def prepare(folder: pathlib.Path) -> Packages:
    """Create the venv unless it exists, and build the zip in `folder`."""
    peers = setup.Stage("peers", "the bench's peers", "about a minute", (PEERS / "requirements.txt",))
    venv = setup.venv(".venv-bench", (peers,), PRECOMPILED)
    return Packages(venv / "bin/python", _unpacked(folder))


def versions() -> list[str]:
    """Return the versions of the peers' packages: "boto3 1.44.8"."""
    lines = (PEERS / "requirements.txt").read_text().splitlines()
    return [line.replace("==", " ") for line in lines if "==" in line]


def _unpacked(folder: pathlib.Path) -> pathlib.Path:
    project, unpacked = folder / "project", folder / "unpacked"
    project.mkdir()
    for name in DEPLOYED:
        copy = shutil.copytree if (setup.ROOT / name).is_dir() else shutil.copy
        copy(setup.ROOT / name, project / name)
    setup.bytecode(sys.executable, project / "chalicelib")
    chalice = pathlib.Path(sys.executable).with_name("chalice")
    result = subprocess.run(
        [chalice, "package", "--stage", "stack", "out"],
        cwd=project,
        env={**os.environ, "AWS_DEFAULT_REGION": "us-east-1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if result.returncode:
        raise click.ClickException(f"chalice package failed: {result.stdout.strip()}")
    with zipfile.ZipFile(project / "out/deployment.zip") as archive:
        archive.extractall(unpacked)
    return unpacked
