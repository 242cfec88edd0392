"""The schemas of the document accept what the code accepts."""

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


def schema_of(**types: str) -> TableSchema:
    """Return the schema of a table with a partition key, and a sort key if there is a second type."""
    keys = [
        {"AttributeName": name, "KeyType": key_type} for name, key_type in zip(types, ("HASH", "RANGE"), strict=False)
    ]
    definitions = [{"AttributeName": name, "AttributeType": key_type} for name, key_type in types.items()]
    return read({"TableName": "table", "KeySchema": keys, "AttributeDefinitions": definitions})


OTHER = "other"
KEY_SCHEMAS = schema_of(s="S", n="N"), schema_of(b="B")
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
    *("AA==", "AB==", "x==", "AAF=", "A===", "AAEC,AAED", '["AAEC","AAED"]', '["AAEC"]', "[null,true]"),
]
# Known differences. Only the document accepts a lower end above the higher one, and a list element that is too long for
# a key. Only the API accepts an element of a JSON array in the syntax of another type.
DIFFERENCES = {"between": {"a,", 'a,""', "[1,2]", "[null,true]"}, "in": {"x" * 2049, "[1,2]", "[null,true]"}}


def is_accepted(parameter: str, text: str, schema: TableSchema) -> bool:
    try:
        conditions.parse(parameter, text, schema, Access(None))
    except Problem:
        return False
    return True


def is_valid(json_schema: dict[str, Any], value: Any) -> bool:
    return bool(Draft202012Validator(json_schema).is_valid(value))


@pytest.mark.parametrize(
    "operator",
    [operator for operator in OPERATORS.values() if operator.operand_syntax is not FLAG],
    ids=lambda operator: operator.key,
)
@pytest.mark.parametrize("schema", KEY_SCHEMAS, ids=["string and number", "binary"])
def test_key_operand_schema_accepts_what_the_code_accepts(schema: TableSchema, operator: Operator) -> None:
    for name, kind in schema.types.items():
        if kind in operator.key_types:
            documented = parameters.key_operand(operator, name, schema)
            for text in set(TEXTS) - DIFFERENCES.get(operator.key, set()):
                assert is_valid(documented, text) == is_accepted(f"{name}__{operator.key}", text, schema), text


@pytest.mark.parametrize("operator", OPERATORS)
def test_other_operand_schema_accepts_what_the_code_accepts(operator: str) -> None:
    documented = parameters.other_conditions(SCHEMA, read_settings({"TABLE_NAME": "table"}))
    for text in set(TEXTS) - {"a,", 'a,""'}:
        value = {"true": True}.get(text, text) if operator == "exists" else text
        assert is_valid(documented, {f"other__{operator}": value}) == is_accepted(f"other__{operator}", text, SCHEMA), (
            text
        )


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
PUBLISHED = {"ATTRIBUTES": "a,b.c,mag"}


@pytest.mark.parametrize("environ", [{}, PUBLISHED], ids=["all", "some"])
@pytest.mark.parametrize("suffix", ["", "__gt", "__more"])
def test_condition_name_schema_accepts_what_the_code_accepts(environ: dict[str, str], suffix: str) -> None:
    settings = read_settings({"TABLE_NAME": "study_test", **environ})
    schema = access_of(settings, SCHEMA.table.keys).schema(SCHEMA)
    documented = parameters.other_conditions(schema, settings)
    for path in [*PATHS, r"b\.c", "b.c", "net", "place"]:
        try:
            (condition,) = controls.parse({path + suffix: ["5"]}, schema, settings).conditions
            accepted = condition.attribute not in schema.types  # Keys have separate parameters.
        except (Problem, ValueError):
            accepted = False
        assert is_valid(documented, {path + suffix: "5"}) == accepted, path + suffix


@pytest.mark.parametrize("environ", [{}, PUBLISHED], ids=["all", "some"])
def test_fields_schema_accepts_what_the_code_accepts(environ: dict[str, str]) -> None:
    settings = read_settings({"TABLE_NAME": "study_test", **environ})
    schema = access_of(settings, SCHEMA.table.keys).schema(SCHEMA)
    documented = parameters.fields(schema, settings)
    for path in [*PATHS, r"b\.c", "b.c", "net", "place", "a,mag", "a,", "a,,b", "idx,mag", '""', 'a,""']:
        try:
            accepted = bool(controls.parse({"_fields": [path]}, schema, settings).fields)
        except Problem:
            accepted = False
        assert is_valid(documented, path) == accepted, path


@pytest.mark.parametrize("attribute", ["a", "_id", "a.b", "a[0]", r"a\b", "a__gt", "_", "서울"])
def test_parameter_name_of_a_key_is_parsed_as_that_key(attribute: str) -> None:
    schema, settings = schema_of(**{attribute: "S"}), read_settings({"TABLE_NAME": "table"})
    for operator in OPERATORS.values():
        name = parameters.condition_name(attribute, operator)
        (condition,) = controls.parse(
            {name: ["true,true" if operator.operand_syntax is RANGE else "true"]}, schema, settings
        ).conditions
        assert (condition.path, condition.operator) == ((attribute,), operator)
    assert split_name(parameters.condition_name("a", OPERATORS["eq"]))[0] == "a"
