"""DescribeTable -> `TableSchema`: keys, attribute types, indexes and what they hold. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

# Bytes of a key's value, from DynamoDB's "Service, account, and table quotas".
PARTITION_KEY_BYTES = 2048
SORT_KEY_BYTES = 1024

# An index in another state (CREATING, DELETING) does not hold every item, or cannot be read.
READABLE = {"ACTIVE", "UPDATING"}


@dataclass(frozen=True)
class Index:
    """The table itself (kind "table", no name), or one of its indexes ("local", "global").

    `holds`: the attributes that a read of it can give, None for all of them.
    """

    kind: str
    name: str | None
    partition: str
    sort: str | None
    holds: frozenset[str] | None

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.partition, self.sort) if self.sort else (self.partition,)

    def lacks(self, names: Iterable[str]) -> list[str]:
        return [] if self.holds is None else sorted(set(names) - self.holds)

    def __str__(self) -> str:
        return self.name or "the table"


@dataclass(frozen=True)
class TableSchema:
    """`types`: the declared type ("S", "N", "B") of each attribute that is a key of the table or of an index."""

    name: str
    table: Index
    indexes: tuple[Index, ...]
    types: Mapping[str, str]

    @property
    def queryable(self) -> tuple[Index, ...]:
        return (self.table, *self.indexes)

    def key_bytes(self, attribute: str) -> int:
        """The longest value `attribute` can have as a key, in bytes: the least of what its roles allow."""
        return SORT_KEY_BYTES if any(index.sort == attribute for index in self.queryable) else PARTITION_KEY_BYTES

    def published(self, attributes: frozenset[str] | None) -> TableSchema:
        """The schema without what the ATTRIBUTES setting keeps in.

        An index goes when one of its keys is kept in: its order, and a cursor into it, would tell that key's values.
        """
        if attributes is None:
            return self
        known = attributes | set(self.table.keys)
        indexes = tuple(
            replace(index, holds=index.holds and index.holds & known)
            for index in self.indexes
            if known.issuperset(index.keys)
        )
        types = {name: kind for name, kind in self.types.items() if name in known}
        return replace(self, indexes=indexes, types=types)


def read(description: Mapping[str, Any]) -> TableSchema:
    """The schema in `description`, the `Table` of DescribeTable's answer.

    An index whose key is made of several attributes is left out: no plan here uses one.
    """
    table_keys = _keys(description["KeySchema"])
    partition, sort = table_keys["HASH"][0], next(iter(table_keys["RANGE"]), None)
    table = Index("table", None, partition, sort, None)
    indexes = []
    for kind, group in (("local", "LocalSecondaryIndexes"), ("global", "GlobalSecondaryIndexes")):
        for index in description.get(group, ()):
            keys = _keys(index["KeySchema"])
            if len(keys["HASH"]) > 1 or len(keys["RANGE"]) > 1 or index.get("IndexStatus", "ACTIVE") not in READABLE:
                continue
            names = (*table.keys, *keys["HASH"], *keys["RANGE"])
            projection = index["Projection"]
            holds = (
                None
                if projection["ProjectionType"] == "ALL"
                else frozenset((*names, *projection.get("NonKeyAttributes", ())))
            )
            indexes.append(Index(kind, index["IndexName"], keys["HASH"][0], next(iter(keys["RANGE"]), None), holds))
    types = {
        definition["AttributeName"]: definition["AttributeType"] for definition in description["AttributeDefinitions"]
    }
    return TableSchema(description["TableName"], table, tuple(indexes), types)


def _keys(elements: Iterable[Mapping[str, str]]) -> dict[str, list[str]]:
    keys: dict[str, list[str]] = {"HASH": [], "RANGE": []}
    for element in elements:
        keys[element["KeyType"]].append(element["AttributeName"])
    return keys
