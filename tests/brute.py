"""A brute-force version of the API: a filter over plain Python values, and strategies that generate tables, items and
requests."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

MISSING = object()

STRINGS = ["a", "b", "ab", "abc", "5", "1", "true", "null", "x,y", "서울", '"q"', "a b+c%2F", "[1]"]
NUMBERS = ["1", "5", "-1.5", "10", "0.001", "12345678901234567890123456789012345678", "0", "1E+3"]
BINARIES = [b"\x00", b"ab", b"a", b"\xff\xfe"]

NAMES = ["a", "b", "c.d", "e__gt", "_f"]

Path = tuple[str | int, ...]
Item = dict[str, Any]  # plain Python: str, Decimal, bytes, bool, None, set, list, dict


@dataclass(frozen=True)
class Index:
    name: str
    kind: str
    partition: str
    sort: str | None
    projection: tuple[str, ...] | None  # attributes beside the keys; None: all

    def projected_attributes(self, table: Table) -> set[str] | None:
        """Return the attributes that a read of the index returns. None: all."""
        if self.projection is None:
            return None
        return {*table.keys, *filter(None, (self.partition, self.sort)), *self.projection}


@dataclass(frozen=True)
class Table:
    """A table, its items, and the types of its key attributes."""

    partition: str
    sort: str | None
    types: dict[str, str]
    indexes: tuple[Index, ...]
    items: tuple[Item, ...]
    dense: frozenset[str]

    def environ(self, name: str) -> dict[str, str]:
        """Return the settings that publish the table as `name`."""
        dense = {"DENSE_INDEXES": ",".join(sorted(self.dense))} if self.dense else {}
        return {"TABLE_NAME": name, **dense}

    @property
    def keys(self) -> list[str]:
        return [self.partition, self.sort] if self.sort else [self.partition]

    def definition(self, name: str) -> dict[str, Any]:
        """Return the parameters of CreateTable."""

        def schema(partition: str, sort: str | None) -> list[dict[str, str]]:
            keys = [{"AttributeName": partition, "KeyType": "HASH"}]
            return keys + ([{"AttributeName": sort, "KeyType": "RANGE"}] if sort else [])

        groups: dict[str, list[dict[str, Any]]] = {"local": [], "global": []}
        for index in self.indexes:
            projection: dict[str, Any] = {"ProjectionType": "ALL"}
            if index.projection is not None:
                projection = {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(index.projection)}
                projection = projection if index.projection else {"ProjectionType": "KEYS_ONLY"}
            keys = schema(index.partition, index.sort)
            groups[index.kind].append({"IndexName": index.name, "KeySchema": keys, "Projection": projection})
        return {
            "TableName": name,
            "KeySchema": schema(self.partition, self.sort),
            "AttributeDefinitions": [{"AttributeName": n, "AttributeType": t} for n, t in self.types.items()],
            "BillingMode": "PAY_PER_REQUEST",
            **({"LocalSecondaryIndexes": groups["local"]} if groups["local"] else {}),
            **({"GlobalSecondaryIndexes": groups["global"]} if groups["global"] else {}),
        }


POOLS: dict[str, list[Any]] = {"S": STRINGS, "N": [Decimal(text) for text in NUMBERS], "B": BINARIES}
SCALARS = {"S": st.sampled_from(STRINGS), "N": st.sampled_from(NUMBERS).map(Decimal), "B": st.sampled_from(BINARIES)}

_scalar = st.one_of(*SCALARS.values(), st.booleans(), st.none(), st.just(""))
ANY = st.one_of(
    _scalar,
    st.sets(SCALARS["S"], min_size=1, max_size=3),
    st.sets(SCALARS["N"], min_size=1, max_size=3),
    st.sets(SCALARS["B"], min_size=1, max_size=3),
    st.lists(_scalar, max_size=3),
    st.dictionaries(st.sampled_from(["x", "y", "S"]), st.one_of(_scalar, st.lists(_scalar, max_size=2)), max_size=2),
)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    key_types = st.sampled_from("SNB")
    partition = "p"
    sort: str | None = draw(st.sampled_from([None, "s", "s"]))
    types: dict[str, str] = {name: draw(key_types) for name in (partition, sort) if name}
    projections = st.one_of(
        st.none(), st.sets(st.sampled_from(NAMES), max_size=2).map(lambda names: tuple(sorted(names)))
    )
    indexes: list[Index] = []
    for number in range(draw(st.integers(0, 3))):
        is_local = sort is not None and draw(st.booleans())
        keyable = [name for name in (*NAMES[:3], sort) if name]
        index_sort = draw(st.sampled_from(NAMES[:3])) if is_local else draw(st.sampled_from([None, *keyable]))
        index_partition = (
            partition if is_local else draw(st.sampled_from([n for n in (*NAMES[:3], "p") if n != index_sort]))
        )
        projection = draw(projections)
        if projection is not None:
            projection = tuple(n for n in projection if n not in (partition, sort, index_partition, index_sort))
        indexes.append(
            Index(f"index-{number}", "local" if is_local else "global", index_partition, index_sort, projection)
        )
        for name in filter(None, (index_partition, index_sort)):
            types.setdefault(name, draw(key_types))
    non_keys = [name for name in NAMES if name not in (partition, sort)]
    attributes = {name: SCALARS[types[name]] if name in types else ANY for name in non_keys}
    # Few partitions, so that they hold several items.
    keys: dict[str, st.SearchStrategy[Any]] = {
        partition: st.sampled_from(POOLS[types[partition]][:2] if sort else POOLS[types[partition]])
    }
    if sort:
        keys[sort] = SCALARS[types[sort]]
    item: st.SearchStrategy[Item] = st.fixed_dictionaries(keys, optional=attributes)
    items = draw(
        st.lists(item, max_size=14, unique_by=lambda item: tuple(item[name] for name in (partition, sort) if name))
    )
    complete = [
        index.name
        for index in indexes
        if all(index.sort is None or index.sort in i for i in items if index.partition in i)
    ]
    dense = frozenset(draw(st.sets(st.sampled_from(complete)))) if complete else frozenset()
    return Table(partition, sort, types, tuple(indexes), tuple(items), dense)


@dataclass(frozen=True)
class Request:
    """A request. A condition is a path, an operator and a text. The other fields are the values of the controls."""

    conditions: tuple[tuple[Path, str, str], ...]
    limit: int
    sort: str | None
    fields: tuple[Path, ...] | None
    index: str | None
    consistent: str | None

    def query(self) -> list[tuple[str, str]]:
        parameters = [(f"{path_text(path)}__{operator}", text) for path, operator, text in self.conditions]
        parameters.append(("_limit", str(self.limit)))
        for name, value in (("_sort", self.sort), ("_index", self.index), ("_consistent", self.consistent)):
            if value is not None:
                parameters.append((name, value))
        if self.fields is not None:
            parameters.append(("_fields", ",".join(map(path_text, self.fields))))
        return parameters


def path_text(path: Path) -> str:
    """Return `path` as the name of a parameter."""
    text = "".join(f"[{step}]" if isinstance(step, int) else "." + step.replace(".", "\\.") for step in path)
    return text[1:]


NESTED: list[Path] = [("a", "x"), ("b", 0), ("a", "y", 1), ("gone",)]
OPERATORS = ["eq", "not", "gt", "gte", "lt", "lte", "between", "startswith", "contains", "in", "exists"]


@st.composite
def requests(draw: st.DrawFn, table: Table) -> Request:
    drawn: list[Any] = []
    if table.items and draw(st.sampled_from([True, True, True, False])):
        # An existing value of a partition key, so that queries find items.
        partitions = [table.partition, *(index.partition for index in table.indexes)]
        item, name = draw(st.sampled_from(table.items)), draw(st.sampled_from(partitions))
        if name in item:
            drawn.append(((name,), "eq", operand_text(item[name])))
            sorts = [i.sort for i in table.indexes if i.partition == name and i.sort and i.sort != name]
            sorts += [table.sort] if table.sort and name == table.partition else []
            if sorts:
                name = draw(st.sampled_from(sorts))
                ranges = ["gt", "gte", "lt", "lte", "between"]
                drawn += draw(st.lists(conditions(table, ((name,),), ranges), max_size=3))
    paths = [*((name,) for name in (*table.keys, *NAMES)), *NESTED]
    drawn += draw(st.lists(conditions(table, tuple(paths)), min_size=draw(st.integers(0, 2)), max_size=2))
    fixed = {path[0] for path, operator, _ in drawn if operator == "eq" and len(path) == 1}
    key_schemas = [(table.partition, table.sort), *((index.partition, index.sort) for index in table.indexes)]
    # Usually an order that the request supports, sometimes any other.
    any_sort = draw(st.integers(0, 9)) == 0
    sorts = [sort for partition, sort in key_schemas if sort and (partition in fixed or any_sort)]
    sort = draw(st.sampled_from([None, *sorts, *(f"-{name}" for name in sorts)]))
    field_paths: list[Path] = [*((name,) for name in (*table.keys, *NAMES)), ("a", "x"), ("a", "y"), ("b", 0), ("b", 1)]
    fields = draw(st.one_of(st.none(), st.sets(st.sampled_from(field_paths), min_size=1, max_size=3)))
    return Request(
        tuple(drawn),
        draw(st.integers(1, 6)),
        sort,
        tuple(sorted(fields, key=repr)) if fields else None,
        draw(st.sampled_from([None, None, None, None, *(index.name for index in table.indexes)])),
        draw(st.sampled_from([None, None, None, "true", "false"])),
    )


@st.composite
def conditions(draw: st.DrawFn, table: Table, paths: tuple[Path, ...], operators: list[str] = OPERATORS) -> Any:
    path = draw(st.sampled_from(paths))
    declared = table.types.get(str(path[0])) if len(path) == 1 else None
    unsupported = {"N": {"startswith", "contains"}, "B": {"contains"}}.get(declared or "", set())
    operator = draw(st.sampled_from([name for name in operators if name not in unsupported]))
    literal = declared or draw(st.sampled_from(["S", "S", "N", "N", "quoted", "true", "null"]))
    pools: dict[str, Any] = {
        **{literal: strategy.map(operand_text) for literal, strategy in SCALARS.items()},
        "quoted": SCALARS["S"].map(json.dumps),
        "true": st.sampled_from(["true", "false"]),
        "null": st.just("null"),
    }
    texts = pools[literal]
    if operator == "exists":
        return path, operator, draw(st.sampled_from(["true", "false"]))
    if operator in ("in", "between"):
        values = draw(st.lists(texts, min_size=2, max_size=2 if operator == "between" else 3))
        plain_list = not any("," in value for value in values) and not values[0].startswith("[")
        return path, operator, ",".join(values) if plain_list and draw(st.booleans()) else json_array(values)
    return path, operator, draw(texts)


def json_array(texts: list[str]) -> str:
    """Return `texts` as a JSON array of the same values."""
    return "[" + ", ".join(text if is_json_scalar(text) else json.dumps(text) for text in texts) + "]"


def is_json_scalar(text: str) -> bool:
    try:
        return not isinstance(json.loads(text), (list, dict))
    except ValueError:
        return False


def operand_text(value: Any) -> str:
    """Return the text of a parameter that means only the scalar `value`, if its type is declared."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, str):
        return json.dumps(value) if value[:1] in ('"', "[") or "," in value else value
    return str(value)


