"""The tables of a stage: made, or adopted as they are. Nothing here changes or deletes an item."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from infra.stage import Wrong

# Tells what this made, and for which stage. On a table that was there: the label of the stream that it was given.
MADE = "tablecast:stage"
STREAM = "tablecast:stream"

WAIT = {"Delay": 2, "MaxAttempts": 150}
WAIT_SECONDS = 120.0
POLL_SECONDS = 1.0

FEED_KEYS = {"feed": "S", "position": "N"}
FEED_EXPIRY = "expires"

Description = Mapping[str, Any]
Act = Callable[[str, Callable[[], object]], None]  # says what it does, and does it, but in a dry run
T = TypeVar("T")


@dataclass(frozen=True)
class Wanted:
    """The table to publish. None: as it is, or for one that is made, DynamoDB's default."""

    name: str
    keys: Mapping[str, str] | None  # name -> type, the partition key first
    stream_view: str | None
    table_class: str | None
    point_in_time_recovery: bool | None


def described(client: Any, name: str) -> Description | None:
    """The table `name` as DescribeTable has it, once it is not being made or changed."""
    try:
        table: Description = client.describe_table(TableName=name)["Table"]
    except client.exceptions.ResourceNotFoundException:
        return None
    if table["TableStatus"] == "DELETING":
        client.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig=WAIT)
        return None
    return table if table["TableStatus"] == "ACTIVE" else _settled(client, name)


def _settled(client: Any, name: str) -> Description:
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig=WAIT)
    table: Description = client.describe_table(TableName=name)["Table"]
    return table


def keys(table: Description) -> dict[str, str]:
    """name -> type of the table's keys, the partition key first."""
    types = {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}
    return {one["AttributeName"]: types[one["AttributeName"]] for one in table["KeySchema"]}


def shown(keys: Mapping[str, str]) -> str:
    return " and ".join(f"{name}:{kind}" for name, kind in keys.items())


def check_published(wanted: Wanted, table: Description | None, where: str, stream_arn: str | None) -> None:
    """Wrong: `table` cannot be what is `wanted`. `stream_arn` is the stream that was adopted before."""
    name = wanted.name
    if table is None:
        if wanted.keys is None:
            raise Wrong(f"there is no table {name} in {where}: name its --partition-key to have it made")
        return
    if wanted.keys is not None and keys(table) != wanted.keys:
        raise Wrong(f"the table {name} in {where} has the keys {shown(keys(table))}, not {shown(wanted.keys)}")
    if not _streams(table) or wanted.stream_view == (view := table["StreamSpecification"]["StreamViewType"]):
        return
    if wanted.stream_view or (view != "NEW_AND_OLD_IMAGES" and table["LatestStreamArn"] != stream_arn):
        raise Wrong(
            f"the stream of {name} is {view}, which cannot be changed while it is on: "
            f"--stream-view {view} takes it as it is"
        )


def check_feed(client: Any, name: str, table: Description | None) -> None:
    """Wrong: `table` is there, and is no feed."""
    if table is None:
        return
    if keys(table) != FEED_KEYS:
        raise Wrong(f"the table {name} has the keys {shown(keys(table))}, not a feed's: name another --feed-table")
    attribute = _expiry(client, name).get("AttributeName", FEED_EXPIRY)
    if attribute != FEED_EXPIRY:
        raise Wrong(f"the table {name} drops items by {attribute}, not {FEED_EXPIRY}: name another --feed-table")


def make_published(client: Any, wanted: Wanted, table: Description | None, stage: str, act: Act) -> str | None:
    """The ARN of the published table's stream; None in a dry run that would first make it."""
    name, view = wanted.name, wanted.stream_view or "NEW_AND_OLD_IMAGES"
    stream = {"StreamEnabled": True, "StreamViewType": view}
    if table is None:
        assert wanted.keys
        table_class = wanted.table_class or "STANDARD"
        made = definition(name, wanted.keys) | {"StreamSpecification": stream, "TableClass": table_class}
        act(
            f"make the table {name}: keys {shown(wanted.keys)}, {table_class}, on demand, stream {view}",
            lambda: _make(client, made, stage),
        )
    else:
        if not _streams(table):
            act(f"turn on the stream of {name}: {view}", lambda: _turn_on(client, name, stream))
        there = table.get("TableClassSummary", {}).get("TableClass", "STANDARD")
        if wanted.table_class not in (None, there):
            act(
                f"change the table class of {name} from {there} to {wanted.table_class}",
                lambda: _update(client, name, TableClass=wanted.table_class),
            )
    recovery = wanted.point_in_time_recovery
    if recovery is not None and recovery != (table is not None and _recovers(client, name)):
        act(
            f"turn {'on' if recovery else 'off'} the point-in-time recovery of {name}",
            lambda: _recover(client, name, recovery),
        )
    now = described(client, name)
    return now["LatestStreamArn"] if now and _streams(now) else None


