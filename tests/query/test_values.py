from __future__ import annotations

import pytest

from chalicelib.problems import Problem
from chalicelib.query.values import comparable, declared_value, readings, text_list, unquoted


def test_lists_are_comma_lists_or_json() -> None:
    assert text_list("a, b") == ["a", " b"]
    assert text_list('["a,b", 5.50, true]') == ['"a,b"', "5.50", "true"]
    assert text_list("[a,b") == ["[a", "b"]
    assert text_list("[" * 100_000) == ["[" * 100_000]


def test_a_text_is_quoted_or_it_is_not() -> None:
    assert unquoted('"5"') == "5"
    assert unquoted('""') == ""
    assert unquoted("5") is None
    assert unquoted('"half') is None
    with pytest.raises(Problem, match="half of a surrogate pair"):
        unquoted('"\\ud800"')


def test_an_undeclared_text_is_all_that_it_reads_as() -> None:
    assert readings("5.0") == (("S", "5.0"), ("N", "5"))
    assert readings("05") == (("S", "05"),)
    assert readings("false") == (("S", "false"), ("BOOL", False))
    assert readings('"null"') == (("S", "null"),)


def test_a_declared_text_is_of_that_type_alone() -> None:
    assert declared_value("k", '"5"', "N", 2048) == ("N", "5")
    assert declared_value("k", '"5"', "S", 2048, unquote=False) == ("S", '"5"')
    assert declared_value("k", "AAEC", "B", 3) == ("B", "AAEC")


def test_values_compare_as_dynamodb_orders_them() -> None:
    assert comparable(("N", "10")) > comparable(("N", "9.5"))
    assert comparable(("S", "10")) < comparable(("S", "9.5"))
    assert comparable(("B", "gA==")) > comparable(("B", "fw=="))
