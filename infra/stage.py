"""A stage of .chalice/: its settings in config.json, its policies, and what Chalice says it has deployed."""

from __future__ import annotations

import json
import pathlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib import settings
from infra.jsontext import with_value, without

FOLDER = pathlib.Path(".chalice")
CONFIG = FOLDER / "config.json"

# `local` has no tables in AWS, and those of `stack` are the template's.
NOT_OURS = {"local": "python -m local", "stack": "infra/template.json"}

HANDLER = "on_change"
HANDLER_SECONDS = 120


class Wrong(Exception):
    """One line that says what cannot be, and what would be right."""


@dataclass(frozen=True)
class Stage:
    name: str
    app_name: str
    text: str  # of config.json
    config: Mapping[str, Any]  # this stage's part of it
    deployed: tuple[Mapping[str, str], ...]  # the resources that Chalice has recorded

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

    def feed_of(self, table: str) -> str:
        """The name of the feed of `table`: the one that is set, unless that is another table's."""
        environment = self.environment
        ours = environment.get("FEED_TABLE") if environment.get("TABLE_NAME") == table else None
        return ours or f"{table}-{self.name}-feed"

    def resource(self, kind: str) -> Mapping[str, str] | None:
        """The deployed resource of `kind`, of which there is one."""
        return next((one for one in self.deployed if one["resource_type"] == kind), None)

    def deployable(self, environment: Mapping[str, str]) -> str:
        """config.json with `environment` in this stage, and with what its functions take to be deployed."""
        handler = {"iam_policy_file": self.handler_policy_file.name, "lambda_timeout": HANDLER_SECONDS}
        handler |= self.config.get("lambda_functions", {}).get(HANDLER, {})
        values: dict[tuple[str, ...], object] = {
            ("iam_policy_file",): self.policy_file.name,
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
    """The stage `name`, empty where config.json has none. Wrong: a file is missing, malformed or not an app's."""
    if name in NOT_OURS:
        raise Wrong(f"stage {name} is not made here: {NOT_OURS[name]} is for it; --stage takes another, such as dev")
    text = _text(CONFIG)
    config = _object(CONFIG, text)
    stages = config.get("stages", {})
    stage = stages.get(name, {}) if isinstance(stages, dict) else None
    app_name = config.get("app_name")
    if not isinstance(stage, dict) or not isinstance(app_name, str):
        raise Wrong(f'{CONFIG} takes an "app_name", and "stages" that are objects')
    if not all(isinstance(stage.get(part, {}), dict) for part in ("environment_variables", "lambda_functions")):
        raise Wrong(f"{CONFIG}: environment_variables and lambda_functions of stage {name} take objects")
    file = FOLDER / "deployed" / f"{name}.json"
    deployed = _object(file, _text(file)).get("resources", []) if file.exists() else []
    return Stage(name, app_name, text, stage, tuple(deployed))


def checked(environment: Mapping[str, str]) -> settings.Settings:
    """The settings of a stage. Wrong: they are not what the app takes."""
    try:
        return settings.read(environment)
    except settings.SettingError as error:
        raise Wrong(f"{CONFIG}: {error}") from None


def policy(file: pathlib.Path, statements: list[dict[str, Any]]) -> str:
    """The text of a policy with `statements`, and those of `file` that are others': ours are known by their Sid."""
    ours = {statement["Sid"] for statement in statements}
    there = _object(file, _text(file)).get("Statement", []) if file.exists() else []
    others = [statement for statement in there if statement.get("Sid") not in ours]
    return json.dumps({"Version": "2012-10-17", "Statement": statements + others}, indent=2) + "\n"


def write(file: pathlib.Path, text: str) -> None:
    """`text` as the whole of `file`, at once: never a half of it."""
    new = file.with_name(f"{file.name}.new")
    new.write_text(text)
    if file.exists():
        shutil.copymode(file, new)
    new.replace(file)


def _text(file: pathlib.Path) -> str:
    try:
        return file.read_text()
    except OSError as error:
        raise Wrong(f"{file} cannot be read: {error.strerror}. Run this in the project's folder") from None


def _object(file: pathlib.Path, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Wrong(f"{file} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise Wrong(f"{file} is not a JSON object")
    return value
