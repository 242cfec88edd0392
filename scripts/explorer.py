"""Writes the explorer as one file, which opens from a disk or another site and reads the API of ?api=URL."""

import argparse
import pathlib

from chalicelib.web.explorer.join import joined
from chalicelib.web.explorer.page import FOLDER

OUT = pathlib.Path("out/explorer.html")


def main() -> None:
    argparse.ArgumentParser(prog="python -m scripts.explorer", description=__doc__).parse_args()
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(joined(FOLDER), "utf-8")
    print(f"{OUT} is the explorer: open {OUT.resolve().as_uri()}?api=URL, with the URL of an API.")


if __name__ == "__main__":
    main()
