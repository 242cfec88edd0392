"""A headless Chromium: an installed one, or Playwright's."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator

from playwright.sync_api import Browser, Playwright, sync_playwright

COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# As root Chromium refuses to start with its sandbox. The others stop requests that Chromium makes for itself.
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def path(playwright: Playwright) -> str | None:
    """Return the path of the executable, or None if there is none."""
    bundled = playwright.chromium.executable_path
    installed = next(filter(None, map(shutil.which, COMMANDS)), None)
    return installed or (bundled if os.path.exists(bundled) else None)


@contextlib.contextmanager
def launched() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path(playwright), args=OPTIONS)
        yield browser
        browser.close()
