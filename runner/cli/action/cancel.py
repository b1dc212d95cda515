"""`runner action cancel`: pending actions will not run."""

from __future__ import annotations

import sys
from typing import Any

import click

from runner.cli.action.changes import told
from runner.cli.action.inputs import args_column, checked, number_of
from runner.cli.actor import actor_name, actor_option
from runner.cli.options import settings_options, site_app
from runner.core.errors import RunnerError, UsageError
from runner.core.model import Status
from runner.operations.actions import Actions, Filter, Page
from runner.operations.manage import Actor, Manage

EPILOG = """\b
Examples:
  runner action cancel 48211 48212
  runner action cancel wpkite_sync_product --args '[42]'
  runner action cancel wpkite_sync_product --yes
  runner action cancel --group shop --all --yes
  runner action cancel 48211 --running

\b
What is all digits is an id, everything else a hook. A recurring action ends when it is canceled.
"""


@click.command("cancel", epilog=EPILOG)
@settings_options("database")
@click.argument("names", metavar="[HOOK | ID...]", nargs=-1)
@click.option("--args", metavar="JSON", help="With exactly these args; without, any.")
@click.option("--group", metavar="NAME", help="Of this group.")
@click.option("--all", "everything", is_flag=True, help="All of --group, whatever their hook.")
@click.option("--running", is_flag=True, help="Running ones too, of Python's runner; by id.")
@click.option("--yes", is_flag=True, help="Cancel several without asking.")
@actor_option
def command(
    *,
    names: tuple[str, ...],
    args: str | None,
    group: str | None,
    everything: bool,
    running: bool,
    yes: bool,
    actor: str | None,
    **flags: Any,
) -> int:
    """Cancel pending actions: by their ids, or all that match a hook, args and a group.

    Several matches are canceled only with --yes; on a terminal you are asked. A running one is told
    so with its worker's next heartbeat (15 s): its handler sees `context.cancelled`, and whatever
    comes of it is not recorded.
    """
    if running and not (names and all(name.isdecimal() for name in names)):
        raise UsageError("--running is for ids")
    by_id = bool(names) and all(name.isdecimal() for name in names)
    if by_id and (args is not None or group is not None or everything):
        raise UsageError("ids stand alone: leave out --args, --group and --all, or give a hook")
    if not by_id and len(names) > 1:
        raise UsageError("give one hook, or ids (whole numbers)")
    if not names and not (everything and group is not None):
        raise UsageError("say what to cancel: ids, a hook, or --group NAME with --all")
    checked(None if by_id or not names else names[0], group)
    ids = [number_of(name) for name in dict.fromkeys(names)] if by_id else []
    wanted = Filter(
        hook=None if by_id or not names else names[0],
        args=args_column(args),
        group=group,
        statuses=(Status.PENDING,),
    )
    app = site_app(flags)
    with app.open() as (database, site):
        manage = Manage(database, site, Actor(actor_name(actor)))
        if by_id:
            done = manage.cancel(ids, running=running)
            only = "pending actions can be canceled"
            if running:
                only = "pending actions can be canceled, and those that Python's runner runs"
            return told(database, site, ids, done, did="canceled", only=only)
        return _cancel_matches(Actions(database, site), manage, wanted, yes=yes)


def _cancel_matches(actions: Actions, manage: Manage, wanted: Filter, *, yes: bool) -> int:
    ids = actions.ids(wanted, Page(order="id"))
    if len(ids) > 1 and not yes and not _agreed(len(ids)):
        raise RunnerError("nothing was canceled")
    if not ids:
        click.echo("no pending action matches")
        return 0
    canceled = manage.cancel(ids)
    click.echo(_sentence(len(canceled)))
    if missed := len(ids) - len(canceled):
        raise RunnerError(f"{missed} of them began or ended meanwhile")
    return 0


def _agreed(count: int) -> bool:
    """Asks a person. Raises UsageError where there is none to ask."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            f"{count} pending actions match, nothing was canceled: narrow it by --args, --group or"
            " an id, or say --yes"
        )
    return click.confirm(f"Cancel {count} pending actions?", err=True)


def _sentence(count: int) -> str:
    return f"canceled {count} action{'' if count == 1 else 's'}"
