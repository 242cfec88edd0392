from __future__ import annotations

import json

import pytest

from chalicelib.dynamodb.schema import read
from chalicelib.problems import Problem
from chalicelib.query.access import Access
from chalicelib.query.conditions import Condition, key_value, merge_range, parse, parse_path, split_name
from chalicelib.query.expressions import Placeholders
from chalicelib.query.operators import OPERATORS
from local import sample

SCHEMA = read(sample.TABLE)
BINARY = read(
    {
        "TableName": "binary",
        "KeySchema": [{"AttributeName": "b", "KeyType": "HASH"}, {"AttributeName": "s", "KeyType": "RANGE"}],
        "AttributeDefinitions": [
            {"AttributeName": "b", "AttributeType": "B"},
            {"AttributeName": "s", "AttributeType": "S"},
        ],
    }
)


def condition(parameter: str, text: str) -> Condition:
    return parse(parameter, text, SCHEMA, Access(None))


def expression(parameter: str, text: str) -> tuple[str, dict[str, str], list[object]]:
    placeholders = Placeholders()
    rendered = placeholders.condition(condition(parameter, text))
    return rendered, placeholders.names, [next(iter(value.items())) for value in placeholders.values.values()]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a", ("a",)),
        ("a.b", ("a", "b")),
        ("a[0]", ("a", 0)),
        ("a[0][12].b", ("a", 0, 12, "b")),
        (r"a\.b", ("a.b",)),
        (r"a\\.b", ("a\\", "b")),
        (r"a\[0]", ("a[0]",)),
        ("a[x]", ("a[x]",)),
        ("a[0]b", ("a[0]b",)),
        ("서울.b c", ("서울", "b c")),
        ("a\n", ("a\n",)),
    ],
)
def test_path_is_split_into_steps_of_maps_and_lists(text: str, path: tuple[str | int, ...]) -> None:
    assert parse_path(text) == path


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", "[0]", "a\\", "a[" + "9" * 5000 + "]"])
def test_invalid_path_is_a_400_that_shows_the_syntax(text: str) -> None:
    with pytest.raises(Problem, match=r"is not a path to an attribute\. Join names by dots"):
        parse_path(text)


def test_path_deeper_than_32_steps_is_refused() -> None:
    with pytest.raises(Problem, match="33 steps is too deep"):
        parse_path(".".join("a" * 33))


@pytest.mark.parametrize(
    ("parameter", "path", "operator"),
    [
        ("mag", "mag", "eq"),
        ("mag__gte", "mag", "gte"),
        ("mag__more", "mag__more", "eq"),
        ("mag__gte__eq", "mag__gte", "eq"),
        ("_id__eq", "_id", "eq"),
        ("__gte", "__gte", "eq"),
    ],
)
def test_unknown_operator_suffix_is_part_of_the_name(parameter: str, path: str, operator: str) -> None:
    assert split_name(parameter) == (path, OPERATORS[operator])


@pytest.mark.parametrize(
    ("parameter", "text", "expected", "values"),
    [
        ("place", "x", "#n0 = :v0", [("S", "x")]),
        ("place", "5", "#n0 IN (:v0,:v1)", [("S", "5"), ("N", "5")]),
        ("place", '"5"', "#n0 = :v0", [("S", "5")]),
        ("place", "true", "#n0 IN (:v0,:v1)", [("S", "true"), ("BOOL", True)]),
        ("place", "null", "#n0 IN (:v0,:v1)", [("S", "null"), ("NULL", True)]),
        ("place", '"half', "#n0 = :v0", [("S", '"half')]),
        ("place", "1" * 39, "#n0 = :v0", [("S", "1" * 39)]),
        ("place__not", "x", "NOT (#n0 = :v0)", [("S", "x")]),
        ("place__not", "5", "NOT (#n0 IN (:v0,:v1))", [("S", "5"), ("N", "5")]),
        ("mag__gte", "5.0", "#n0 >= :v0", [("N", "5")]),
        ("gap__lt", "5", "(#n0 < :v0 OR #n0 < :v1)", [("S", "5"), ("N", "5")]),
        ("gap__gt", "true", "#n0 > :v0", [("S", "true")]),
        ("mag__between", "1,2", "#n0 BETWEEN :v0 AND :v1", [("N", "1"), ("N", "2")]),
        ("gap__between", "5,10", "#n0 BETWEEN :v0 AND :v1", [("N", "5"), ("N", "10")]),
        ("place__startswith", "5", "begins_with(#n0, :v0)", [("S", "5")]),
        ("types__contains", "dyfi", "contains(#n0, :v0)", [("S", "dyfi")]),
        ("alert__in", "red,green", "#n0 IN (:v0,:v1)", [("S", "red"), ("S", "green")]),
        ("place__in", '["a,b", 5, null]', "#n0 IN (:v0,:v1,:v2,:v3,:v4)",
         [("S", "a,b"), ("S", "5"), ("N", "5"), ("S", "null"), ("NULL", True)]),
        ("alert__exists", "true", "attribute_exists(#n0)", []),
        ("alert__exists", "false", "NOT (attribute_exists(#n0))", []),
    ],
)  # fmt: skip
def test_condition_becomes_an_expression_with_placeholders(
    parameter: str, text: str, expected: str, values: list[object]
) -> None:
    assert expression(parameter, text)[::2] == (expected, values)


