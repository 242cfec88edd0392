"""Makes .venv in stages, each once: what `make run` needs, then what the tests and checks need as well. Compiles
chalicelib/ for the zip. Two runs at once take turns."""

import argparse
import contextlib
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import cache_from_source
from typing import NamedTuple

OLDEST = (3, 11)
SECONDS_A_LINE = 10
LOG = "pip.log"
ROOT = pathlib.Path(__file__).resolve().parent.parent


class Stage(NamedTuple):
    """Packages that are installed together: those that the last of `files` names. It includes the other files."""

    name: str
    purpose: str
    takes: str
    files: tuple[pathlib.Path, ...]


_LOCAL = (ROOT / "requirements.txt", ROOT / "requirements-local.txt")
LOCAL = Stage("local", "make run, make deploy and make package", "10 to 30 seconds, 110 MB", _LOCAL)
DEV = Stage("dev", "the tests and checks", "1 to 3 minutes, 850 MB more", (*_LOCAL, ROOT / "requirements-dev.txt"))
STAGES = {"local": (LOCAL,), "dev": (LOCAL, DEV)}


def fail(line: str) -> None:
    sys.exit(f"tablecast: {line}")


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True)


def venv(name: str, stages: tuple[Stage, ...], compiled: tuple[str, ...] = ()) -> pathlib.Path:
    """Return the folder of the venv `name`, with the packages of all `stages`.

    A stage whose files have changed is installed again. If it is the first, or the folder was moved, or the Python is
    another, the whole folder is made again. `compiled`: the parts of site-packages that get bytecode, if not all.
    """
    folder = ROOT / name
    # The folder too: a venv that was moved has commands that no longer start.
    made_by = f"{sys.version} {folder} {compiled}".encode()
    with _turn(name):
        for stage in stages:
            done = folder / f"{stage.name}.sha256"
            contents = b"".join(map(pathlib.Path.read_bytes, stage.files))
            wanted = hashlib.sha256(contents + made_by).hexdigest()
            if done.exists() and done.read_text() == wanted:
                continue
            say(f"Setting up {name} for {stage.purpose}, once: {stage.takes}.")
            if stage is stages[0]:
                _make(folder)
            _install(folder, stage, compiled)
            done.write_text(wanted)
    return folder


@contextlib.contextmanager
def _turn(name: str) -> Iterator[None]:
    with open(ROOT / f"{name}.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Another set-up of {name} is under way: waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(folder: pathlib.Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    try:
        run(sys.executable, "-m", "venv", folder)
    except subprocess.CalledProcessError:
        shutil.rmtree(folder, ignore_errors=True)
        fail("this Python has no venv: install it (Debian, Ubuntu: apt install python3-venv) and try again")


def _install(folder: pathlib.Path, stage: Stage, compiled: tuple[str, ...]) -> None:
    file, python, began = stage.files[-1], folder / "bin/python", time.monotonic()
    options = ["--disable-pip-version-check", "--progress-bar", "off", *(["--no-compile"] if compiled else [])]
    with open(folder / LOG, "w") as log:
        environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
        command = [str(python), "-m", "pip", "install", *options, "-r", str(file)]
        pip = subprocess.Popen(command, env=environ, stdout=log, stderr=subprocess.STDOUT)
        _watch(pip, folder, began)
    if pip.returncode:
        say("\n".join(_log(folder, "ERROR: ")))
        fail(f"cannot install {file.name}; the first time takes a network. See {folder.name}/{LOG}, and try again")
    (packages,) = folder.glob("lib/python*/site-packages")
    if compiled:
        run(python, "-m", "compileall", "-q", *[packages / package for package in compiled])
    size = sum(file.lstat().st_size for file in folder.rglob("*")) / 1e6
    say(f"Done in {time.monotonic() - began:.0f} s: {_installed(folder)} packages, {size:.0f} MB.")


def _watch(pip: subprocess.Popen[bytes], folder: pathlib.Path, began: float) -> None:
    """Show how far pip is until it ends: in one line that changes on a terminal, in a line now and then elsewhere."""
    live = sys.stderr.isatty()
    before, shown = _installed(folder), began
    while pip.poll() is None:
        time.sleep(0.1)
        if time.monotonic() - shown < (0.3 if live else SECONDS_A_LINE):
            continue
        shown = time.monotonic()
        step = "".join(_log(folder, "Collecting ", "Downloading ", "Using cached ", "Processing ")[-1:])
        for names in _log(folder, "Installing "):
            step = f"{_installed(folder) - before} of {names.count(',') + 1} packages installed"
        line = f"  {shown - began:3.0f} s: {step}"
        print(f"\r\033[K{line[:78]}" if live else line, end="" if live else "\n", file=sys.stderr, flush=True)
    if live:
        print("\r\033[K", end="", file=sys.stderr, flush=True)


def _log(folder: pathlib.Path, *starts: str) -> list[str]:
    """Return the lines of pip's output that start so."""
    lines = (folder / LOG).read_text().splitlines()
    return [line.strip() for line in lines if line.strip().startswith(starts)]


def _installed(folder: pathlib.Path) -> int:
    return len(list(folder.glob("lib/python*/site-packages/*.dist-info")))


def bytecode(python: object, folder: pathlib.Path) -> None:
    """Compile `folder` and its sub-folders to bytecode that is valid for the content of its source. Delete bytecode of
    removed files and of other versions: `python` is of the version that runs this.

    By default bytecode is valid for its source's time, which differs in Lambda: each start would compile everything.
    """
    by_hash = ["--invalidation-mode", "checked-hash"]
    run(python, "-m", "compileall", "-q", "-f", *by_hash, "-s", folder.parent, folder)
    compiled = {cache_from_source(str(source)) for source in folder.rglob("*.py")}
    for file in folder.rglob("__pycache__/*.pyc"):
        if str(file) not in compiled:
            file.unlink(missing_ok=True)


def main() -> None:
    if sys.version_info < OLDEST:
        fail(f"python3 is {sys.version.split()[0]}. Tablecast needs 3.11 or newer: make run PYTHON=/path/to/python3.11")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", nargs="?", choices=STAGES, default="local", help="the last stage; local if left out")
    made = venv(".venv", STAGES[parser.parse_args().stage])
    # Python keeps existing bytecode up to date, and Chalice puts it into the zip.
    bytecode(made / "bin/python", ROOT / "chalicelib")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        fail("stopped. Run the same command again to continue")
