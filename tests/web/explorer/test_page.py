"""The explorer's page: its headers, its policy, and its 304."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256

import pytest
from chalice import Response

from chalicelib.web.explorer import page
from chalicelib.web.explorer.join import joined


def policy(answer: Response) -> dict[str, str]:
    return dict(directive.split(" ", 1) for directive in str(answer.headers["Content-Security-Policy"]).split("; "))


@pytest.mark.parametrize("kind", ["script", "style"])
def test_the_policy_has_the_hash_of_the_one_inline_part_of_each_kind(kind: str) -> None:
    answer = page.page("")
    (text,) = re.findall(rf"<{kind}\b[^>]*>(.*?)</{kind}>", answer.body, re.DOTALL)
    assert len(text) > 5000
    assert policy(answer)[f"{kind}-src"] == f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def test_the_page_is_its_parts_joined() -> None:
    answer = page.page("")
    assert (answer.status_code, answer.body) == (200, joined(page.FOLDER))
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert policy(answer)["default-src"] == "'none'"
    assert policy(answer)["require-trusted-types-for"] == "'script'"


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}'])
def test_a_client_that_has_the_page_gets_a_304(form: str) -> None:
    tag = page.page("").headers["ETag"]
    answer = page.page(form.format(tag))
    assert (answer.status_code, answer.body) == (304, "")
    assert answer.headers["ETag"] == tag


@pytest.mark.parametrize("if_none_match", ["", '"other"', "*"])
def test_a_client_that_has_another_gets_the_page(if_none_match: str) -> None:
    assert page.page(if_none_match).status_code == 200


def test_answers_do_not_share_their_headers() -> None:
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
def test_the_page_is_for_those_who_accept_html(accept: str, expected: bool) -> None:
    assert page.is_asked_for(accept) == expected
