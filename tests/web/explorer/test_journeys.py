"""The explorer in a browser: from the API, from another origin, and from a disk."""

from __future__ import annotations

import contextlib
import functools
import json
import pathlib
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from chalice.test import Client
from playwright.sync_api import Browser, Page, expect

from chalicelib.web.explorer.join import joined
from chalicelib.web.explorer.page import FOLDER
from local import chromium, emulator, sample
from tests import faults
from tests.conftest import Load, copy_project
from tests.local.test_local import SECONDS, Run, running

TABLE = sample.TABLE["TableName"]
FEED = f"{TABLE}-feed"
MARKUP = "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium.launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    with running(copy_project(tmp_path_factory.mktemp("clone"))) as run:
        run.wait_for_position(1707)
        yield run


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Return the page as one file, as `make explorer` writes it."""
    page_file = tmp_path_factory.mktemp("site") / "explorer.html"
    page_file.write_text(joined(FOLDER))
    return page_file


@pytest.fixture(scope="module")
def other_origin(page_file: pathlib.Path) -> Iterator[str]:
    """Serve the page from an origin without an API. Yield its URL."""
    with faults.serving(functools.partial(QuietHandler, directory=str(page_file.parent))) as port:
        yield f"http://127.0.0.1:{port}/{page_file.name}"


Visit = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Return a function that opens a URL in a new browser context. No page may have a script error."""
    errors: list[str] = []
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"])

    def visit(url: str) -> Page:
        page = context.new_page()
        page.set_default_timeout(SECONDS * 1000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(url)
        return page

    expect.set_options(timeout=20_000)
    yield visit
    context.close()
    assert errors == []


def api_url(run: Run) -> str:
    return f"http://127.0.0.1:{run.port}/"


def other_origin_url(run: Run, other_origin: str, view: str = "items") -> str:
    return f"{other_origin}?api={api_url(run)}#{view}"


def shown_keys(page: Page) -> list[str]:
    """Return the keys in the table, in their order."""
    return page.locator("#items tbody th a").all_text_contents()


def wait_for_rows(page: Page, count: int) -> list[str]:
    """Wait until the table shows `count` rows. Return their keys."""
    expect(page.locator("#items tbody tr")).to_have_count(count)
    return shown_keys(page)


def keys_of(response: tuple[int, dict[str, str], Any]) -> list[str]:
    return [item["idx"] for item in response[2]["items"]]


def row(page: Page, key: str) -> Any:
    return page.locator("#items tbody tr").filter(has=page.get_by_role("link", name=key, exact=True))


def put_item(run: Run, **item: Any) -> None:
    run.dynamodb().put_item(TableName=TABLE, Item=item)


def test_page_of_another_origin_lists_filters_sorts_and_pages(run: Run, other_origin: str, visit: Visit) -> None:
    page = visit(other_origin)
    page.get_by_label("Which API?").fill(api_url(run))
    page.get_by_role("button", name="Open").click()
    assert wait_for_rows(page, 100) == keys_of(run.get("/items"))
    expect(page.get_by_role("heading", level=1)).to_have_text(TABLE)
    expect(page.locator("#plan")).to_contain_text("Scan: reads through the table")

    for position, (attribute, operator, value) in enumerate([("net", "is", "us"), ("mag", "is at least", "4")]):
        page.get_by_role("button", name="Add a filter").click()
        condition = page.locator("#conditions li").nth(position)
        condition.get_by_label("Attribute").fill(attribute)
        condition.get_by_label("Operator").select_option(operator)
        condition.get_by_label("Value").fill(value)
    page.get_by_label("Sort by").select_option("time, descending")
    page.get_by_label("Items a page").select_option("25")
    page.get_by_role("button", name="Show", exact=True).click()
    path = "/items?net=us&mag__gte=4&_sort=-time&_limit=25"
    expect(page).to_have_url(other_origin_url(run, other_origin, path[1:]))
    first_response = run.get(path)
    assert wait_for_rows(page, 25) == keys_of(first_response)
    expect(page.locator("#plan")).to_contain_text(re.compile(r"the index by_net · [\d.]+ read units? · .* KB sent"))
    page.locator("#why summary").click()
    expect(page.locator("#reasons")).to_contain_text("by_net: used: net=us fixes its partition")

    page.get_by_role("link", name="Next page").click()
    second_keys = keys_of(run.get(f"/items{first_response[2]['next']}"))
    expect(page.locator("#items tbody a").first).to_have_text(second_keys[0])
    assert wait_for_rows(page, 25) == second_keys
    page.get_by_role("link", name="Previous page").click()
    expect(page.locator("#items tbody a").first).to_have_text(keys_of(first_response)[0])
    page.go_back()
    expect(page.locator("#items tbody a").first).to_have_text(second_keys[0])
    page.get_by_role("link", name="First page").click()
    expect(page.locator("#items tbody a").first).to_have_text(keys_of(first_response)[0])

    copied = functools.partial(page.evaluate, "navigator.clipboard.readText()")
    page.get_by_role("button", name="Copy curl").click()
    expect(page.locator("#announcement")).to_have_text("Copied the command")
    result = subprocess.run(["bash", "-c", f"{copied()} -s"], capture_output=True, timeout=SECONDS, check=True)
    assert json.loads(result.stdout) == first_response[2]
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator("#announcement")).to_have_text("Copied the link")
    assert wait_for_rows(visit(copied()), 25) == keys_of(first_response)


