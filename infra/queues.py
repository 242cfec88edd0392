"""The queue that receives a message for each batch of changes that kept failing."""

from __future__ import annotations

from typing import Any

from infra.errors import UserError
from infra.steps import Steps
from infra.tables import STAGE_TAG

RETENTION_SECONDS = 14 * 24 * 3600  # The longest that SQS keeps a message.


def find_url(client: Any, name: str) -> str | None:
    """Return the URL of the queue, or None if it does not exist."""
    try:
        url: str = client.get_queue_url(QueueName=name)["QueueUrl"]
    except client.exceptions.QueueDoesNotExist:
        return None
    return url


def check_exists(client: Any, name: str, where: str, stage: str) -> None:
    """Raise UserError if the queue does not exist."""
    if find_url(client, name) is None:
        raise UserError(f"Queue {name} does not exist in {where}. Run python -m infra --stage {stage} first.")


def ensure(client: Any, name: str, stage: str, steps: Steps) -> None:
    """Create the queue, tagged with `stage`, unless it exists."""
    if find_url(client, name) is None:
        attributes = {"MessageRetentionPeriod": str(RETENTION_SECONDS)}
        steps.run(
            f"create the queue {name} for changes that keep failing",
            lambda: client.create_queue(QueueName=name, Attributes=attributes, tags={STAGE_TAG: stage}),
        )


def remove(client: Any, name: str, stage: str, steps: Steps) -> None:
    """Delete the queue if it was created for `stage`."""
    url = find_url(client, name)
    if url and client.list_queue_tags(QueueUrl=url).get("Tags", {}).get(STAGE_TAG) == stage:
        steps.run(f"delete the queue {name}", lambda: client.delete_queue(QueueUrl=url))
