"""`runner dead-letter discard`: letters that nobody wants replayed."""

from __future__ import annotations

from typing import Any

import click

from runner.cli import complain
from runner.cli.actor import actor_name, actor_option
from runner.cli.dead_letter.choice import (
    agreed,
    chosen,
    filter_options,
    ids_or_filter,
    wanted_by,
)
from runner.cli.options import settings_options, site_app
from runner.core.errors import DatabaseError, RunnerError
from runner.operations.actions import Actions
from runner.operations.dead_letters import DeadLetters
from runner.operations.manage import Actor, Manage

EPILOG = """\b
Examples:
  runner dead-letter discard 17 --why "the order was canceled"
  runner dead-letter discard --hook wpkite_sync_product --before '1 month ago' --yes

\b
A discarded letter stays in the table and in `runner dead-letter list --status discarded`.
"""


@click.command("discard", epilog=EPILOG)
@settings_options("database")
@click.argument("numbers", metavar="[ID...]", nargs=-1)
@filter_options
@click.option("--all", "everything", is_flag=True, help="All that are dead.")
@click.option("--why", default="", metavar="TEXT", help="The reason, for the log.")
@click.option("--yes", is_flag=True, help="Discard several without asking.")
@actor_option
def command(
    *,
    numbers: tuple[str, ...],
    everything: bool,
    why: str,
    yes: bool,
    actor: str | None,
    **options: Any,
) -> int:
    """Close dead letters, by their ids or by filters, so that nobody replays them."""
    ids = ids_or_filter(numbers, options, "discard", everything=everything)
    done = refused = 0
    with site_app(options).open() as (database, site):
        letters = DeadLetters(database, site)
        wanted = wanted_by(options, Actions(database, site).now()) if ids is None else None
        if wanted is not None:
            agreed(letters.count(wanted), "discard", yes=yes)
        manage = Manage(database, site, Actor(actor_name(actor)))
        with manage.together("discard", chosen(ids, options)):
            for some in [ids] if wanted is None else letters.walk(wanted):
                for id_ in some or ():
                    try:
                        manage.discard(id_, why)
                        done += 1
                    except DatabaseError:
                        raise
                    except RunnerError as error:
                        complain(str(error))
                        refused += 1
    click.echo(f"discarded {done} dead letter{'' if done == 1 else 's'}")
    return int(bool(refused))
