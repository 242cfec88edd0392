"""The deployed artifact, both ways, in an embedded AWS that enforces the policy of each function's role."""

from __future__ import annotations

import io
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import boto3
import pytest

from local import emulator, sample
from local.writes import put
from tests.changes.test_records import stream_record
from tests.conftest import ROOT, copy_project

BIN = pathlib.Path(sys.executable).parent
SECONDS = 60
TABLE = sample.TABLE["TableName"]
QUAKES = sample.items()[:200]


class Cloud:
    """An embedded AWS that checks credentials and enforces the policies of roles."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        rest = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "COV_", "MAKE"))}
        self.environ = {**rest, **emulator.CREDENTIALS, "AWS_ENDPOINT_URL": endpoint}
        self.environ["PATH"] = f"{BIN}:{rest['PATH']}"

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=emulator.CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=emulator.CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )

    def run(self, folder: pathlib.Path, command: str, typed: str = "") -> str:
        """Run `command` in `folder` as a user would; return what it prints."""
        result = subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env=self.environ,
            input=typed,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
        return result.stdout

    def get(self, api: str, path: str, **headers: str) -> tuple[int, dict[str, str], Any]:
        """Return status, headers and body of API Gateway's answer."""
        host = {"Host": f"{api}.execute-api.localhost:4566"}
        request = urllib.request.Request(f"{self.endpoint}/api{path}", headers=host | headers)
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as response:
                return response.status, dict(response.headers), json.loads(response.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), json.loads(error.read() or b"null")

    def inventory(self) -> dict[str, list[str]]:
        """Return the names of all resources that cost money or would conflict with the next deployment."""
        return {
            "tables": self.client("dynamodb").list_tables()["TableNames"],
            "functions": [function["FunctionName"] for function in self.client("lambda").list_functions()["Functions"]],
            "sources": [
                source["UUID"] for source in self.client("lambda").list_event_source_mappings()["EventSourceMappings"]
            ],
            "roles": [role["RoleName"] for role in self.client("iam").list_roles()["Roles"]],
            "queues": self.client("sqs").list_queues().get("QueueUrls", []),
            "logs": [group["logGroupName"] for group in self.client("logs").describe_log_groups()["logGroups"]],
            "apis": [api["id"] for api in self.client("apigateway").get_rest_apis()["items"]],
            "topics": self.client("sns").list_topics()["Topics"],
            "alarms": self.client("cloudwatch").describe_alarms()["MetricAlarms"],
        }


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with emulator.running(AUTH="true", **emulator.CREDENTIALS) as endpoint:
        yield Cloud(endpoint)


def eventually(holds: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < until, f"never: {what}"
        time.sleep(0.2)


def documented(folder: pathlib.Path, heading: str) -> list[tuple[str, str]]:
    """Return the commands under `heading` of docs/deploy.md, and what each prints as far as it is documented."""
    _, found = (folder / "docs/deploy.md").read_text().split(f"\n## {heading}\n")
    section, *_ = found.split("\n## ")
    blocks = re.findall(r"```console\n(.*?)```", section, re.DOTALL)
    return [command for block in blocks for command in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)]


def follow(cloud: Cloud, folder: pathlib.Path, steps: list[tuple[str, str]], typed: str = "") -> None:
    for command, printed in steps:
        output = cloud.run(folder, command, typed)
        assert printed.strip() in output, f"{command}\n{output}"


