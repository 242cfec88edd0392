from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.problems import Problem
from chalicelib.query import cursors

NAMES, TYPES = ("p", "s", "b"), {"p": "S", "s": "N", "b": "B"}
START_KEY = {"p": {"S": "서울"}, "s": {"N": "-1.5"}, "b": {"B": "AAEC"}}


def is_refused(text: str) -> bool:
    try:
        cursors.decode(text, NAMES, TYPES, "plan")
    except Problem as problem:
        return problem.status == 400 and problem.detail.startswith("_cursor does not belong to this request")
    return False


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_decoded_cursor_is_the_encoded_start_key(partition: str, plan: str) -> None:
    start_key = {**START_KEY, "p": {"S": partition}}
    text = cursors.encode(start_key, NAMES, plan)
    assert cursors.decode(text, NAMES, TYPES, plan) == start_key


def test_cursor_of_another_plan_is_refused() -> None:
    assert is_refused(cursors.encode(START_KEY, NAMES, "another"))


@pytest.mark.parametrize("text", ["", "x", "garbage", "a" * 500, "서울", "AAAA====", "//8=", "\x00"])
def test_malformed_cursor_is_refused(text: str) -> None:
    assert is_refused(text)


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
        b'["a", "1", "AB=="]',
        b'["a", "1", null]',
        b'[{"S": "a"}, "1", "AAEC"]',
    ],
)
def test_forged_cursor_with_a_valid_checksum_is_refused(payload: bytes) -> None:
    forged = base64.urlsafe_b64encode(cursors._checksum(payload, "plan") + payload).decode().rstrip("=")
    assert is_refused(forged)


def test_truncated_or_edited_cursor_is_refused() -> None:
    text = cursors.encode(START_KEY, NAMES, "plan")
    assert not is_refused(text)
    assert all(is_refused(text[:length]) for length in range(len(text)))
    edits = (
        text[:position] + character + text[position + 1 :] for position in range(len(text)) for character in "Aa0-_"
    )
    assert all(is_refused(edit) for edit in edits if edit != text)
