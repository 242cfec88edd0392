"""`python -m bench.explorer`: how fast the explorer opens, how long it keeps a key waiting, and what it looks like."""

from __future__ import annotations

import contextlib
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Literal

import click
import orjson
from playwright.sync_api import Browser, Page, ViewportSize

from chalicelib.dynamodb.items import ITEM_FORMATS
from local import chromium, emulator, sample

ROWS = 10_000
OPENINGS = 9
SLOWDOWNS = (1, 4)  # Chromium's own: a CPU so many times slower
PAGES = (100, 1000)

VIEW = "#items?net=us&mag__gte=4.5&_sort=-time"
PICTURES: dict[int, tuple[Literal["dark", "light"], int]] = {
    360: ("dark", 1300),
    2000: ("light", 1000),
}  # width -> colours, height

FROM_BYTES_TO_PAINT = """() => {
    const [paint] = performance.getEntriesByName('first-contentful-paint');
    return paint && paint.startTime - performance.getEntriesByType('navigation')[0].responseEnd;
}"""
LISTEN = """() => {
    window.delays = [];
    addEventListener('keydown', event => delays.push(performance.now() - event.timeStamp), true);
}"""


@contextlib.contextmanager
def local(*options: str) -> Iterator[str]:
    """The URL of a `python -m local`."""
    port = emulator.free_port()
    command = [sys.executable, "-m", "local", "--port", str(port), *options]
    with emulator.child_process(command, os.environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        if not any(line.startswith(b"Ctrl-C") for line in process.stdout):
            sys.exit("tablecast: python -m local did not start: run it to see why")
        yield f"http://127.0.0.1:{port}/"


def quakes(count: int) -> Iterator[bytes]:
    """`count` items of the sample's kind, as lines of JSON."""
    there = [ITEM_FORMATS["number"](item) for item in sample.items()]
    for number in range(count):
        quake = there[number % len(there)]
        yield orjson.dumps({**quake, "idx": f"{quake['idx']}-{number}"}) + b"\n"


def openings(browser: Browser, url: str) -> list[float]:
    """Milliseconds from the page's last byte to its first paint, of a browser that has nothing of it."""
    found = []
    for _ in range(OPENINGS):
        with contextlib.closing(browser.new_context()) as context:
            page = context.new_page()
            page.goto(url)
            while (taken := page.evaluate(FROM_BYTES_TO_PAINT)) is None:
                pass
            found.append(taken)
    return found


def turn(page: Page, key: str) -> None:
    """On to the next page, with keys pressed all the while."""
    page.locator("#next").evaluate("link => link.click()")
    while page.locator("#items tbody a").first.text_content() == key or page.locator("[aria-busy]").count():
        page.keyboard.press("Shift")


def delays(browser: Browser, url: str, limit: int, slowdown: int) -> list[float]:
    """Milliseconds that each key waited for the page while all rows were paged through."""
    with contextlib.closing(browser.new_context(viewport={"width": 1280, "height": 900})) as context:
        page = context.new_page()
        context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slowdown})
        page.goto(f"{url}#items?_limit={limit}")
        rows = page.locator("#items tbody tr")
        rows.nth(limit - 1).wait_for()
        page.evaluate(LISTEN)
        shown = rows.count()
        label = f"{ROWS:,} rows in pages of {limit:,}, CPU slowed {slowdown} times"
        with click.progressbar(length=ROWS, label=label, file=sys.stderr) as bar:
            bar.update(shown)
            while page.locator("#next").is_visible():
                turn(page, str(page.locator("#items tbody a").first.text_content()))
                bar.update(rows.count())
                shown += rows.count()
        assert shown == ROWS, shown
        found: list[float] = page.evaluate("delays")
    return found


def measure(browser: Browser) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "quakes.ndjson"
        file.write_bytes(b"".join(quakes(ROWS)))
        with local("--table-file", str(file), "--partition-key", "idx") as url:
            opened = openings(browser, url)
            rows = [("from its last byte to the first paint", "", opened)]
            rows += [
                (f"a key's wait, pages of {limit:,}", f"{slowdown} times", delays(browser, url, limit, slowdown))
                for limit in PAGES
                for slowdown in SLOWDOWNS
            ]
    click.echo(f"\n{'milliseconds':<40}{'CPU slowed':<12}{'number':>8}{'median':>8}{'99 %':>8}{'most':>8}")
    for name, slowed, found in rows:
        share = sorted(found)[int(len(found) * 0.99) - 1]
        click.echo(
            f"{name:<40}{slowed:<12}{len(found):>8,}{statistics.median(found):>8.1f}{share:>8.1f}{max(found):>8.1f}"
        )


def picture(browser: Browser, folder: pathlib.Path) -> None:
    with local("--writes", "20") as url:
        for width, (scheme, height) in PICTURES.items():
            viewport: ViewportSize = {"width": width, "height": height}
            with contextlib.closing(browser.new_context(viewport=viewport, color_scheme=scheme)) as context:
                page = context.new_page()
                page.goto(url + VIEW)
                page.locator("#items tr:nth-child(-n + 12)[data-mark]").nth(1).wait_for(timeout=300_000)
                page.screenshot(path=folder / f"explorer-{width}.png")
                click.echo(f"{folder}/explorer-{width}.png")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--pictures",
    type=click.Path(exists=True, file_okay=False, path_type=pathlib.Path),
    metavar="FOLDER",
    help="Write pictures of it into FOLDER instead, at 360 and at 2,000 pixels.",
)
def main(pictures: pathlib.Path | None) -> None:
    """Page through 10,000 rows of the explorer in a headless Chromium, pressing keys all the while.

    A key's wait is the time from the event's own timestamp until a listener of the page sees it. Takes some minutes.
    """
    with chromium.launched() as browser:
        if pictures:
            picture(browser, pictures)
        else:
            measure(browser)


if __name__ == "__main__":
    main()
