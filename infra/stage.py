"""A stage of .chalice/: its settings in config.json, its policies, and what Chalice says it has deployed."""

from __future__ import annotations

import json
import pathlib
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from chalicelib import settings
from infra.jsontext import line_end, with_value, without
from infra.policies import Place

FOLDER = pathlib.Path(".chalice")
CONFIG = FOLDER / "config.json"

# `local` has no tables in AWS, and those of `stack` are the template's.
NOT_OURS = {"local": "python -m local", "stack": "infra/template.json"}

HANDLER = "on_change"
HANDLER_SECONDS = 120
FUNCTION_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

# What is read of each file. ANY: of each member that has no shape of its own.
ANY = "*"
EACH_STAGE = {
    "api_gateway_stage": str,
    "iam_policy_file": str,
    "environment_variables": {ANY: str},
    "lambda_functions": {ANY: {"iam_policy_file": str}},
}
CONFIG_SHAPE = {"app_name": str, "stages": {ANY: EACH_STAGE}, **EACH_STAGE}
RECORD_SHAPE = {"resources": [{"resource_type": str, "event_uuid": str, "rest_api_id": str}]}
POLICY_SHAPE = {"Statement": [{"Sid": str}]}
TAKES: dict[type, str] = {str: "a string", dict: "an object", list: "a list"}


class Wrong(Exception):
    """One line that says what cannot be, and what would be right."""


@dataclass(frozen=True)
class Stage:
    name: str
    app_name: str
    text: str  # of config.json
    config: Mapping[str, Any]  # this stage's part of it, and what holds for all stages where that says nothing
    record: Mapping[str, Any]  # what Chalice has recorded of its deploy

    @property
    def environment(self) -> dict[str, str]:
        return dict(self.config.get("environment_variables", {}))

    @property
    def function(self) -> str:
        """The name that Chalice gives the function of the API."""
        return f"{self.app_name}-{self.name}"

    @property
    def handler(self) -> str:
        return f"{self.function}-{HANDLER}"

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
    def deployed_file(self) -> pathlib.Path:
        return FOLDER / "deployed" / f"{self.name}.json"

    @property
    def table_of_stream(self) -> str | None:
        """The table that was prepared last."""
        arn = self.environment.get("STREAM_ARN")
        return arn.split("/")[1] if arn else None

    def check_place(self, place: Place) -> None:
        """Wrong: the stage was prepared in another region or account."""
        arn = self.environment.get("STREAM_ARN")
        if arn and not arn.startswith(place.arn("dynamodb", "table/")):
            raise Wrong(
                f"stage {self.name} is not in {place.region} of account {place.account}: its STREAM_ARN is {arn}. Set "
                f"AWS_DEFAULT_REGION or AWS_PROFILE, or take STREAM_ARN out of {CONFIG} to leave what is there"
            )

    def feed_of(self, table: str) -> str:
        """The name of the feed of `table`: the one that is set, unless that is another table's."""
        environment = self.environment
        known = self.table_of_stream or environment.get("TABLE_NAME")
        ours = environment.get("FEED_TABLE") if known == table else None
        return ours or f"{table}-{self.name}-feed"

    @property
    def resources(self) -> list[Mapping[str, str]]:
        return list(self.record.get("resources", ()))

    def recorded(self, kind: str, member: str) -> str | None:
        """`member` of the deployed resource of `kind`, of which there is one."""
        return next((one.get(member) for one in self.resources if one.get("resource_type") == kind), None)

    def record_without(self, kind: str) -> str:
        """The text of Chalice's record without the resources of `kind`."""
        kept = [one for one in self.resources if one.get("resource_type") != kind]
        return json.dumps({**self.record, "resources": kept}, indent=2) + "\n"

    def deployable(self, environment: Mapping[str, str]) -> str:
        """config.json with `environment` in this stage, and with what its functions take to be deployed."""
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

    def without_settings(self, *names: str) -> str:
        """config.json with none of the settings `names` in this stage."""
        text = self.text
        for name in names:
            text = without(text, ("stages", self.name, "environment_variables", name))
        return text


