"""`runner action delete`: rows and their logs go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from runner.cli import complain
from runner.cli.action.fields import schedule_text
from runner.cli.action.inputs import number_of
from runner.cli.actor import actor_name, actor_option
from runner.cli.options import settings_options, site_app
from runner.core.model import Status
from runner.operations.actions import Actions
from runner.operations.manage import Actor, Manage

if TYPE_CHECKING:
    from runner.operations.actions import StoredAction

EPILOG = """\b
Examples:
  runner action delete 48211 48212
  runner action delete 48213 --force
"""


@click.command("delete", epilog=EPILOG)
@settings_options("database")
@click.argument("numbers", metavar="ID...", nargs=-1, required=True)
@click.option("--force", is_flag=True, help="Also one that is in progress: a run may be at it.")
@actor_option
def command(*, numbers: tuple[str, ...], force: bool, actor: str | None, **flags: Any) -> int:
    """Delete actions and their logs, whatever their status.

    An action in progress is refused without --force. With a pending recurring action its chain
    ends.
    """
    ids = list(dict.fromkeys(number_of(text) for text in numbers))
    app = site_app(flags)
    with app.open() as (database, site):
        found = {action.id: action for action in Actions(database, site).read(ids)}
        manage = Manage(database, site, Actor(actor_name(actor)))
        deleted = set(manage.delete(ids, running=force))
    for id_ in ids:
        if id_ in deleted:
            click.echo(f"deleted action {id_}{_consequence(found.get(id_))}")
        elif id_ in found:
            complain(
                f"action {id_} is in progress, a run may be at work on it: --force deletes it all"
                " the same"
            )
        else:
            complain(f"there is no action {id_}")
    return 0 if len(deleted) == len(ids) else 1


def _consequence(action: StoredAction | None) -> str:
    if not (action and action.schedule and action.schedule.is_recurring):
        return ""
    if action.status not in {Status.PENDING, Status.RUNNING}:
        return ""
    return f" ({schedule_text(action.schedule)}: no further instance will follow)"
