"""`runner grants <command>`: the least rights that the database account needs."""

from __future__ import annotations

import click

from runner.cli import Lazy

COMMANDS = {
    "print": "Print the GRANT statements for what the account is to do.",
    "verify": "Say which rights the account in use lacks.",
}


@click.group(
    "grants",
    cls=Lazy,
    package="runner.cli.grants",
    summaries=COMMANDS,
    epilog="Example:  runner grants print --for run,enqueue --account \"'runner'@'%'\"",
)
def command() -> None:
    """Print or verify the least rights that the database account needs."""
