"""Makes .venv with what requirements-dev.txt names, where it is not there yet, and bytecode for the zip. Two at once
take turns."""

import fcntl
import hashlib
import pathlib
import shutil
import subprocess
import sys
from importlib.util import cache_from_source

OLDEST = (3, 11)
ROOT = pathlib.Path(__file__).resolve().parent.parent


def fail(line: str) -> None:
    sys.exit(f"tablecast: {line}")


def run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True)


def venv(name: str, files: list[pathlib.Path], compiled: tuple[str, ...] | None = None) -> pathlib.Path:
    """The folder of the venv `name`, with what the last of `files` names; a change of any of them makes it anew.

    `compiled`: what of its site-packages is to have bytecode, where that is not all of it.
    """
    folder = ROOT / name
    done = folder / "requirements.sha256"
    # The folder too: a venv that was moved has commands that no longer start.
    made_of = b"".join(map(pathlib.Path.read_bytes, files)) + f"{sys.version} {folder}{compiled or ''}".encode()
    wanted = hashlib.sha256(made_of).hexdigest()
    with open(ROOT / f"{name}.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Another set-up of {name} is under way: waiting for it.", file=sys.stderr, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        if done.exists() and done.read_text() == wanted:
            return folder
        print(f"Setting up {name}, once: about a minute.", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        python = folder / "bin/python"
        try:
            run(sys.executable, "-m", "venv", folder)
        except subprocess.CalledProcessError:
            shutil.rmtree(folder, ignore_errors=True)
            fail("this Python has no venv: install it (Debian, Ubuntu: apt install python3-venv) and try again")
        install = ["install", "--quiet", "--disable-pip-version-check", "-r", files[-1]]
        try:
            run(python, "-m", "pip", *install, *(["--no-compile"] if compiled else []))
        except subprocess.CalledProcessError:
            fail(f"the packages of {files[-1].name} could not be installed: the first time takes a network; try again")
        if compiled:
            (packages,) = folder.glob("lib/python*/site-packages")
            run(python, "-m", "compileall", "-q", *[packages / package for package in compiled])
        done.write_text(wanted)
    return folder


def bytecode(python: object, folder: pathlib.Path) -> None:
    """Compiles `folder` for `python`, of the version that runs this, to bytecode that is known by what its source says.
    By default it is by the source's time, which is another in Lambda: a function would compile all each time it starts.
    """
    by_hash = ["--invalidation-mode", "checked-hash"]
    run(python, "-m", "compileall", "-q", "-f", *by_hash, "-s", folder.parent, folder)
    compiled = {cache_from_source(str(source)) for source in folder.rglob("*.py")}
    for file in folder.rglob("__pycache__/*.pyc"):
        if str(file) not in compiled:
            file.unlink(missing_ok=True)


def main() -> None:
    if sys.version_info < OLDEST:
        fail(f"python3 is {sys.version.split()[0]}, and it takes 3.11 or newer: make run PYTHON=/path/to/python3.11")
    made = venv(".venv", [ROOT / "requirements.txt", ROOT / "requirements-dev.txt"])
    # What is there Python keeps up to date, and Chalice takes along.
    bytecode(made / "bin/python", ROOT / "chalicelib")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        fail("stopped; the next make goes on with it")
