"""The explorer's page: its headers, its policy, and its 304."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256

import pytest
from chalice import Response

from chalicelib.web.explorer import page
from chalicelib.web.explorer.join import joined


def policy(response: Response) -> dict[str, str]:
    return dict(directive.split(" ", 1) for directive in str(response.headers["Content-Security-Policy"]).split("; "))


@pytest.mark.parametrize("element", ["script", "style"])
def test_policy_has_the_hash_of_each_inline_element(element: str) -> None:
    response = page.page("")
    (text,) = re.findall(rf"<{element}\b[^>]*>(.*?)</{element}>", response.body, re.DOTALL)
    assert len(text) > 5000
    assert policy(response)[f"{element}-src"] == f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def test_page_is_the_joined_parts() -> None:
    response = page.page("")
    assert (response.status_code, response.body) == (200, joined(page.FOLDER))
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert policy(response)["default-src"] == "'none'"
    assert policy(response)["require-trusted-types-for"] == "'script'"


@pytest.mark.parametrize("header", ["{}", "W/{}", '"other", {}'])
def test_matching_etag_is_a_304(header: str) -> None:
    etag = page.page("").headers["ETag"]
    response = page.page(header.format(etag))
    assert (response.status_code, response.body) == (304, "")
    assert response.headers["ETag"] == etag


@pytest.mark.parametrize("if_none_match", ["", '"other"', "*"])
def test_other_etag_gets_the_page(if_none_match: str) -> None:
    assert page.page(if_none_match).status_code == 200


def test_responses_do_not_share_headers() -> None:
    first = page.page("")
    first.headers["X-Of-One"] = "1"
    assert "X-Of-One" not in page.page("").headers


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", True),
        ("application/json", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_page_is_served_to_clients_that_accept_html(accept: str, expected: bool) -> None:
    assert page.is_asked_for(accept) == expected
