"""The parameters of requests as OpenAPI describes them: names, and their texts as JSON Schema. Pure.

Patterns are ECMAScript's, as OpenAPI wants them, in the part of it that Python and Rust read alike. They accept what
`query` accepts, apart from rarities: a number has at most 20 digits before its point and 18 after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from chalicelib.dynamodb.schema import TableSchema
from chalicelib.query.access import access_of
from chalicelib.query.conditions import MAX_DEPTH, split_name
from chalicelib.query.controls import controls_of
from chalicelib.query.operators import FLAG, OPERATORS, VALUE, OperandSyntax, Operator
from chalicelib.settings import Settings

Json = dict[str, Any]

_NUMBER = r"[+-]?(?:[0-9]{1,20}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(?:[eE][+-]?[0-9]{1,2})?"
_JSON_NUMBER = r"-?(?:0|[1-9][0-9]{0,19})(?:\.[0-9]{1,18})?(?:[eE][+-]?[0-9]{1,2})?"
_BASE64 = r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=|[A-Za-z0-9+/]{4})"
_NO_ARRAY = r"(?!\[[\s\S]*\]\s*$)"
_CHARACTER = r'(?:[^"\\\x00-\x1f]|\\["\\/bfnrt])'

# type of a key, "" for other attributes -> an element of a comma list, and of a JSON array
_ONE_OF_MANY = {
    "S": (r'(?!""(?:,|$))[^,]+', f'"{_CHARACTER}+"'),
    "N": (_NUMBER, _JSON_NUMBER),
    "B": (_BASE64, f'"{_BASE64}"'),
    "": ("[^,]*", f'(?:"{_CHARACTER}*"|{_JSON_NUMBER}|true|false|null)'),
}

_REQUEST_HEADERS: tuple[tuple[str, str, Json], ...] = (
    ("Cache-Control", "no-cache: bypass every cache", {"type": "string", "examples": ["no-cache"]}),
    ("If-None-Match", "the ETag of the answer you have: a 304 while it is current", {"type": "string"}),
)


def request_headers(settings: Settings) -> list[Json]:
    return [_parameter(*each, at="header") for each in _REQUEST_HEADERS[: 2 if settings.feed_table else 1]]


def key_segments(schema: TableSchema) -> list[Json]:
    """Return the path parameters of one item."""
    return [
        _parameter(role, f"{name}, percent-encoded once", key_value(name, schema), at="path")
        for role, name in zip(("partition", "sort"), schema.table.keys, strict=False)
    ]


def controls(route: str, schema: TableSchema, settings: Settings) -> list[Json]:
    """Return the `_controls` of `route`. One that no text fits (an index, where there is none) is left out."""
    patterns = {"_fields": fields(schema, settings)}
    found = [
        _parameter(name, control.description, control.json_schema(settings, schema) | patterns.get(name, {}))
        for name, control in controls_of(route).items()
    ]
    return [parameter for parameter in found if parameter["schema"].get("enum") != []]


def conditions(schema: TableSchema, settings: Settings) -> list[Json]:
    """Return a parameter for each operator of each key attribute, and one for all others, whose name is not sent."""
    of_keys = [
        _parameter(
            condition_name(name, operator),
            f"{name} {_description(operator)}",
            key_operand(operator, name, schema),
        )
        for name, kind in schema.types.items()
        for operator in OPERATORS.values()
        if kind in operator.key_types
    ]
    attributes = access_of(settings, schema.table.keys).attributes
    if attributes is not None and attributes <= schema.types.keys():
        return of_keys
    operators = "; ".join(f"{operator.key} {_description(operator)}" for operator in OPERATORS.values())
    description = f"attribute=value or attribute__operator=value, for attributes that are not keys: {operators}"
    others = _parameter("_conditions", description, other_conditions(schema, settings))
    return [*of_keys, {**others, "style": "form", "explode": True}]


def _parameter(name: str, description: str, schema: Json, at: str = "query") -> Json:
    return {"name": name, "in": at, "description": description, "required": at == "path", "schema": schema}


def _description(operator: Operator) -> str:
    syntax = operator.operand_syntax
    written = "" if syntax is VALUE else f": {syntax.example}"
    return operator.description + written


def _operand(syntax: OperandSyntax, kind: str) -> Json:
    """Return the schema of an operand. `kind`: the type of a key, "" for other attributes."""
    if syntax is FLAG:
        return {"type": "boolean"}
    if syntax is VALUE:
        return _pattern(f"^{_ONE_OF_MANY[kind][0]}$") if kind in ("N", "B") else {"type": "string"}
    return _list(*_ONE_OF_MANY[kind], syntax.repeats)


def key_value(name: str, schema: TableSchema) -> Json:
    """Return the schema of a value of the key attribute `name` in a path, where quotes are part of it."""
    kind, max_bytes = schema.types[name], schema.key_bytes(name)
    lengths = {"S": {"minLength": 1, "maxLength": max_bytes}, "B": {"maxLength": max_bytes // 3 * 4}}
    return {**_operand(VALUE, kind), **lengths.get(kind, {})}


def key_operand(operator: Operator, name: str, schema: TableSchema) -> Json:
    """Return the schema of the operand of `operator` for the key attribute `name`."""
    if operator.operand_syntax is not VALUE:
        return _operand(operator.operand_syntax, schema.types[name])
    quoted = {"pattern": r'^(?!""$)[\s\S]+$'} if schema.types[name] == "S" else {}
    return {**key_value(name, schema), **quoted}


def condition_name(attribute: str, operator: Operator) -> str:
    """Return the name of a parameter. It has `__eq` only where the attribute's name alone would mean something else."""
    path = _escaped(attribute)
    bare = operator is OPERATORS["eq"] and split_name(path)[0] == path and not path.startswith("_")
    return path if bare else f"{path}__{operator.key}"