def test_page_works_from_a_disk(run: Run, visit: Visit, page_file: pathlib.Path) -> None:
    page = visit(f"file://{page_file}?api={api_url(run)}#items?net=us&_sort=-time")
    assert wait_for_rows(page, 100) == keys_of(run.get("/items?net=us&_sort=-time"))


def test_page_served_by_an_api_refuses_another_api(run: Run, visit: Visit) -> None:
    page = visit(f"{api_url(run)}?api=http://127.0.0.1:9/")
    expect(page.get_by_role("alert")).to_contain_text("may only read the API that it came from")


def test_long_value_is_cut_in_the_table_and_whole_in_the_item(run: Run, visit: Visit) -> None:
    numbers = [f"{n:03}" for n in range(100)]
    put_item(run, idx={"S": "long"}, text={"S": "x" * 200_000}, set={"SS": numbers})
    page = visit(f"{api_url(run)}#items?idx=long")
    wait_for_rows(page, 1)
    expect(page.locator("#items td.S")).to_have_text("x" * 300 + "…")
    expect(page.locator("#items td.SS")).to_contain_text("and 80 more")
    page.get_by_role("link", name="long", exact=True).click()
    expect(page.get_by_role("dialog").locator("td.S").last).to_have_text("x" * 200_000)
    assert page.get_by_role("dialog").locator(".chip").all_text_contents() == numbers
    run.dynamodb().delete_item(TableName=TABLE, Key={"idx": {"S": "long"}})


def test_chosen_fields_change_the_columns_and_not_the_rows(run: Run, visit: Visit) -> None:
    page = visit(api_url(run))
    wait_for_rows(page, 100)
    page.locator("#fields summary").click()
    for name in ("mag", "types"):
        page.get_by_label(name, exact=True).check()
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page).to_have_url(f"{api_url(run)}#items?_fields=mag,types")
    expect(page.locator("#items thead th")).to_have_text(["idx", "mag", "types"])
    assert wait_for_rows(page, 100) == keys_of(run.get("/items"))


