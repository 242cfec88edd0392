"""A headless Chromium: the one that is installed, or Playwright's own."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator

from playwright.sync_api import Browser, Playwright, sync_playwright

COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# No sandbox for root, which Chromium refuses; nothing that asks for hosts of its own.
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def path(playwright: Playwright) -> str | None:
    """Where it is; None where there is none."""
    own = playwright.chromium.executable_path
    installed = next(filter(None, map(shutil.which, COMMANDS)), None)
    return installed or (own if os.path.exists(own) else None)


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path(playwright), args=OPTIONS)
        yield browser
        browser.close()
