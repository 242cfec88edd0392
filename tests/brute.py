"""What the API promises, said again in the plainest way: a filter over plain Python values, and the tables, items and
requests to try it on."""

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

    def held(self, world: World) -> set[str] | None:
        """The attributes that a read of it gives, None for all."""
        if self.projection is None:
            return None
        return {*world.keys, *filter(None, (self.partition, self.sort)), *self.projection}


@dataclass(frozen=True)
class World:
    """A table, its items, and the types of its key attributes."""

    partition: str
    sort: str | None
    types: dict[str, str]
    indexes: tuple[Index, ...]
    items: tuple[Item, ...]
    dense: frozenset[str]

    def environ(self, name: str) -> dict[str, str]:
        """The settings to publish it with, as a table of that name."""
        dense = {"DENSE_INDEXES": ",".join(sorted(self.dense))} if self.dense else {}
        return {"TABLE_NAME": name, **dense}

    @property
    def keys(self) -> list[str]:
        return [self.partition, self.sort] if self.sort else [self.partition]

    def definition(self, name: str) -> dict[str, Any]:
        """Parameters of CreateTable."""

        def schema(partition: str, sort: str | None) -> list[dict[str, str]]:
            keys = [{"AttributeName": partition, "KeyType": "HASH"}]
            return keys + ([{"AttributeName": sort, "KeyType": "RANGE"}] if sort else [])

        groups: dict[str, list[dict[str, Any]]] = {"local": [], "global": []}
        for index in self.indexes:
            kind: dict[str, Any] = {"ProjectionType": "ALL"}
            if index.projection is not None:
                kind = {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(index.projection)}
                kind = kind if index.projection else {"ProjectionType": "KEYS_ONLY"}
            keys = schema(index.partition, index.sort)
            groups[index.kind].append({"IndexName": index.name, "KeySchema": keys, "Projection": kind})
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
def worlds(draw: st.DrawFn) -> World:
    kinds = st.sampled_from("SNB")
    partition = "p"
    sort: str | None = draw(st.sampled_from([None, "s", "s"]))
    types: dict[str, str] = {name: draw(kinds) for name in (partition, sort) if name}
    projections = st.one_of(
        st.none(), st.sets(st.sampled_from(NAMES), max_size=2).map(lambda names: tuple(sorted(names)))
    )
    indexes: list[Index] = []
    for number in range(draw(st.integers(0, 3))):
        local = sort is not None and draw(st.booleans())
        keyable = [name for name in (*NAMES[:3], sort) if name]
        own_sort = draw(st.sampled_from(NAMES[:3])) if local else draw(st.sampled_from([None, *keyable]))
        own_partition = partition if local else draw(st.sampled_from([n for n in (*NAMES[:3], "p") if n != own_sort]))
        projection = draw(projections)
        if projection is not None:
            projection = tuple(n for n in projection if n not in (partition, sort, own_partition, own_sort))
        indexes.append(Index(f"index-{number}", "local" if local else "global", own_partition, own_sort, projection))
        for name in filter(None, (own_partition, own_sort)):
            types.setdefault(name, draw(kinds))
    others = [name for name in NAMES if name not in (partition, sort)]
    attributes = {name: SCALARS[types[name]] if name in types else ANY for name in others}
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
    full = [
        index.name
        for index in indexes
        if all(index.sort is None or index.sort in i for i in items if index.partition in i)
    ]
    dense = frozenset(draw(st.sets(st.sampled_from(full)))) if full else frozenset()
    return World(partition, sort, types, tuple(indexes), tuple(items), dense)


@dataclass(frozen=True)
class Ask:
    """A request: `conditions` are path, operator and text; the rest as the control parameters have it."""

    conditions: tuple[tuple[Path, str, str], ...]
    limit: int
    sort: str | None
    fields: tuple[Path, ...] | None
    index: str | None
    consistent: str | None

    def query(self) -> list[tuple[str, str]]:
        parameters = [(f"{written(path)}__{operator}", text) for path, operator, text in self.conditions]
        parameters.append(("_limit", str(self.limit)))
        for name, value in (("_sort", self.sort), ("_index", self.index), ("_consistent", self.consistent)):
            if value is not None:
                parameters.append((name, value))
        if self.fields is not None:
            parameters.append(("_fields", ",".join(map(written, self.fields))))
        return parameters