def make_feed(client: Any, name: str, table: Description | None, stage: str, act: Act) -> None:
    """The feed's table, with its expired entries deleted by DynamoDB."""
    if table is None:
        act(
            f"make the table {name} for the change feed, on demand",
            lambda: _make(client, definition(name, FEED_KEYS), stage),
        )
    if table is None or _expiry(client, name)["TimeToLiveStatus"] not in ("ENABLED", "ENABLING"):
        expiry = {"Enabled": True, "AttributeName": FEED_EXPIRY}
        act(
            f"have {name} drop what has expired",
            lambda: client.update_time_to_live(TableName=name, TimeToLiveSpecification=expiry),
        )


def take_table(
    client: Any, name: str, table: Description | None, stage: str, act: Act, readers: Sequence[str] = ()
) -> None:
    """Deletes the table if it was made for `stage`, else turns off the stream if it was turned on here; neither while
    functions, `readers`, read the stream."""
    if table is None:
        return
    pages = client.get_paginator("list_tags_of_resource").paginate(ResourceArn=table["TableArn"])
    marks = {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
    if readers:
        act(f"leave the table {name} and its stream as they are, for {', '.join(readers)} to read", lambda: None)
    elif marks.get(MADE) == stage:
        act(f"delete the table {name} with about {table['ItemCount']:,} items", lambda: _delete(client, name))
    elif _streams(table) and marks.get(STREAM) == table["LatestStreamLabel"]:
        act(f"turn off the stream of {name}", lambda: _turn_off(client, table))


def definition(name: str, keys: Mapping[str, str]) -> dict[str, Any]:
    """Parameters of CreateTable for a table with `keys`, the partition key first."""
    kinds = zip(keys, ("HASH", "RANGE"), strict=False)
    return {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": key, "KeyType": kind} for key, kind in kinds],
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": kind} for key, kind in keys.items()],
    }


def _make(client: Any, definition: dict[str, Any], stage: str) -> None:
    client.create_table(**definition, Tags=[{"Key": MADE, "Value": stage}])
    _settled(client, definition["TableName"])


def _update(client: Any, name: str, **changes: Any) -> Description:
    client.update_table(TableName=name, **changes)
    return _settled(client, name)


def _turn_on(client: Any, name: str, stream: Mapping[str, Any]) -> None:
    table = _update(client, name, StreamSpecification=stream)
    mark = {"Key": STREAM, "Value": table["LatestStreamLabel"]}
    client.tag_resource(ResourceArn=table["TableArn"], Tags=[mark])


def _turn_off(client: Any, table: Description) -> None:
    _update(client, table["TableName"], StreamSpecification={"StreamEnabled": False})
    client.untag_resource(ResourceArn=table["TableArn"], TagKeys=[STREAM])


def _delete(client: Any, name: str) -> None:
    client.delete_table(TableName=name)
    client.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig=WAIT)


def _streams(table: Description) -> bool:
    return bool(table.get("StreamSpecification", {}).get("StreamEnabled", False))


def _recover(client: Any, name: str, recovery: bool) -> None:
    specification = {"PointInTimeRecoveryEnabled": recovery}

    def change() -> bool:
        try:
            client.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=specification)
        except client.exceptions.ContinuousBackupsUnavailableException:
            return False  # of a table that is new
        return True

    waited(change, f"the point-in-time recovery of {name}")


def _recovers(client: Any, name: str) -> bool:
    backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    return bool(backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus") == "ENABLED")


def _expiry(client: Any, name: str) -> Description:
    expiry: Description = client.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    return expiry


def waited(look: Callable[[], T | None], what: str) -> T:
    until = time.monotonic() + WAIT_SECONDS
    while not (found := look()):
        if time.monotonic() > until:
            raise Wrong(f"{what} is not as it should be after {WAIT_SECONDS:.0f} seconds: try again")
        time.sleep(POLL_SECONDS)
    return found
