"""`python -m infra` against the embedded AWS: what it creates, adopts, refuses and deletes."""

from __future__ import annotations

import io
import itertools
import json
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra import __main__ as command
from infra import aws as aws_account
from infra import tables
from infra.files import CONFIG, FOLDER
from infra.jsontext import with_value, without
from local import sample
from tests.conftest import ROOT

HAND_MADE = """\
{ "app_name":"tablecast",

    "stages": {"dev":{"environment_variables":{"NUMBERS":"number"}}, "local":{}} ,"x":1.50}
"""
NAMES = (f"table{n}" for n in itertools.count())

Run = Callable[..., list[str]]


@pytest.fixture
def aws(endpoint: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A DynamoDB client, in a project's folder, with an embedded AWS for all services."""
    (tmp_path / ".chalice").mkdir()
    for file in (ROOT / ".chalice").glob("*.json"):
        shutil.copy(file, tmp_path / ".chalice")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    queues, logs = boto3.client("sqs"), boto3.client("logs")
    yield boto3.client("dynamodb")
    for url in queues.list_queues().get("QueueUrls", []):
        queues.delete_queue(QueueUrl=url)
    for group in logs.describe_log_groups()["logGroups"]:
        logs.delete_log_group(logGroupName=group["logGroupName"])


@pytest.fixture
def infra(aws: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command; return the lines it printed, and the line it exited with if there is one."""

    def run(*options: str) -> list[str]:
        monkeypatch.setattr(sys, "argv", ["infra", *options])
        try:
            command.run()
        except SystemExit as ended:
            return [*capsys.readouterr().out.splitlines(), str(ended)]
        return capsys.readouterr().out.splitlines()

    return run


def files() -> dict[str, str]:
    return {file.name: file.read_text() for file in pathlib.Path(".chalice").iterdir() if file.is_file()}


def config() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(CONFIG.read_text())
    return loaded


def table(aws: Any, *keys: str, **more: Any) -> str:
    """Create a table as another tool would; return its name."""
    name = next(NAMES)
    kinds = zip(keys or ("id",), ("HASH", "RANGE"), strict=False)
    aws.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in kinds],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys or ("id",)],
        BillingMode="PAY_PER_REQUEST",
        **more,
    )
    return name


def all_tables(aws: Any) -> list[str]:
    """Return all tables, page by page: other tests have created many."""
    return [name for page in aws.get_paginator("list_tables").paginate() for name in page["TableNames"]]


def streams(view: str) -> dict[str, Any]:
    return {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": view}}


def test_existing_table_is_adopted_unchanged(aws: Any, infra: Run) -> None:
    name = table(aws, "customer", "date")
    aws.put_item(TableName=name, Item={"customer": {"S": "anna"}, "date": {"S": "2026"}})
    first = infra("--table", name)
    assert first[0] == f"turn on the stream of {name}: NEW_AND_OLD_IMAGES ..."
    description = aws.describe_table(TableName=name)["Table"]
    environment = config()["stages"]["dev"]["environment_variables"]
    assert environment == {
        "TABLE_NAME": name,
        "FEED_TABLE": f"{name}-dev-feed",
        "STREAM_ARN": description["LatestStreamArn"],
    }
    expiry = aws.describe_time_to_live(TableName=f"{name}-dev-feed")["TimeToLiveDescription"]
    assert (expiry["TimeToLiveStatus"], expiry["AttributeName"]) == ("ENABLED", "expires")
    before = files()
    assert infra() == ["Nothing to do: stage dev is up to date."]
    assert files() == before
    assert aws.scan(TableName=name)["Count"] == 1

    assert destroyed(infra, name) == [
        f"delete the table {name}-dev-feed with about 0 items ...",
        f"turn off the stream of {name} ...",
        "delete the queue tablecast-dev-failed-changes ...",
        "delete the log group /aws/lambda/tablecast-dev ...",
        "delete the log group /aws/lambda/tablecast-dev-on_change ...",
        "write .chalice/config.json ...",
    ]
    description = aws.describe_table(TableName=name)["Table"]
    assert not description.get("StreamSpecification", {}).get("StreamEnabled")
    assert aws.scan(TableName=name)["Count"] == 1
    assert destroyed(infra, name) == ["Nothing to do: stage dev is up to date."]


def destroyed(infra: Run, typed: str) -> list[str]:
    """Return what --destroy prints when `typed` is typed at its prompt."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("click.prompt", lambda *_, **__: typed)
        return infra("--destroy")


def test_new_table_is_created_with_the_given_options(aws: Any, infra: Run) -> None:
    name = next(NAMES)
    wanted = ("--table", name, "--partition-key", "customer", "--sort-key", "a:b:N", "--stream-view", "NEW_IMAGE")
    more = ("--table-class", "STANDARD_INFREQUENT_ACCESS", "--point-in-time-recovery")
    before = files()
    planned = infra(*wanted, *more, "--dry-run")
    assert planned[0].startswith(
        f"would create the table {name}: keys customer:S and a:b:N, STANDARD_INFREQUENT_ACCESS"
    )
    assert (files(), name in all_tables(aws)) == (before, False)
    done = infra(*wanted, *more)
    assert [line.removesuffix(" ...") for line in done[:-1]] == [line.removeprefix("would ") for line in planned]
    description = aws.describe_table(TableName=name)["Table"]
    assert tables.key_types(description) == {"customer": "S", "a:b": "N"}
    assert description["StreamSpecification"]["StreamViewType"] == "NEW_IMAGE"
    assert description["TableClassSummary"]["TableClass"] == "STANDARD_INFREQUENT_ACCESS"
    assert description["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    recovery = aws.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    assert recovery["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    assert infra(*wanted, *more) == ["Nothing to do: stage dev is up to date."]
    changed = infra("--table-class", "STANDARD", "--no-point-in-time-recovery")
    assert changed == [
        f"change the table class of {name} from STANDARD_INFREQUENT_ACCESS to STANDARD ...",
        f"turn off the point-in-time recovery of {name} ...",
    ]
    assert destroyed(infra, "another") == [f"tablecast: The name typed is not {name}. Nothing was deleted."]
    assert f"delete the table {name} with about 0 items ..." in destroyed(infra, name)
    assert name not in all_tables(aws)


def test_unknown_parts_of_config_and_policies_stay_unchanged(aws: Any, infra: Run) -> None:
    name = table(aws, **streams("NEW_AND_OLD_IMAGES"))
    CONFIG.write_text(HAND_MADE)
    own = {"Sid": "Key", "Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}
    (FOLDER / "policy-dev.json").write_text(json.dumps({"Id": "mine", "Statement": [{"Sid": "ReadFeed"}, own]}))
    (FOLDER / "policy-dev-on_change.json").write_text(json.dumps({"Statement": own}))
    infra("--table", name)
    start, end = HAND_MADE.split('{"NUMBERS":"number"}')
    text = CONFIG.read_text()
    assert text.startswith(start)
    assert text.endswith(end.partition("}")[2])
    assert config()["stages"]["dev"]["environment_variables"]["NUMBERS"] == "number"
    statements = json.loads((FOLDER / "policy-dev.json").read_text())["Statement"]
    assert [statement["Sid"] for statement in statements] == [
        "ReadTable",
        "ReadIndexes",
        "ReadFeed",
        "WriteLogs",
        "Key",
    ]
    assert statements[-1] == own
    assert json.loads((FOLDER / "policy-dev.json").read_text())["Id"] == "mine"
    assert json.loads((FOLDER / "policy-dev-on_change.json").read_text())["Statement"][-1] == own
    assert f"table/{name}-dev-feed" in statements[2]["Resource"]
    assert infra() == ["Nothing to do: stage dev is up to date."]
    destroyed(infra, name)
    assert config()["stages"]["dev"]["environment_variables"] == {"NUMBERS": "number", "TABLE_NAME": name}
    assert aws.describe_table(TableName=name)["Table"]["StreamSpecification"]["StreamEnabled"]


def test_second_stage_gets_its_own_resources(aws: Any, infra: Run) -> None:
    name = table(aws)
    infra("--table", name)
    infra("--stage", "prod", "--table", name)
    prod = config()["stages"]["prod"]
    assert prod["environment_variables"]["FEED_TABLE"] == f"{name}-prod-feed"
    assert (prod["iam_policy_file"], prod["lambda_functions"]["on_change"]) == (
        "policy-prod.json",
        {"iam_policy_file": "policy-prod-on_change.json", "lambda_timeout": 120},
    )
    assert {"policy-prod.json", "policy-prod-on_change.json"} <= set(files())
    assert config()["stages"]["dev"]["environment_variables"]["FEED_TABLE"] == f"{name}-dev-feed"


def test_stopped_run_is_continued_by_the_next(aws: Any, infra: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    name, whole = next(NAMES), files()
    changes = ("Create", "Update", "Put", "Tag")

    def stop(model: Any, **_: Any) -> None:
        if model.name.startswith(changes):
            raise KeyboardInterrupt

    def stopping(self: Any, service: str) -> Any:
        client = aws_of(self, service)
        client.meta.events.register("after-call", stop)
        return client

    stops, aws_of = 0, aws_account.Account.client
    with monkeypatch.context() as patched:
        patched.setattr(aws_account.Account, "client", stopping)
        while (output := infra("--table", name, "--partition-key", "id"))[-1].endswith("to continue."):
            stops += 1
            assert files() == whole
    # Two tables, the feed's expiry, a queue, and two log groups with their retention.
    assert stops == 8
    assert output[-1].startswith("Next: chalice deploy")
    assert infra() == ["Nothing to do: stage dev is up to date."]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            ["--table", "absent"],
            "Table absent does not exist in us-east-1 of account 000000000000. To create it, add --partition-key.",
        ),
        (["--table", "THERE", "--partition-key", "other"], "Table THERE in us-east-1 of account 000000000000 has"),
        (["--table", "THERE", "--partition-key", "id:N"], "has the keys id:S, not id:N"),
        (
            ["--table", "KEYS"],
            "The stream of KEYS is KEYS_ONLY, which cannot be changed while it is on. To use it as it is, add "
            "--stream-view KEYS_ONLY.",
        ),
        (
            ["--table", "THERE", "--feed-table", "KEYS"],
            "Table KEYS has the keys id:S, and a feed needs feed:S and position:N. Choose",
        ),
        (
            ["--table", "THERE", "--feed-table", "TTL"],
            "Table TTL expires items by gone, and a feed needs expires. Choose another",
        ),
        (["--table", "THERE", "--feed-table", "THERE"], "the published table. Use another table for the feed."),
        (["--table", "a b"], ".chalice/config.json: TABLE_NAME is 'a b'. Use a table's name"),
        (["--stage", "local"], "Stage local is reserved for python -m local"),
        (["--stage", "new"], "Stage new has no TABLE_NAME. Name the table to publish with --table."),
        (
            ["--stage", "my.stage", "--table", "THERE"],
            "would need a function named tablecast-my.stage-on_change. Choose a name of letters, ",
        ),
        (
            ["--stage", "s" * 45, "--table", "THERE"],
            "-on_change. Choose a name of letters, digits, - and _, so that this has at most 64 characters.",
        ),
        (["--table", ""], ".chalice/config.json: TABLE_NAME is ''. Use a table's name"),
        (["--sort-key", "date"], "--sort-key needs --partition-key"),
        (["--partition-key", "id", "--sort-key", "id"], "--partition-key and --sort-key are both 'id'"),
        (["--partition-key", "id:X"], "'id:X' is not a key. Write a name and a type, such as id:S"),
        (["--after-deploy", "--table", "a"], "--after-deploy and --destroy stand alone"),
        (["--after-deploy"], "Queue tablecast-dev-failed-changes does not exist in us-east-1"),
        (["--table-class", "BIG"], "Invalid value for '--table-class'"),
        (["--destory"], "No such option"),
    ],
)
def test_invalid_option_is_reported_in_one_line_and_changes_nothing(
    aws: Any, infra: Run, options: list[str], line: str
) -> None:
    names = {"THERE": table(aws), "KEYS": table(aws, **streams("KEYS_ONLY")), "TTL": next(NAMES)}
    aws.create_table(**sample.feed_table(names["TTL"]))
    expiry = {"Enabled": True, "AttributeName": "gone"}
    aws.update_time_to_live(TableName=names["TTL"], TimeToLiveSpecification=expiry)
    before, existing = files(), all_tables(aws)
    (error,) = infra(*(names.get(option, option) for option in options))
    assert error.startswith("tablecast: ")
    for short, name in names.items():
        error = error.replace(name, short)
    assert line in error
    assert (files(), all_tables(aws)) == (before, existing)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{", "tablecast: .chalice/config.json is not JSON: Expecting property name"),
        ("[]", "tablecast: .chalice/config.json: the file must be an object, not []"),
        ('{"stages": {}}', 'tablecast: .chalice/config.json has no "app_name". Add one'),
        ('{"app_name": 1}', "tablecast: .chalice/config.json: app_name must be a string, not 1"),
        (
            '{"app_name": "a", "stages": {"dev": []}}',
            "tablecast: .chalice/config.json: stages.dev must be an object, not []",
        ),
        (
            '{"app_name": "a", "environment_variables": 1}',
            "tablecast: .chalice/config.json: environment_variables must be an object, not 1",
        ),
        (
            '{"app_name": "a", "stages": {"dev": {"environment_variables": {"MAX_LIMIT": 5}}}}',
            "tablecast: .chalice/config.json: stages.dev.environment_variables.MAX_LIMIT must be a string, not 5",
        ),
        (
            '{"app_name": "a", "stages": {"dev": {"lambda_functions": {"on_change": "x"}}}}',
            'tablecast: .chalice/config.json: stages.dev.lambda_functions.on_change must be an object, not "x"',
        ),
        (
            '{"app_name": "a", "stages": {"prod": {"iam_policy_file": "policy-dev.json"}}}',
            "tablecast: .chalice/policy-dev.json is used by two functions. Give each its own iam_policy_file",
        ),
        (
            '{"app_name": "a", "lambda_functions": {"on_change": {"iam_policy_file": "policy-dev.json"}}}',
            "tablecast: .chalice/policy-dev.json is used by two functions. Give each its own iam_policy_file",
        ),
        (
            '{"app_name": "a", "stages": {"dev": {"environment_variables": {"NUMBERS": "x"}}}}',
            "tablecast: .chalice/config.json: NUMBERS is 'x'. Use string or number.",
        ),
    ],
)
def test_malformed_config_is_reported_and_left_unchanged(infra: Run, text: str, line: str) -> None:
    CONFIG.write_text(text)
    (error,) = infra("--table", "absent", "--partition-key", "id")
    assert error.startswith(line)
    assert CONFIG.read_text() == text


@pytest.mark.parametrize(
    ("file", "content", "line"),
    [
        (
            "config.json",
            b'{"app_name": "\xff"}',
            "tablecast: .chalice/config.json is not JSON: 'utf-8' codec can't decode byte 0xff in position 14",
        ),
        ("deployed/dev.json", b"{", "tablecast: .chalice/deployed/dev.json is not JSON: "),
        ("deployed/dev.json", b'{"resources": "x"}', "tablecast: .chalice/deployed/dev.json: resources must be a list"),
        (
            "deployed/dev.json",
            b'{"resources": [1]}',
            "tablecast: .chalice/deployed/dev.json: resources.0 must be an object, not 1",
        ),
        (
            "policy-dev.json",
            b'{"Statement": ["x"]}',
            'tablecast: .chalice/policy-dev.json: Statement.0 must be an object, not "x"',
        ),
        (
            "policy-dev.json",
            b'{"Statement": [null]}',
            "tablecast: .chalice/policy-dev.json: Statement.0 must be an object, not null",
        ),
        (
            "config.json.new",
            None,
            "tablecast: .chalice/config.json.new: Is a directory. Run this in the project's folder",
        ),
        (
            "deployed/dev.json",
            None,
            "tablecast: .chalice/deployed/dev.json: Is a directory. Run this in the project's",
        ),
    ],
)
def test_malformed_file_is_reported_before_anything_is_created(
    aws: Any, infra: Run, file: str, content: bytes | None, line: str
) -> None:
    (FOLDER / "deployed").mkdir()
    path = FOLDER / file
    path.mkdir() if content is None else path.write_bytes(content)
    existing = all_tables(aws)
    (error,) = infra("--table", next(NAMES), "--partition-key", "id")
    assert error.startswith(line)
    assert all_tables(aws) == existing


@pytest.mark.parametrize("resources", ["null", "[{}]", '[{"resource_type": "dynamodb_event", "name": "x"}]'])
def test_record_without_resources_counts_as_not_deployed(aws: Any, infra: Run, resources: str) -> None:
    (FOLDER / "deployed").mkdir()
    (FOLDER / "deployed/dev.json").write_text(f'{{"resources": {resources}}}')
    assert infra("--table", table(aws))[-1].startswith("Next: chalice deploy")
    assert infra("--after-deploy") == [
        "tablecast: Stage dev has no event source. Run chalice deploy --stage dev first."
    ]


def test_config_for_all_stages_applies_to_each(aws: Any, infra: Run) -> None:
    name = table(aws)
    top = {"iam_policy_file": "mine.json", "environment_variables": {"TABLE_NAME": name, "NUMBERS": "number"}}
    own = {"iam_policy_file": None, "environment_variables": {"NUMBERS": "string"}}
    CONFIG.write_text(json.dumps({"app_name": "a", **top, "stages": {"dev": own}}))
    assert "write .chalice/mine.json ..." in infra()
    dev = config()["stages"]["dev"]
    assert dev["environment_variables"].keys() == {"NUMBERS", "TABLE_NAME", "FEED_TABLE", "STREAM_ARN"}
    assert (dev["iam_policy_file"], dev["environment_variables"]["NUMBERS"]) == ("mine.json", "string")
    assert infra() == ["Nothing to do: stage dev is up to date."]


def test_line_ends_are_preserved(aws: Any, infra: Run) -> None:
    name = table(aws)
    for file in (CONFIG, FOLDER / "policy-dev.json"):
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    infra("--table", name)
    for file in (CONFIG, FOLDER / "policy-dev.json"):
        text = file.read_bytes()
        assert name.encode() in text
        assert text.count(b"\n") == text.count(b"\r\n")
    assert infra() == ["Nothing to do: stage dev is up to date."]


def test_stage_in_another_region_is_refused(aws: Any, infra: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    name = table(aws)
    infra("--table", name)
    before = files()
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    line = (
        "tablecast: Stage dev is not in eu-west-1 of account 000000000000: its STREAM_ARN is arn:aws:dynamodb:us-east-1"
    )
    for output in (infra("--table", name, "--partition-key", "id"), infra("--after-deploy"), destroyed(infra, name)):
        assert [text.partition(":000000000000:")[0] for text in output] == [line]
    assert files() == before
    assert all_tables(boto3.client("dynamodb")) == []


def test_changed_table_reports_what_is_kept(aws: Any, infra: Run) -> None:
    before, after = table(aws), table(aws)
    infra("--table", before)
    output = infra("--table", after)
    assert output[-2].startswith(f"Kept: table {before}, with its stream on, and its feed {before}-dev-feed. If")
    assert config()["stages"]["dev"]["environment_variables"]["FEED_TABLE"] == f"{after}-dev-feed"
    assert infra() == ["Nothing to do: stage dev is up to date."]
    # The same when TABLE_NAME was edited by hand.
    CONFIG.write_text(CONFIG.read_text().replace(f'"TABLE_NAME": "{after}"', f'"TABLE_NAME": "{before}"'))
    assert infra()[-2].startswith(f"Kept: table {after},")
    assert config()["stages"]["dev"]["environment_variables"]["FEED_TABLE"] == f"{before}-dev-feed"


def test_wrong_folder_is_reported(infra: Run, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path.parent)
    (error,) = infra()
    assert error.startswith("tablecast: .chalice/config.json: No such file or directory. Run this in the project's fol")


@pytest.mark.parametrize(
    ("without", "line"),
    [
        (("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "No credentials. Set AWS_PROFILE, or run aws configure."),
        (("AWS_SECRET_ACCESS_KEY",), "No credentials. Set AWS_PROFILE, or run aws configure."),
        (("AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"), "No region. Set AWS_DEFAULT_REGION, or run aws configure."),
    ],
)
def test_missing_credentials_or_region_is_reported(
    infra: Run, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, without: tuple[str, ...], line: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in without:
        monkeypatch.delenv(name)
    assert infra() == [f"tablecast: {line}"]


def test_unreachable_aws_is_reported_in_one_line(infra: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    (error,) = infra()
    assert error.startswith("tablecast: Could not connect to the endpoint URL")


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        (
            "AWS_ENDPOINT_URL",
            "foo",
            "Invalid endpoint: foo. Set AWS_ENDPOINT_URL to a URL such as http://127.0.0.1:4566",
        ),
        ("AWS_ENDPOINT_URL_DYNAMODB", "foo", "Invalid endpoint: foo. Set AWS_ENDPOINT_URL to a URL such as http://"),
        ("AWS_DEFAULT_REGION", "us east 1", "Provided region_name 'us east 1' doesn't match a supported format."),
    ],
)
def test_invalid_endpoint_or_region_is_reported_in_one_line(
    infra: Run, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, line: str
) -> None:
    monkeypatch.setenv(variable, value)
    (error,) = infra("--table", "absent")
    assert error.startswith(f"tablecast: {line}")


@pytest.fixture
def functions(aws: Any) -> Iterator[Any]:
    """A Lambda client; functions and event sources are deleted at the end."""
    client = boto3.client("lambda")
    yield client
    for source in client.list_event_source_mappings()["EventSourceMappings"]:
        client.delete_event_source_mapping(UUID=source["UUID"])
    for function in client.list_functions()["Functions"]:
        client.delete_function(FunctionName=function["FunctionName"])


def source_of(functions: Any, function: str, stream_arn: str) -> str:
    """Create `function` with an event source; return the UUID of that."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as package:
        package.writestr("app.py", "def on_change(event, context): pass")
    functions.create_function(
        FunctionName=function,
        Runtime="python3.12",
        Role="arn:aws:iam::000000000000:role/any",
        Handler="app.on_change",
        Code={"ZipFile": packed.getvalue()},
    )
    made = functions.create_event_source_mapping(
        FunctionName=function, EventSourceArn=stream_arn, StartingPosition="TRIM_HORIZON"
    )
    return str(made["UUID"])


def stream_of(aws: Any, name: str) -> str:
    return str(aws.describe_table(TableName=name)["Table"]["LatestStreamArn"])


def test_stage_deployed_from_another_clone_is_refused(aws: Any, infra: Run, functions: Any) -> None:
    """It is configured from the first clone, with an API stage that config.json sets for all stages."""
    name, gateway = table(aws), boto3.client("apigateway")
    CONFIG.write_text('{"app_name": "tablecast", "api_gateway_stage": "v1"}')
    infra("--table", name)
    uuid = source_of(functions, "tablecast-dev-on_change", stream_of(aws, name))
    api = gateway.create_rest_api(name="tablecast")["id"]
    gateway.create_deployment(restApiId=api, stageName="v1")
    event = {"name": "event", "resource_type": "dynamodb_event", "event_uuid": uuid}
    record = {"resources": [event, {"name": "api", "resource_type": "rest_api", "rest_api_id": api}]}
    deployed = FOLDER / "deployed/dev.json"
    deployed.parent.mkdir()
    deployed.write_text(json.dumps(record))
    assert [line.partition(":")[0] for line in infra("--after-deploy")] == [
        "configure the event source of tablecast-dev-on_change",
        "add CORS headers to API Gateway's own errors",
    ]
    assert infra("--after-deploy") == infra() == ["Nothing to do: stage dev is up to date."]

    deployed.unlink()
    line = "tablecast: Stage dev was deployed from another clone. Copy .chalice/deployed/dev.json from that clone."
    assert infra() == infra("--after-deploy") == infra("--table", table(aws)) == [line]
    assert destroyed(infra, name) == [
        "tablecast: Function tablecast-dev-on_change is deployed, and .chalice/deployed/dev.json does not record it. "
        "Copy that file from the clone it was deployed from, or run chalice deploy --stage dev; then run chalice "
        "delete."
    ]
    assert functions.get_event_source_mapping(UUID=uuid)["EventSourceArn"] == stream_of(aws, name)
    assert f"{name}-dev-feed" in all_tables(aws)

    # The event source was deleted by a run that was stopped before it wrote the record.
    deployed.write_text(json.dumps(record))
    functions.delete_event_source_mapping(UUID=uuid)
    assert infra() == [f"remove the event source {uuid} from .chalice/deployed/dev.json ..."]
    assert json.loads(deployed.read_text()) == {"resources": record["resources"][1:]}
    assert infra() == ["Nothing to do: stage dev is up to date."]
    gateway.delete_rest_api(restApiId=api)


def test_stream_with_another_reader_is_kept(aws: Any, infra: Run, functions: Any) -> None:
    adopted, made = table(aws), next(NAMES)
    for name, keys in ((adopted, []), (made, ["--partition-key", "id"])):
        infra("--table", name, *keys)
        uuid = source_of(functions, f"{name}-reader", stream_of(aws, name))
        output = destroyed(infra, name)
        assert f"keep the table {name} and its stream, which is read by {name}-reader ..." in output
        assert f"delete the table {name}-dev-feed with about 0 items ..." in output
        assert aws.describe_table(TableName=name)["Table"]["StreamSpecification"]["StreamEnabled"]
        functions.delete_event_source_mapping(UUID=uuid)
        (last,) = destroyed(infra, name)
        assert last.startswith((f"turn off the stream of {name}", f"delete the table {name} with"))


def test_deployed_stage_is_not_destroyed(infra: Run) -> None:
    (FOLDER / "deployed").mkdir()
    record = {"resources": [{"resource_type": "rest_api", "rest_api_id": "gone"}]}
    (FOLDER / "deployed/dev.json").write_text(json.dumps(record))
    assert destroyed(infra, "study_test") == ["tablecast: Stage dev is deployed. Run chalice delete --stage dev first."]


def test_help_lists_the_options() -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COV_")}
    asked = [sys.executable, "-m", "infra", "--help"]
    output = subprocess.run(asked, cwd=ROOT, env=environ, capture_output=True, text=True, check=True).stdout
    for option in (
        "--stage",
        "--table",
        "--partition-key",
        "--dry-run",
        "--after-deploy",
        "--destroy",
        "--stream-view",
    ):
        assert option in output


OBJECTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)
PATHS = st.lists(st.text(max_size=3), min_size=1, max_size=3)


@given(st.dictionaries(st.text(max_size=3), OBJECTS, max_size=4), PATHS, OBJECTS, st.sampled_from([None, 0, 2, "\t"]))
def test_value_set_and_removed_leaves_the_rest(
    before: dict[str, Any], path: list[str], value: Any, indent: int | str | None
) -> None:
    text = json.dumps(before, indent=indent)
    wanted = json.loads(text)
    inner = wanted
    for name in path[:-1]:
        if not isinstance(inner.get(name), dict):
            inner[name] = {}
        inner = inner[name]
    inner[path[-1]] = value
    changed = with_value(text, path, value)
    assert json.loads(changed) == wanted
    assert with_value(changed, path, value) == changed
    del inner[path[-1]]
    assert json.loads(without(changed, path)) == wanted
    assert without(without(changed, path), path) == without(changed, path)
