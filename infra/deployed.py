"""What `chalice deploy` has made, and what it has no words for. The words are those of template.json."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from infra.stage import Stage, Wrong
from infra.tables import Act
from infra.template import RESOURCES

# Of the event source, beside what `chalice deploy` gives it and where failed changes are told of.
SOURCE = {
    name: RESOURCES["OnChange"]["Properties"]["Events"]["OnChangeDynamodbEventSource"]["Properties"][name]
    for name in ("BisectBatchOnFunctionError", "MaximumRetryAttempts", "MaximumRecordAgeInSeconds")
}

# API Gateway's own answers.
ANSWERS: Mapping[str, Mapping[str, Any]] = RESOURCES["RestAPI"]["Properties"]["GatewayResponses"]

WAIT_SECONDS = 120.0
POLL_SECONDS = 1.0

T = TypeVar("T")


def drop_stale_sources(client: Any, stage: Stage, stream_arn: str | None, act: Act) -> None:
    """Deletes event sources of the handler that `chalice deploy` would trip over: over one that it has not recorded,
    since it was stopped, it fails; one of a stream that was it leaves there. The next deploy makes them again, from the
    oldest change that the stream has, and the feed takes each change once."""
    recorded = stage.resource("dynamodb_event") or {}
    try:
        there = client.get_paginator("list_event_source_mappings").paginate(FunctionName=stage.handler)
        sources = [source for page in there for source in page["EventSourceMappings"]]
    except client.exceptions.ResourceNotFoundException:
        return
    for source in sources:
        uuid = source["UUID"]
        if recorded.get("event_uuid") != uuid:
            why = "which no finished deploy has recorded"
        elif stream_arn and source["EventSourceArn"] != stream_arn:
            why = "whose stream is not the table's any more"
        else:
            continue
        act(f"delete the event source {uuid}, {why}", lambda uuid=uuid: _delete_source(client, uuid))  # type: ignore[misc]


def finish_source(client: Any, stage: Stage, queue_arn: str, act: Act) -> None:
    """The bounds of the event source, and where it tells of what it gave up."""
    wanted = {**SOURCE, "DestinationConfig": {"OnFailure": {"Destination": queue_arn}}}
    uuid = _deployed(stage, "dynamodb_event")["event_uuid"]
    try:
        source = _settled(client, uuid)
    except client.exceptions.ResourceNotFoundException:
        raise Wrong(
            f"the event source {uuid} of {stage.handler} is gone: chalice deploy --stage {stage.name}"
        ) from None
    if any(source.get(name) != value for name, value in wanted.items()):
        act(
            f"set the event source of {stage.handler}: "
            f"{', '.join(f'{name} {value}' for name, value in SOURCE.items())}, on failure {queue_arn}",
            lambda: (client.update_event_source_mapping(UUID=uuid, **wanted), _settled(client, uuid)),
        )


def finish_answers(client: Any, stage: Stage, act: Act) -> None:
    """CORS for what API Gateway answers by itself. `chalice deploy` takes it away each time."""
    api = _deployed(stage, "rest_api")["rest_api_id"]
    name = stage.config.get("api_gateway_stage", "api")
    # Told from the deployment and not from the answers: they may be there, and not yet deployed.
    mark = f"tablecast {hashlib.sha256(json.dumps(ANSWERS).encode()).hexdigest()[:16]}"
    try:
        deployment = client.get_stage(restApiId=api, stageName=name)["deploymentId"]
    except client.exceptions.NotFoundException:
        raise Wrong(f"the API {api} of stage {stage.name} is gone: chalice deploy --stage {stage.name}") from None
    if client.get_deployment(restApiId=api, deploymentId=deployment).get("description") != mark:
        act(
            f"give API Gateway's own answers CORS headers: {', '.join(ANSWERS)}",
            lambda: _answer(client, api, name, mark),
        )


def _answer(client: Any, api: str, stage: str, mark: str) -> None:
    for kind, answer in ANSWERS.items():
        headers = answer["ResponseParameters"]["Headers"]
        status = {"statusCode": answer["StatusCode"]} if "StatusCode" in answer else {}
        client.put_gateway_response(
            restApiId=api,
            responseType=kind,
            responseParameters={f"gatewayresponse.header.{name}": value for name, value in headers.items()},
            responseTemplates=answer["ResponseTemplates"],
            **status,
        )
    client.create_deployment(restApiId=api, stageName=stage, description=mark)


def _deployed(stage: Stage, kind: str) -> Mapping[str, str]:
    resource = stage.resource(kind)
    if resource is None:
        raise Wrong(f"stage {stage.name} has no {kind} deployed: chalice deploy --stage {stage.name} comes first")
    return resource


def _settled(client: Any, uuid: str) -> Mapping[str, Any]:
    """The event source once it is not being made or changed."""

    def look() -> Mapping[str, Any] | None:
        source: Mapping[str, Any] = client.get_event_source_mapping(UUID=uuid)
        return None if source["State"] in ("Creating", "Updating", "Enabling", "Disabling") else source

    return _waited(look, f"the event source {uuid}")


def _delete_source(client: Any, uuid: str) -> None:
    client.delete_event_source_mapping(UUID=uuid)

    def look() -> bool:
        try:
            client.get_event_source_mapping(UUID=uuid)
        except client.exceptions.ResourceNotFoundException:
            return True
        return False

    _waited(look, f"the event source {uuid}")


def _waited(look: Callable[[], T | None], what: str) -> T:
    until = time.monotonic() + WAIT_SECONDS
    while not (found := look()):
        if time.monotonic() > until:
            raise Wrong(f"{what} is still being changed after {WAIT_SECONDS:.0f} seconds: try again")
        time.sleep(POLL_SECONDS)
    return found
