"""Installs a Chromium where there is none: Debian's for root, else Playwright's own. It is for `make test`."""

import os
import shutil
import subprocess
import sys

from playwright.sync_api import sync_playwright

from local import chromium


def main() -> None:
    with sync_playwright() as playwright:
        if chromium.path(playwright):
            return
    print("Installing a Chromium for the tests, once.", flush=True)
    commands = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        commands = [["apt-get", "update", "-qq"], ["apt-get", "install", "-qq", "-y", "chromium"]]
    for command in commands:
        if subprocess.run(command, check=False).returncode:
            sys.exit("tablecast: no Chromium could be installed: install one, and try again")


main()