def test_cell_shows_its_type_and_every_digit(run: Run, visit: Visit) -> None:
    digits = "12345678901234567890.123456789012345678"
    put_item(
        run,
        idx={"S": "types"},
        net={"S": "types"},
        time={"N": digits},
        blob={"B": b"\x00\x01\x02\x03"},
        yes={"BOOL": True},
        none={"NULL": True},
        empty={"S": ""},
        map={"M": {"S": {"N": "1.50"}, "b": {"B": b"x"}}},
        list={"L": [{"S": "a"}, {"NULL": True}]},
        set={"SS": ["a", "b"]},
        numbers={"NS": ["1"]},
        blobs={"BS": [b"\x00\x01"]},
    )
    page = visit(f"{api_url(run)}#items?net=types&_sort=time")
    wait_for_rows(page, 1)
    names = page.locator("#items thead th").all_text_contents()

    def cell(name: str) -> Any:
        return page.locator(f"#items tbody tr > :nth-child({names.index(name) + 1})")

    expect(cell("time")).to_have_text(digits)
    expect(cell("time")).to_have_css("text-align", "right")
    for name, text in {"blob": "4 bytes", "yes": "true", "none": "null", "empty": '""', "blobs": "2 bytes"}.items():
        expect(cell(name)).to_have_text(text)
    assert cell("set").locator(".chip").all_text_contents() == ["a", "b"]
    assert cell("numbers").locator(".chip").all_text_contents() == ["1"]
    expect(cell("list").locator("summary")).to_have_text("[2]")
    cell("map").locator("summary").click()
    expect(cell("map").locator("pre")).to_have_text('{\n  "S": 1.5,\n  "b": "eA=="\n}')

    page.get_by_role("link", name="types", exact=True).click()
    page.get_by_role("button", name="Copy as JSON").click()
    expect(page.locator("#announcement")).to_have_text("Copied the item")
    copied = json.loads(page.evaluate("navigator.clipboard.readText()"), parse_int=str, parse_float=str)
    assert copied == run.get("/items/types")[2]
    page.get_by_role("button", name="Close").click()
    expect(page).to_have_url(f"{api_url(run)}#items?net=types&_sort=time")
    run.dynamodb().delete_item(TableName=TABLE, Key={"idx": {"S": "types"}})


@pytest.mark.parametrize("key", [MARKUP, "100%/../a b?&=#+서울", '"quoted"'])
def test_markup_in_the_table_is_shown_as_text(run: Run, other_origin: str, visit: Visit, key: str) -> None:
    put_item(
        run,
        idx={"S": key},
        net={"S": "text"},
        time={"N": "1"},
        **{MARKUP: {"S": MARKUP}, "m": {"M": {MARKUP: {"S": MARKUP}}}},
    )
    for url in (
        api_url(run) + "#items?net=text&_sort=time",
        other_origin_url(run, other_origin, "items?net=text&_sort=time"),
    ):
        page = visit(url)
        assert wait_for_rows(page, 1) == [key]
        expect(page.locator("#items thead")).to_contain_text(MARKUP)
        page.locator("#items tbody details summary").click()
        page.get_by_role("link", name=key, exact=True).click()
        expect(page.get_by_role("dialog").get_by_role("heading")).to_have_text(key)
        expect(page.get_by_role("dialog").locator("td").filter(has_text=MARKUP)).to_have_count(
            3 if key == MARKUP else 2
        )
        page.reload()
        expect(page.get_by_role("dialog").get_by_role("heading")).to_have_text(key)
        assert page.locator("img").count() == 0
        assert page.evaluate("window.hacked") is None
    run.dynamodb().delete_item(TableName=TABLE, Key={"idx": {"S": key}})


