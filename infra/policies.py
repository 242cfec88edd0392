"""What each function may do: the least that it needs. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Place:
    """Where things are: the parts of an ARN that they share."""

    partition: str
    region: str
    account: str

    def arn(self, service: str, resource: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


Statement = dict[str, Any]


def reader(place: Place, function: str, table: str, feed: str) -> list[Statement]:
    """Of the function that answers requests."""
    arn = place.arn("dynamodb", f"table/{table}")
    return [
        _allow("ReadTable", arn, "dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan"),
        _allow("ReadIndexes", f"{arn}/index/*", "dynamodb:Query", "dynamodb:Scan"),
        _allow("ReadFeed", place.arn("dynamodb", f"table/{feed}"), "dynamodb:GetItem", "dynamodb:Query"),
        _logs(place, function),
    ]


def handler(place: Place, function: str, table: str, feed: str, queue: str) -> list[Statement]:
    """Of the function that files changes. What is not a call of its own, Lambda makes in its name."""
    return [
        _allow(
            "ReadStream",
            place.arn("dynamodb", f"table/{table}/stream/*"),
            *("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"),
        ),
        _allow(
            "WriteFeed",
            place.arn("dynamodb", f"table/{feed}"),
            *("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"),
        ),
        _allow("TellOfFailedChanges", place.arn("sqs", queue), "sqs:SendMessage"),
        _logs(place, function),
    ]


def _logs(place: Place, function: str) -> Statement:
    # Less than Lambda's usual: the group is there before the function is (others.py).
    group = place.arn("logs", f"log-group:/aws/lambda/{function}:*")
    return _allow("WriteLogs", group, "logs:CreateLogStream", "logs:PutLogEvents")


def _allow(sid: str, resource: str, *actions: str) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resource}
