"""`runner action next`: when a hook runs next."""

from __future__ import annotations

from dataclasses import replace

import click

from compat.schedules import Kind
from compat.site_time import epoch_of
from runner.cli import printable
from runner.cli.action.inputs import args_column
from runner.cli.options import connection_options, make_app
from runner.core.errors import RunnerError
from runner.core.model import Status
from runner.operations.actions import Actions, Filter, Page

EPILOG = """\b
Examples:
  runner action next wpkite_sync_product
  runner action next wpkite_sync_product --args '[42]' --group shop --raw

\b
Prints the date of the earliest pending action, "async" when that is as soon as possible, or
"in-progress" while one is running. Exit code 1 when there is none.
"""


@click.command("next", epilog=EPILOG)
@connection_options
@click.argument("hook")
@click.option("--args", metavar="JSON", help="With exactly these args; without, any.")
@click.option("--group", metavar="NAME", help="Of this group.")
@click.option("--raw", is_flag=True, help="Print seconds since 1970.")
def command(
    *,
    dsn: str | None,
    prefix: str | None,
    hook: str,
    args: str | None,
    group: str | None,
    raw: bool,
) -> None:
    """Show when a hook runs next, in UTC."""
    wanted = Filter(hook=hook, args=args_column(args), group=group)
    app = make_app(dsn, prefix, (), required=False)
    with app.open() as (database, site):
        shown = _next(Actions(database, site), wanted, raw=raw)
    if shown is None:
        raise RunnerError(f"no action of hook {printable(hook)} is pending")
    click.echo(shown)


def _next(actions: Actions, wanted: Filter, *, raw: bool) -> str | None:
    """A running one comes before a pending one, as in as_next_scheduled_action()."""
    one = Page(limit=1)
    if actions.ids(replace(wanted, statuses=(Status.RUNNING,)), one):
        return str(Status.RUNNING)
    ids = actions.ids(replace(wanted, statuses=(Status.PENDING,)), one)
    action = next(actions.read(ids), None)
    if action is None:
        return None
    if action.schedule and action.schedule.kind is Kind.NULL:
        return "async"
    return str(epoch_of(action.scheduled_gmt) or 0) if raw else f"{action.scheduled_gmt} UTC"
