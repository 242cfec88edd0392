"""Event sources of the stream handler: those that `chalice deploy` cannot handle, and settings it cannot configure."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from infra.errors import UserError
from infra.files import write
from infra.stages import Stage
from infra.steps import Steps, wait_until
from infra.template import RESOURCES

# What an event source has in the template beyond what `chalice deploy` sets. The destination of failures is added.
SETTINGS = {
    name: RESOURCES["OnChange"]["Properties"]["Events"]["OnChangeDynamodbEventSource"]["Properties"][name]
    for name in ("BisectBatchOnFunctionError", "MaximumRetryAttempts", "MaximumRecordAgeInSeconds")
}
TRANSITIONAL_STATES = ("Creating", "Updating", "Enabling", "Disabling")

Source = Mapping[str, Any]  # GetEventSourceMapping's answer


def find(client: Any, stage: Stage) -> list[Source]:
    """Return the event sources of the stage's handler. Raise UserError if it was deployed from another clone.

    That is so if an event source has its failure destination and Chalice has no record of it here: --after-deploy sets
    the destination only on an event source that Chalice has recorded.
    """
    try:
        sources = _list(client, FunctionName=stage.handler)
    except client.exceptions.ResourceNotFoundException:
        return []
    recorded = stage.recorded("dynamodb_event", "event_uuid")
    for source in sources:
        is_configured = (_failure_destination(source) or "").endswith(f":{stage.queue}")
        if is_configured and source["UUID"] != recorded and source["State"] != "Deleting":
            raise UserError(
                f"Stage {stage.name} was deployed from another clone. Copy {stage.record_file} from that clone."
            )
    return sources


def delete_stale(client: Any, stage: Stage, sources: list[Source], stream_arn: str | None, steps: Steps) -> None:
    """Delete those of `sources` over which `chalice deploy` would fail, and the record of one that no longer exists.

    These are one that a stopped deployment created and did not record, and one of a former stream. The next deployment
    creates it again from the oldest change in the stream; the feed takes each change once.
    """
    recorded = stage.recorded("dynamodb_event", "event_uuid")
    kept = None
    for source in sources:
        uuid = source["UUID"]
        if uuid != recorded:
            reason = "which no finished deployment has recorded"
        elif stream_arn and source["EventSourceArn"] != stream_arn:
            reason = "whose stream is no longer the table's"
        else:
            kept = uuid
            continue
        steps.run(f"delete the event source {uuid}, {reason}", functools.partial(_delete, client, source))
    # Last: if the run is stopped in between, a source without a record would look like another clone's.
    if recorded != kept:
        text = stage.record_without("dynamodb_event")
        steps.run(
            f"remove the event source {recorded} from {stage.record_file}", lambda: write(stage.record_file, text)
        )


def readers(client: Any, stream_arn: str) -> list[str]:
    """Return the names of the functions that read the stream."""
    sources = _list(client, EventSourceArn=stream_arn)
    return sorted({source["FunctionArn"].split(":")[6] for source in sources if source["State"] != "Deleting"})


def configure(client: Any, stage: Stage, queue_arn: str, steps: Steps) -> None:
    """Set retries, maximum age, bisection and failure destination of the deployed event source.

    Raise UserError if none is deployed.
    """
    uuid = stage.recorded("dynamodb_event", "event_uuid")
    if uuid is None:
        raise UserError(f"Stage {stage.name} has no event source. Run chalice deploy --stage {stage.name} first.")
    try:
        source = _wait_until_stable(client, uuid)
    except client.exceptions.ResourceNotFoundException:
        raise UserError(
            f"Event source {uuid} of {stage.handler} no longer exists. Run chalice deploy --stage {stage.name} first."
        ) from None
    if _failure_destination(source) != queue_arn or any(source.get(name) != value for name, value in SETTINGS.items()):
        changes = {**SETTINGS, "DestinationConfig": {"OnFailure": {"Destination": queue_arn}}}
        shown = ", ".join(f"{name} {value}" for name, value in SETTINGS.items())
        steps.run(
            f"configure the event source of {stage.handler}: {shown}, on failure {queue_arn}",
            lambda: (client.update_event_source_mapping(UUID=uuid, **changes), _wait_until_stable(client, uuid)),
        )


def _list(client: Any, **filters: str) -> list[Source]:
    pages = client.get_paginator("list_event_source_mappings").paginate(**filters)
    return [source for page in pages for source in page["EventSourceMappings"]]


def _failure_destination(source: Source) -> str | None:
    destination: str | None = source.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    return destination


def _wait_until_stable(client: Any, uuid: str) -> Source:
    """Return the event source once it is not being created or updated."""

    def probe() -> Source | None:
        source: Source = client.get_event_source_mapping(UUID=uuid)
        return None if source["State"] in TRANSITIONAL_STATES else source

    return wait_until(probe, f"Event source {uuid}")


def _delete(client: Any, source: Source) -> None:
    uuid = source["UUID"]
    if source["State"] != "Deleting":
        client.delete_event_source_mapping(UUID=uuid)

    def is_gone() -> bool:
        try:
            client.get_event_source_mapping(UUID=uuid)
        except client.exceptions.ResourceNotFoundException:
            return True
        return False

    wait_until(is_gone, f"Event source {uuid}")
