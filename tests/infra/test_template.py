"""The template that `make package` writes: linted with all parameters that docs/deploy.md names."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
from typing import Any

import boto3
import pytest
from botocore.exceptions import WaiterError

from infra import policies, template
from infra.policies import ArnScope
from tests.conftest import ROOT, copy_project

BIN = pathlib.Path(sys.executable).parent
DOCS = (ROOT / "docs/deploy.md").read_text()
COMBINATIONS = [row.split("|")[2].strip().strip("`") for row in DOCS.splitlines() if re.match(r"\| .*=.*\|$", row)]
ANYWHERE = ArnScope("aws", "*", "*")


@pytest.fixture(scope="module")
def merged(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = copy_project(tmp_path_factory.mktemp("template"))
    command = [f"{BIN}/chalice", "package", "--stage", "stack", "--merge-template", "infra/template.json", "out"]
    environ = {**os.environ, "AWS_DEFAULT_REGION": "us-east-1"}
    subprocess.run(command, cwd=folder, env=environ, check=True, capture_output=True)
    return folder / "out/sam.json"


def test_docs_name_every_parameter() -> None:
    named = "TableName=study_test PartitionKey=idx " + DOCS
    assert [name for name in template.PARAMETERS if f"{name}=" not in named] == ["PartitionKeyType"]
    assert len(COMBINATIONS) >= 10


@pytest.mark.parametrize("combination", ["", *COMBINATIONS])
def test_template_is_clean_with(merged: pathlib.Path, combination: str) -> None:
    parameters = ["--parameters", *combination.split()] if combination else []
    command = [f"{BIN}/cfn-lint", "--regions", "us-east-1", "--template", str(merged), *parameters]
    linted = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (linted.returncode, linted.stdout, linted.stderr) == (0, "", "")


def test_failed_first_creation_leaves_no_table(dynamodb: Any, endpoint: str) -> None:
    """The next creation could not create it otherwise."""
    document = json.loads((ROOT / "infra/template.json").read_text())
    table = document["Resources"]["Table"]
    refused = {"Type": "AWS::SQS::Queue", "DependsOn": "Table", "Properties": {"MessageRetentionPeriod": 1}}
    document |= {"Resources": {"Table": table, "Refused": refused}, "Outputs": {}}
    name, stacks = "fails_at_first", boto3.client("cloudformation", endpoint_url=endpoint)
    given = [{"ParameterKey": "TableName", "ParameterValue": name}]
    stacks.create_stack(StackName="fails", TemplateBody=json.dumps(document), Parameters=given)
    with pytest.raises(WaiterError, match="ROLLBACK_COMPLETE"):
        stacks.get_waiter("stack_create_complete").wait(StackName="fails", WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    assert name not in dynamodb.list_tables()["TableNames"]
    stacks.delete_stack(StackName="fails")


@pytest.mark.parametrize(
    ("limit", "accepted"), [("0", True), ("10", True), ("1000", True), ("9", False), ("01", False)]
)
def test_rate_limit_out_of_range_is_refused_by_its_pattern(limit: str, accepted: bool) -> None:
    assert bool(re.fullmatch(template.PARAMETERS["WafRateLimit"]["AllowedPattern"], limit)) == accepted


def statements(role: str) -> list[dict[str, Any]]:
    (policy,) = template.RESOURCES[role]["Properties"]["Policies"]
    found: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return found


def test_both_ways_grant_the_same_permissions() -> None:
    ways = {
        "ApiHandlerRole": policies.api_statements(ANYWHERE, "function", "table", "feed"),
        "OnChangeRole": policies.handler_statements(ANYWHERE, "function", "table", "feed", "queue"),
    }
    for role, ours in ways.items():
        *theirs, tracing = statements(role)
        assert [statement["Action"] for statement in theirs] == [statement["Action"] for statement in ours]
        assert tracing["Action"] == ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]


@pytest.mark.parametrize("function", ["", "-on_change"])
def test_committed_policies_are_those_of_the_sample_in_any_account(function: str) -> None:
    names = (f"tablecast-dev{function}", "study_test", "study_test-dev-feed")
    queue = "tablecast-dev-failed-changes"
    ours = (
        policies.handler_statements(ANYWHERE, *names, queue) if function else policies.api_statements(ANYWHERE, *names)
    )
    committed = json.loads((ROOT / f".chalice/policy-dev{function}.json").read_text())
    assert committed == {"Version": "2012-10-17", "Statement": ours}


def test_handler_role_permits_the_calls_of_lambdas_poller() -> None:
    """What Lambda's poller calls with the function's role: the policies of the same purpose in AWS SAM."""
    import samtranslator

    file = pathlib.Path(samtranslator.__file__).parent / "policy_templates_data/policy_templates.json"
    templates = json.loads(file.read_text())["Templates"]
    stream, feed, queue, logs = policies.handler_statements(ANYWHERE, "function", "table", "feed", "queue")
    needed = templates["DynamoDBStreamReadPolicy"]["Definition"]["Statement"]
    assert stream["Action"] == sorted(action for statement in needed for action in statement["Action"])
    assert stream["Resource"] == "arn:aws:dynamodb:*:*:table/table/stream/*"
    (sending,) = templates["SQSSendMessagePolicy"]["Definition"]["Statement"]
    assert sending["Action"] == [f"{queue['Action'][0]}*"]
    # AWSLambdaBasicExecutionRole without logs:CreateLogGroup: the group exists before the function.
    assert logs["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert feed["Resource"] == "arn:aws:dynamodb:*:*:table/feed"