def other_conditions(schema: TableSchema, settings: Settings) -> Json:
    """Return the schema of an object with a property for each condition on an attribute that is not a key."""
    operators = f"__(?:{'|'.join(OPERATORS)})"
    no_operator = rf"(?!_)(?![\s\S]+{operators}$)"
    path = _path(schema, settings, f"(?:{operators})?$", keys=False)
    return {
        "type": "object",
        "propertyNames": _pattern(f"^(?:{no_operator}{path}|{path}{operators})$"),
        "patternProperties": {
            f".__{operator.key}$": _operand(operator.operand_syntax, "")
            for operator in OPERATORS.values()
            if operator.operand_syntax is not VALUE
        },
        "additionalProperties": {"type": "string"},
    }


def fields(schema: TableSchema, settings: Settings) -> Json:
    """Return the schema of a comma list of paths to attributes."""
    path = '(?!""(?:,|$))' + _path(schema, settings, "(?:,|$)", keys=True)
    return _pattern(f"^{_NO_ARRAY}{path}(?:,{path})*$")


def _pattern(text: str) -> Json:
    return {"type": "string", "pattern": text}


def _list(one: str, element: str, repeats: str | None) -> Json:
    """Return the schema of a comma list of `one`, or a JSON array of `element`. `repeats`: a quantifier of the rest."""
    return _pattern(rf"^{_NO_ARRAY}{one}(?:,{one}){repeats}$|^\[{element}(?:, ?{element}){repeats}\]$")


def _path(schema: TableSchema, settings: Settings, end: str, keys: bool) -> str:
    """Return a pattern of paths that `end` follows: to published attributes, and if `keys` to key attributes."""
    place, but = r"\[[0-9]{1,9}\]", "," if keys else ""
    character = rf"(?:\\[.\\\[]|\[(?![0-9]+\](?:[.\[]|{end}))|[^.\\\[{but}])"
    name, too_deep = f"{character}+", rf"(?!(?:{character}*(?:\.|{place})){{{MAX_DEPTH}}})"
    # A key has no parts.
    within = rf"\.|{place}(?:[.\[]|{end})" + ("" if keys else f"|{end}")
    published = access_of(settings, schema.table.keys).attributes
    first = name if published is None else f"(?:{_any(published)})"
    return rf"{too_deep}(?!(?:{_any(schema.types)})(?:{within})){first}(?:{place})*(?:\.{name}(?:{place})*)*"


def _any(attributes: Iterable[str]) -> str:
    # Not re.escape: it escapes characters that ECMAScript does not allow to be escaped.
    return "|".join(re.sub(r"[\\^$.|?*+()\[\]{}]", r"\\\g<0>", _escaped(name)) for name in sorted(attributes))


def _escaped(attribute: str) -> str:
    return re.sub(r"[\\.\[]", r"\\\g<0>", attribute)
