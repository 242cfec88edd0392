"""DescribeTable -> `TableSchema`: keys, attribute types, indexes and their projections. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

# Bytes of a key's value (developer guide, "Service, account, and table quotas").
PARTITION_KEY_BYTES = 2048
SORT_KEY_BYTES = 1024

# An index in another state (CREATING, DELETING) lacks items, or cannot be read.
READABLE = {"ACTIVE", "UPDATING"}


class Index(NamedTuple):
    """The table itself (kind "table", no name), or one of its indexes ("local", "global").

    `projected_attributes`: the attributes that a read of it can return; None for all.
    """

    kind: str
    name: str | None
    partition: str
    sort: str | None
    projected_attributes: frozenset[str] | None

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.partition, self.sort) if self.sort else (self.partition,)

    def missing(self, names: Iterable[str]) -> list[str]:
        """Return those of `names` that the index does not project."""
        return [] if self.projected_attributes is None else sorted(set(names) - self.projected_attributes)

    def __str__(self) -> str:
        return self.name or "the table"


class TableSchema(NamedTuple):
    """`types`: the declared type ("S", "N", "B") of each attribute that is a key of the table or of an index."""

    name: str
    table: Index
    indexes: tuple[Index, ...]
    types: Mapping[str, str]

    @property
    def queryable(self) -> tuple[Index, ...]:
        return (self.table, *self.indexes)

    def key_bytes(self, attribute: str) -> int:
        """Return the size in bytes of the longest value that `attribute` can have as a key."""
        return SORT_KEY_BYTES if any(index.sort == attribute for index in self.queryable) else PARTITION_KEY_BYTES


def read(description: Mapping[str, Any]) -> TableSchema:
    """Return the schema in `description`, the `Table` of DescribeTable's answer.

    Indexes with a key of several attributes are left out: no plan uses them.
    """
    keys = _keys(description["KeySchema"])
    table = Index("table", None, keys["HASH"][0], next(iter(keys["RANGE"]), None), None)
    described = (
        _index(kind, index, table)
        for kind, group in (("local", "LocalSecondaryIndexes"), ("global", "GlobalSecondaryIndexes"))
        for index in description.get(group, ())
    )
    types = {each["AttributeName"]: each["AttributeType"] for each in description["AttributeDefinitions"]}
    return TableSchema(description["TableName"], table, tuple(index for index in described if index), types)


def _index(kind: str, description: Mapping[str, Any], table: Index) -> Index | None:
    keys = _keys(description["KeySchema"])
    if len(keys["HASH"]) > 1 or len(keys["RANGE"]) > 1 or description.get("IndexStatus", "ACTIVE") not in READABLE:
        return None
    projection = description["Projection"]
    projected = None
    if projection["ProjectionType"] != "ALL":
        non_keys = projection.get("NonKeyAttributes", ())
        projected = frozenset((*table.keys, *keys["HASH"], *keys["RANGE"], *non_keys))
    return Index(kind, description["IndexName"], keys["HASH"][0], next(iter(keys["RANGE"]), None), projected)


def _keys(elements: Iterable[Mapping[str, str]]) -> dict[str, list[str]]:
    keys: dict[str, list[str]] = {"HASH": [], "RANGE": []}
    for element in elements:
        keys[element["KeyType"]].append(element["AttributeName"])
    return keys
