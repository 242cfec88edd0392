"""DynamoDB tables of a stage: described, created and removed. Nothing here changes or deletes an item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from infra.steps import Steps

# On what this command created: the stage. On a table that it adopted: the label of the stream that it turned on.
STAGE_TAG = "tablecast:stage"
STREAM_TAG = "tablecast:stream"

WAITER_CONFIG = {"Delay": 2, "MaxAttempts": 150}

Description = Mapping[str, Any]  # DescribeTable's Table


def describe(client: Any, name: str) -> Description | None:
    """Return the table, once it is neither being created nor updated. None: it does not exist."""
    try:
        table: Description = client.describe_table(TableName=name)["Table"]
    except client.exceptions.ResourceNotFoundException:
        return None
    if table["TableStatus"] == "DELETING":
        client.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig=WAITER_CONFIG)
        return None
    return table if table["TableStatus"] == "ACTIVE" else _wait_until_active(client, name)


def _wait_until_active(client: Any, name: str) -> Description:
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig=WAITER_CONFIG)
    table: Description = client.describe_table(TableName=name)["Table"]
    return table


def key_types(table: Description) -> dict[str, str]:
    """Return name -> type (S, N or B) of the table's keys, the partition key first."""
    types = {definition["AttributeName"]: definition["AttributeType"] for definition in table["AttributeDefinitions"]}
    return {key["AttributeName"]: types[key["AttributeName"]] for key in table["KeySchema"]}


def format_keys(types: Mapping[str, str]) -> str:
    """Return the keys as the command line takes them: "customer:S and date:N"."""
    return " and ".join(f"{name}:{kind}" for name, kind in types.items())


def has_stream(table: Description) -> bool:
    return bool(table.get("StreamSpecification", {}).get("StreamEnabled", False))


def definition(name: str, types: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters of CreateTable for an on-demand table with the keys `types`, the partition key first."""
    roles = zip(types, ("HASH", "RANGE"), strict=False)
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": key, "KeyType": role} for key, role in roles],
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": kind} for key, kind in types.items()],
    }


def create(client: Any, definition: dict[str, Any], stage: str) -> None:
    """Create a table, tagged with `stage`, and wait until it is active."""
    client.create_table(**definition, Tags=[{"Key": STAGE_TAG, "Value": stage}])
    _wait_until_active(client, definition["TableName"])


def update(client: Any, name: str, **changes: Any) -> Description:
    """Update the table with the parameters `changes` of UpdateTable, and return it once it is active."""
    client.update_table(TableName=name, **changes)
    return _wait_until_active(client, name)


def remove(
    client: Any, name: str, table: Description | None, stage: str, steps: Steps, readers: Sequence[str] = ()
) -> None:
    """Delete the table if it was created for `stage`; otherwise turn off its stream if this command turned it on.

    Do neither while functions, `readers`, read the stream.
    """
    if table is None:
        return
    pages = client.get_paginator("list_tags_of_resource").paginate(ResourceArn=table["TableArn"])
    tags = {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
    if readers:
        steps.run(f"keep the table {name} and its stream, which is read by {', '.join(readers)}", lambda: None)
    elif tags.get(STAGE_TAG) == stage:
        steps.run(f"delete the table {name} with about {table['ItemCount']:,} items", lambda: _delete(client, name))
    elif has_stream(table) and tags.get(STREAM_TAG) == table["LatestStreamLabel"]:
        steps.run(f"turn off the stream of {name}", lambda: _turn_off_stream(client, table))


def _turn_off_stream(client: Any, table: Description) -> None:
    update(client, table["TableName"], StreamSpecification={"StreamEnabled": False})
    client.untag_resource(ResourceArn=table["TableArn"], TagKeys=[STREAM_TAG])


def _delete(client: Any, name: str) -> None:
    client.delete_table(TableName=name)
    client.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig=WAITER_CONFIG)
