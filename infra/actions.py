"""What `python -m infra` does for a stage: prepare it, complete a deployment, or delete what was prepared."""

from __future__ import annotations

import contextlib
import functools
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import click

from infra import event_sources, feed_table, gateway_responses, log_groups, policies, published_table, queues, tables
from infra.aws import Account
from infra.errors import UserError
from infra.files import CONFIG, write
from infra.published_table import TableRequest
from infra.stages import Stage, check_settings, policy_text
from infra.steps import Steps

Action = Callable[[Stage, Account, Steps], None]


def prepare(stage: Stage, account: Account, steps: Steps, request: TableRequest) -> None:
    """Create or adopt all that `chalice deploy` needs, and write it into .chalice/.

    Raise UserError before the first step if something does not fit.
    """
    dynamodb, functions = account.client("dynamodb"), account.client("lambda")
    environment = {"TABLE_NAME": request.name, "FEED_TABLE": request.feed}
    check_settings(
        {name: value for name, value in stage.environment.items() if name != "STREAM_ARN"} | environment,
    )
    sources = event_sources.find(functions, stage)
    table, feed = tables.describe(dynamodb, request.name), tables.describe(dynamodb, request.feed)
    published_table.check(request, table, str(account.scope), stage.environment.get("STREAM_ARN"))
    feed_table.check(dynamodb, request.feed, feed)
    texts = _policy_texts(stage, account, request)

    stream_arn = published_table.ensure(dynamodb, request, table, stage.name, steps)
    feed_table.ensure(dynamodb, request.feed, feed, stage.name, steps)
    queues.ensure(account.client("sqs"), stage.queue, stage.name, steps)
    for function in stage.functions:
        log_groups.ensure(account.client("logs"), function, stage.name, steps)
    event_sources.delete_stale(functions, stage, sources, stream_arn, steps)
    environment["STREAM_ARN"] = stream_arn or "(the ARN of the stream that would be created)"
    # config.json last: by then all that it names exists.
    texts[CONFIG] = stage.config_with(environment)
    is_changed = _write_changed(texts, steps)
    _print_abandoned(stage, request.name)
    if is_changed and not steps.dry_run:
        click.echo(
            f"Next: chalice deploy --stage {stage.name}, then python -m infra --stage {stage.name} --after-deploy"
        )


def _policy_texts(stage: Stage, account: Account, request: TableRequest) -> dict[pathlib.Path, str]:
    names = (request.name, request.feed)
    statements = {
        stage.policy_file: policies.api_statements(account.scope, stage.function, *names),
        stage.handler_policy_file: policies.handler_statements(account.scope, stage.handler, *names, stage.queue),
    }
    return {file: policy_text(file, file_statements) for file, file_statements in statements.items()}


def _write_changed(texts: Mapping[pathlib.Path, str], steps: Steps) -> bool:
    """Write the files whose text has changed; return whether there were any."""
    changed = {file: text for file, text in texts.items() if not file.exists() or file.read_bytes() != text.encode()}
    for file, text in changed.items():
        steps.run(f"write {file}", functools.partial(write, file, text))
    return bool(changed)


def _print_abandoned(stage: Stage, table: str) -> None:
    previous = stage.prepared_table
    if previous not in (None, table):
        click.echo(
            f"Kept: table {previous}, with its stream on, and its feed {stage.environment.get('FEED_TABLE')}. If "
            f"nothing else needs them: aws dynamodb update-table --table-name {previous} --stream-specification "
            "StreamEnabled=false, and aws dynamodb delete-table for the feed."
        )


def after_deploy(stage: Stage, account: Account, steps: Steps) -> None:
    """Configure what Chalice cannot: the event source, and API Gateway's own errors.

    Raise UserError if the stage is not prepared, not deployed, or deployed from another clone.
    """
    functions = account.client("lambda")
    queues.check_exists(account.client("sqs"), stage.queue, str(account.scope), stage.name)
    event_sources.find(functions, stage)
    event_sources.configure(functions, stage, account.scope.arn("sqs", stage.queue), steps)
    gateway_responses.configure(account.client("apigateway"), stage, steps)


def destroy(stage: Stage, account: Account, steps: Steps) -> None:
    """Delete what `prepare` created for the stage, once the user has typed the table's name.

    Raise UserError if the stage is still deployed, or the name is another.
    """
    if stage.resources:
        raise UserError(f"Stage {stage.name} is deployed. Run chalice delete --stage {stage.name} first.")
    name = stage.environment.get("TABLE_NAME")
    if name is None:
        raise UserError(f"Stage {stage.name} has no TABLE_NAME, so nothing was created for it.")
    dynamodb, functions = account.client("dynamodb"), account.client("lambda")
    _check_functions_deleted(functions, stage)
    if not steps.dry_run:
        _confirm(name, account)
    feed, table = stage.feed_of(name), tables.describe(dynamodb, name)
    stream_arn = table and table.get("LatestStreamArn")
    readers = event_sources.readers(functions, stream_arn) if stream_arn else []
    tables.remove(dynamodb, feed, tables.describe(dynamodb, feed), stage.name, steps)
    tables.remove(dynamodb, name, table, stage.name, steps, readers)
    queues.remove(account.client("sqs"), stage.queue, stage.name, steps)
    for function in stage.functions:
        log_groups.remove(account.client("logs"), function, stage.name, steps)
    _write_changed({CONFIG: stage.config_without("FEED_TABLE", "STREAM_ARN")}, steps)


def _confirm(name: str, account: Account) -> None:
    question = f"This deletes what python -m infra created for {name} in {account.scope}.\nType the table's name"
    if click.prompt(question, err=True) != name:
        raise UserError(f"The name typed is not {name}. Nothing was deleted.")


def _check_functions_deleted(client: Any, stage: Stage) -> None:
    for function in stage.functions:
        with contextlib.suppress(client.exceptions.ResourceNotFoundException):
            client.get_function_configuration(FunctionName=function)
            raise UserError(
                f"Function {function} is deployed, and {stage.record_file} does not record it. Copy that file from the "
                f"clone it was deployed from, or run chalice deploy --stage {stage.name}; then run chalice delete."
            )