def check_reads(cloud: Cloud, api: str) -> None:
    """Send requests as users do, answered by the packaged zip under its role."""
    quake = QUAKES[0]
    idx = quake["idx"]["S"]
    status, headers, body = cloud.get(api, "/items?_limit=1000")
    assert (status, body["count"], headers["X-Plan"]) == (200, len(QUAKES), "Scan")
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert {item["idx"] for item in body["items"]} == {item["idx"]["S"] for item in QUAKES}
    status, headers, item = cloud.get(api, f"/items/{quote(idx)}")
    assert (status, item["idx"], item["mag"]) == (200, idx, quake["mag"]["N"])
    tag = headers["ETag"]
    status, headers, body = cloud.get(api, f"/items/{quote(idx)}", **{"If-None-Match": tag})
    assert (status, body) == (304, None)

    status, headers, body = cloud.get(api, "/items?net=ci&mag__gte=1&_sort=-time&_limit=1000&_fields=mag,time")
    expected = [quake for quake in QUAKES if quake["net"]["S"] == "ci" and float(quake.get("mag", {"N": 0})["N"]) >= 1]
    assert (status, headers["X-Plan"], body["count"]) == (200, "Query index=by_net", len(expected))
    assert [item["time"] for item in body["items"]] == sorted((item["time"]["N"] for item in expected), reverse=True)
    status, headers, body = cloud.get(api, f"/items?idx={quote(idx)}")
    assert (headers["X-Plan"], body["count"]) == ("Query", 1)
    assert cloud.get(api, "/items?_index=by_net&_limit=5")[1]["X-Plan"] == "Scan index=by_net"

    status, headers, body = cloud.get(api, "/items?_limit=x")
    assert (status, headers["Content-Type"], body["status"]) == (400, "application/problem+json", 400)
    status, headers, body = cloud.get(api, "/items/nobody")
    assert (status, headers["Access-Control-Allow-Origin"], body["status"]) == (404, "*", 404)


def check_gateway_responses(cloud: Cloud, api: str) -> None:
    status, headers, body = cloud.get(api, "/nothing/here")
    assert (status, headers["Access-Control-Allow-Origin"], body["status"]) == (404, "*", 404)


def check_changes(cloud: Cloud, api: str, ids: list[str]) -> None:
    """Wait until /changes has each of `ids` once."""
    eventually(lambda: cloud.get(api, "/changes")[2]["next"] >= len(ids), f"{len(ids)} changes")
    changes = cloud.get(api, "/changes?_since=0&_limit=1000")[2]["changes"]
    assert [change["position"] for change in changes] == list(range(1, len(ids) + 1))
    assert sorted(change["key"]["idx"] for change in changes) == sorted(ids)


def load(cloud: Cloud) -> list[str]:
    assert put(cloud.client("dynamodb"), TABLE, list(enumerate(QUAKES)), lambda _: None) == []
    return [quake["idx"]["S"] for quake in QUAKES]


def add_indexes(cloud: Cloud) -> None:
    """Add the sample's indexes to a table without any."""
    dynamodb = cloud.client("dynamodb")
    for index in sample.TABLE["GlobalSecondaryIndexes"]:
        dynamodb.update_table(
            TableName=TABLE,
            AttributeDefinitions=sample.TABLE["AttributeDefinitions"],
            GlobalSecondaryIndexUpdates=[{"Create": index}],
        )
        dynamodb.get_waiter("table_exists").wait(TableName=TABLE)


