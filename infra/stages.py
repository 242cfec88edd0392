"""A stage of .chalice/: its settings in config.json, its policy files, and Chalice's record of its deployment."""

from __future__ import annotations

import json
import pathlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from chalicelib import settings
from infra.errors import UserError
from infra.files import ANY, CONFIG, FOLDER, read_json
from infra.jsontext import line_end, with_value, without
from infra.policies import ArnScope, Statement

# `local` has no tables in AWS. The tables of `stack` are the template's.
RESERVED_STAGES = {"local": "python -m local", "stack": "infra/template.json"}

HANDLER = "on_change"
HANDLER_SECONDS = 120
FUNCTION_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

STAGE_SHAPE = {
    "api_gateway_stage": str,
    "iam_policy_file": str,
    "environment_variables": {ANY: str},
    "lambda_functions": {ANY: {"iam_policy_file": str}},
}
CONFIG_SHAPE = {"app_name": str, "stages": {ANY: STAGE_SHAPE}, **STAGE_SHAPE}
RECORD_SHAPE = {"resources": [{"resource_type": str, "event_uuid": str, "rest_api_id": str}]}
POLICY_SHAPE = {"Statement": [{"Sid": str}]}


@dataclass(frozen=True)
class Stage:
    """A stage as config.json and Chalice's record describe it.

    `text`: all of config.json. `config`: the stage's own part over what config.json says for all stages. `record`: the
    file that Chalice wrote at the last deployment, empty if there is none.
    """

    name: str
    app_name: str
    text: str
    config: Mapping[str, Any]
    record: Mapping[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        return dict(self.config.get("environment_variables", {}))

    @property
    def function(self) -> str:
        """Return the name that Chalice gives the function of the API."""
        return f"{self.app_name}-{self.name}"

    @property
    def handler(self) -> str:
        return f"{self.function}-{HANDLER}"

    @property
    def functions(self) -> tuple[str, str]:
        return self.function, self.handler

    @property
    def queue(self) -> str:
        return f"{self.function}-failed-changes"

    @property
    def policy_file(self) -> pathlib.Path:
        return FOLDER / str(self.config.get("iam_policy_file", f"policy-{self.name}.json"))

    @property
    def handler_policy_file(self) -> pathlib.Path:
        handler = self.config.get("lambda_functions", {}).get(HANDLER, {})
        return FOLDER / str(handler.get("iam_policy_file", f"policy-{self.name}-{HANDLER}.json"))

    @property
    def record_file(self) -> pathlib.Path:
        return FOLDER / "deployed" / f"{self.name}.json"

    @property
    def prepared_table(self) -> str | None:
        """Return the table of STREAM_ARN: the one that was prepared last."""
        arn = self.environment.get("STREAM_ARN")
        return arn.split("/")[1] if arn else None

    @property
    def resources(self) -> list[Mapping[str, str]]:
        return list(self.record.get("resources", ()))

    def check_scope(self, scope: ArnScope) -> None:
        """Raise UserError if the stage was prepared in another region or account."""
        arn = self.environment.get("STREAM_ARN")
        if arn and not arn.startswith(scope.arn("dynamodb", "table/")):
            raise UserError(
                f"Stage {self.name} is not in {scope}: its STREAM_ARN is {arn}. Set AWS_DEFAULT_REGION or AWS_PROFILE. "
                f"To abandon that deployment, remove STREAM_ARN from {CONFIG}."
            )

    def feed_of(self, table: str) -> str:
        """Return the name of the feed's table: FEED_TABLE if that is the feed of `table`, otherwise a default."""
        environment = self.environment
        current_table = self.prepared_table or environment.get("TABLE_NAME")
        feed = environment.get("FEED_TABLE") if current_table == table else None
        return feed or f"{table}-{self.name}-feed"

    def recorded(self, kind: str, member: str) -> str | None:
        """Return `member` of the one deployed resource of type `kind`."""
        return next(
            (resource.get(member) for resource in self.resources if resource.get("resource_type") == kind), None
        )

    def record_without(self, kind: str) -> str:
        """Return the text of Chalice's record without resources of type `kind`."""
        kept = [resource for resource in self.resources if resource.get("resource_type") != kind]
        return json.dumps({**self.record, "resources": kept}, indent=2) + "\n"

    def config_with(self, environment: Mapping[str, str]) -> str:
        """Return the text of config.json with `environment` and all else that this stage needs to be deployed."""
        handler = {"iam_policy_file": self.handler_policy_file.name, "lambda_timeout": HANDLER_SECONDS}
        handler |= self.config.get("lambda_functions", {}).get(HANDLER, {})
        values: dict[tuple[str, ...], object] = {
            ("iam_policy_file",): self.config.get("iam_policy_file", self.policy_file.name),
            **{("lambda_functions", HANDLER, name): value for name, value in handler.items()},
            **{("environment_variables", name): value for name, value in environment.items()},
        }
        text = self.text
        for path, value in values.items():
            text = with_value(text, ("stages", self.name, *path), value)
        return text

    def config_without(self, *names: str) -> str:
        """Return the text of config.json without the environment variables `names` of this stage."""
        text = self.text
        for name in names:
            text = without(text, ("stages", self.name, "environment_variables", name))
        return text


def read(name: str) -> Stage:
    """Return the stage `name`, empty if config.json does not have it.

    Raise UserError if a file is malformed, if the name is reserved or does not fit into a function's name, or if two
    functions share a policy file.
    """
    if name in RESERVED_STAGES:
        raise UserError(f"Stage {name} is reserved for {RESERVED_STAGES[name]}. Choose another --stage, such as dev.")
    text, config = read_json(CONFIG, CONFIG_SHAPE)
    if not config.get("app_name"):
        raise UserError(f'{CONFIG} has no "app_name". Add one, such as "tablecast".')
    stage = _stage(name, config, text)
    if not FUNCTION_NAME.fullmatch(stage.handler):
        raise UserError(
            f"Stage {name} would need a function named {stage.handler}. Choose a name of letters, digits, - and _, so "
            "that this has at most 64 characters."
        )
    others = [
        _stage(other, config, text) for other in config.get("stages", {}) if other not in (name, *RESERVED_STAGES)
    ]
    used = [file for each in (stage, *others) for file in (each.policy_file, each.handler_policy_file)]
    for file in (stage.policy_file, stage.handler_policy_file):
        if used.count(file) > 1:
            raise UserError(f"{file} is used by two functions. Give each its own iam_policy_file in {CONFIG}.")
    file = stage.record_file
    return replace(stage, record=read_json(file, RECORD_SHAPE)[1]) if file.exists() else stage


def _stage(name: str, config: Mapping[str, Any], text: str) -> Stage:
    """Return a stage with its own settings over those of all stages, merged as Chalice merges them."""
    own = config.get("stages", {}).get(name, {})
    merged = {
        part: {**config.get(part, {}), **own.get(part, {})} for part in ("environment_variables", "lambda_functions")
    }
    return Stage(name, config["app_name"], text, {**config, **own, **merged}, {})


def check_settings(environment: Mapping[str, str]) -> None:
    """Raise UserError if the app does not accept `environment`."""
    try:
        settings.read(environment)
    except settings.SettingError as error:
        raise UserError(f"{CONFIG}: {error}") from None


def policy_text(file: pathlib.Path, statements: list[Statement]) -> str:
    """Return the text of a policy: `statements`, then those of `file` whose Sid is not among theirs."""
    sids = {statement["Sid"] for statement in statements}
    text, policy = read_json(file, POLICY_SHAPE) if file.exists() else ("", {})
    others = [statement for statement in policy.get("Statement", ()) if statement.get("Sid") not in sids]
    merged = json.dumps({"Version": "2012-10-17", **policy, "Statement": statements + others}, indent=2) + "\n"
    return merged.replace("\n", line_end(text))