def test_changes_appear_live_and_not_while_paused(run: Run, other_origin: str, visit: Visit) -> None:
    view = "items?net=live&_sort=time&_consistent=false"
    put_item(run, idx={"S": "there"}, net={"S": "live"}, time={"N": "2"}, mag={"N": "1"})
    page = visit(other_origin_url(run, other_origin, view))
    page.evaluate("window.same = true")
    wait_for_rows(page, 1)
    expect(page.locator("#following")).to_contain_text("Following, at position")

    put_item(run, idx={"S": "first"}, net={"S": "live"}, time={"N": "1"})
    expect(row(page, "first")).to_have_attribute("data-mark", "inserted")
    assert shown_keys(page) == ["first", "there"]
    put_item(run, idx={"S": "there"}, net={"S": "live"}, time={"N": "2"}, mag={"N": "2.25"})
    expect(row(page, "there")).to_have_attribute("data-mark", "changed")
    expect(row(page, "there").locator(".hot")).to_have_text("2.25")
    expect(row(page, "there")).to_contain_text("changed")
    run.dynamodb().delete_item(TableName=TABLE, Key={"idx": {"S": "first"}})
    expect(row(page, "first")).to_have_attribute("data-mark", "removed")
    put_item(run, idx={"S": "there"}, net={"S": "other"}, time={"N": "2"})
    expect(row(page, "there")).to_have_attribute("data-mark", "left")
    expect(page.locator("#chart")).to_have_attribute(
        "aria-label", re.compile("[1-9]\\d* inserted, [1-9].* changed, 1 removed")
    )
    page.get_by_text("The latest changes").click()
    expect(page.locator("#log li").first).to_contain_text("changed there")

    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#following")).to_contain_text("Paused at position")
    put_item(run, idx={"S": "later"}, net={"S": "live"}, time={"N": "3"})
    run.wait_for_position(run.get("/changes")[2]["next"])
    page.wait_for_timeout(2500)
    assert row(page, "later").count() == 0
    page.get_by_role("button", name="Resume").click()
    expect(row(page, "later")).to_have_attribute("data-mark", "inserted")
    assert page.evaluate("window.same") is True
    for key in ("there", "later"):
        run.dynamodb().delete_item(TableName=TABLE, Key={"idx": {"S": key}})


def test_removed_row_stays_for_a_while_and_the_focus_does_not_move(run: Run, visit: Visit) -> None:
    for number in "12345":
        put_item(run, idx={"S": f"row {number}"}, net={"S": "rows"}, time={"N": number})
    page = visit(f"{api_url(run)}#items?net=rows&_sort=time")
    wait_for_rows(page, 5)
    expect(page.locator("#following")).to_contain_text("Following")
    page.get_by_role("link", name="row 4").focus()
    run.dynamodb().delete_item(TableName=TABLE, Key={"idx": {"S": "row 2"}})
    expect(row(page, "row 2")).to_have_attribute("data-mark", "removed")
    assert shown_keys(page) == [f"row {number}" for number in "12345"]
    expect(page.get_by_role("link", name="row 4")).to_be_focused()
    # Inserted, then changed before the page asks again.
    with page.expect_request("**/changes?*"):
        pass
    for mag in "12":
        put_item(run, idx={"S": "row 0"}, net={"S": "rows"}, time={"N": "0"}, mag={"N": mag})
    expect(row(page, "row 0")).to_have_attribute("data-mark", "inserted")
    for number in "01345":
        run.dynamodb().delete_item(TableName=TABLE, Key={"idx": {"S": f"row {number}"}})


def test_unusual_attribute_names_are_shown_and_chosen(run: Run, visit: Visit) -> None:
    names = ["constructor", "toString", "__proto__", "a,b", 'q"uote', "a.b", "[1]", "_x", "a__gt", "이름"]
    put_item(
        run, idx={"S": "odd 1"}, net={"S": "odd"}, time={"N": "1"}, **{name: {"S": f"of {name}"} for name in names}
    )
    put_item(run, idx={"S": "odd 2"}, net={"S": "odd"}, time={"N": "2"})
    page = visit(f"{api_url(run)}#items?net=odd&_sort=time")
    assert wait_for_rows(page, 2) == ["odd 1", "odd 2"]
    page.locator("#fields summary").click()
    for name in names:
        path = name.replace(".", "\\.").replace("[", "\\[")
        page.get_by_role("checkbox", name=path, exact=True).check()
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator("#items thead th")).to_have_count(len(names) + 1)
    assert set(page.locator("#items thead th").all_text_contents()) == {"idx", *names}
    texts = page.locator("#items tbody tr").first.locator("td").all_text_contents()
    assert sorted(texts) == sorted(f"of {name}" for name in names)
    assert page.locator("#fields input:checked").count() == len(names)
    page.goto(f"{api_url(run)}#items?net__constructor=odd")
    expect(page.get_by_label("Attribute")).to_have_value("net__constructor")
    for key in ("odd 1", "odd 2"):
        run.dynamodb().delete_item(TableName=TABLE, Key={"idx": {"S": key}})


