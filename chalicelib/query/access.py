"""What a caller may read. Every read asks here. Pure.

The ATTRIBUTES setting hides attributes: a hidden one is not returned and cannot be filtered on, and no index keyed by
it is used, since the order of such an index, and a cursor into it, would reveal its values. The table's keys are
never hidden.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from chalicelib.dynamodb.items import Path, TypedItem
from chalicelib.dynamodb.schema import TableSchema
from chalicelib.settings import Settings


class Access(NamedTuple):
    """`attributes`: the names that may be read, the table's keys among them; None for all."""

    attributes: frozenset[str] | None

    def allows(self, attribute: str) -> bool:
        return self.attributes is None or attribute in self.attributes

    def names(self) -> list[str] | None:
        """Return the readable attributes in order, None for all."""
        return None if self.attributes is None else sorted(self.attributes)

    def paths(self) -> tuple[Path, ...] | None:
        """Return the paths to read where a request names none; None for everything."""
        names = self.names()
        return None if names is None else tuple((name,) for name in names)

    def schema(self, table: TableSchema) -> TableSchema:
        """Return `table` without the attributes that may not be read, and without the indexes keyed by them."""
        readable = self.attributes
        if readable is None:
            return table
        indexes = tuple(
            index._replace(projected_attributes=index.projected_attributes and index.projected_attributes & readable)
            for index in table.indexes
            if readable.issuperset(index.keys)
        )
        types = {name: kind for name, kind in table.types.items() if name in readable}
        return table._replace(indexes=indexes, types=types)

    def image(self, item: TypedItem) -> TypedItem:
        """Return the part of `item` that may be read."""
        return item if self.attributes is None else {name: item[name] for name in item if name in self.attributes}


def access_of(settings: Settings, keys: Iterable[str]) -> Access:
    """Return what any caller may read of a table with `keys`."""
    return Access(None if settings.attributes is None else settings.attributes.union(keys))