def written(path: Path) -> str:
    """A path as a parameter names it."""
    text = "".join(f"[{step}]" if isinstance(step, int) else "." + step.replace(".", "\\.") for step in path)
    return text[1:]


NESTED: list[Path] = [("a", "x"), ("b", 0), ("a", "y", 1), ("gone",)]
OPERATORS = ["eq", "not", "gt", "gte", "lt", "lte", "between", "startswith", "contains", "in", "exists"]


@st.composite
def asks(draw: st.DrawFn, world: World) -> Ask:
    conditions: list[Any] = []
    if world.items and draw(st.sampled_from([True, True, True, False])):
        # A partition that is there, so that queries find something.
        partitions = [world.partition, *(index.partition for index in world.indexes)]
        item, name = draw(st.sampled_from(world.items)), draw(st.sampled_from(partitions))
        if name in item:
            conditions.append(((name,), "eq", text_of(item[name])))
            sorts = [i.sort for i in world.indexes if i.partition == name and i.sort and i.sort != name]
            sorts += [world.sort] if world.sort and name == world.partition else []
            if sorts:
                name = draw(st.sampled_from(sorts))
                ranges = ["gt", "gte", "lt", "lte", "between"]
                conditions += draw(st.lists(condition_of(world, ((name,),), ranges), max_size=3))
    paths = [*((name,) for name in (*world.keys, *NAMES)), *NESTED]
    conditions += draw(st.lists(condition_of(world, tuple(paths)), min_size=draw(st.integers(0, 2)), max_size=2))
    fixed = {path[0] for path, operator, _ in conditions if operator == "eq" and len(path) == 1}
    ways = [(world.partition, world.sort), *((index.partition, index.sort) for index in world.indexes)]
    # Mostly an order that the request could have, now and then one that it cannot.
    every = draw(st.integers(0, 9)) == 0
    sorts = [sort for partition, sort in ways if sort and (partition in fixed or every)]
    sort = draw(st.sampled_from([None, *sorts, *(f"-{name}" for name in sorts)]))
    pool: list[Path] = [*((name,) for name in (*world.keys, *NAMES)), ("a", "x"), ("a", "y"), ("b", 0), ("b", 1)]
    fields = draw(st.one_of(st.none(), st.sets(st.sampled_from(pool), min_size=1, max_size=3)))
    return Ask(
        tuple(conditions),
        draw(st.integers(1, 6)),
        sort,
        tuple(sorted(fields, key=repr)) if fields else None,
        draw(st.sampled_from([None, None, None, None, *(index.name for index in world.indexes)])),
        draw(st.sampled_from([None, None, None, "true", "false"])),
    )


@st.composite
def condition_of(draw: st.DrawFn, world: World, paths: tuple[Path, ...], operators: list[str] = OPERATORS) -> Any:
    path = draw(st.sampled_from(paths))
    declared = world.types.get(str(path[0])) if len(path) == 1 else None
    fit = {"N": {"startswith", "contains"}, "B": {"contains"}}.get(declared or "", set())
    operator = draw(st.sampled_from([name for name in operators if name not in fit]))
    kind = declared or draw(st.sampled_from(["S", "S", "N", "N", "quoted", "true", "null"]))
    pools: dict[str, Any] = {
        **{kind: strategy.map(text_of) for kind, strategy in SCALARS.items()},
        "quoted": SCALARS["S"].map(json.dumps),
        "true": st.sampled_from(["true", "false"]),
        "null": st.just("null"),
    }
    texts = pools[kind]
    if operator == "exists":
        return path, operator, draw(st.sampled_from(["true", "false"]))
    if operator in ("in", "between"):
        values = draw(st.lists(texts, min_size=2, max_size=2 if operator == "between" else 3))
        plain_list = not any("," in value for value in values) and not values[0].startswith("[")
        return path, operator, ",".join(values) if plain_list and draw(st.booleans()) else as_array(values)
    return path, operator, draw(texts)