@pytest.mark.xdist_group("cloudformation")
def test_deployment_with_cloudformation(cloud: Cloud, tmp_path: pathlib.Path) -> None:
    folder = copy_project(tmp_path)
    template = json.loads((folder / "infra/template.json").read_text())
    table = template["Resources"]["Table"]["Properties"]
    table["GlobalSecondaryIndexes"] = sample.TABLE["GlobalSecondaryIndexes"]
    table["AttributeDefinitions"] = sample.TABLE["AttributeDefinitions"]
    (folder / "infra/template.json").write_text(json.dumps(template))

    steps = documented(folder, "With CloudFormation")
    follow(cloud, folder, steps)
    stack = cloud.client("cloudformation").describe_stacks(StackName="tablecast")["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    api = outputs["RestAPIId"]
    ids = load(cloud)
    check_changes(cloud, api, ids)
    check_reads(cloud, api)
    check_gateway_responses(cloud, api)

    before = stack.get("LastUpdatedTime"), cloud.inventory()
    again = [cloud.run(folder, command) for command, _ in steps if " mb " not in command]
    assert any("No changes to deploy" in output for output in again)
    stack = cloud.client("cloudformation").describe_stacks(StackName="tablecast")["Stacks"][0]
    assert (stack.get("LastUpdatedTime"), cloud.inventory()) == before

    handler = next(name for name in before[1]["functions"] if "OnChange" in name)
    (source,) = cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert source["DestinationConfig"]["OnFailure"]["Destination"].endswith(outputs["FailedChangesURL"].split("/")[-1])
    assert (source["BisectBatchOnFunctionError"], source["StartingPosition"]) == (True, "TRIM_HORIZON")
    check_failed_batch_is_recorded_once(cloud, handler, api, ids, tmp_path / "calls")
    check_each_permission_is_needed(cloud, outputs["APIHandlerName"], lambda: reads(cloud, api))
    check_each_permission_is_needed(cloud, handler, lambda: records_a_change(cloud, api))

    cloud.client("cloudformation").delete_stack(StackName="tablecast")
    remaining = {"tables": [TABLE]}  # with its data
    eventually(
        lambda: {kind: names for kind, names in cloud.inventory().items() if names} == remaining,
        "the stack leaves nothing else",
    )
    check_remaining_table_is_published_again(cloud, folder, steps)


def check_remaining_table_is_published_again(cloud: Cloud, folder: pathlib.Path, steps: list[tuple[str, str]]) -> None:
    """Publish it by its stream alone."""
    stream = cloud.client("dynamodb").describe_table(TableName=TABLE)["Table"]["LatestStreamArn"]
    ((deploy, _),) = (step for step in steps if "cloudformation deploy" in step[0])
    names = f"TableName={TABLE} PartitionKey={sample.TABLE['KeySchema'][0]['AttributeName']}"
    assert deploy.endswith(names)
    cloud.run(folder, deploy.removesuffix(names) + f"StreamArn={stream} TableName=another")
    stack = cloud.client("cloudformation").describe_stacks(StackName="tablecast")["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    assert cloud.get(outputs["RestAPIId"], "/items?_limit=1000")[2]["count"] == len(QUAKES)
    assert records_a_change(cloud, outputs["RestAPIId"])
    assert cloud.inventory()["logs"] == sorted([outputs["APIHandlerLogGroup"], outputs["OnChangeLogGroup"]])


def check_failed_batch_is_recorded_once(
    cloud: Cloud, handler: str, api: str, ids: list[str], calls: pathlib.Path
) -> None:
    """Have the handler fail after it has recorded a batch: the batch is repeated, and recorded once."""
    functions = cloud.client("lambda")
    where = functions.get_function(FunctionName=handler)["Code"]["Location"]
    with urllib.request.urlopen(where, timeout=SECONDS) as response:
        packed = io.BytesIO(response.read())
    with zipfile.ZipFile(packed, "a") as package:
        package.writestr("failing.py", FAILING)
    functions.update_function_code(FunctionName=handler, ZipFile=packed.getvalue())
    variables = functions.get_function_configuration(FunctionName=handler)["Environment"]["Variables"]
    failing = {"Variables": {**variables, "CALLS": str(calls)}}
    functions.update_function_configuration(FunctionName=handler, Handler="failing.handler", Environment=failing)
    key = {"idx": {"S": "failed at first"}}
    cloud.client("dynamodb").put_item(TableName=TABLE, Item=key)
    eventually(lambda: last_result(cloud) == "FAILED", "the handler fails")
    eventually(lambda: last_result(cloud) != "FAILED", "the batch comes again")
    assert len(calls.read_text()) == 3
    check_changes(cloud, api, [*ids, "failed at first"])
    functions.update_function_configuration(FunctionName=handler, Handler="app.on_change")
    cloud.client("dynamodb").delete_item(TableName=TABLE, Key=key)
    check_changes(cloud, api, [*ids, "failed at first", "failed at first"])


FAILING = """
import os
import app

def handler(event, context):
    app.on_change(event, context)
    with open(os.environ["CALLS"], "a") as calls:
        calls.write("x")
        calls.flush()
        if calls.tell() < 3:
            raise RuntimeError("after all was done")
"""


def last_result(cloud: Cloud) -> str:
    (source,) = cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    return str(source["LastProcessingResult"])


def reads(cloud: Cloud, api: str) -> bool:
    """Return whether the API answers all requests."""
    try:
        check_reads(cloud, api)
        (first,) = cloud.get(api, "/changes?_since=0&_limit=1")[2]["changes"]
        return bool(first["position"] == 1)
    except (AssertionError, KeyError):
        return False


def records_a_change(cloud: Cloud, api: str) -> bool:
    """Return whether the handler records a change; False if it fails."""
    before = cloud.get(api, "/changes")[2]["next"]
    cloud.client("dynamodb").put_item(TableName=TABLE, Item=QUAKES[0])
    cloud.client("dynamodb").delete_item(TableName=TABLE, Key={"idx": QUAKES[0]["idx"]})
    cloud.client("dynamodb").put_item(TableName=TABLE, Item=QUAKES[0])

    def is_recorded() -> bool:
        return bool(cloud.get(api, "/changes")[2]["next"] > before)

    eventually(lambda: last_result(cloud) == "FAILED" or is_recorded(), "the handler is called")
    return last_result(cloud) != "FAILED"


def check_each_permission_is_needed(cloud: Cloud, function: str, works: Callable[[], bool]) -> None:
    """Remove each permission of DynamoDB in turn. Those of streams, queues and logs Lambda uses (test_template.py)."""
    iam, functions = cloud.client("iam"), cloud.client("lambda")
    configuration = functions.get_function_configuration(FunctionName=function)
    role = configuration["Role"].split("/")[-1]
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    policy = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]

    def under(statements: list[dict[str, Any]]) -> bool:
        document = json.dumps({**policy, "Statement": statements})
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=document)
        # A new start of the function, so that it has read nothing under the former policy.
        variables = {**configuration["Environment"]["Variables"], "STARTED": str(time.time())}
        functions.update_function_configuration(FunctionName=function, Environment={"Variables": variables})
        return works()

    count = 0
    for place, statement in enumerate(policy["Statement"]):
        for action in statement["Action"]:
            if not action.startswith("dynamodb:") or "/stream/" in statement["Resource"]:
                continue
            less = {
                **statement,
                "Action": [other for other in statement["Action"] if other != action] or ["dynamodb:ListTables"],
            }
            changed = [*policy["Statement"][:place], less, *policy["Statement"][place + 1 :]]
            assert not under(changed), f"{function} works without {action} on {statement['Resource']}"
            under(policy["Statement"])
            eventually(works, f"{function} works again with {action}")
            count += 1
    assert count >= 3