def read(name: str) -> Stage:
    """The stage `name`, empty where config.json has none. Wrong: a file is malformed or not an app's, the name makes
    none of a function, or a policy file is another's."""
    if name in NOT_OURS:
        raise Wrong(f"stage {name} is not made here: {NOT_OURS[name]} is for it; --stage takes another, such as dev")
    text, config = _object(CONFIG, CONFIG_SHAPE)
    if not config.get("app_name"):
        raise Wrong(f'{CONFIG} takes an "app_name"')
    stage = _stage(name, config, text)
    if not FUNCTION_NAME.fullmatch(stage.handler):
        raise Wrong(f"stage {name} would have a function {stage.handler}: letters, digits, - and _, at most 64, do")
    others = [_stage(other, config, text) for other in config.get("stages", {}) if other not in (name, *NOT_OURS)]
    files = [file for one in (stage, *others) for file in (one.policy_file, one.handler_policy_file)]
    for file in files[:2]:
        if files.count(file) > 1:
            raise Wrong(f"{file} is not of one function alone: give each an iam_policy_file of its own in {CONFIG}")
    file = stage.deployed_file
    return replace(stage, record=_object(file, RECORD_SHAPE)[1]) if file.exists() else stage


def _stage(name: str, config: Mapping[str, Any], text: str) -> Stage:
    """What the stage says, and where it says nothing what all of config.json does: so Chalice reads it."""
    here = config.get("stages", {}).get(name, {})
    both = {
        part: {**config.get(part, {}), **here.get(part, {})} for part in ("environment_variables", "lambda_functions")
    }
    return Stage(name, config["app_name"], text, {**config, **here, **both}, {})


def checked(environment: Mapping[str, str]) -> settings.Settings:
    """The settings of a stage. Wrong: they are not what the app takes."""
    try:
        return settings.read(environment)
    except settings.SettingError as error:
        raise Wrong(f"{CONFIG}: {error}") from None


def policy(file: pathlib.Path, statements: list[dict[str, Any]]) -> str:
    """The text of a policy with `statements`, and with what `file` has of others: ours are known by their Sid."""
    ours = {statement["Sid"] for statement in statements}
    text, there = _object(file, POLICY_SHAPE) if file.exists() else ("", {})
    others = [statement for statement in there.get("Statement", ()) if statement.get("Sid") not in ours]
    new = json.dumps({"Version": "2012-10-17", **there, "Statement": statements + others}, indent=2) + "\n"
    return new.replace("\n", line_end(text))


def write(file: pathlib.Path, text: str) -> None:
    """`text` as the whole of `file`, at once: never a half of it."""
    new = _new(file)
    new.write_bytes(text.encode())
    if file.exists():
        shutil.copymode(file, new)
    new.replace(file)


def check_writable() -> None:
    """OSError: no file can be written here."""
    new = _new(CONFIG)
    new.touch()
    new.unlink()


def _new(file: pathlib.Path) -> pathlib.Path:
    return file.with_name(f"{file.name}.new")


def _object(file: pathlib.Path, shape: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The text of `file`, with the ends of its lines as they are, and what of it is of `shape`, or has none."""
    try:
        text = file.read_bytes().decode()
        return text, _shaped(json.loads(text), shape)
    except ValueError as error:
        raise Wrong(f"{file} is not JSON: {error}") from None
    except TypeError as error:
        raise Wrong(f"{file}: {error}") from None


def _shaped(value: Any, shape: Any, *path: str) -> Any:
    """`value` without what is null, which Chalice takes for left out. TypeError: it is not of `shape`."""
    if isinstance(shape, list) and isinstance(value, dict):
        value = [value]  # IAM takes a statement for a list of one
    kind: Any = shape if isinstance(shape, type) else type(shape)
    if not isinstance(value, kind):
        raise TypeError(f"{'.'.join(path) or 'it'} is {json.dumps(value)}: it takes {TAKES[kind]}")
    if kind is list:
        return [_shaped(one, shape[0], *path, str(place)) for place, one in enumerate(value)]
    if kind is dict:
        shapes = {name: shape.get(name, shape.get(ANY)) for name in value}
        return {
            name: _shaped(one, shapes[name], *path, name) if shapes[name] else one
            for name, one in value.items()
            if one is not None
        }
    return value
