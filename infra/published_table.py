"""The table to publish: adopted as it is, or created."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra import tables
from infra.errors import UserError
from infra.steps import Steps, wait_until
from infra.tables import Description

DEFAULT_STREAM_VIEW = "NEW_AND_OLD_IMAGES"
DEFAULT_CLASS = "STANDARD"


@dataclass(frozen=True)
class TableRequest:
    """The table to publish as the command line describes it.

    None stands for an option that was not given: an existing table stays as it is, a new one gets the default.
    """

    name: str
    feed: str
    key_types: Mapping[str, str] | None  # name -> S, N or B, the partition key first
    stream_view: str | None
    table_class: str | None
    point_in_time_recovery: bool | None


def check(request: TableRequest, table: Description | None, where: str, adopted_stream: str | None) -> None:
    """Raise UserError if `table` does not fit `request`. `adopted_stream` is the ARN in the stage's settings."""
    name = request.name
    if table is None:
        if request.key_types is None:
            raise UserError(f"Table {name} does not exist in {where}. To create it, add --partition-key.")
        return
    types = tables.key_types(table)
    if request.key_types is not None and types != request.key_types:
        raise UserError(
            f"Table {name} in {where} has the keys {tables.format_keys(types)}, not "
            f"{tables.format_keys(request.key_types)}. Leave out --partition-key and --sort-key to adopt it."
        )
    if not tables.has_stream(table):
        return
    view = table["StreamSpecification"]["StreamViewType"]
    fits = table["LatestStreamArn"] == adopted_stream or view == DEFAULT_STREAM_VIEW
    if request.stream_view != view and (request.stream_view or not fits):
        raise UserError(
            f"The stream of {name} is {view}, which cannot be changed while it is on. To use it as it is, add "
            f"--stream-view {view}."
        )


def ensure(client: Any, request: TableRequest, table: Description | None, stage: str, steps: Steps) -> str | None:
    """Create or adjust the table, and return the ARN of its stream. None: a dry run, and there is no stream yet."""
    if table is None:
        _create(client, request, stage, steps)
    else:
        _adjust(client, request, table, steps)
    recovery = request.point_in_time_recovery
    if recovery is not None and recovery != (table is not None and _has_recovery(client, request.name)):
        steps.run(
            f"turn {'on' if recovery else 'off'} the point-in-time recovery of {request.name}",
            lambda: _set_recovery(client, request.name, recovery),
        )
    current = tables.describe(client, request.name)
    return current["LatestStreamArn"] if current and tables.has_stream(current) else None


def _stream(request: TableRequest) -> dict[str, Any]:
    return {"StreamEnabled": True, "StreamViewType": request.stream_view or DEFAULT_STREAM_VIEW}


def _create(client: Any, request: TableRequest, stage: str, steps: Steps) -> None:
    assert request.key_types
    stream, table_class = _stream(request), request.table_class or DEFAULT_CLASS
    definition = tables.definition(request.name, request.key_types)
    definition |= {"StreamSpecification": stream, "TableClass": table_class}
    steps.run(
        f"create the table {request.name}: keys {tables.format_keys(request.key_types)}, {table_class}, on demand, "
        f"stream {stream['StreamViewType']}",
        lambda: tables.create(client, definition, stage),
    )


def _adjust(client: Any, request: TableRequest, table: Description, steps: Steps) -> None:
    name, stream = request.name, _stream(request)
    if not tables.has_stream(table):
        steps.run(
            f"turn on the stream of {name}: {stream['StreamViewType']}", lambda: _turn_on_stream(client, name, stream)
        )
    current = table.get("TableClassSummary", {}).get("TableClass", DEFAULT_CLASS)
    if request.table_class not in (None, current):
        steps.run(
            f"change the table class of {name} from {current} to {request.table_class}",
            lambda: tables.update(client, name, TableClass=request.table_class),
        )


def _turn_on_stream(client: Any, name: str, stream: Mapping[str, Any]) -> None:
    table = tables.update(client, name, StreamSpecification=stream)
    tag = {"Key": tables.STREAM_TAG, "Value": table["LatestStreamLabel"]}
    client.tag_resource(ResourceArn=table["TableArn"], Tags=[tag])


def _has_recovery(client: Any, name: str) -> bool:
    backups = client.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    return bool(backups.get("PointInTimeRecoveryDescription", {}).get("PointInTimeRecoveryStatus") == "ENABLED")


def _set_recovery(client: Any, name: str, enabled: bool) -> None:
    specification = {"PointInTimeRecoveryEnabled": enabled}

    def change() -> bool:
        try:
            client.update_continuous_backups(TableName=name, PointInTimeRecoverySpecification=specification)
        except client.exceptions.ContinuousBackupsUnavailableException:
            return False  # The table is new.
        return True

    wait_until(change, f"The point-in-time recovery of {name}")
