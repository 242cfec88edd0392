"""The log group of each function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra.steps import Steps
from infra.tables import STAGE_TAG
from infra.template import PARAMETERS

RETENTION_DAYS = PARAMETERS["LogRetentionDays"]["Default"]


def ensure(client: Any, function: str, stage: str, steps: Steps) -> None:
    """Create the log group of `function`, tagged with `stage`, and set its retention. An existing group keeps its own.

    Chalice (1.34) creates one too, but under a name that the API's function does not log to.
    """
    name = _name(function)
    group = _find(client, name)
    if group is None:
        steps.run(
            f"create the log group {name}",
            lambda: client.create_log_group(logGroupName=name, tags={STAGE_TAG: stage}),
        )
    if group is None or (_is_tagged(client, group, stage) and "retentionInDays" not in group):
        steps.run(
            f"set the retention of {name} to {RETENTION_DAYS} days",
            lambda: client.put_retention_policy(logGroupName=name, retentionInDays=RETENTION_DAYS),
        )


def remove(client: Any, function: str, stage: str, steps: Steps) -> None:
    """Delete the log group of `function` if it was created for `stage`."""
    name = _name(function)
    group = _find(client, name)
    if group is not None and _is_tagged(client, group, stage):
        steps.run(f"delete the log group {name}", lambda: client.delete_log_group(logGroupName=name))


def _name(function: str) -> str:
    return f"/aws/lambda/{function}"


def _find(client: Any, name: str) -> Mapping[str, Any] | None:
    groups = client.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return next((group for group in groups if group["logGroupName"] == name), None)


def _is_tagged(client: Any, group: Mapping[str, Any], stage: str) -> bool:
    tags = client.list_tags_for_resource(resourceArn=group["arn"].removesuffix(":*"))["tags"]
    return bool(tags.get(STAGE_TAG) == stage)
