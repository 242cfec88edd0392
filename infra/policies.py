"""IAM policies of the two functions, with the least permissions that each needs. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ArnScope:
    """The parts that the ARNs of one account and region share."""

    partition: str
    region: str
    account: str

    def __str__(self) -> str:
        return f"{self.region} of account {self.account}"

    def arn(self, service: str, resource: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"


Statement = dict[str, Any]


def api_statements(scope: ArnScope, function: str, table: str, feed: str) -> list[Statement]:
    """Return the policy statements of the function that answers requests."""
    arn = scope.arn("dynamodb", f"table/{table}")
    return [
        _allow("ReadTable", arn, "dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:Query", "dynamodb:Scan"),
        _allow("ReadIndexes", f"{arn}/index/*", "dynamodb:Query", "dynamodb:Scan"),
        _allow("ReadFeed", scope.arn("dynamodb", f"table/{feed}"), "dynamodb:GetItem", "dynamodb:Query"),
        _logs(scope, function),
    ]


def handler_statements(scope: ArnScope, function: str, table: str, feed: str, queue: str) -> list[Statement]:
    """Return the policy statements of the stream handler. Lambda itself calls the stream and the queue in its role."""
    return [
        _allow(
            "ReadStream",
            scope.arn("dynamodb", f"table/{table}/stream/*"),
            *("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"),
        ),
        _allow(
            "WriteFeed",
            scope.arn("dynamodb", f"table/{feed}"),
            *("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"),
        ),
        _allow("SendFailedChanges", scope.arn("sqs", queue), "sqs:SendMessage"),
        _logs(scope, function),
    ]


def _logs(scope: ArnScope, function: str) -> Statement:
    # No logs:CreateLogGroup, unlike AWS's managed policy: the group exists before the function does (log_groups.py).
    group = scope.arn("logs", f"log-group:/aws/lambda/{function}:*")
    return _allow("WriteLogs", group, "logs:CreateLogStream", "logs:PutLogEvents")


def _allow(sid: str, resource: str, *actions: str) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resource}