PARSERS: dict[str, Callable[[str], Any]] = {"S": str, "N": Decimal, "B": base64.b64decode}
LITERALS: dict[str, list[Any]] = {"true": [True], "false": [False], "null": [None]}


def readings(text: str, declared: str | None) -> list[Any]:
    """Return all values that `text` can mean. `declared`: the type of a key attribute, else None."""
    quoted = None
    if text.startswith('"'):
        try:
            quoted = json.loads(text)
        except ValueError:
            quoted = None
    if declared:
        text = text if quoted is None else quoted
        return [PARSERS[declared](text)]
    if quoted is not None:
        return [quoted]
    values: list[Any] = [text]
    if re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", text):
        values.append(Decimal(text))
    return values + LITERALS.get(text, [])


def split_list(text: str) -> list[str]:
    if text.startswith("["):
        try:
            array = json.loads(text, parse_int=Decimal, parse_float=Decimal)
        except ValueError:
            return text.split(",")
        return [str(value) if isinstance(value, Decimal) else json.dumps(value) for value in array]
    return text.split(",")


def equal(value: Any, other: Any) -> bool:
    return type(value) is type(other) and bool(value == other)


def value_at(item: Any, path: Path) -> Any:
    for step in path:
        found = step in item if isinstance(item, dict) else isinstance(item, list) and step in range(len(item))
        if not found:
            return MISSING
        item = item[step]
    return item


