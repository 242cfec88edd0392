"""`python -m infra`: prepare a stage for `chalice deploy`, complete each deployment, and undo both."""

from __future__ import annotations

import functools
import sys
from typing import Any

import click

from infra import actions, aws, files, stages
from infra.errors import UserError
from infra.published_table import TableRequest
from infra.stages import Stage
from infra.steps import Steps

KEY_TYPES = ("S", "N", "B")


class Key(click.ParamType[Any]):
    """Parse NAME[:TYPE] to a pair of name and type, S where the type is left out."""

    name = "key"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        name, colon, kind = value.rpartition(":")
        if not colon:
            name, kind = value, "S"
        if kind not in KEY_TYPES or not name:
            self.fail(f"{value!r} is not a key. Write a name and a type, such as id:S, id:N or id:B.", param, ctx)
        return name, kind


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--stage", "stage_name", default="dev", show_default=True, help="Stage in .chalice/config.json.")
@click.option("--table", metavar="NAME", help="Table to publish. Default: the stage's TABLE_NAME.")
@click.option(
    "--partition-key",
    type=Key(),
    metavar="NAME[:TYPE]",
    help="Create the table if it does not exist, with this partition key: id, id:N. TYPE is S (string, the default), "
    "N (number) or B (binary).",
)
@click.option(
    "--sort-key", type=Key(), metavar="NAME[:TYPE]", help="Sort key of a new table. Needs --partition-key too."
)
@click.option(
    "--stream-view",
    type=click.Choice(["NEW_AND_OLD_IMAGES", "NEW_IMAGE", "OLD_IMAGE", "KEYS_ONLY"]),
    help="What a change in /changes contains. Default: NEW_AND_OLD_IMAGES. The view of a stream that is on cannot be "
    "changed.",
)
@click.option(
    "--table-class",
    type=click.Choice(["STANDARD", "STANDARD_INFREQUENT_ACCESS"]),
    help="Table class. Default: unchanged; STANDARD for a new table.",
)
@click.option(
    "--point-in-time-recovery/--no-point-in-time-recovery",
    default=None,
    help="Whether the table can be restored to any second of the last 35 days. Default: unchanged.",
)
@click.option(
    "--feed-table",
    metavar="NAME",
    help="Table of the change feed. Default: the stage's FEED_TABLE, or TABLE-STAGE-feed.",
)
@click.option("--dry-run", is_flag=True, help="Print the steps without running them.")
@click.option(
    "--after-deploy", is_flag=True, help="Run after each `chalice deploy`: configure what Chalice cannot configure."
)
@click.option(
    "--destroy", is_flag=True, help="Run after `chalice delete`: delete what this command created. Asks first."
)
def main(stage_name: str, dry_run: bool, after_deploy: bool, destroy: bool, **table_options: Any) -> None:
    """Prepare a stage for `chalice deploy`.

    Creates the table to publish, or adopts an existing one, and turns on its stream. Creates the table of the change
    feed, a queue for changes that keep failing, and log groups. Writes their names into the stage in
    .chalice/config.json, and one policy per function beside it. Prints each step, never changes an item, and does
    nothing when run again. Credentials and region are those of the AWS CLI (AWS_PROFILE, AWS_DEFAULT_REGION).

    \b
      python -m infra --table orders                              adopt a table
      python -m infra --table orders --partition-key customer --sort-key date:N
      chalice deploy --stage dev
      python -m infra --after-deploy                              after each deployment
      chalice delete --stage dev && python -m infra --destroy     delete everything
    """
    has_table_options = any(value is not None for value in table_options.values())
    if after_deploy + destroy + has_table_options > 1:
        raise UserError("--after-deploy and --destroy stand alone. Combine each only with --stage and --dry-run.")
    stage, steps = stages.read(stage_name), Steps(dry_run)
    if not (dry_run or after_deploy):
        files.check_writable()
    if after_deploy:
        action: actions.Action = actions.after_deploy
    elif destroy:
        action = actions.destroy
    else:
        action = functools.partial(actions.prepare, request=_table_request(stage, **table_options))
    with aws.connect() as account:
        stage.check_scope(account.scope)
        action(stage, account, steps)
    if not steps.count:
        click.echo(f"Nothing to do: stage {stage.name} is up to date.")


def _table_request(
    stage: Stage,
    table: str | None,
    feed_table: str | None,
    partition_key: tuple[str, str] | None,
    sort_key: tuple[str, str] | None,
    **settings: Any,
) -> TableRequest:
    """Return the table that the options describe, with names from the stage where they are left out."""
    if sort_key and not partition_key:
        raise UserError("--sort-key needs --partition-key. Add it.")
    if sort_key and partition_key and sort_key[0] == partition_key[0]:
        raise UserError(f"--partition-key and --sort-key are both {sort_key[0]!r}. Name two attributes.")
    name = stage.environment.get("TABLE_NAME") if table is None else table
    if name is None:
        raise UserError(f"Stage {stage.name} has no TABLE_NAME. Name the table to publish with --table.")
    feed = stage.feed_of(name) if feed_table is None else feed_table
    key_types = dict(key for key in (partition_key, sort_key) if key) or None
    return TableRequest(name, feed, key_types, **settings)


def run() -> None:
    """Run the command. Errors end it with one line and a non-zero exit."""
    try:
        main(standalone_mode=False)
    except click.ClickException as error:
        sys.exit(f"tablecast: {error.format_message()}")
    except OSError as error:
        sys.exit(
            f"tablecast: {error.filename}: {error.strerror}. Run this in the project's folder, as a user with write "
            "access."
        )
    except (click.Abort, KeyboardInterrupt):
        sys.exit("\ntablecast: Stopped. Run the same command to continue.")


if __name__ == "__main__":
    run()
