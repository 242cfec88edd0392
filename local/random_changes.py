"""Random changes of the sample table, for `python -m local --writes`."""

from __future__ import annotations

import random
import time
from typing import Any

import click
from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.dynamodb.items import TypedItem, iso_time, typed
from local import sample


def run(client: Any, per_second: float) -> None:
    """Change the sample table `per_second` times a second, forever. Print errors and continue."""
    quakes, added = sample.items(), list[TypedItem]()
    while True:
        try:
            _change(client, sample.TABLE["TableName"], quakes, added)
        except (BotoCoreError, ClientError) as error:
            click.echo(f"--writes: {error}", err=True)
        time.sleep(1 / per_second)


def _change(client: Any, table: str, quakes: list[TypedItem], added: list[TypedItem]) -> None:
    """Add a quake, revise a magnitude, or withdraw one of those `added`, as a seismic network would."""
    quake = random.choice([*quakes, *added])
    kind = random.choice(("add", "revise", "revise", "withdraw" if added else "add"))
    now = int(time.time() * 1000)
    if kind == "add":
        idx = f"{iso_time(now / 1000)}-{quake['net']['S']}{now}"
        item = {**quake, "idx": {"S": idx}, "time": typed(now), "updated": typed(now)}
        client.put_item(TableName=table, Item=item)
        added.append(item)
    elif kind == "revise":
        client.update_item(
            TableName=table,
            Key={"idx": quake["idx"]},
            UpdateExpression="SET mag = :mag, updated = :now",
            ExpressionAttributeValues={":mag": {"N": f"{random.uniform(0, 7):.1f}"}, ":now": typed(now)},
        )
    else:
        withdrawn = added.pop(random.randrange(len(added)))
        client.delete_item(TableName=table, Key={"idx": withdrawn["idx"]})
