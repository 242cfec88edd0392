"""The table of the change feed: checked, and created if it does not exist."""

from __future__ import annotations

from typing import Any

from infra import tables
from infra.errors import UserError
from infra.steps import Steps
from infra.tables import Description

KEY_TYPES = {"feed": "S", "position": "N"}
EXPIRY_ATTRIBUTE = "expires"


def check(client: Any, name: str, table: Description | None) -> None:
    """Raise UserError if `table` exists and is not a feed's."""
    if table is None:
        return
    if (types := tables.key_types(table)) != KEY_TYPES:
        raise UserError(
            f"Table {name} has the keys {tables.format_keys(types)}, and a feed needs "
            f"{tables.format_keys(KEY_TYPES)}. Choose another --feed-table."
        )
    attribute = _time_to_live(client, name).get("AttributeName", EXPIRY_ATTRIBUTE)
    if attribute != EXPIRY_ATTRIBUTE:
        raise UserError(
            f"Table {name} expires items by {attribute}, and a feed needs {EXPIRY_ATTRIBUTE}. "
            "Choose another --feed-table."
        )


def ensure(client: Any, name: str, table: Description | None, stage: str, steps: Steps) -> None:
    """Create the feed's table unless it exists, and have DynamoDB delete its expired entries."""
    if table is None:
        steps.run(
            f"create the table {name} for the change feed, on demand",
            lambda: tables.create(client, tables.definition(name, KEY_TYPES), stage),
        )
    if table is None or _time_to_live(client, name)["TimeToLiveStatus"] not in ("ENABLED", "ENABLING"):
        specification = {"Enabled": True, "AttributeName": EXPIRY_ATTRIBUTE}
        steps.run(
            f"turn on the expiry of items in {name}",
            lambda: client.update_time_to_live(TableName=name, TimeToLiveSpecification=specification),
        )


def _time_to_live(client: Any, name: str) -> Description:
    description: Description = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    return description
