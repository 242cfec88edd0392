"""The schemas of the document take what the code takes."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from chalicelib.dynamodb.schema import TableSchema, read
from chalicelib.openapi import parameters
from chalicelib.problems import Problem
from chalicelib.query import conditions, controls
from chalicelib.query.access import Access, access_of
from chalicelib.query.conditions import split_name
from chalicelib.query.operators import FLAG, OPERATORS, RANGE, Operator
from chalicelib.settings import read as read_settings
from local import sample

SCHEMA = read(sample.TABLE)


def table(**types: str) -> TableSchema:
    """One with a partition key, and a sort key where there is a second."""
    keys = [{"AttributeName": name, "KeyType": kind} for name, kind in zip(types, ("HASH", "RANGE"), strict=False)]
    definitions = [{"AttributeName": name, "AttributeType": kind} for name, kind in types.items()]
    return read({"TableName": "table", "KeySchema": keys, "AttributeDefinitions": definitions})


OTHER = "other"
KEYS = table(s="S", n="N"), table(b="B")
TEXTS = [
    *(
        "",
        "a",
        '""',
        '"a"',
        '"',
        "[",
        "[]",
        '["a"]',
        '["a","b"]',
        '["a", "b"]',
        '[""]',
        "[[1],2]",
        "[a",
        "a,b",
        "a,b,c",
    ),
    *("a,", ",a", ",", 'a,""', "서울", "a\nb", "x" * 1024, "x" * 2049, '"a,b', "true", "True", "AAEC", "AAE", "AAE="),
    *("5", "-5", "+5", "5.", ".5", ".", "1e5", "1E-5", "1e", "5,6", "5,a", "٥", " 5", "5 ", "1" * 39, "1,2,3", "[1,2]"),
    *("AA==", "A===", "AAEC,AAED", '["AAEC","AAED"]', '["AAEC"]', "[null,true]"),
]
# The document allows and the API refuses: a lower end above the higher one, and a key that is too long inside a list.
# The document forbids and the API takes: an element of a JSON array in the syntax of another type.
APART = {"between": {"a,", 'a,""', "[1,2]", "[null,true]"}, "in": {"x" * 2049, "[1,2]", "[null,true]"}}


def is_taken(parameter: str, text: str, schema: TableSchema) -> bool:
    try:
        conditions.parse(parameter, text, schema, Access(None))
    except Problem:
        return False
    return True


def is_told(one: dict[str, Any], value: Any) -> bool:
    return bool(Draft202012Validator(one).is_valid(value))


@pytest.mark.parametrize(
    "operator", [one for one in OPERATORS.values() if one.operand_syntax is not FLAG], ids=lambda one: one.key
)
@pytest.mark.parametrize("schema", KEYS, ids=["string and number", "binary"])
def test_what_a_key_is_asked_for_is_told_as_it_is_taken(schema: TableSchema, operator: Operator) -> None:
    for name, kind in schema.types.items():
        if kind in operator.key_types:
            told = parameters.key_operand(operator, name, schema)
            for text in set(TEXTS) - APART.get(operator.key, set()):
                assert is_told(told, text) == is_taken(f"{name}__{operator.key}", text, schema), text


@pytest.mark.parametrize("operator", OPERATORS)
def test_what_another_attribute_is_asked_for_is_told_as_it_is_taken(operator: str) -> None:
    told = parameters.other_conditions(SCHEMA, read_settings({"TABLE_NAME": "table"}))
    for text in set(TEXTS) - {"a,", 'a,""'}:
        value = {"true": True}.get(text, text) if operator == "exists" else text
        assert is_told(told, {f"other__{operator}": value}) == is_taken(f"other__{operator}", text, SCHEMA), text


PATHS = [
    *(
        "a",
        "a.b",
        "a[0]",
        "a[0][12].b",
        r"a\.b",
        r"a\\.b",
        r"a\[0]",
        "a[x]",
        "a[0]b",
        "서울.b c",
        "a\n",
        "a b",
        "-",
        "$",
        '"',
    ),
    *("", ".", "a.", ".a", "a..b", "a[1234567890]", "a[", "]", "_a", "a__b", "a]", "[a", "idx2"),
    *(".".join("a" * 32), ".".join("a" * 33), "a" + "[0]" * 31, "a" + "[0]" * 32, "mag", "mag.x", "mag[0]", "mag[x]"),
]
LIMITED = {"ATTRIBUTES": "a,b.c,mag"}


@pytest.mark.parametrize("environ", [{}, LIMITED], ids=["all", "some"])
@pytest.mark.parametrize("suffix", ["", "__gt", "__more"])
def test_the_name_of_a_condition_is_told_as_it_is_taken(environ: dict[str, str], suffix: str) -> None:
    settings = read_settings({"TABLE_NAME": "study_test", **environ})
    schema = access_of(settings, SCHEMA.table.keys).schema(SCHEMA)
    told = parameters.other_conditions(schema, settings)
    for path in [*PATHS, r"b\.c", "b.c", "net", "place"]:
        try:
            (condition,) = controls.parse({path + suffix: ["5"]}, schema, settings).conditions
            taken = condition.attribute not in schema.types  # Those have parameters of their own.
        except (Problem, ValueError):
            taken = False
        assert is_told(told, {path + suffix: "5"}) == taken, path + suffix


@pytest.mark.parametrize("environ", [{}, LIMITED], ids=["all", "some"])
def test_fields_are_told_as_they_are_taken(environ: dict[str, str]) -> None:
    settings = read_settings({"TABLE_NAME": "study_test", **environ})
    schema = access_of(settings, SCHEMA.table.keys).schema(SCHEMA)
    told = parameters.fields(schema, settings)
    for path in [*PATHS, r"b\.c", "b.c", "net", "place", "a,mag", "a,", "a,,b", "idx,mag", '""', 'a,""']:
        try:
            taken = bool(controls.parse({"_fields": [path]}, schema, settings).fields)
        except Problem:
            taken = False
        assert is_told(told, path) == taken, path


@pytest.mark.parametrize("attribute", ["a", "_id", "a.b", "a[0]", r"a\b", "a__gt", "_", "서울"])
def test_the_parameter_of_a_key_is_of_that_key(attribute: str) -> None:
    schema, settings = table(**{attribute: "S"}), read_settings({"TABLE_NAME": "table"})
    for operator in OPERATORS.values():
        name = parameters.condition_name(attribute, operator)
        (condition,) = controls.parse(
            {name: ["true,true" if operator.operand_syntax is RANGE else "true"]}, schema, settings
        ).conditions
        assert (condition.path, condition.operator) == ((attribute,), operator)
    assert split_name(parameters.condition_name("a", OPERATORS["eq"]))[0] == "a"