def as_array(texts: list[str]) -> str:
    """`texts` as a JSON array of the same values."""
    return "[" + ", ".join(text if is_json(text) else json.dumps(text) for text in texts) + "]"


def is_json(text: str) -> bool:
    try:
        return not isinstance(json.loads(text), (list, dict))
    except ValueError:
        return False


def text_of(value: Any) -> str:
    """A scalar as a parameter's text that means it alone, where a type is declared."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, str):
        return json.dumps(value) if value[:1] in ('"', "[") or "," in value else value
    return str(value)


READS: dict[str, Callable[[str], Any]] = {"S": str, "N": Decimal, "B": base64.b64decode}
LITERALS: dict[str, list[Any]] = {"true": [True], "false": [False], "null": [None]}


def reads(text: str, declared: str | None) -> list[Any]:
    """All that `text` can mean."""
    quoted = None
    if text.startswith('"'):
        try:
            quoted = json.loads(text)
        except ValueError:
            quoted = None
    if declared:
        text = text if quoted is None else quoted
        return [READS[declared](text)]
    if quoted is not None:
        return [quoted]
    values: list[Any] = [text]
    if re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", text):
        values.append(Decimal(text))
    return values + LITERALS.get(text, [])


def split(text: str) -> list[str]:
    if text.startswith("["):
        try:
            array = json.loads(text, parse_int=Decimal, parse_float=Decimal)
        except ValueError:
            return text.split(",")
        return [str(value) if isinstance(value, Decimal) else json.dumps(value) for value in array]
    return text.split(",")


def same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def at(item: Any, path: Path) -> Any:
    for step in path:
        there = step in item if isinstance(item, dict) else isinstance(item, list) and step in range(len(item))
        if not there:
            return MISSING
        item = item[step]
    return item


ORDERED = (str, Decimal, bytes)


def holds(item: Item, path: Path, operator: str, text: str, declared: str | None) -> bool:
    """Whether `path__operator=text` holds for `item`."""
    value = at(item, path)
    if operator == "exists":
        return (value is not MISSING) == (text == "true")
    if operator == "not":
        return not holds(item, path, "eq", text, declared)
    if operator == "in":
        return any(holds(item, path, "eq", part, declared) for part in split(text))
    if operator == "between":
        low, high = split(text)
        return any(
            type(value) is type(a) is type(b) and isinstance(value, ORDERED) and a <= value <= b
            for a in reads(low, declared)
            for b in reads(high, declared)
        )
    means = reads(text, declared)
    if operator == "eq":
        return any(same(value, meant) for meant in means)
    if operator == "contains":
        if isinstance(value, str):
            return any(isinstance(meant, str) and meant in value for meant in means)
        return isinstance(value, (set, list)) and any(same(element, meant) for element in value for meant in means)
    if operator == "startswith":
        return any(
            isinstance(value, kind) and isinstance(meant, kind) and value[: len(meant)] == meant
            for meant in means
            for kind in (str, bytes)
        )
    compare = {"gt": "__gt__", "gte": "__ge__", "lt": "__lt__", "lte": "__le__"}[operator]
    return isinstance(value, ORDERED) and any(
        type(meant) is type(value) and getattr(value, compare)(meant) for meant in means
    )


def empty_range(ask: Ask, types: dict[str, str]) -> bool:
    """Whether a `between` has its ends the wrong way round, which is a mistake and not a filter."""
    for path, operator, text in ask.conditions:
        if operator == "between":
            declared = types.get(str(path[0])) if len(path) == 1 else None
            low, high = split(text)
            pairs = [(a, b) for a in reads(low, declared) for b in reads(high, declared) if type(a) is type(b)]
            if not any(a <= b for a, b in pairs if isinstance(a, ORDERED)):
                return True
    return False


def answerable(world: World, ask: Ask) -> bool:
    """Return whether the request can be answered, and is not a 400."""
    paths = [*(path for path, _, _ in ask.conditions), *(ask.fields or ())]
    if empty_range(ask, world.types) or any(len(path) > 1 and path[0] in world.types for path in paths):
        return False
    fields = None if ask.fields is None else {str(path[0]) for path in ask.fields}
    filtered = {str(path[0]) for path, _, _ in ask.conditions}
    fixed = {path[0] for path, operator, _ in ask.conditions if operator == "eq" and len(path) == 1}
    sort = ask.sort and ask.sort.removeprefix("-")
    forced = next((index for index in world.indexes if index.name == ask.index), None)
    if forced:
        held = forced.held(world)
        if held is not None and (filtered - held or (fields and not held & fields)):
            return False
        if forced.kind == "global" and ask.consistent == "true":
            return False
        return not sort or (forced.sort == sort and forced.partition in fixed)
    if not sort or (world.sort == sort and world.partition in fixed):
        return True
    for index in world.indexes:
        held = index.held(world)
        covers = held is None or (fields is not None and filtered | fields <= held)
        may = index.kind == "local" or (covers and ask.consistent != "true")
        if index.sort == sort and index.partition in fixed and may:
            return True
    return False


def matching(world: World, ask: Ask) -> list[Item]:
    """The items of the table that the request is for, in the order of `_sort` where it has one."""
    items = [
        item
        for item in world.items
        if all(
            holds(item, path, operator, text, world.types.get(str(path[0])) if len(path) == 1 else None)
            for path, operator, text in ask.conditions
        )
    ]
    index = next((index for index in world.indexes if index.name == ask.index), None)
    if index:
        items = [item for item in items if index.partition in item and (not index.sort or index.sort in item)]
        if (held := index.held(world)) is not None:
            items = [{name: value for name, value in item.items() if name in held} for item in items]
    if ask.sort:
        name = ask.sort.removeprefix("-")
        items = [item for item in items if name in item]
    return items


def projected(value: Any, paths: list[Path]) -> Any:
    """What there is at `paths` of `value`: maps with those entries, lists with those elements, closed up."""
    if () in paths:
        return value
    if not isinstance(value, (dict, list)):
        return MISSING
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    kept = {}
    for step, one in entries:
        inner = [path[1:] for path in paths if path[0] == step]
        if inner and (left := projected(one, inner)) is not MISSING:
            kept[step] = left
    if not kept:
        return MISSING
    return kept if isinstance(value, dict) else list(kept.values())


def wire(value: Any) -> dict[str, Any]:
    """A plain Python value in DynamoDB's JSON."""
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
        (kind, content), *_ = (next(iter(wire(element).items())) for element in value)
        return {f"{kind}S": sorted(wire(element)[kind] for element in value)} if content is not None else {}
    if isinstance(value, list):
        return {"L": [wire(element) for element in value]}
    return {"M": {name: wire(element) for name, element in value.items()}}


def for_boto(value: dict[str, Any]) -> dict[str, Any]:
    """DynamoDB's JSON as boto3 wants it: binary as bytes."""
    kind, content = next(iter(value.items()))
    if kind == "B":
        return {"B": base64.b64decode(content)}
    if kind == "BS":
        return {"BS": [base64.b64decode(one) for one in content]}
    if kind == "L":
        return {"L": [for_boto(one) for one in content]}
    if kind == "M":
        return {"M": {name: for_boto(one) for name, one in content.items()}}
    return value


def plain_number(value: Decimal) -> str:
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def plain(value: Any) -> Any:
    """A plain Python value as the API writes it with NUMBERS=string, sets sorted."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Decimal):
        return plain_number(value)
    if isinstance(value, set):
        return sorted(map(plain, value))
    if isinstance(value, list):
        return [plain(element) for element in value]
    if isinstance(value, dict):
        return {name: plain(element) for name, element in value.items()}
    return value