def test_no_order_stays_chosen(run: Run, visit: Visit) -> None:
    page = visit(f"{api_url(run)}#items?net=us&_sort=-time")
    wait_for_rows(page, 100)
    page.get_by_label("Sort by").select_option("no order")
    page.get_by_role("button", name="Add a filter").click()
    expect(page.get_by_label("Sort by")).to_have_value("")


def test_retry_of_a_view_ends_when_another_is_shown(run: Run, visit: Visit) -> None:
    page = visit(f"{api_url(run)}#items?net=nc&_sort=time")
    wait_for_rows(page, 100)
    busy = {"status": 503, "detail": "DynamoDB is throttling"}
    page.route("**/items?net=us*", lambda route: route.fulfill(status=503, headers={"Retry-After": "1"}, json=busy))
    page.goto(f"{api_url(run)}#items?net=us")
    expect(page.get_by_role("alert")).to_have_text("DynamoDB is throttling Next try in 1 s.")
    page.go_back()
    wait_for_rows(page, 100)
    page.wait_for_timeout(1500)
    expect(page.locator("#curl")).to_contain_text("net=nc")
    expect(page.get_by_role("alert")).to_be_hidden()


def test_item_dialog_keeps_the_url_and_the_history_consistent(run: Run, visit: Visit) -> None:
    page = visit(f"{api_url(run)}#item")
    expect(page.get_by_role("dialog")).to_contain_text("This link names no item: it takes idx.")
    page.keyboard.press("Escape")
    expect(page).to_have_url(f"{api_url(run)}#items")
    before = page.evaluate("history.length")
    for _ in range(3):
        page.locator("#items tbody a").first.click()
        expect(page.get_by_role("dialog")).to_be_visible()
        page.get_by_role("button", name="Close").click()
        expect(page.get_by_role("dialog")).to_be_hidden()
        expect(page).to_have_url(f"{api_url(run)}#items")
    assert page.evaluate("history.length") == before + 1


def test_open_item_is_updated_live(run: Run, visit: Visit) -> None:
    put_item(run, idx={"S": "opened"}, note={"S": "before"})
    page = visit(f"{api_url(run)}#item?idx=opened")
    expect(page.get_by_role("dialog")).to_contain_text("before")
    expect(page.locator("#following")).to_contain_text("Following")
    put_item(run, idx={"S": "opened"}, note={"S": "after"})
    expect(page.get_by_role("dialog")).to_contain_text("after")
    run.dynamodb().delete_item(TableName=TABLE, Key={"idx": {"S": "opened"}})
    expect(page.get_by_role("dialog")).to_contain_text("There is no such item")


def test_page_behind_the_feed_reloads_with_a_notice(run: Run, other_origin: str, visit: Visit) -> None:
    page = visit(other_origin_url(run, other_origin, "items?net=behind&_sort=time"))
    expect(page.locator("#following")).to_contain_text("Following")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#following")).to_contain_text("Paused")
    before = run.get("/changes")[2]["next"]
    for number in ("1", "2"):
        put_item(run, idx={"S": f"behind {number}"}, net={"S": "behind"}, time={"N": number})
        run.wait_for_position(before + int(number))
    # The first of the two has expired, which takes 7 days otherwise.
    run.dynamodb().delete_item(TableName=FEED, Key={"feed": {"S": TABLE}, "position": {"N": str(before + 1)}})
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#notice")).to_contain_text("This page fell behind")
    assert wait_for_rows(page, 2) == ["behind 1", "behind 2"]
    expect(page.locator("#following")).to_have_text(f"Following, at position {before + 2:,}.")
    for number in ("1", "2"):
        run.dynamodb().delete_item(TableName=TABLE, Key={"idx": {"S": f"behind {number}"}})


