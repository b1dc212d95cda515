"""`runner action retry`: failed or canceled actions run again."""

from __future__ import annotations

from typing import Any

import click

from runner.cli.action.changes import told
from runner.cli.action.inputs import number_of
from runner.cli.actor import actor_name, actor_option
from runner.cli.options import settings_options, site_app
from runner.operations.manage import Actor, Manage

EPILOG = """\b
Examples:
  runner action retry 48211
  runner action retry $(runner action list --status failed --hook wpkite_sync --format ids)
"""


@click.command("retry", epilog=EPILOG)
@settings_options("database")
@click.argument("numbers", metavar="ID...", nargs=-1, required=True)
@actor_option
def command(*, numbers: tuple[str, ...], actor: str | None, **flags: Any) -> int:
    """Make failed or canceled actions pending again, due now, with all their attempts.

    The next run takes them. One of a recurring chain runs once more, outside of its chain.
    """
    ids = list(dict.fromkeys(number_of(text) for text in numbers))
    with site_app(flags).open() as (database, site):
        done = Manage(database, site, Actor(actor_name(actor))).retry(ids)
        only = "failed or canceled actions can be retried"
        return told(database, site, ids, done, did="pending again:", only=only)
