"""`runner action next`: when a hook runs next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from runner.cli import printable
from runner.cli.action.inputs import args_of, checked
from runner.cli.options import settings_options, site_app
from runner.core.errors import RunnerError
from runner.core.model import Status
from runner.operations.lookup import Lookup, Wanted

if TYPE_CHECKING:
    from runner.operations.lookup import QueuedAction

EPILOG = """\b
Examples:
  runner action next wpkite_sync_product
  runner action next wpkite_sync_product --args '[42]' --group shop --raw

\b
Prints the date of the earliest pending action, "async" when that is as soon as possible, or
"in-progress" while one is running. Exit code 1 when there is none.
"""


@click.command("next", epilog=EPILOG)
@settings_options("database")
@click.argument("hook")
@click.option("--args", metavar="JSON", help="With exactly these args; without, any.")
@click.option("--group", metavar="NAME", help="Of this group.")
@click.option("--raw", is_flag=True, help="Print seconds since 1970.")
def command(
    *,
    hook: str,
    args: str | None,
    group: str | None,
    raw: bool,
    **flags: Any,
) -> None:
    """Show when a hook runs next, in UTC."""
    checked(hook, group)
    wanted = Wanted(hook, None if args is None else args_of(args), group)
    app = site_app(flags)
    with app.open() as (database, site):
        found = Lookup(database, site).next(wanted)
    if found is None:
        raise RunnerError(f"no action of hook {printable(hook)} is pending")
    click.echo(_shown(found, raw=raw))


def _shown(found: QueuedAction, *, raw: bool) -> str:
    if found.status == Status.RUNNING:
        return str(Status.RUNNING)
    if found.at is None:
        return "async"
    return str(int(found.at.timestamp())) if raw else f"{found.at:%Y-%m-%d %H:%M:%S} UTC"