def test_error_is_shown_with_its_detail_and_the_next_try(run: Run, other_origin: str, visit: Visit) -> None:
    view = "items?mag__gte=big"
    page = visit(other_origin_url(run, other_origin, view))
    expect(page.get_by_role("alert")).to_have_text(run.get(f"/{view}")[2]["detail"])
    page.locator("#conditions").get_by_label("Value").fill("6")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator("#problem")).to_be_hidden()
    assert wait_for_rows(page, len(keys_of(run.get("/items?mag__gte=6"))))
    expect(page.locator("#following")).to_contain_text("Following")

    page.context.set_offline(True)
    expect(page.locator("#following")).to_contain_text(re.compile(r"cannot be reached.* Next try in \d+ s"))
    page.locator("#conditions").get_by_label("Value").fill("5.5")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text(re.compile(r"cannot be reached.* Next try in \d+ s"))
    page.context.set_offline(False)
    page.get_by_role("button", name="Try now").click()
    expect(page.locator("#following")).to_contain_text("Following")
    assert wait_for_rows(page, len(keys_of(run.get("/items?mag__gte=5.5"))))

    expect(visit(f"{other_origin}?api=ftp://x/").get_by_role("alert")).to_contain_text("is no URL of an API")
    expect(visit(f"{other_origin}?api={other_origin.rpartition('/')[0]}").get_by_role("alert")).to_contain_text(
        "did not answer with JSON"
    )


def test_page_without_a_feed_says_that_live_is_off(run: Run, visit: Visit) -> None:
    with chalice_local(run) as url:
        page = visit(url)
        wait_for_rows(page, 100)
        expect(page.locator("#following")).to_contain_text("Live is off: this API keeps no change feed")
        expect(page.get_by_role("button", name="Pause")).to_be_hidden()


@contextlib.contextmanager
def chalice_local(run: Run) -> Iterator[str]:
    port = emulator.free_port()
    environ = {**emulator.environment(run.endpoint), "TABLE_NAME": TABLE}
    environ = {name: value for name, value in environ.items() if not name.startswith("COV_")}
    chalice = pathlib.Path(sys.executable).with_name("chalice")
    command = [str(chalice), "local", "--stage", "local", "--no-autoreload", "--port", str(port)]
    with emulator.child_process(command, environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        emulator.wait_for_port(port, process)
        yield f"http://127.0.0.1:{port}/"


def test_preflight_of_another_origin_is_allowed(run: Run, other_origin: str, visit: Visit) -> None:
    page = visit(other_origin)
    etag = run.get("/items?_limit=3")[1]["ETag"]
    response = page.evaluate(
        """async ([url, tag]) => {
            const headers = {'If-None-Match': tag, 'Cache-Control': 'max-age=0'};
            const answer = await fetch(url, {headers, cache: 'no-store'});
            return [answer.status, answer.headers.get('ETag'), answer.headers.get('X-Plan')];
        }""",
        [f"{api_url(run)}items?_limit=3", etag],
    )
    assert response == [304, etag, "Scan"]


def network_log(page: Page) -> Callable[[], list[tuple[str, int]]]:
    """Log the network traffic of the browser from now on. Return a function that lists URLs and their statuses."""
    urls: dict[str, str] = {}
    statuses: list[tuple[str, int]] = []
    log = page.context.new_cdp_session(page)
    log.on("Network.requestWillBeSent", lambda event: urls.update({event["requestId"]: event["request"]["url"]}))
    log.on("Network.responseReceivedExtraInfo", lambda e: statuses.append((e["requestId"], e["statusCode"])))
    log.send("Network.enable")
    return lambda: [(urls.get(request_id, ""), status) for request_id, status in statuses]


def test_second_visit_to_an_unchanged_view_is_a_304(run: Run, other_origin: str, visit: Visit) -> None:
    time.sleep(6)  # Until the changes of earlier tests have settled in the index.
    url = other_origin_url(run, other_origin, "items?net=us&_sort=-time")
    page = visit(url)
    wait_for_rows(page, 100)
    expect(page.locator("#plan")).to_contain_text("KB sent")
    page = visit("about:blank")
    log = network_log(page)
    page.goto(url)
    wait_for_rows(page, 100)
    expect(page.locator("#plan")).to_contain_text("304: unchanged, not sent again")
    assert [status for address, status in log() if "/items?" in address] == [304]


def test_page_is_sent_once(run: Run, visit: Visit) -> None:
    wait_for_rows(visit(api_url(run)), 100)
    page = visit("about:blank")
    log = network_log(page)
    page.goto(api_url(run))
    wait_for_rows(page, 100)
    assert log()[0] == (api_url(run), 304)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 2000])
