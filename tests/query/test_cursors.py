from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.problems import Problem
from chalicelib.query import cursors

NAMES, TYPES = ("p", "s", "b"), {"p": "S", "s": "N", "b": "B"}
START = {"p": {"S": "서울"}, "s": {"N": "-1.5"}, "b": {"B": "AAEC"}}


def refused(text: str) -> bool:
    try:
        cursors.decode(text, NAMES, TYPES, "plan")
    except Problem as problem:
        return problem.status == 400 and problem.detail.startswith("_cursor does not belong to this request")
    return False


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_a_cursor_goes_on_where_it_was_made(partition: str, plan: str) -> None:
    start = {**START, "p": {"S": partition}}
    text = cursors.encode(start, NAMES, plan)
    assert cursors.decode(text, NAMES, TYPES, plan) == start


def test_a_cursor_of_another_plan_is_refused() -> None:
    assert refused(cursors.encode(START, NAMES, "another"))


@pytest.mark.parametrize("text", ["", "x", "garbage", "a" * 500, "서울", "AAAA====", "//8=", "\x00"])
def test_garbage_is_refused(text: str) -> None:
    assert refused(text)


@pytest.mark.parametrize(
    "payload",
    [
        b"x",
        b"",
        b"5",
        b"[]",
        b'"abc"',
        b'{"a": 1, "b": 2, "c": 3}',
        b'["a", "1"]',
        b'["a", "1", "AAEC", "d"]',
        b'[1, "1", "AAEC"]',
        b'["a", 1, "AAEC"]',
        b'["a", "x", "AAEC"]',
        b'["a", "1", "!!"]',
        b'["a", "1", null]',
        b'[{"S": "a"}, "1", "AAEC"]',
    ],
)
def test_a_forged_cursor_is_refused_before_it_is_used(payload: bytes) -> None:
    forged = base64.urlsafe_b64encode(cursors._checksum(payload, "plan") + payload).decode().rstrip("=")
    assert refused(forged)


def test_every_truncation_and_every_edit_is_refused() -> None:
    text = cursors.encode(START, NAMES, "plan")
    assert not refused(text)
    assert all(refused(text[:length]) for length in range(len(text)))
    edits = (text[:place] + other + text[place + 1 :] for place in range(len(text)) for other in "Aa0-_")
    assert all(refused(edit) for edit in edits if edit != text)