ORDERED = (str, Decimal, bytes)


def matches(item: Item, path: Path, operator: str, text: str, declared: str | None) -> bool:
    """Return whether `item` matches `path__operator=text`."""
    value = value_at(item, path)
    if operator == "exists":
        return (value is not MISSING) == (text == "true")
    if operator == "not":
        return not matches(item, path, "eq", text, declared)
    if operator == "in":
        return any(matches(item, path, "eq", part, declared) for part in split_list(text))
    if operator == "between":
        low, high = split_list(text)
        return any(
            type(value) is type(a) is type(b) and isinstance(value, ORDERED) and a <= value <= b
            for a in readings(low, declared)
            for b in readings(high, declared)
        )
    operands = readings(text, declared)
    if operator == "eq":
        return any(equal(value, operand) for operand in operands)
    if operator == "contains":
        if isinstance(value, str):
            return any(isinstance(operand, str) and operand in value for operand in operands)
        return isinstance(value, (set, list)) and any(
            equal(element, operand) for element in value for operand in operands
        )
    if operator == "startswith":
        return any(
            isinstance(value, kind) and isinstance(operand, kind) and value[: len(operand)] == operand
            for operand in operands
            for kind in (str, bytes)
        )
    compare = {"gt": "__gt__", "gte": "__ge__", "lt": "__lt__", "lte": "__le__"}[operator]
    return isinstance(value, ORDERED) and any(
        type(operand) is type(value) and getattr(value, compare)(operand) for operand in operands
    )