def test_axe_finds_no_violation(run: Run, browser: Browser, scheme: Any, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    context.set_default_timeout(SECONDS * 1000)
    page = context.new_page()

    def check() -> None:
        page.wait_for_timeout(700)  # A colour that still changes has another contrast.
        violations = Axe().run(page).response["violations"]
        assert [(violation["id"], node["html"]) for violation in violations for node in violation["nodes"]] == []
        assert page.evaluate("document.documentElement.scrollWidth") == width

    page.goto(f"{api_url(run)}#items?net=us&mag__gte=4&_sort=-time&_limit=25")
    wait_for_rows(page, 25)
    expect(page.locator("#following")).to_contain_text("Following")
    for summary in ("#schema summary", "#fields summary", "#why summary", "#news summary"):
        page.locator(summary).click()
    page.locator("#items tbody details summary").first.click()
    put_item(run, idx={"S": "axe"}, net={"S": "us"}, time={"N": "9517960631840"}, mag={"N": "9"})
    expect(row(page, "axe")).to_have_attribute("data-mark", "inserted")
    put_item(run, idx={"S": "axe"}, net={"S": "us"}, time={"N": "9517960631840"}, mag={"N": "8"})
    expect(row(page, "axe")).to_have_attribute("data-mark", "changed")
    check()
    run.dynamodb().delete_item(TableName=TABLE, Key={"idx": {"S": "axe"}})
    expect(row(page, "axe")).to_have_attribute("data-mark", "removed")
    check()
    page.locator("#items tbody th a").nth(1).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    check()
    page.goto(f"{api_url(run)}#items?_limit=0")
    page.reload()
    expect(page.get_by_role("alert")).to_be_visible()
    check()
    context.close()


def test_page_is_usable_with_the_keyboard_alone(run: Run, visit: Visit) -> None:
    page = visit(api_url(run))
    wait_for_rows(page, 100)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the items")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Items", exact=True)).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.get_by_role("button", name="Add a filter").focus()
    page.keyboard.press("Enter")
    page.keyboard.type("net")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("us")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{api_url(run)}#items?net=us")


def test_browser_gets_the_page_and_other_clients_get_json(quakes: Any, load_app: Load) -> None:
    http = Client(load_app().app, stage_name="local").http
    page = http.get("/", headers={"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"})
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert page.body.decode() == joined(FOLDER)
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert (page.headers["X-Content-Type-Options"], page.headers["Vary"]) == ("nosniff", "Accept")
    unchanged = http.get("/", headers={"Accept": "text/html", "If-None-Match": page.headers["ETag"]})
    assert (unchanged.status_code, unchanged.body) == (304, b"")
    for accept in ("application/json", "*/*"):
        response = http.get("/", headers={"Accept": accept})
        assert (response.json_body["table"], response.headers["Vary"]) == (TABLE, "Accept")


def test_page_requests_nothing_but_the_api() -> None:
    text = joined(FOLDER)
    assert re.findall(r"(?:src|href)=\"(?!#|data:,)[^\"]*\"", text) == []
    assert re.findall(r"\b(?:innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval|import)\b", text) == []
