"""Makes .venv with what requirements-dev.txt names, where it is not there yet. Two at once take turns."""

import fcntl
import hashlib
import pathlib
import shutil
import subprocess
import sys

OLDEST = (3, 11)
ROOT = pathlib.Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
DONE = VENV / "requirements.sha256"


def fail(line: str) -> None:
    sys.exit(f"tablecast: {line}")


def run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True)


def main() -> None:
    if sys.version_info < OLDEST:
        fail(f"python3 is {sys.version.split()[0]}, and it takes 3.11 or newer: make run PYTHON=/path/to/python3.11")
    files = [ROOT / "requirements.txt", ROOT / "requirements-dev.txt"]
    # The folder too: a venv that was moved has commands that no longer start.
    made_of = b"".join(map(pathlib.Path.read_bytes, files)) + f"{sys.version} {VENV}".encode()
    wanted = hashlib.sha256(made_of).hexdigest()
    with open(ROOT / ".venv.lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another set-up of .venv is under way: waiting for it.", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        if DONE.exists() and DONE.read_text() == wanted:
            return
        print("Setting up .venv, once: about a minute.", flush=True)
        shutil.rmtree(VENV, ignore_errors=True)
        try:
            run(sys.executable, "-m", "venv", VENV)
        except subprocess.CalledProcessError:
            shutil.rmtree(VENV, ignore_errors=True)
            fail("this Python has no venv: install it (Debian, Ubuntu: apt install python3-venv) and try again")
        try:
            run(VENV / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", files[1])
        except subprocess.CalledProcessError:
            fail(
                "the packages of requirements-dev.txt could not be installed: the first time takes a network; try again"
            )
        DONE.write_text(wanted)


try:
    main()
except KeyboardInterrupt:
    fail("stopped; the next make goes on with it")
