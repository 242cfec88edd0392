"""`python -m infra` against the embedded AWS: what it makes, adopts, refuses, and takes away."""

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
from infra import stage, tables
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
    """DynamoDB's client, in the folder of a project, with an embedded AWS for all of it."""
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
    """Runs it; gives the lines it prints, and those that end it on one line with no exit of 0."""

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
    loaded: dict[str, Any] = json.loads(stage.CONFIG.read_text())
    return loaded


def table(aws: Any, *keys: str, **more: Any) -> str:
    """The name of a table that somebody else has made."""
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
    """More than one answer holds, as other tests have made tables too."""
    return [name for page in aws.get_paginator("list_tables").paginate() for name in page["TableNames"]]


def streams(view: str) -> dict[str, Any]:
    return {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": view}}


def test_a_table_that_is_there_is_adopted_as_it_is(aws: Any, infra: Run) -> None:
    name = table(aws, "customer", "date")
    aws.put_item(TableName=name, Item={"customer": {"S": "anna"}, "date": {"S": "2026"}})
    first = infra("--table", name)
    assert first[0] == f"turn on the stream of {name}: NEW_AND_OLD_IMAGES ..."
    there = aws.describe_table(TableName=name)["Table"]
    environment = config()["stages"]["dev"]["environment_variables"]
    assert environment == {
        "TABLE_NAME": name,
        "FEED_TABLE": f"{name}-dev-feed",
        "STREAM_ARN": there["LatestStreamArn"],
    }
    expiry = aws.describe_time_to_live(TableName=f"{name}-dev-feed")["TimeToLiveDescription"]
    assert (expiry["TimeToLiveStatus"], expiry["AttributeName"]) == ("ENABLED", "expires")
    before = files()
    assert infra() == ["Nothing to do: stage dev is as it should be."]
    assert files() == before
    assert aws.scan(TableName=name)["Count"] == 1

    monkey = [f"turn off the stream of {name} ...", "write .chalice/config.json ..."]
    assert taken(infra, name) == [
        f"delete the table {name}-dev-feed with about 0 items ...",
        monkey[0],
        "delete the queue tablecast-dev-failed-changes ...",
        "delete the log group /aws/lambda/tablecast-dev ...",
        "delete the log group /aws/lambda/tablecast-dev-on_change ...",
        monkey[1],
    ]
    there = aws.describe_table(TableName=name)["Table"]
    assert not there.get("StreamSpecification", {}).get("StreamEnabled")
    assert aws.scan(TableName=name)["Count"] == 1
    assert taken(infra, name) == ["Nothing to do: stage dev is as it should be."]


def taken(infra: Run, typed: str) -> list[str]:
    """What --destroy says where `typed` is what is asked for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("click.prompt", lambda *_, **__: typed)
        return infra("--destroy")


def test_a_table_is_made_as_it_is_asked_for(aws: Any, infra: Run) -> None:
    name = next(NAMES)
    wanted = ("--table", name, "--partition-key", "customer", "--sort-key", "a:b:N", "--stream-view", "NEW_IMAGE")
    more = ("--table-class", "STANDARD_INFREQUENT_ACCESS", "--point-in-time-recovery")
    before = files()
    planned = infra(*wanted, *more, "--dry-run")
    assert planned[0].startswith(f"would make the table {name}: keys customer:S and a:b:N, STANDARD_INFREQUENT_ACCESS")
    assert (files(), name in all_tables(aws)) == (before, False)
    done = infra(*wanted, *more)
    assert [line.removesuffix(" ...") for line in done[:-1]] == [line.removeprefix("would ") for line in planned]
    there = aws.describe_table(TableName=name)["Table"]
    assert tables.keys(there) == {"customer": "S", "a:b": "N"}
    assert there["StreamSpecification"]["StreamViewType"] == "NEW_IMAGE"
    assert there["TableClassSummary"]["TableClass"] == "STANDARD_INFREQUENT_ACCESS"
    assert there["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    recovery = aws.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    assert recovery["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    assert infra(*wanted, *more) == ["Nothing to do: stage dev is as it should be."]
    changed = infra("--table-class", "STANDARD", "--no-point-in-time-recovery")
    assert changed == [
        f"change the table class of {name} from STANDARD_INFREQUENT_ACCESS to STANDARD ...",
        f"turn off the point-in-time recovery of {name} ...",
    ]
    assert taken(infra, "another") == [f"tablecast: that is not {name}: nothing is taken away"]
    assert f"delete the table {name} with about 0 items ..." in taken(infra, name)
    assert name not in all_tables(aws)


def test_what_is_not_known_of_config_and_policies_stays_as_it_is(aws: Any, infra: Run) -> None:
    name = table(aws, **streams("NEW_AND_OLD_IMAGES"))
    stage.CONFIG.write_text(HAND_MADE)
    own = {"Sid": "Key", "Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}
    (stage.FOLDER / "policy-dev.json").write_text(json.dumps({"Id": "mine", "Statement": [{"Sid": "ReadFeed"}, own]}))
    (stage.FOLDER / "policy-dev-on_change.json").write_text(json.dumps({"Statement": own}))
    infra("--table", name)
    start, end = HAND_MADE.split('{"NUMBERS":"number"}')
    text = stage.CONFIG.read_text()
    assert text.startswith(start)
    assert text.endswith(end.partition("}")[2])
    assert config()["stages"]["dev"]["environment_variables"]["NUMBERS"] == "number"
    statements = json.loads((stage.FOLDER / "policy-dev.json").read_text())["Statement"]
    assert [one["Sid"] for one in statements] == ["ReadTable", "ReadIndexes", "ReadFeed", "WriteLogs", "Key"]
    assert statements[-1] == own
    assert json.loads((stage.FOLDER / "policy-dev.json").read_text())["Id"] == "mine"
    assert json.loads((stage.FOLDER / "policy-dev-on_change.json").read_text())["Statement"][-1] == own
    assert f"table/{name}-dev-feed" in statements[2]["Resource"]
    assert infra() == ["Nothing to do: stage dev is as it should be."]
    taken(infra, name)
    assert config()["stages"]["dev"]["environment_variables"] == {"NUMBERS": "number", "TABLE_NAME": name}
    assert aws.describe_table(TableName=name)["Table"]["StreamSpecification"]["StreamEnabled"]


def test_another_stage_has_all_of_its_own(aws: Any, infra: Run) -> None:
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


def test_stopped_at_any_call_it_goes_on_the_next_time(aws: Any, infra: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    name, whole = next(NAMES), files()
    changes = ("Create", "Update", "Put", "Tag")

    def stop(model: Any, **_: Any) -> None:
        if model.name.startswith(changes):
            raise KeyboardInterrupt

    def stopping(self: Any, service: str) -> Any:
        client = aws_of(self, service)
        client.meta.events.register("after-call", stop)
        return client

    stops, aws_of = 0, command._AWS.client
    with monkeypatch.context() as patched:
        patched.setattr(command._AWS, "client", stopping)
        while (said := infra("--table", name, "--partition-key", "id"))[-1].endswith("goes on with it"):
            stops += 1
            assert files() == whole
    # Two tables, the feed's expiry, a queue, and two log groups with their retention.
    assert stops == 8
    assert said[-1].startswith("Next: chalice deploy")
    assert infra() == ["Nothing to do: stage dev is as it should be."]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            ["--table", "absent"],
            "there is no table absent in us-east-1 of account 000000000000: name its --partition-key",
        ),
        (["--table", "THERE", "--partition-key", "other"], "the table THERE in us-east-1 of account 000000000000 has"),
        (["--table", "THERE", "--partition-key", "id:N"], "has the keys id:S, not id:N"),
        (["--table", "KEYS"], "the stream of KEYS is KEYS_ONLY, which cannot be changed while it is on: --stream-view"),
        (["--table", "THERE", "--feed-table", "KEYS"], "the table KEYS has the keys id:S, not a feed's"),
        (["--table", "THERE", "--feed-table", "TTL"], "the table TTL drops items by gone, not expires: name another"),
        (["--table", "THERE", "--feed-table", "THERE"], "the table to publish: the feed takes a table of its own"),
        (["--table", "a b"], ".chalice/config.json: TABLE_NAME is 'a b': it takes a table's name"),
        (["--stage", "local"], "stage local is not made here: python -m local is for it"),
        (["--stage", "new"], "stage new has no TABLE_NAME: name the --table to publish"),
        (["--stage", "my.stage", "--table", "THERE"], "would have a function tablecast-my.stage-on_change: letters, "),
        (["--stage", "s" * 45, "--table", "THERE"], "-on_change: letters, digits, - and _, at most 64, do"),
        (["--table", ""], ".chalice/config.json: TABLE_NAME is '': it takes a table's name"),
        (["--sort-key", "date"], "--sort-key goes with --partition-key"),
        (["--partition-key", "id", "--sort-key", "id"], "--partition-key and --sort-key are both 'id'"),
        (["--partition-key", "id:X"], "'id:X' is no key: it takes a name and a type, such as id:S"),
        (["--finish", "--table", "a"], "--finish and --destroy stand alone"),
        (["--finish"], "there is no queue tablecast-dev-failed-changes in us-east-1"),
        (["--table-class", "BIG"], "Invalid value for '--table-class'"),
        (["--destory"], "No such option"),
    ],
)
def test_bad_input_is_told_in_one_line_and_changes_nothing(aws: Any, infra: Run, options: list[str], line: str) -> None:
    names = {"THERE": table(aws), "KEYS": table(aws, **streams("KEYS_ONLY")), "TTL": next(NAMES)}
    aws.create_table(**sample.feed_table(names["TTL"]))
    expiry = {"Enabled": True, "AttributeName": "gone"}
    aws.update_time_to_live(TableName=names["TTL"], TimeToLiveSpecification=expiry)
    before, there = files(), all_tables(aws)
    (said,) = infra(*(names.get(option, option) for option in options))
    assert said.startswith("tablecast: ")
    for short, name in names.items():
        said = said.replace(name, short)
    assert line in said
    assert (files(), all_tables(aws)) == (before, there)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{", "tablecast: .chalice/config.json is not JSON: Expecting property name"),
        ("[]", "tablecast: .chalice/config.json: it is []: it takes an object"),
        ('{"stages": {}}', 'tablecast: .chalice/config.json takes an "app_name"'),
        ('{"app_name": 1}', "tablecast: .chalice/config.json: app_name is 1: it takes a string"),
        (
            '{"app_name": "a", "stages": {"dev": []}}',
            "tablecast: .chalice/config.json: stages.dev is []: it takes an ob",
        ),
        (
            '{"app_name": "a", "environment_variables": 1}',
            "tablecast: .chalice/config.json: environment_variables is 1: ",
        ),
        (
            '{"app_name": "a", "stages": {"dev": {"environment_variables": {"MAX_LIMIT": 5}}}}',
            "tablecast: .chalice/config.json: stages.dev.environment_variables.MAX_LIMIT is 5: it takes a string",
        ),
        (
            '{"app_name": "a", "stages": {"dev": {"lambda_functions": {"on_change": "x"}}}}',
            'tablecast: .chalice/config.json: stages.dev.lambda_functions.on_change is "x": it takes an object',
        ),
        (
            '{"app_name": "a", "stages": {"prod": {"iam_policy_file": "policy-dev.json"}}}',
            "tablecast: .chalice/policy-dev.json is not of one function alone: give each an iam_policy_file of its own",
        ),
        (
            '{"app_name": "a", "lambda_functions": {"on_change": {"iam_policy_file": "policy-dev.json"}}}',
            "tablecast: .chalice/policy-dev.json is not of one function alone: give each an iam_policy_file of its own",
        ),
        (
            '{"app_name": "a", "stages": {"dev": {"environment_variables": {"NUMBERS": "x"}}}}',
            "tablecast: .chalice/config.json: NUMBERS is 'x': it takes string or number",
        ),
    ],
)
def test_a_config_that_is_none_is_left_alone(infra: Run, text: str, line: str) -> None:
    stage.CONFIG.write_text(text)
    (said,) = infra("--table", "absent", "--partition-key", "id")
    assert said.startswith(line)
    assert stage.CONFIG.read_text() == text


@pytest.mark.parametrize(
    ("file", "content", "line"),
    [
        (
            "config.json",
            b'{"app_name": "\xff"}',
            "tablecast: .chalice/config.json is not JSON: 'utf-8' codec can't decode byte 0xff in position 14",
        ),
        ("deployed/dev.json", b"{", "tablecast: .chalice/deployed/dev.json is not JSON: "),
        ("deployed/dev.json", b'{"resources": "x"}', "tablecast: .chalice/deployed/dev.json: resources is "),
        (
            "deployed/dev.json",
            b'{"resources": [1]}',
            "tablecast: .chalice/deployed/dev.json: resources.0 is 1: it takes",
        ),
        (
            "policy-dev.json",
            b'{"Statement": ["x"]}',
            'tablecast: .chalice/policy-dev.json: Statement.0 is "x": it takes',
        ),
        (
            "policy-dev.json",
            b'{"Statement": [null]}',
            "tablecast: .chalice/policy-dev.json: Statement.0 is null: it takes",
        ),
        (
            "config.json.new",
            None,
            "tablecast: .chalice/config.json.new: Is a directory; this is run in the project's folder",
        ),
        (
            "deployed/dev.json",
            None,
            "tablecast: .chalice/deployed/dev.json: Is a directory; this is run in the project's",
        ),
    ],
)
def test_a_file_that_is_none_is_told_before_anything_is_made(
    aws: Any, infra: Run, file: str, content: bytes | None, line: str
) -> None:
    (stage.FOLDER / "deployed").mkdir()
    path = stage.FOLDER / file
    path.mkdir() if content is None else path.write_bytes(content)
    there = all_tables(aws)
    (said,) = infra("--table", next(NAMES), "--partition-key", "id")
    assert said.startswith(line)
    assert all_tables(aws) == there


@pytest.mark.parametrize("resources", ["null", "[{}]", '[{"resource_type": "dynamodb_event", "name": "x"}]'])
def test_a_record_that_says_little_is_one_of_nothing(aws: Any, infra: Run, resources: str) -> None:
    (stage.FOLDER / "deployed").mkdir()
    (stage.FOLDER / "deployed/dev.json").write_text(f'{{"resources": {resources}}}')
    assert infra("--table", table(aws))[-1].startswith("Next: chalice deploy")
    assert infra("--finish") == [
        "tablecast: stage dev has no dynamodb_event deployed: chalice deploy --stage dev comes first"
    ]


def test_what_config_says_for_all_stages_holds_for_each(aws: Any, infra: Run) -> None:
    name = table(aws)
    top = {"iam_policy_file": "mine.json", "environment_variables": {"TABLE_NAME": name, "NUMBERS": "number"}}
    own = {"iam_policy_file": None, "environment_variables": {"NUMBERS": "string"}}
    stage.CONFIG.write_text(json.dumps({"app_name": "a", **top, "stages": {"dev": own}}))
    assert "write .chalice/mine.json ..." in infra()
    dev = config()["stages"]["dev"]
    assert dev["environment_variables"].keys() == {"NUMBERS", "TABLE_NAME", "FEED_TABLE", "STREAM_ARN"}
    assert (dev["iam_policy_file"], dev["environment_variables"]["NUMBERS"]) == ("mine.json", "string")
    assert infra() == ["Nothing to do: stage dev is as it should be."]


def test_ends_of_lines_stay_as_they_are(aws: Any, infra: Run) -> None:
    name = table(aws)
    for file in (stage.CONFIG, stage.FOLDER / "policy-dev.json"):
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    infra("--table", name)
    for file in (stage.CONFIG, stage.FOLDER / "policy-dev.json"):
        text = file.read_bytes()
        assert name.encode() in text
        assert text.count(b"\n") == text.count(b"\r\n")
    assert infra() == ["Nothing to do: stage dev is as it should be."]


def test_a_stage_is_left_alone_from_another_place(aws: Any, infra: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    name = table(aws)
    infra("--table", name)
    before = files()
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    line = (
        "tablecast: stage dev is not in eu-west-1 of account 000000000000: its STREAM_ARN is arn:aws:dynamodb:us-east-1"
    )
    for said in (infra("--table", name, "--partition-key", "id"), infra("--finish"), taken(infra, name)):
        assert [one.partition(":000000000000:")[0] for one in said] == [line]
    assert files() == before
    assert all_tables(boto3.client("dynamodb")) == []


def test_a_stage_that_changes_its_table_tells_what_it_leaves(aws: Any, infra: Run) -> None:
    before, after = table(aws), table(aws)
    infra("--table", before)
    said = infra("--table", after)
    assert said[-2].startswith(f"{before} stays, with its stream on, and so does its feed {before}-dev-feed: where")
    assert config()["stages"]["dev"]["environment_variables"]["FEED_TABLE"] == f"{after}-dev-feed"
    assert infra() == ["Nothing to do: stage dev is as it should be."]
    # By hand it is the same.
    stage.CONFIG.write_text(stage.CONFIG.read_text().replace(f'"TABLE_NAME": "{after}"', f'"TABLE_NAME": "{before}"'))
    assert infra()[-2].startswith(f"{after} stays")
    assert config()["stages"]["dev"]["environment_variables"]["FEED_TABLE"] == f"{before}-dev-feed"


def test_it_says_where_to_run_it(infra: Run, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path.parent)
    (said,) = infra()
    assert said.startswith(
        "tablecast: .chalice/config.json: No such file or directory; this is run in the project's fol"
    )


@pytest.mark.parametrize(
    ("without", "line"),
    [
        (("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "no credentials: set AWS_PROFILE, or run aws configure"),
        (("AWS_SECRET_ACCESS_KEY",), "no credentials: set AWS_PROFILE, or run aws configure"),
        (("AWS_DEFAULT_REGION",), "no region: set AWS_DEFAULT_REGION, or run aws configure"),
    ],
)
def test_without_credentials_or_region_it_says_so(
    infra: Run, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, without: tuple[str, ...], line: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in without:
        monkeypatch.delenv(name)
    assert infra() == [f"tablecast: {line}"]


def test_an_aws_out_of_reach_is_told_in_one_line(infra: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    (said,) = infra()
    assert said.startswith("tablecast: Could not connect to the endpoint URL")


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        (
            "AWS_ENDPOINT_URL",
            "foo",
            "Invalid endpoint: foo: AWS_ENDPOINT_URL takes a URL, such as http://127.0.0.1:4566",
        ),
        ("AWS_ENDPOINT_URL_DYNAMODB", "foo", "Invalid endpoint: foo: AWS_ENDPOINT_URL takes a URL, such as http://"),
        ("AWS_DEFAULT_REGION", "us east 1", "Provided region_name 'us east 1' doesn't match a supported format."),
    ],
)
def test_a_place_that_is_none_is_told_in_one_line(
    infra: Run, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, line: str
) -> None:
    monkeypatch.setenv(variable, value)
    (said,) = infra("--table", "absent")
    assert said.startswith(f"tablecast: {line}")


@pytest.fixture
def functions(aws: Any) -> Iterator[Any]:
    """Lambda's client; what is there at the end is taken away."""
    client = boto3.client("lambda")
    yield client
    for source in client.list_event_source_mappings()["EventSourceMappings"]:
        client.delete_event_source_mapping(UUID=source["UUID"])
    for function in client.list_functions()["Functions"]:
        client.delete_function(FunctionName=function["FunctionName"])


def source_of(functions: Any, function: str, stream_arn: str) -> str:
    """The event source of `function`, which is made."""
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


def test_a_stage_that_is_deployed_from_elsewhere_is_left_alone(aws: Any, infra: Run, functions: Any) -> None:
    """And finished where it was deployed, with an API stage that config.json names for all."""
    name, gateway = table(aws), boto3.client("apigateway")
    stage.CONFIG.write_text('{"app_name": "tablecast", "api_gateway_stage": "v1"}')
    infra("--table", name)
    uuid = source_of(functions, "tablecast-dev-on_change", stream_of(aws, name))
    api = gateway.create_rest_api(name="tablecast")["id"]
    gateway.create_deployment(restApiId=api, stageName="v1")
    event = {"name": "event", "resource_type": "dynamodb_event", "event_uuid": uuid}
    record = {"resources": [event, {"name": "api", "resource_type": "rest_api", "rest_api_id": api}]}
    deployed = stage.FOLDER / "deployed/dev.json"
    deployed.parent.mkdir()
    deployed.write_text(json.dumps(record))
    assert [line.partition(":")[0] for line in infra("--finish")] == [
        "set the event source of tablecast-dev-on_change",
        "give API Gateway's own answers CORS headers",
    ]
    assert infra("--finish") == infra() == ["Nothing to do: stage dev is as it should be."]

    deployed.unlink()
    line = "tablecast: stage dev is deployed from elsewhere: get its .chalice/deployed/dev.json from there"
    assert infra() == infra("--finish") == infra("--table", table(aws)) == [line]
    assert taken(infra, name) == [
        "tablecast: the function tablecast-dev-on_change is deployed, which .chalice/deployed/dev.json does not have: "
        "get that file from where it was deployed, or chalice deploy --stage dev; then chalice delete"
    ]
    assert functions.get_event_source_mapping(UUID=uuid)["EventSourceArn"] == stream_of(aws, name)
    assert f"{name}-dev-feed" in all_tables(aws)

    # Its event source is taken away, and the run is stopped before the record is written.
    deployed.write_text(json.dumps(record))
    functions.delete_event_source_mapping(UUID=uuid)
    assert infra() == [f"take the event source {uuid} out of .chalice/deployed/dev.json ..."]
    assert json.loads(deployed.read_text()) == {"resources": record["resources"][1:]}
    assert infra() == ["Nothing to do: stage dev is as it should be."]
    gateway.delete_rest_api(restApiId=api)


def test_what_another_function_reads_stays_until_it_is_gone(aws: Any, infra: Run, functions: Any) -> None:
    adopted, made = table(aws), next(NAMES)
    for name, keys in ((adopted, []), (made, ["--partition-key", "id"])):
        infra("--table", name, *keys)
        uuid = source_of(functions, f"{name}-reader", stream_of(aws, name))
        said = taken(infra, name)
        assert f"leave the table {name} and its stream as they are, for {name}-reader to read ..." in said
        assert f"delete the table {name}-dev-feed with about 0 items ..." in said
        assert aws.describe_table(TableName=name)["Table"]["StreamSpecification"]["StreamEnabled"]
        functions.delete_event_source_mapping(UUID=uuid)
        (last,) = taken(infra, name)
        assert last.startswith((f"turn off the stream of {name}", f"delete the table {name} with"))


def test_a_deployed_stage_is_not_taken_away(infra: Run) -> None:
    (stage.FOLDER / "deployed").mkdir()
    record = {"resources": [{"resource_type": "rest_api", "rest_api_id": "gone"}]}
    (stage.FOLDER / "deployed/dev.json").write_text(json.dumps(record))
    assert taken(infra, "study_test") == ["tablecast: stage dev is deployed: chalice delete --stage dev comes first"]


def test_its_help_tells_what_there_is() -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("COV_")}
    asked = [sys.executable, "-m", "infra", "--help"]
    said = subprocess.run(asked, cwd=ROOT, env=environ, capture_output=True, text=True, check=True).stdout
    for option in ("--stage", "--table", "--partition-key", "--dry-run", "--finish", "--destroy", "--stream-view"):
        assert option in said


OBJECTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)
PATHS = st.lists(st.text(max_size=3), min_size=1, max_size=3)


@given(st.dictionaries(st.text(max_size=3), OBJECTS, max_size=4), PATHS, OBJECTS, st.sampled_from([None, 0, 2, "\t"]))
def test_a_value_that_is_set_and_taken_back_leaves_the_rest(
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
