"""`python -m bench.explorer`: how fast the explorer opens and responds to keys, and screenshots of it."""

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
SLOWDOWNS = (1, 4)  # Chromium's CPU throttling rates
PAGE_SIZES = (100, 1000)

VIEW = "#items?net=us&mag__gte=4.5&_sort=-time"
# width in pixels -> colour scheme, height
SCREENSHOTS: dict[int, tuple[Literal["dark", "light"], int]] = {360: ("dark", 1300), 2000: ("light", 1000)}

MS_TO_FIRST_PAINT = """() => {
    const [paint] = performance.getEntriesByName('first-contentful-paint');
    return paint && paint.startTime - performance.getEntriesByType('navigation')[0].responseEnd;
}"""
RECORD_DELAYS = """() => {
    window.delays = [];
    addEventListener('keydown', event => delays.push(performance.now() - event.timeStamp), true);
}"""


@contextlib.contextmanager
def running_local(*options: str) -> Iterator[str]:
    """Yield the URL of a new `python -m local`."""
    port = emulator.free_port()
    command = [sys.executable, "-m", "local", "--port", str(port), *options]
    with emulator.child_process(command, os.environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        if not any(line.startswith(b"Ctrl-C") for line in process.stdout):
            sys.exit("tablecast: python -m local did not start. Run it to see why.")
        yield f"http://127.0.0.1:{port}/"


def quakes(count: int) -> Iterator[bytes]:
    """Yield `count` items like the sample's, as lines of JSON."""
    samples = [ITEM_FORMATS["number"](item) for item in sample.items()]
    for number in range(count):
        quake = samples[number % len(samples)]
        yield orjson.dumps({**quake, "idx": f"{quake['idx']}-{number}"}) + b"\n"


def measure_openings(browser: Browser, url: str) -> list[float]:
    """Return milliseconds from the page's last byte to its first paint, each with an empty cache."""
    times = []
    for _ in range(OPENINGS):
        with contextlib.closing(browser.new_context()) as context:
            page = context.new_page()
            page.goto(url)
            while (milliseconds := page.evaluate(MS_TO_FIRST_PAINT)) is None:
                pass
            times.append(milliseconds)
    return times


def open_next_page(page: Page, key: str) -> None:
    """Open the page after the one whose first item is `key`, pressing keys until it is shown."""
    page.locator("#next").evaluate("link => link.click()")
    while page.locator("#items tbody a").first.text_content() == key or page.locator("[aria-busy]").count():
        page.keyboard.press("Shift")


def measure_delays(browser: Browser, url: str, limit: int, slowdown: int) -> list[float]:
    """Return milliseconds until the page handled each key, while all rows are paged through."""
    with contextlib.closing(browser.new_context(viewport={"width": 1280, "height": 900})) as context:
        page = context.new_page()
        context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": slowdown})
        page.goto(f"{url}#items?_limit={limit}")
        rows = page.locator("#items tbody tr")
        rows.nth(limit - 1).wait_for()
        page.evaluate(RECORD_DELAYS)
        shown = rows.count()
        label = f"{ROWS:,} rows in pages of {limit:,}, CPU slowdown {slowdown}"
        with click.progressbar(length=ROWS, label=label, file=sys.stderr) as bar:
            bar.update(shown)
            while page.locator("#next").is_visible():
                open_next_page(page, str(page.locator("#items tbody a").first.text_content()))
                bar.update(rows.count())
                shown += rows.count()
        assert shown == ROWS, shown
        delays: list[float] = page.evaluate("delays")
    return delays


def measure(browser: Browser) -> None:
    """Print the figures of opening the explorer and of paging through ROWS items."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "quakes.ndjson"
        file.write_bytes(b"".join(quakes(ROWS)))
        with running_local("--table-file", str(file), "--partition-key", "idx") as url:
            rows = [("last byte to first paint", "", measure_openings(browser, url))]
            rows += [
                (f"key delay, pages of {limit:,}", f"{slowdown} x", measure_delays(browser, url, limit, slowdown))
                for limit in PAGE_SIZES
                for slowdown in SLOWDOWNS
            ]
    click.echo(f"\n{'milliseconds':<40}{'slowdown':<12}{'count':>8}{'median':>8}{'99 %':>8}{'max':>8}")
    for name, slowdown, times in rows:
        percentile = sorted(times)[int(len(times) * 0.99) - 1]
        figures = "".join(f"{value:>8.1f}" for value in (statistics.median(times), percentile, max(times)))
        click.echo(f"{name:<40}{slowdown:<12}{len(times):>8,}{figures}")


def take_screenshots(browser: Browser, folder: pathlib.Path) -> None:
    """Write a screenshot of each width, with changes shown, into `folder`."""
    with running_local("--writes", "20") as url:
        for width, (scheme, height) in SCREENSHOTS.items():
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
    help="Write screenshots into FOLDER instead, at widths of 360 and 2,000 pixels.",
)
def main(pictures: pathlib.Path | None) -> None:
    """Page through 10,000 rows of the explorer in a headless Chromium, pressing keys meanwhile.

    The delay of a key is the time from the timestamp of its event until a listener in the page receives it. Takes some
    minutes.
    """
    with chromium.launched() as browser:
        if pictures:
            take_screenshots(browser, pictures)
        else:
            measure(browser)


if __name__ == "__main__":
    main()
