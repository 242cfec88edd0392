"""The error that a command reports in one line."""

from __future__ import annotations

import click


class UserError(click.ClickException):
    """Carry one line for the user: what is wrong, then what to write instead."""
