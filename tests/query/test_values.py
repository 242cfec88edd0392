from __future__ import annotations

import pytest

from chalicelib.problems import Problem
from chalicelib.query.values import comparable, declared_value, readings, text_list, unquoted


def test_list_is_comma_separated_or_json() -> None:
    assert text_list("a, b") == ["a", " b"]
    assert text_list('["a,b", 5.50, true]') == ['"a,b"', "5.50", "true"]
    assert text_list("[a,b") == ["[a", "b"]
    assert text_list("[" * 100_000) == ["[" * 100_000]


def test_only_quoted_text_is_unquoted() -> None:
    assert unquoted('"5"') == "5"
    assert unquoted('""') == ""
    assert unquoted("5") is None
    assert unquoted('"half') is None
    with pytest.raises(Problem, match="half of a surrogate pair"):
        unquoted('"\\ud800"')


def test_text_without_a_declared_type_has_all_readings() -> None:
    assert readings("5.0") == (("S", "5.0"), ("N", "5"))
    assert readings("05") == (("S", "05"),)
    assert readings("false") == (("S", "false"), ("BOOL", False))
    assert readings('"null"') == (("S", "null"),)


def test_text_with_a_declared_type_has_only_that_type() -> None:
    assert declared_value("k", '"5"', "N", 2048) == ("N", "5")
    assert declared_value("k", '"5"', "S", 2048, unquote=False) == ("S", '"5"')
    assert declared_value("k", "AAEC", "B", 3) == ("B", "AAEC")


def test_values_compare_in_the_order_of_dynamodb() -> None:
    assert comparable(("N", "10")) > comparable(("N", "9.5"))
    assert comparable(("S", "10")) < comparable(("S", "9.5"))
    assert comparable(("B", "gA==")) > comparable(("B", "fw=="))
