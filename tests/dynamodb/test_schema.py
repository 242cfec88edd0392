from __future__ import annotations

from typing import Any

import pytest

from chalicelib.dynamodb.schema import Index, read
from chalicelib.query.access import Access
from local import sample


def described(**changes: Any) -> dict[str, Any]:
    return {**sample.TABLE, **changes}


def test_keys_types_and_indexes_are_read() -> None:
    schema = read(sample.TABLE)
    assert schema.name == "study_test"
    assert schema.table == Index("table", None, "idx", None, None)
    assert [str(index) for index in schema.indexes] == ["by_net", "by_type_and_size", "by_alert"]
    assert schema.indexes[0] == Index("global", "by_net", "net", "time", None)
    assert schema.indexes[2].projected_attributes == frozenset({"idx", "alert", "mag", "place", "time", "title", "url"})
    assert schema.types == {"idx": "S", "net": "S", "time": "N", "magType": "S", "mag": "N", "alert": "S"}


@pytest.mark.parametrize(("status", "is_read"), [("ACTIVE", True), ("UPDATING", True), ("CREATING", False)])
def test_an_index_counts_once_it_holds_every_item(status: str, is_read: bool) -> None:
    index = {**sample.TABLE["GlobalSecondaryIndexes"][0], "IndexStatus": status}
    assert bool(read(described(GlobalSecondaryIndexes=[index])).indexes) is is_read


def test_an_index_with_a_key_of_several_attributes_is_left_out() -> None:
    index = sample.TABLE["GlobalSecondaryIndexes"][0]
    many = {**index, "KeySchema": [*index["KeySchema"], {"AttributeName": "mag", "KeyType": "RANGE"}]}
    assert read(described(GlobalSecondaryIndexes=[many])).indexes == ()


def test_the_least_that_any_role_allows_is_what_a_key_can_have() -> None:
    schema = read(sample.TABLE)
    assert (schema.key_bytes("idx"), schema.key_bytes("mag")) == (2048, 1024)


def test_an_index_whose_key_is_kept_in_is_not_published() -> None:
    schema = Access(frozenset({"idx", "net", "time", "place"})).schema(read(sample.TABLE))
    assert [str(index) for index in schema.indexes] == ["by_net"]
    assert schema.types == {"idx": "S", "net": "S", "time": "N"}


def test_what_is_kept_in_is_not_told_of() -> None:
    schema = Access(frozenset({"idx", "alert", "mag", "place", "gap"})).schema(read(sample.TABLE))
    assert [index.projected_attributes for index in schema.indexes] == [frozenset({"idx", "alert", "mag", "place"})]


def test_what_an_index_lacks() -> None:
    schema = read(sample.TABLE)
    assert schema.indexes[2].missing({"gap", "mag", "felt"}) == ["felt", "gap"]
    assert schema.table.missing({"anything"}) == []