def test_path_becomes_placeholders_and_positions() -> None:
    rendered, names, _ = expression("geometry.coordinates[2]__gt", '"x"')
    assert rendered == "#n0.#n1[2] > :v0"
    assert names == {"#n0": "geometry", "#n1": "coordinates"}


def test_long_in_list_becomes_several_in_expressions() -> None:
    rendered, _, values = expression("alert__in", ",".join(f"a{number}" for number in range(250)))
    assert rendered.count(" IN ") == 3
    assert rendered.startswith("(#n0 IN (")
    assert len(values) == 250


@pytest.mark.parametrize(
    ("parameter", "text", "detail"),
    [
        ("mag", "big", "mag is a number, but 'big' is not a number."),
        ("mag", "1" * 39, "is a number of 39 digits; DynamoDB keeps 38."),
        ("mag", "1e200", "is a number outside 1E-130 to 9.99E+125."),
        ("mag__startswith", "5", "startswith does not work on mag, a number key. Use eq, not, gt"),
        ("mag__contains", "5", "contains does not work on mag, a number key"),
        ("idx", "", "idx is a key and cannot be empty. Give it a value, or remove idx."),
        ("idx__startswith", '""', "idx is a key and cannot be empty"),
        ("idx", "x" * 2049, "idx is a key of at most 2048 bytes. This value has 2049."),
        ("idx", "서" * 683, "idx is a key of at most 2048 bytes. This value has 2049."),
        ("mag__between", "1", "mag__between=1 needs two values. Write low,high"),
        ("mag__between", "1,2,3", "mag__between=1,2,3 needs two values."),
        ("mag__between", "2,1", "mag__between=2,1 matches nothing. Put the lower end first"),
        ("place__between", "b,a", "Put the lower end first: low,high."),
        ("place__in", "[]", "names no value. Give a comma list or a JSON array of at least one."),
        ("place__in", "[[1]]", "contains an array or an object"),
        ("place__exists", "yes", "place__exists=yes is not valid. Use true or false."),
        ("place", '"\\ud800"', "half of a surrogate pair"),
        ("place__in", '["\\ud800"]', "half of a surrogate pair"),
        ("place__exists", "x" * 500, "place__exists=" + "x" * 77 + "... is not valid. Use true or false."),
    ],
)
def test_invalid_value_is_a_400_that_says_what_to_write(parameter: str, text: str, detail: str) -> None:
    with pytest.raises(Problem) as error:
        condition(parameter, text)
    assert error.value.status == 400
    assert detail in error.value.detail


def test_binary_key_is_base64() -> None:
    assert parse("b", "AAEC", BINARY, Access(None)).alternatives == ((("B", "AAEC"),),)
    with pytest.raises(Problem, match="b is binary, but 'not base64!' is not base64"):
        parse("b", "not base64!", BINARY, Access(None))
    for text in ("AB==", "AAF="):  # DynamoDB refuses bits beyond the last byte.
        with pytest.raises(Problem, match=f"b is binary, but '{text}' is not base64"):
            parse("b", text, BINARY, Access(None))
        with pytest.raises(Problem, match=f"b is binary, but '{text}' is not base64"):
            key_value("b", text, BINARY)
    with pytest.raises(Problem, match=r"at most 2048 bytes\. This value has 2049"):
        parse("b", "AAAA" * 683, BINARY, Access(None))
    with pytest.raises(Problem, match="contains does not work on b, a binary key"):
        parse("b__contains", "AAEC", BINARY, Access(None))
    with pytest.raises(Problem, match="s is a key of at most 1024 bytes"):
        parse("s", "x" * 1025, BINARY, Access(None))


def test_path_segment_is_the_literal_key() -> None:
    assert key_value("idx", '"5"', SCHEMA) == ("S", '"5"')
    assert condition("idx", '"5"').alternatives == ((("S", "5"),),)


def test_filter_on_an_unpublished_attribute_is_refused() -> None:
    assert parse("idx", "x", SCHEMA, Access(frozenset({"idx", "mag"}))).attribute == "idx"
    with pytest.raises(Problem, match=r"'place' is not published\. Use idx, mag"):
        parse("place.of", "x", SCHEMA, Access(frozenset({"idx", "mag"})))


def test_lower_and_upper_bound_merge_unless_the_range_is_empty() -> None:
    low, high = condition("mag__gte", "2"), condition("mag__lt", "10")
    merged = merge_range(low, high)
    assert merged is not None
    assert merged.alternatives == ((("N", "2"), ("N", "10")),)
    assert str(merged) == "mag__gte=2 and mag__lt=10"
    assert merge_range(condition("mag__gte", "10"), condition("mag__lte", "2")) is None


def test_operators_have_distinct_descriptions() -> None:
    descriptions = [operator.description for operator in OPERATORS.values()]
    assert len(set(descriptions)) == len(descriptions)
    assert json.dumps(list(OPERATORS)) == (
        '["eq", "not", "gt", "gte", "lt", "lte", "between", "startswith", "contains", "in", "exists"]'
    )
