"""`runner worker <command>`: who works on this site."""

from __future__ import annotations

import click

from runner.cli import Lazy

COMMANDS = {"list": "Show the workers, and when each was last seen."}


@click.group(
    "worker",
    cls=Lazy,
    package="runner.cli.worker",
    summaries=COMMANDS,
    epilog="Example:  runner worker list",
)
def command() -> None:
    """Show who works on this site."""
