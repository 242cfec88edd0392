"""Installs node_modules by package-lock.json, where that is not done yet: the tools that check the explorer."""

import argparse
import fcntl
import hashlib
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOCK = ROOT / "package-lock.json"
DONE = ROOT / "node_modules/lock.sha256"


def environment() -> dict[str, str]:
    """Return the environment in which this Python's node and npm come first."""
    folder = str(pathlib.Path(sys.executable).parent)
    return {**os.environ, "PATH": os.pathsep.join((folder, os.environ.get("PATH", os.defpath)))}


def main() -> None:
    argparse.ArgumentParser(prog="python -m scripts.node", description=__doc__).parse_args()
    with open(LOCK, "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Two at once take turns.
        wanted = hashlib.sha256(lock.read()).hexdigest()
        if DONE.exists() and DONE.read_text() == wanted:
            return
        print("Installing node_modules, once: some seconds.", file=sys.stderr, flush=True)
        if subprocess.run(["npm", "ci", "--silent"], cwd=ROOT, env=environment(), check=False).returncode:
            sys.exit(
                "tablecast: the packages of package-lock.json could not be installed: the first time takes a network; "
                "try again, or see why with .venv/bin/npm ci"
            )
        DONE.write_text(wanted)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("tablecast: stopped; the next make continues")
