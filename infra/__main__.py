"""`python -m infra`: what `chalice deploy` needs to be there before it, and what it has no words for after it."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import click
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError, PartialCredentialsError

from infra import deployed, others, policies, stage, tables
from infra.policies import Place
from infra.stage import Stage, Wrong

TYPES = ("S", "N", "B")
# CreateDeployment is taken once in 5 seconds of an account, and `chalice deploy` has just called it.
ATTEMPTS = {"apigateway": 9}


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--stage", "name", default="dev", show_default=True, help="The stage of .chalice/config.json.")
@click.option("--table", metavar="NAME", help="The table to publish; left out, the stage's TABLE_NAME.")
@click.option(
    "--partition-key",
    metavar="NAME[:TYPE]",
    help="Makes the table if it is not there, with this partition key: id, id:N. TYPE is S (string, if left out), N "
    "(number) or B (binary).",
)
@click.option("--sort-key", metavar="NAME[:TYPE]", help="And this sort key.")
@click.option(
    "--stream-view",
    type=click.Choice(["NEW_AND_OLD_IMAGES", "NEW_IMAGE", "OLD_IMAGE", "KEYS_ONLY"]),
    help="What a change in /changes carries; left out, NEW_AND_OLD_IMAGES. A stream that is on already keeps its own.",
)
@click.option(
    "--table-class",
    type=click.Choice(["STANDARD", "STANDARD_INFREQUENT_ACCESS"]),
    help="The table's class; left out, as it is, and STANDARD for one that is made.",
)
@click.option(
    "--point-in-time-recovery/--no-point-in-time-recovery",
    default=None,
    help="Whether the table can be restored to any second of the last 35 days; left out, as it is.",
)
@click.option(
    "--feed-table",
    metavar="NAME",
    help="The change feed's table; left out, the stage's FEED_TABLE, or TABLE-STAGE-feed.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do none of it.")
@click.option("--finish", is_flag=True, help="After each `chalice deploy`: what Chalice has no words for.")
@click.option("--destroy", is_flag=True, help="After `chalice delete`: take away what this command made, asking first.")
def main(
    name: str,
    table: str | None,
    partition_key: str | None,
    sort_key: str | None,
    stream_view: str | None,
    table_class: str | None,
    point_in_time_recovery: bool | None,
    feed_table: str | None,
    dry_run: bool,
    finish: bool,
    destroy: bool,
) -> None:
    """Prepare a stage for `chalice deploy`.

    Makes the table to publish, or adopts the one that is there; turns its stream on; makes the change feed's table and
    a queue for failed changes; writes their names into the stage in .chalice/config.json, and one policy a function
    beside it. Says what it did, changes no item of any table, and does nothing the second time. Credentials and region
    are those of the AWS CLI (AWS_PROFILE, AWS_DEFAULT_REGION).

    \b
      python -m infra --table orders                              adopt a table
      python -m infra --table orders --partition-key customer --sort-key date:N
      chalice deploy --stage dev
      python -m infra --finish                                    after each deploy
      chalice delete --stage dev && python -m infra --destroy     take it all away
    """
    given = [table, partition_key, sort_key, stream_view, table_class, point_in_time_recovery, feed_table]
    if (finish or destroy) and ((finish and destroy) or any(one is not None for one in given)):
        raise Wrong("--finish and --destroy stand alone: they take --stage and --dry-run")
    there = stage.read(name)
    act = _Act(dry_run)
    if not (dry_run or finish):
        stage.check_writable()
    with _aws() as aws:
        there.check_place(aws.place)
        if finish:
            _finish(there, aws, act)
        elif destroy:
            _destroy(there, aws, act)
        else:
            keys = _keys(partition_key, sort_key)
            published = there.environment.get("TABLE_NAME") if table is None else table
            if published is None:
                raise Wrong(f"stage {name} has no TABLE_NAME: name the --table to publish")
            wanted = tables.Wanted(published, keys, stream_view, table_class, point_in_time_recovery)
            _prepare(there, wanted, feed_table, aws, act)
    act.summary(there)


class _Act:
    """Does what it is told, and says so; in a dry run it says what it would do."""

    def __init__(self, dry_run: bool) -> None:
        self.dry_run, self.acted = dry_run, False

    def __call__(self, what: str, do: Callable[[], object]) -> None:
        self.acted = True
        click.echo(f"would {what}" if self.dry_run else f"{what} ...")
        if not self.dry_run:
            do()

    def summary(self, there: Stage) -> None:
        if not self.acted:
            click.echo(f"Nothing to do: stage {there.name} is as it should be.")


def _prepare(there: Stage, wanted: tables.Wanted, feed_table: str | None, aws: _AWS, act: _Act) -> None:
    dynamodb, name = aws.client("dynamodb"), wanted.name
    had = there.environment
    feed = there.feed_of(name) if feed_table is None else feed_table
    environment = {"TABLE_NAME": name, "FEED_TABLE": feed}
    stage.checked({key: value for key, value in had.items() if key != "STREAM_ARN"} | environment)

    sources = deployed.sources(aws.client("lambda"), there)
    published, there_feed = tables.described(dynamodb, name), tables.described(dynamodb, feed)
    tables.check_published(wanted, published, aws.where, had.get("STREAM_ARN"))
    tables.check_feed(dynamodb, feed, there_feed)
    texts = {
        there.policy_file: policies.reader(aws.place, there.function, name, feed),
        there.handler_policy_file: policies.handler(aws.place, there.handler, name, feed, there.queue),
    }
    written = {file: stage.policy(file, statements) for file, statements in texts.items()}

    stream_arn = tables.make_published(dynamodb, wanted, published, there.name, act)
    tables.make_feed(dynamodb, feed, there_feed, there.name, act)
    others.make_queue(aws.client("sqs"), there.queue, there.name, act)
    for function in (there.function, there.handler):
        others.make_log_group(aws.client("logs"), function, there.name, act)
    deployed.drop_stale_sources(aws.client("lambda"), there, sources, stream_arn, act)
    environment["STREAM_ARN"] = stream_arn or "(the ARN of the stream that would be made)"
    # config.json last: what it names is there by then.
    written[stage.CONFIG] = there.deployable(environment)
    changed = {file: text for file, text in written.items() if not file.exists() or file.read_bytes() != text.encode()}
    for file, text in changed.items():
        act(f"write {file}", functools.partial(stage.write, file, text))
    if (left := there.table_of_stream) not in (None, name):
        click.echo(
            f"{left} stays, with its stream on, and so does its feed {had.get('FEED_TABLE')}: where nothing else needs "
            "them, aws dynamodb update-table --stream-specification StreamEnabled=false, and delete-table"
        )
    if changed and not act.dry_run:
        click.echo(f"Next: chalice deploy --stage {there.name}, then python -m infra --stage {there.name} --finish")


def _finish(there: Stage, aws: _AWS, act: _Act) -> None:
    if others.queue_url(aws.client("sqs"), there.queue) is None:
        raise Wrong(f"there is no queue {there.queue} in {aws.where}: python -m infra --stage {there.name} comes first")
    deployed.sources(aws.client("lambda"), there)
    deployed.finish_source(aws.client("lambda"), there, aws.place.arn("sqs", there.queue), act)
    deployed.finish_answers(aws.client("apigateway"), there, act)


def _destroy(there: Stage, aws: _AWS, act: _Act) -> None:
    if there.resources:
        raise Wrong(f"stage {there.name} is deployed: chalice delete --stage {there.name} comes first")
    name = there.environment.get("TABLE_NAME")
    if name is None:
        raise Wrong(f"stage {there.name} has no TABLE_NAME: there is nothing that it would be of")
    deployed.check_gone(aws.client("lambda"), there)
    if not act.dry_run:
        said = click.prompt(
            f"This takes away what python -m infra made for {name} in {aws.where}.\nThe table's name", err=True
        )
        if said != name:
            raise Wrong(f"that is not {name}: nothing is taken away")
    dynamodb = aws.client("dynamodb")
    feed, published = there.feed_of(name), tables.described(dynamodb, name)
    stream_arn = published and published.get("LatestStreamArn")
    readers = deployed.readers(aws.client("lambda"), stream_arn) if stream_arn else []
    tables.take_table(dynamodb, feed, tables.described(dynamodb, feed), there.name, act)
    tables.take_table(dynamodb, name, published, there.name, act, readers)
    others.take_queue(aws.client("sqs"), there.queue, there.name, act)
    for function in (there.function, there.handler):
        others.take_log_group(aws.client("logs"), function, there.name, act)
    text = there.without_settings("FEED_TABLE", "STREAM_ARN")
    if text != there.text:
        act(f"write {stage.CONFIG}", lambda: stage.write(stage.CONFIG, text))


@dataclass(frozen=True)
class _AWS:
    session: boto3.session.Session
    place: Place

    @property
    def where(self) -> str:
        return f"{self.place.region} of account {self.place.account}"

    def client(self, service: str) -> Any:
        return _client(self.session, service)


def _client(session: boto3.session.Session, service: str, **more: Any) -> Any:
    retries = {"mode": "standard", "total_max_attempts": ATTEMPTS.get(service, 4)}
    config = Config(connect_timeout=5, read_timeout=30, retries=retries)
    try:
        return session.client(service, config=config, **more)
    except BotoCoreError:
        raise  # of a region that is none, which is a ValueError too
    except ValueError as error:
        raise Wrong(f"{error}: AWS_ENDPOINT_URL takes a URL, such as http://127.0.0.1:4566, or is unset") from None


@contextlib.contextmanager
def _aws() -> Iterator[_AWS]:
    """The account and region that the credentials lead to. Wrong: they lead nowhere, or AWS refuses a call."""
    try:
        session = boto3.session.Session()
        arn = _client(session, "sts", region_name=session.region_name or "").get_caller_identity()["Arn"]
        _, partition, _, _, account, _ = arn.split(":", 5)
        yield _AWS(session, Place(partition, session.region_name, account))
    except NoRegionError:
        raise Wrong("no region: set AWS_DEFAULT_REGION, or run aws configure") from None
    except (NoCredentialsError, PartialCredentialsError):
        raise Wrong("no credentials: set AWS_PROFILE, or run aws configure") from None
    except ClientError as error:
        raise Wrong(f"{error.operation_name}: {error.response['Error']['Message']}") from None
    except BotoCoreError as error:
        raise Wrong(" ".join(str(error).split())) from None


def _keys(partition_key: str | None, sort_key: str | None) -> dict[str, str] | None:
    if partition_key is None:
        if sort_key is not None:
            raise Wrong("--sort-key goes with --partition-key")
        return None
    keys = dict(_key(text) for text in (partition_key, sort_key) if text is not None)
    if sort_key is not None and len(keys) == 1:
        raise Wrong(f"--partition-key and --sort-key are both {next(iter(keys))!r}: they take two attributes")
    return keys


def _key(text: str) -> tuple[str, str]:
    name, colon, kind = text.rpartition(":")
    if not colon:
        name, kind = text, "S"
    if kind not in TYPES or not name:
        raise Wrong(f"{text!r} is no key: it takes a name and a type, such as id:S, id:N or id:B")
    return name, kind


def run() -> None:
    try:
        main(standalone_mode=False)
    except (click.ClickException, Wrong) as error:
        sys.exit(f"tablecast: {error.format_message() if isinstance(error, click.ClickException) else error}")
    except OSError as error:
        where = "this is run in the project's folder, by one who may write there"
        sys.exit(f"tablecast: {error.filename}: {error.strerror}; {where}")
    except (click.Abort, KeyboardInterrupt):
        sys.exit("\ntablecast: stopped; the same command goes on with it")


if __name__ == "__main__":
    run()
