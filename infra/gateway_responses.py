"""API Gateway's own error responses (unknown path, throttling): CORS headers and a JSON body."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from infra.errors import UserError
from infra.stages import Stage
from infra.steps import Steps
from infra.template import RESOURCES

RESPONSES: Mapping[str, Mapping[str, Any]] = RESOURCES["RestAPI"]["Properties"]["GatewayResponses"]


def configure(client: Any, stage: Stage, steps: Steps) -> None:
    """Set and deploy the gateway responses, which each `chalice deploy` removes. Raise UserError if there is no API."""
    api = stage.recorded("rest_api", "rest_api_id")
    if api is None:
        raise UserError(f"Stage {stage.name} has no API. Run chalice deploy --stage {stage.name} first.")
    api_stage = stage.config.get("api_gateway_stage", "api")
    # A mark on the deployment: the responses themselves may be set but not yet deployed.
    mark = f"tablecast {hashlib.sha256(json.dumps(RESPONSES).encode()).hexdigest()[:16]}"
    try:
        deployment = client.get_stage(restApiId=api, stageName=api_stage)["deploymentId"]
    except client.exceptions.NotFoundException:
        raise UserError(
            f"API {api} of stage {stage.name} no longer exists. Run chalice deploy --stage {stage.name} first."
        ) from None
    if client.get_deployment(restApiId=api, deploymentId=deployment).get("description") != mark:
        steps.run(
            f"add CORS headers to API Gateway's own errors: {', '.join(RESPONSES)}",
            lambda: _deploy(client, api, api_stage, mark),
        )


def _deploy(client: Any, api: str, api_stage: str, mark: str) -> None:
    for kind, response in RESPONSES.items():
        headers = response["ResponseParameters"]["Headers"]
        status = {"statusCode": response["StatusCode"]} if "StatusCode" in response else {}
        client.put_gateway_response(
            restApiId=api,
            responseType=kind,
            responseParameters={f"gatewayresponse.header.{name}": value for name, value in headers.items()},
            responseTemplates=response["ResponseTemplates"],
            **status,
        )
    client.create_deployment(restApiId=api, stageName=api_stage, description=mark)
