"""What a stage needs beside its tables: a queue that is told of failed changes, and a log group for each function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra.tables import MADE, Act
from infra.template import PARAMETERS

QUEUE_SECONDS = 14 * 24 * 3600  # the longest that SQS keeps a message
LOG_DAYS = PARAMETERS["LogRetentionDays"]["Default"]


def queue_url(client: Any, name: str) -> str | None:
    try:
        url: str = client.get_queue_url(QueueName=name)["QueueUrl"]
    except client.exceptions.QueueDoesNotExist:
        return None
    return url


def make_queue(client: Any, name: str, stage: str, act: Act) -> None:
    """The queue that is told which changes were given up."""
    if queue_url(client, name) is None:
        kept = {"MessageRetentionPeriod": str(QUEUE_SECONDS)}
        act(
            f"make the queue {name} for changes that are given up",
            lambda: client.create_queue(QueueName=name, Attributes=kept, tags={MADE: stage}),
        )


def take_queue(client: Any, name: str, stage: str, act: Act) -> None:
    """Deletes the queue if it was made for `stage`."""
    url = queue_url(client, name)
    if url and client.list_queue_tags(QueueUrl=url).get("Tags", {}).get(MADE) == stage:
        act(f"delete the queue {name}", lambda: client.delete_queue(QueueUrl=url))


def make_log_group(client: Any, function: str, stage: str, act: Act) -> None:
    """Where the logs of `function` go. Chalice (1.34) makes one of another name than the API's function has."""
    name = f"/aws/lambda/{function}"
    group = _log_group(client, name)
    if group is None:
        act(f"make the log group {name}", lambda: client.create_log_group(logGroupName=name, tags={MADE: stage}))
    # What was there keeps its logs for as long as it did.
    if group is None or (_is_of(client, group, stage) and "retentionInDays" not in group):
        act(
            f"have {name} keep logs for {LOG_DAYS} days",
            lambda: client.put_retention_policy(logGroupName=name, retentionInDays=LOG_DAYS),
        )


def take_log_group(client: Any, function: str, stage: str, act: Act) -> None:
    """Deletes the log group of `function` if it was made for `stage`."""
    name = f"/aws/lambda/{function}"
    group = _log_group(client, name)
    if group is not None and _is_of(client, group, stage):
        act(f"delete the log group {name}", lambda: client.delete_log_group(logGroupName=name))


def _log_group(client: Any, name: str) -> Mapping[str, Any] | None:
    there = client.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return next((group for group in there if group["logGroupName"] == name), None)


def _is_of(client: Any, group: Mapping[str, Any], stage: str) -> bool:
    tags = client.list_tags_for_resource(resourceArn=group["arn"].removesuffix(":*"))["tags"]
    return bool(tags.get(MADE) == stage)
