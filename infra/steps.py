"""Steps of a command: run and reported one by one, or only reported in a dry run."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import click

from infra.errors import UserError

WAIT_SECONDS = 120.0
POLL_SECONDS = 1.0

T = TypeVar("T")


class Steps:
    """Run the steps of a command. In a dry run, only print them."""

    def __init__(self, dry_run: bool) -> None:
        self.dry_run, self.count = dry_run, 0

    def run(self, description: str, action: Callable[[], object]) -> None:
        """Print `description`, an imperative such as "delete the queue q", and call `action` unless in a dry run."""
        self.count += 1
        click.echo(f"would {description}" if self.dry_run else f"{description} ...")
        if not self.dry_run:
            action()


def wait_until(probe: Callable[[], T | None], what: str) -> T:
    """Return the first true result of `probe`, called once in POLL_SECONDS. Raise UserError after WAIT_SECONDS."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (result := probe()):
        if time.monotonic() > deadline:
            raise UserError(f"{what} is still changing after {WAIT_SECONDS:.0f} seconds. Run the command again.")
        time.sleep(POLL_SECONDS)
    return result