def test_deployment_with_chalice(cloud: Cloud, tmp_path: pathlib.Path) -> None:
    folder = copy_project(tmp_path)
    (folder / ".chalice/policy-dev.json").unlink()
    empty = cloud.inventory()
    prepare, deploy, *rest = documented(folder, "With chalice deploy")
    follow(cloud, folder, [prepare])
    config = json.loads((folder / ".chalice/config.json").read_text())["stages"]["dev"]
    add_indexes(cloud)

    stop_once_an_event_source_exists(cloud, folder, deploy[0])
    (left,) = cloud.inventory()["sources"]
    output = cloud.run(folder, prepare[0])
    assert output.splitlines()[0] == f"delete the event source {left}, which no finished deployment has recorded ..."
    follow(cloud, folder, [deploy, *rest])

    recorded = json.loads((folder / ".chalice/deployed/dev.json").read_text())["resources"]
    deployed = {resource["name"]: resource for resource in recorded}
    inventory = cloud.inventory()
    assert inventory["functions"] == ["tablecast-dev", "tablecast-dev-on_change"]
    assert inventory["sources"] == [deployed["on_change-dynamodb-event-source"]["event_uuid"]]
    assert inventory["logs"] == ["/aws/lambda/tablecast-dev", "/aws/lambda/tablecast-dev-on_change"]
    for role, file in {"api_handler": "policy-dev.json", "on_change": "policy-dev-on_change.json"}.items():
        role = f"tablecast-dev-{role}"
        (name,) = cloud.client("iam").list_role_policies(RoleName=role)["PolicyNames"]
        policy = cloud.client("iam").get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        assert policy == json.loads((folder / ".chalice" / file).read_text())
    (source,) = cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    wanted = {
        "EventSourceArn": config["environment_variables"]["STREAM_ARN"],
        "BatchSize": 1000,
        "StartingPosition": "TRIM_HORIZON",
        "BisectBatchOnFunctionError": True,
        "MaximumRetryAttempts": 10000,
        "MaximumRecordAgeInSeconds": 82800,
        "DestinationConfig": {
            "OnFailure": {"Destination": "arn:aws:sqs:us-east-1:000000000000:tablecast-dev-failed-changes"}
        },
    }
    assert {name: source[name] for name in wanted} == wanted

    api = deployed["rest_api"]["rest_api_id"]
    ids = load(cloud)
    check_changes(cloud, api, ids)
    check_reads(cloud, api)
    check_gateway_responses(cloud, api)
    event = json.dumps({"Records": [stream_record("invoked by hand", created=time.time())]})
    cloud.run(folder, "chalice invoke -n on_change --stage dev", event)
    cloud.run(folder, "chalice invoke -n on_change --stage dev", event)
    check_changes(cloud, api, [*ids, "invoked by hand"])

    check_clone_is_refused(cloud, folder, tmp_path / "clone")

    # A second run changes only what Chalice always creates again.
    assert "Nothing to do" in cloud.run(folder, prepare[0])
    follow(cloud, folder, [deploy])
    assert "configure the event source" not in cloud.run(folder, rest[0][0])
    assert cloud.inventory() == inventory
    check_reads(cloud, api)
    check_gateway_responses(cloud, api)

    off = {"StreamEnabled": False}
    cloud.client("dynamodb").update_table(TableName=TABLE, StreamSpecification=off)
    output = cloud.run(folder, prepare[0])
    assert f"delete the event source {inventory['sources'][0]}, whose stream is no longer the table's ..." in output
    follow(cloud, folder, [deploy, *rest])
    (source,) = cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert source["EventSourceArn"] != wanted["EventSourceArn"]
    key = {"idx": {"S": "in the new stream"}}
    cloud.client("dynamodb").put_item(TableName=TABLE, Item=key)
    check_changes(cloud, api, [*ids, "invoked by hand", "in the new stream"])

    follow(cloud, folder, documented(folder, "Removing a deployment"), typed=f"{TABLE}\n")
    assert cloud.inventory() == empty
    assert json.loads((folder / ".chalice/config.json").read_text()) == json.loads(
        (ROOT / ".chalice/config.json").read_text()
    )


def check_clone_is_refused(cloud: Cloud, folder: pathlib.Path, clone: pathlib.Path) -> None:
    """Run the commands in a clone of what was committed, which lacks Chalice's record of the deployment."""
    shutil.copytree(folder, clone, ignore=shutil.ignore_patterns("deployed"))
    before = cloud.inventory()
    for options, line in {
        "": "Stage dev was deployed from another clone",
        "--after-deploy": "Stage dev was deployed from another clone",
        "--destroy": "Function tablecast-dev is deployed",
    }.items():
        assert line in cloud.run(clone, f"! python -m infra --stage dev {options} 2>&1", f"{TABLE}\n")
    assert cloud.inventory() == before


def stop_once_an_event_source_exists(cloud: Cloud, folder: pathlib.Path, command: str) -> None:
    process = subprocess.Popen(
        ["bash", "-c", f"exec {command}"], cwd=folder, env=cloud.environ, stdout=subprocess.DEVNULL
    )
    try:
        eventually(lambda: bool(cloud.inventory()["sources"]), "the deploy gets as far as the event source")
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(SECONDS)
