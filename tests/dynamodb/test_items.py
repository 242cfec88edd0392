from __future__ import annotations

import copy
import json
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.dynamodb.items import ITEM_FORMATS, number, picked, typed

NUMBERS = st.builds(
    lambda digits, exponent: Decimal(digits).scaleb(exponent - len(str(abs(digits)))),
    st.integers(-(10**37), 10**37),
    st.integers(-80, 80),
).filter(lambda value: len(value.as_tuple().digits) <= 38)
NO_VALUE = object()
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
PLAIN = st.recursive(
    st.none() | st.booleans() | TEXT | NUMBERS,
    lambda values: st.lists(values, max_size=3) | st.dictionaries(TEXT, values, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(TEXT, PLAIN, max_size=4))
def test_item_keeps_every_digit_in_a_round_trip(item: dict[str, Any]) -> None:
    stored = orjson.dumps(typed(item)["M"])
    returned = orjson.dumps(ITEM_FORMATS["number"](orjson.loads(stored)))
    assert json.loads(returned, parse_float=Decimal, parse_int=Decimal) == item
    assert ITEM_FORMATS["string"](orjson.loads(stored)) == as_strings(item)


def as_strings(value: Any) -> Any:
    if isinstance(value, Decimal):
        return number(str(value))
    if isinstance(value, list):
        return [as_strings(element) for element in value]
    if isinstance(value, dict):
        return {name: as_strings(element) for name, element in value.items()}
    return value


def test_attribute_named_like_a_type_is_an_attribute() -> None:
    item: dict[str, Any] = {"a": {"M": {"S": {"S": "x"}, "N": {"N": "1"}}}, "b": {"L": [{"M": {"L": {"L": []}}}]}}
    assert ITEM_FORMATS["string"](item) == {"a": {"S": "x", "N": "1"}, "b": [{"L": []}]}


def test_every_type_becomes_plain_json() -> None:
    item: dict[str, Any] = {
        "s": {"S": "서울"},
        "n": {"N": "12345678901234567890123456789012345678"},
        "b": {"B": "AAEC"},
        "bool": {"BOOL": False},
        "null": {"NULL": True},
        "ss": {"SS": ["b", "a"]},
        "ns": {"NS": ["2", "1.5"]},
        "bs": {"BS": ["AA=="]},
    }
    assert orjson.dumps(ITEM_FORMATS["string"](copy.deepcopy(item))).decode() == (
        '{"s":"서울","n":"12345678901234567890123456789012345678","b":"AAEC","bool":false,"null":null,'
        '"ss":["b","a"],"ns":["2","1.5"],"bs":["AA=="]}'
    )
    assert orjson.dumps(ITEM_FORMATS["number"](item)).decode() == (
        '{"s":"서울","n":12345678901234567890123456789012345678,"b":"AAEC","bool":false,"null":null,'
        '"ss":["b","a"],"ns":[2,1.5],"bs":["AA=="]}'
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12.50", "12.5"),
        ("+5", "5"),
        ("-0.0", "0"),
        ("05", "5"),
        (".5", "0.5"),
        ("1e3", "1000"),
        ("100", "100"),
        ("9.99E+125", "999" + "0" * 123),
        ("1E-130", "0." + "0" * 129 + "1"),
        ("1" + "0" * 60, "1" + "0" * 60),
    ],
)
def test_number_is_normalized_as_by_dynamodb(text: str, expected: str) -> None:
    assert number(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not a number"),
        ("five", "not a number"),
        ("NaN", "not a number"),
        ("1_000", "not a number"),
        ("٥", "not a number"),
        ("1e9999999", "not a number"),
        ("1" * 39, "a number of 39 digits; DynamoDB keeps 38"),
        ("1E126", "a number outside 1E-130"),
        ("1E-131", "a number outside 1E-130"),
    ],
)
def test_invalid_number_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        number(text)


@pytest.mark.parametrize(
    ("value", "paths", "expected"),
    [
        ({"x": 1, "y": 2}, [("x",)], {"x": 1}),
        ({"x": {"y": 1, "z": 2}, "w": 3}, [("x", "z"), ("w",)], {"x": {"z": 2}, "w": 3}),
        ({"x": 1}, [()], {"x": 1}),
        ({"x": None}, [("x",)], {"x": None}),
        ({"S": "", "N": 1}, [("S",)], {"S": ""}),
        ([5, 6, 7], [(2,), (0,)], [5, 7]),
        ([{"a": 1}, {"b": 2}], [(0, "b"), (1, "b")], [{"b": 2}]),
        ({"x": 1}, [("gone",)], NO_VALUE),
        ([5], [(3,)], NO_VALUE),
        ("text", [("x",)], NO_VALUE),
    ],
)
def test_picked_value_equals_a_projection_of_dynamodb(value: Any, paths: list[Any], expected: Any) -> None:
    assert picked(typed(value), paths) == (None if expected is NO_VALUE else typed(expected))


def test_typed_item_is_unchanged() -> None:
    item: dict[str, Any] = {"a": {"M": {"n": {"N": "1.50"}}}, "b": {"BS": ["AA=="]}, "c": {"NULL": True}}
    assert ITEM_FORMATS["typed"](copy.deepcopy(item)) == item


def test_set_has_the_type_of_its_elements() -> None:
    assert typed({"b", "a"}) == {"SS": ["a", "b"]}
    assert typed(frozenset({2, Decimal("1.50")})) == {"NS": ["1.5", "2"]}


def test_value_without_a_dynamodb_type_is_refused() -> None:
    with pytest.raises(TypeError, match="DynamoDB has no type for complex"):
        typed({"a": [1j]})
