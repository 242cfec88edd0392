from __future__ import annotations

from typing import Any

import pytest

from chalicelib.dynamodb.schema import Index, read
from chalicelib.query.access import Access
from local import sample


def sample_with(**changes: Any) -> dict[str, Any]:
    return {**sample.TABLE, **changes}


def test_schema_has_the_keys_types_and_indexes() -> None:
    schema = read(sample.TABLE)
    assert schema.name == "study_test"
    assert schema.table == Index("table", None, "idx", None, None)
    assert [str(index) for index in schema.indexes] == ["by_net", "by_type_and_size", "by_alert"]
    assert schema.indexes[0] == Index("global", "by_net", "net", "time", None)
    assert schema.indexes[2].projected_attributes == frozenset({"idx", "alert", "mag", "place", "time", "title", "url"})
    assert schema.types == {"idx": "S", "net": "S", "time": "N", "magType": "S", "mag": "N", "alert": "S"}


@pytest.mark.parametrize(("status", "is_used"), [("ACTIVE", True), ("UPDATING", True), ("CREATING", False)])
def test_index_is_ignored_while_it_is_created(status: str, is_used: bool) -> None:
    index = {**sample.TABLE["GlobalSecondaryIndexes"][0], "IndexStatus": status}
    assert bool(read(sample_with(GlobalSecondaryIndexes=[index])).indexes) is is_used


def test_index_with_a_multi_attribute_key_is_ignored() -> None:
    index = sample.TABLE["GlobalSecondaryIndexes"][0]
    multi_attribute = {**index, "KeySchema": [*index["KeySchema"], {"AttributeName": "mag", "KeyType": "RANGE"}]}
    assert read(sample_with(GlobalSecondaryIndexes=[multi_attribute])).indexes == ()


def test_key_size_limit_is_the_smallest_of_its_roles() -> None:
    schema = read(sample.TABLE)
    assert (schema.key_bytes("idx"), schema.key_bytes("mag")) == (2048, 1024)


def test_index_with_an_unpublished_key_is_not_published() -> None:
    schema = Access(frozenset({"idx", "net", "time", "place"})).schema(read(sample.TABLE))
    assert [str(index) for index in schema.indexes] == ["by_net"]
    assert schema.types == {"idx": "S", "net": "S", "time": "N"}


def test_published_projection_has_only_published_attributes() -> None:
    schema = Access(frozenset({"idx", "alert", "mag", "place", "gap"})).schema(read(sample.TABLE))
    assert [index.projected_attributes for index in schema.indexes] == [frozenset({"idx", "alert", "mag", "place"})]


def test_missing_attributes_of_an_index_are_sorted() -> None:
    schema = read(sample.TABLE)
    assert schema.indexes[2].missing({"gap", "mag", "felt"}) == ["felt", "gap"]
    assert schema.table.missing({"anything"}) == []
