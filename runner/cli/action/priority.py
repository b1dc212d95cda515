"""`runner action priority`: pending actions come sooner, or later."""

from __future__ import annotations

from typing import Any

import click

from compat.action_scheduler import PRIORITIES
from runner.cli.action.changes import told
from runner.cli.action.inputs import number_of
from runner.cli.actor import actor_name, actor_option
from runner.cli.options import settings_options, site_app
from runner.operations.manage import Actor, Manage

EPILOG = """\b
Examples:
  runner action priority 48211 --to 0
  runner action priority $(runner action list --hook wpkite_export --format ids) --to 200
"""


@click.command("priority", epilog=EPILOG)
@settings_options("database")
@click.argument("numbers", metavar="ID...", nargs=-1, required=True)
@click.option(
    "--to",
    "priority",
    required=True,
    metavar="N",
    type=click.IntRange(*PRIORITIES),
    help="0 comes first, 255 last; 10 is normal.",
)
@click.option("--why", default="", metavar="TEXT", help="The reason, for the log.")
@actor_option
def command(
    *, numbers: tuple[str, ...], priority: int, why: str, actor: str | None, **flags: Any
) -> int:
    """Let pending actions come sooner than others that are due, or later."""
    ids = list(dict.fromkeys(number_of(text) for text in numbers))
    with site_app(flags).open() as (database, site):
        done = Manage(database, site, Actor(actor_name(actor))).prioritize(ids, priority, why)
        only = "pending actions have a turn to come"
        return told(database, site, ids, done, did=f"gave priority {priority} to", only=only)