def has_empty_range(request: Request, types: dict[str, str]) -> bool:
    """Return whether a `between` has its lower end above its higher one. The API refuses that with a 400."""
    for path, operator, text in request.conditions:
        if operator == "between":
            declared = types.get(str(path[0])) if len(path) == 1 else None
            low, high = split_list(text)
            pairs = [(a, b) for a in readings(low, declared) for b in readings(high, declared) if type(a) is type(b)]
            if not any(a <= b for a, b in pairs if isinstance(a, ORDERED)):
                return True
    return False


def is_answerable(table: Table, request: Request) -> bool:
    """Return whether the request can be answered, and is not a 400."""
    paths = [*(path for path, _, _ in request.conditions), *(request.fields or ())]
    if has_empty_range(request, table.types) or any(len(path) > 1 and path[0] in table.types for path in paths):
        return False
    fields = None if request.fields is None else {str(path[0]) for path in request.fields}
    filtered = {str(path[0]) for path, _, _ in request.conditions}
    fixed = {path[0] for path, operator, _ in request.conditions if operator == "eq" and len(path) == 1}
    sort = request.sort and request.sort.removeprefix("-")
    forced_index = next((index for index in table.indexes if index.name == request.index), None)
    if forced_index:
        projected = forced_index.projected_attributes(table)
        if projected is not None and (filtered - projected or (fields and not projected & fields)):
            return False
        if forced_index.kind == "global" and request.consistent == "true":
            return False
        return not sort or (forced_index.sort == sort and forced_index.partition in fixed)
    if not sort or (table.sort == sort and table.partition in fixed):
        return True
    for index in table.indexes:
        projected = index.projected_attributes(table)
        covers = projected is None or (fields is not None and filtered | fields <= projected)
        usable = index.kind == "local" or (covers and request.consistent != "true")
        if index.sort == sort and index.partition in fixed and usable:
            return True
    return False


def matching_items(table: Table, request: Request) -> list[Item]:
    """Return the items that match the request, unsorted. `_sort` excludes items without its attribute."""
    items = [
        item
        for item in table.items
        if all(
            matches(item, path, operator, text, table.types.get(str(path[0])) if len(path) == 1 else None)
            for path, operator, text in request.conditions
        )
    ]
    index = next((index for index in table.indexes if index.name == request.index), None)
    if index:
        items = [item for item in items if index.partition in item and (not index.sort or index.sort in item)]
        if (projected := index.projected_attributes(table)) is not None:
            items = [{name: value for name, value in item.items() if name in projected} for item in items]
    if request.sort:
        name = request.sort.removeprefix("-")
        items = [item for item in items if name in item]
    return items


def project(value: Any, paths: list[Path]) -> Any:
    """Return the parts of `value` at `paths`, MISSING if there are none. The elements of a list move up."""
    if () in paths:
        return value
    if not isinstance(value, (dict, list)):
        return MISSING
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    selected = {}
    for step, element in entries:
        inner = [path[1:] for path in paths if path[0] == step]
        if inner and (part := project(element, inner)) is not MISSING:
            selected[step] = part
    if not selected:
        return MISSING
    return selected if isinstance(value, dict) else list(selected.values())


def typed(value: Any) -> dict[str, Any]:
    """Return a plain Python value in typed JSON."""
    if isinstance(value, bytes):
        return {"B": base64.b64encode(value).decode()}
    if isinstance(value, bool):
        return {"BOOL": value}
    if value is None:
        return {"NULL": True}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, Decimal):
        return {"N": plain_number(value)}
    if isinstance(value, set):
        (kind, content), *_ = (next(iter(typed(element).items())) for element in value)
        return {f"{kind}S": sorted(typed(element)[kind] for element in value)} if content is not None else {}
    if isinstance(value, list):
        return {"L": [typed(element) for element in value]}
    return {"M": {name: typed(element) for name, element in value.items()}}


def boto_value(value: dict[str, Any]) -> dict[str, Any]:
    """Return typed JSON as boto3 expects it: binary as bytes."""
    kind, content = next(iter(value.items()))
    if kind == "B":
        return {"B": base64.b64decode(content)}
    if kind == "BS":
        return {"BS": [base64.b64decode(element) for element in content]}
    if kind == "L":
        return {"L": [boto_value(element) for element in content]}
    if kind == "M":
        return {"M": {name: boto_value(element) for name, element in content.items()}}
    return value


def plain_number(value: Decimal) -> str:
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def plain_json(value: Any) -> Any:
    """Return a plain Python value as the API writes it with NUMBERS=string, with sets sorted."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Decimal):
        return plain_number(value)
    if isinstance(value, set):
        return sorted(map(plain_json, value))
    if isinstance(value, list):
        return [plain_json(element) for element in value]
    if isinstance(value, dict):
        return {name: plain_json(element) for name, element in value.items()}
    return value
