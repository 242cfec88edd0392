"""What the text of a parameter may be, as JSON Schema: numbers, lists, paths to attributes. Pure.

Patterns are ECMAScript's as OpenAPI wants them, in the part of it that Python and Rust read alike. They take what
`values` and `filters` take, but for rarities: a number of 20 digits before its point and 18 behind it is enough here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from chalicelib.dynamodb.schema import TableSchema
from chalicelib.query.conditions import MAX_DEPTH, OPERATORS, Operator, split_name
from chalicelib.settings import Settings

Json = dict[str, Any]

_NUMBER = r"[+-]?(?:[0-9]{1,20}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(?:[eE][+-]?[0-9]{1,2})?"
_JSON_NUMBER = r"-?(?:0|[1-9][0-9]{0,19})(?:\.[0-9]{1,18})?(?:[eE][+-]?[0-9]{1,2})?"
_BASE64 = r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})"
_NO_ARRAY = r"(?!\[[\s\S]*\]\s*$)"
_CHARACTER = r'(?:[^"\\\x00-\x1f]|\\["\\/bfnrt])'

# type of a key, "" for what is none -> one of a comma list, and one of a JSON array
_ONE_OF_MANY = {
    "S": (r'(?!""(?:,|$))[^,]+', f'"{_CHARACTER}+"'),
    "N": (_NUMBER, _JSON_NUMBER),
    "B": (_BASE64, f'"{_BASE64}"'),
    "": ("[^,]*", f'(?:"{_CHARACTER}*"|{_JSON_NUMBER}|true|false|null)'),
}

# what an operator takes -> the schema of it, by the type of a key, "" for what is none
_TAKES: Mapping[str, Callable[[str], Json]] = {
    "value": lambda kind: _pattern(f"^{_ONE_OF_MANY[kind][0]}$") if kind in ("N", "B") else {"type": "string"},
    "list": lambda kind: _list(*_ONE_OF_MANY[kind], "*"),
    "range": lambda kind: _list(*_ONE_OF_MANY[kind], "{1}"),
    "flag": lambda kind: {"type": "boolean"},
}


def key_value(name: str, schema: TableSchema) -> Json:
    """A value of the key attribute `name` in a path, where quotes are part of it."""
    kind, most_bytes = schema.types[name], schema.key_bytes(name)
    lengths = {"S": {"minLength": 1, "maxLength": most_bytes}, "B": {"maxLength": most_bytes // 3 * 4}}
    return {**_TAKES["value"](kind), **lengths.get(kind, {})}


def key_operand(operator: Operator, name: str, schema: TableSchema) -> Json:
    """What `operator` takes for the key attribute `name`."""
    if operator.takes != "value":
        return _TAKES[operator.takes](schema.types[name])
    quoted = {"pattern": r'^(?!""$)[\s\S]+$'} if schema.types[name] == "S" else {}
    return {**key_value(name, schema), **quoted}


def condition_name(attribute: str, operator: Operator) -> str:
    """The name of a parameter; with `__eq` only where that of the attribute alone would be read as another."""
    path = _escaped(attribute)
    bare = operator is OPERATORS["eq"] and split_name(path)[0] == path and not path.startswith("_")
    return path if bare else f"{path}__{operator.key}"


def other_conditions(schema: TableSchema, settings: Settings) -> Json:
    """An object of the conditions on attributes that are no key: a property for each."""
    operators = f"__(?:{'|'.join(OPERATORS)})"
    no_operator = rf"(?!_)(?![\s\S]+{operators}$)"
    path = _path(schema, settings, f"(?:{operators})?$", keys=False)
    return {
        "type": "object",
        "propertyNames": _pattern(f"^(?:{no_operator}{path}|{path}{operators})$"),
        "patternProperties": {
            f".__{one.key}$": _TAKES[one.takes]("") for one in OPERATORS.values() if one.takes != "value"
        },
        "additionalProperties": {"type": "string"},
    }


def fields(schema: TableSchema, settings: Settings) -> Json:
    """A comma list of paths to attributes."""
    path = '(?!""(?:,|$))' + _path(schema, settings, "(?:,|$)", keys=True)
    return _pattern(f"^{_NO_ARRAY}{path}(?:,{path})*$")


def _pattern(text: str) -> Json:
    return {"type": "string", "pattern": text}


def _list(one: str, element: str, more: str) -> Json:
    """A comma list of `one`, or a JSON array of `element`, with as many `more` as that quantifier says."""
    return _pattern(rf"^{_NO_ARRAY}{one}(?:,{one}){more}$|^\[{element}(?:, ?{element}){more}\]$")


def _path(schema: TableSchema, settings: Settings, end: str, keys: bool) -> str:
    """A pattern of what `end` ends: paths to attributes that are published, and to those that are keys with `keys`."""
    place, but = r"\[[0-9]{1,9}\]", "," if keys else ""
    character = rf"(?:\\[.\\\[]|\[(?![0-9]+\](?:[.\[]|{end}))|[^.\\\[{but}])"
    name, too_deep = f"{character}+", rf"(?!(?:{character}*(?:\.|{place})){{{MAX_DEPTH}}})"
    # There is nothing in a key.
    within = rf"\.|{place}(?:[.\[]|{end})" + ("" if keys else f"|{end}")
    first = name if settings.attributes is None else f"(?:{_any(settings.attributes.union(schema.table.keys))})"
    return rf"{too_deep}(?!(?:{_any(schema.types)})(?:{within})){first}(?:{place})*(?:\.{name}(?:{place})*)*"


def _any(attributes: Iterable[str]) -> str:
    # Not re.escape, which escapes what ECMAScript does not let it.
    return "|".join(re.sub(r"[\\^$.|?*+()\[\]{}]", r"\\\g<0>", _escaped(name)) for name in sorted(attributes))


def _escaped(attribute: str) -> str:
    return re.sub(r"[\\.\[]", r"\\\g<0>", attribute)
