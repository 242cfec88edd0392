"""What `chalice deploy` has made, and what it has no words for. The words are those of template.json."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from infra.stage import Stage, Wrong, write
from infra.tables import Act, waited
from infra.template import RESOURCES

# Of the event source, beside what `chalice deploy` gives it and where failed changes are told of.
SOURCE = {
    name: RESOURCES["OnChange"]["Properties"]["Events"]["OnChangeDynamodbEventSource"]["Properties"][name]
    for name in ("BisectBatchOnFunctionError", "MaximumRetryAttempts", "MaximumRecordAgeInSeconds")
}

Source = Mapping[str, Any]

# API Gateway's own answers.
ANSWERS: Mapping[str, Mapping[str, Any]] = RESOURCES["RestAPI"]["Properties"]["GatewayResponses"]


def sources(client: Any, stage: Stage) -> list[Source]:
    """The event sources of the handler. Wrong: one has been finished by somebody else. It is no leftover of a deploy
    that was stopped: --finish is for one that Chalice has recorded."""
    try:
        there = _listed(client, FunctionName=stage.handler)
    except client.exceptions.ResourceNotFoundException:
        return []
    recorded = stage.recorded("dynamodb_event", "event_uuid")
    for source in there:
        finished = (_on_failure(source) or "").endswith(f":{stage.queue}")
        if finished and source["UUID"] != recorded and source["State"] != "Deleting":
            raise Wrong(f"stage {stage.name} is deployed from elsewhere: get its {stage.deployed_file} from there")
    return there


def drop_stale_sources(client: Any, stage: Stage, there: list[Source], stream_arn: str | None, act: Act) -> None:
    """Takes away those of `there` that `chalice deploy` would trip over: one that it has not recorded, since it was
    stopped, and one of a stream that was; and from its record one that is gone. The next deploy makes it again, from
    the oldest change that the stream has, and the feed takes each change once."""
    recorded = stage.recorded("dynamodb_event", "event_uuid")
    kept = None
    for source in there:
        uuid = source["UUID"]
        if uuid != recorded:
            why = "which no finished deploy has recorded"
        elif stream_arn and source["EventSourceArn"] != stream_arn:
            why = "whose stream is not the table's any more"
        else:
            kept = uuid
            continue
        act(f"delete the event source {uuid}, {why}", functools.partial(_delete_source, client, source))
    # After the source is gone: a run that was stopped between would leave one that looks like somebody else's.
    if recorded != kept:
        text = stage.record_without("dynamodb_event")
        act(f"take the event source {recorded} out of {stage.deployed_file}", lambda: write(stage.deployed_file, text))


def check_gone(client: Any, stage: Stage) -> None:
    """Wrong: a function of the stage is there."""
    for function in (stage.function, stage.handler):
        with contextlib.suppress(client.exceptions.ResourceNotFoundException):
            client.get_function_configuration(FunctionName=function)
            raise Wrong(
                f"the function {function} is deployed, which {stage.deployed_file} does not have: get that file from "
                f"where it was deployed, or chalice deploy --stage {stage.name}; then chalice delete"
            )


def readers(client: Any, stream_arn: str) -> list[str]:
    """The functions that read the stream."""
    there = _listed(client, EventSourceArn=stream_arn)
    return sorted({source["FunctionArn"].split(":")[6] for source in there if source["State"] != "Deleting"})


def finish_source(client: Any, stage: Stage, queue_arn: str, act: Act) -> None:
    """The bounds of the event source, and where it tells of what it gave up."""
    uuid = _deployed(stage, "dynamodb_event", "event_uuid")
    try:
        source = _settled(client, uuid)
    except client.exceptions.ResourceNotFoundException:
        raise Wrong(
            f"the event source {uuid} of {stage.handler} is gone: chalice deploy --stage {stage.name}"
        ) from None
    if _on_failure(source) != queue_arn or any(source.get(name) != value for name, value in SOURCE.items()):
        wanted = {**SOURCE, "DestinationConfig": {"OnFailure": {"Destination": queue_arn}}}
        act(
            f"set the event source of {stage.handler}: "
            f"{', '.join(f'{name} {value}' for name, value in SOURCE.items())}, on failure {queue_arn}",
            lambda: (client.update_event_source_mapping(UUID=uuid, **wanted), _settled(client, uuid)),
        )


def finish_answers(client: Any, stage: Stage, act: Act) -> None:
    """CORS for what API Gateway answers by itself. `chalice deploy` takes it away each time."""
    api = _deployed(stage, "rest_api", "rest_api_id")
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


def _deployed(stage: Stage, kind: str, member: str) -> str:
    value = stage.recorded(kind, member)
    if value is None:
        raise Wrong(f"stage {stage.name} has no {kind} deployed: chalice deploy --stage {stage.name} comes first")
    return value


def _listed(client: Any, **of: str) -> list[Source]:
    pages = client.get_paginator("list_event_source_mappings").paginate(**of)
    return [source for page in pages for source in page["EventSourceMappings"]]


def _on_failure(source: Source) -> str | None:
    found: str | None = source.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
    return found


def _settled(client: Any, uuid: str) -> Source:
    """The event source once it is not being made or changed."""

    def look() -> Source | None:
        source: Source = client.get_event_source_mapping(UUID=uuid)
        return None if source["State"] in ("Creating", "Updating", "Enabling", "Disabling") else source

    return waited(look, f"the event source {uuid}")


def _delete_source(client: Any, source: Source) -> None:
    uuid = source["UUID"]
    if source["State"] != "Deleting":
        client.delete_event_source_mapping(UUID=uuid)

    def look() -> bool:
        try:
            client.get_event_source_mapping(UUID=uuid)
        except client.exceptions.ResourceNotFoundException:
            return True
        return False

    waited(look, f"the event source {uuid}")
