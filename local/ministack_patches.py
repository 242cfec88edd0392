"""Corrections of MiniStack 1.5.33 where it differs from AWS. Imported by the emulator's process alone."""

from __future__ import annotations

import json
import time
from typing import Any

from ministack.services import apigateway_v1 as gateway
from ministack.services import cloudwatch_logs as logs
from ministack.services import dynamodb, lambda_svc

NEW_TABLE_SECONDS = 2  # DynamoDB refuses changes of backups while a table is new.


def apply() -> None:
    """Replace MiniStack's functions by corrected ones. Call once."""
    _fetch_unprojected_attributes()
    _compare_prefixes_of_other_types()
    _refuse_backups_of_new_tables()
    _import_gateway_responses()
    _drop_logs_without_group()


def _fetch_unprojected_attributes() -> None:
    """A local index fetches what it does not project from the table; MiniStack leaves it out."""
    original = dynamodb._apply_index_projection

    def project(item: dict[str, Any], table: dict[str, Any], index_name: str | None) -> dict[str, Any]:
        local = {index["IndexName"] for index in table.get("LocalSecondaryIndexes") or ()}
        projected: dict[str, Any] = item if index_name in local else original(item, table, index_name)
        return projected

    dynamodb._apply_index_projection = project


def _compare_prefixes_of_other_types() -> None:
    """begins_with of an attribute of another type is false; MiniStack raises an error."""
    original = dynamodb._ExprEval._fn_begins_with

    def begins_with(expression: Any) -> bool:
        try:
            return bool(original(expression))
        except ValueError as error:
            if str(error).endswith(("operand type: S", "operand type: B")):
                return False
            raise

    dynamodb._ExprEval._fn_begins_with = begins_with


def _refuse_backups_of_new_tables() -> None:
    """A new table has no backups for a moment; MiniStack accepts changes of them at once."""
    original = dynamodb._update_continuous_backups

    def update_continuous_backups(data: dict[str, Any]) -> Any:
        table = dynamodb._tables.get(data["TableName"])
        if table and time.time() - table["CreationDateTime"] < NEW_TABLE_SECONDS:
            message = f"Backups are being enabled for the table: {data['TableName']}. Please retry later"
            return dynamodb.error_response_json("ContinuousBackupsUnavailableException", message, 400)
        return original(data)

    dynamodb._update_continuous_backups = update_continuous_backups


def _import_gateway_responses() -> None:
    """ImportRestApi and PutRestApi read gateway responses from the document; MiniStack ignores them.

    It also ignores the document of the calls as `chalice deploy` makes them, with `mode` in the query.
    """
    original_import, original_handle = gateway._import_rest_api, gateway.handle_request

    def import_rest_api(document: dict[str, Any], *arguments: Any) -> Any:
        api = original_import(document, *arguments)
        for kind, response in document.get("x-amazon-apigateway-gateway-responses", {}).items():
            gateway._put_gateway_response(api, kind, response)
        return api

    async def handle_request(method: str, path: str, headers: Any, body: bytes, query: Any) -> Any:
        api = path.removeprefix("/restapis").strip("/")
        if "mode" not in query or "/" in api:
            return await original_handle(method, path, headers, body, query)
        imported = import_rest_api(json.loads(body))
        if method == "PUT":
            for store in (gateway._resources, gateway._gateway_responses):
                store[api] = store[imported]
            gateway._delete_rest_api(imported)
        return gateway._get_rest_api(api or imported)

    gateway._import_rest_api = import_rest_api
    gateway.handle_request = handle_request


def _drop_logs_without_group() -> None:
    """Our functions may not create log groups: without a group their logs are lost; MiniStack creates one."""
    original = lambda_svc._emit_lambda_logs

    def emit_lambda_logs(function: dict[str, Any], *arguments: Any, **options: Any) -> None:
        if function["config"]["LoggingConfig"]["LogGroup"] in logs._log_groups:
            original(function, *arguments, **options)

    lambda_svc._emit_lambda_logs = emit_lambda_logs
