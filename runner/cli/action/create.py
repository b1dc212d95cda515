"""`runner action create`: a new action, as WordPress would write it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from compat.action_scheduler import NORMAL_PRIORITY, PRIORITIES
from runner.cli.action.inputs import args_of
from runner.cli.moments import moment, span
from runner.cli.options import settings_options, site_app
from runner.core.errors import UsageError
from runner.core.new_action import NewAction
from runner.operations.actions import Actions
from runner.operations.enqueue import Enqueue

if TYPE_CHECKING:
    from runner.cli.moments import Moment

ASYNC = "async"

EPILOG = """\b
Examples:
  runner action create wpkite_sync_product async --args '[42]' --group shop
  runner action create wpkite_sync_product '+10 minutes' --args '[42]' --unique
  runner action create wpkite_clean now --interval 1h
  runner action create wpkite_report '2026-11-23 06:00' --cron '0 6 * * 1' --porcelain

\b
START is now, async (as soon as possible), '2026-11-23 06:05' (UTC), '2026-11-23T06:05+01:00',
'+10 minutes', 'in 10m', or seconds since 1970. With --cron it is the earliest date. Cron is read
in UTC; day of month and day of week must both match.

\b
A duplicate of a --unique action is no error: exit code 0, a line on stderr, and no id.
"""


@click.command("create", epilog=EPILOG)
@settings_options("database")
@click.argument("hook")
@click.argument("start")
@click.option("--args", metavar="JSON", default="[]", help="Such as '[42]'; none unless given.")
@click.option("--cron", metavar="EXPRESSION", help="Recurs by this cron expression.")
@click.option("--interval", metavar="SECONDS", help="Recurs so long after each run; or 1h.")
@click.option("--group", metavar="NAME", default="", help="Its group.")
@click.option(
    "--priority",
    type=click.IntRange(*PRIORITIES),
    default=NORMAL_PRIORITY,
    show_default=True,
    metavar="N",
    help="0 to 255; lower runs first.",
)
@click.option(
    "--unique", is_flag=True, help="Not if one of this hook, group and args is pending or running."
)
@click.option("--porcelain", is_flag=True, help="Print the id alone.")
def command(
    *,
    hook: str,
    start: str,
    args: str,
    cron: str | None,
    interval: str | None,
    group: str,
    priority: int,
    unique: bool,
    porcelain: bool,
    **flags: Any,
) -> None:
    """Create an action that runs once, every so often, or by cron."""
    values = args_of(args)
    begins = None if start.lower() == ASYNC else moment("START", start)
    every = None if interval is None else span("--interval", interval)
    if begins is None and (cron is not None or every is not None):
        raise UsageError("async is for what runs once: give --cron or --interval a START, or now")
    app = site_app(flags)
    with app.open() as (database, site):
        new = NewAction(
            hook,
            values,
            at=_date(begins, Actions(database, site)),
            every=every,
            cron=cron,
            group=group,
            priority=priority,
            unique=unique,
        )
        id_ = Enqueue(database, site).one(new)
    if id_ is None:
        click.echo("nothing was created: an action like this is pending or running", err=True)
    else:
        click.echo(id_ if porcelain else f"created action {id_}")


def _date(begins: Moment | None, actions: Actions) -> int | None:
    """Epoch seconds by the database's clock, which is asked when that is needed."""
    if begins is None:
        return None
    return begins.at(actions.now() if begins.relative else 0)
