"""`runner action snooze`: pending actions run later."""

from __future__ import annotations

from typing import Any

import click

from compat.site_time import ZERO, sql_date
from runner.cli.action.changes import told
from runner.cli.action.inputs import number_of
from runner.cli.actor import actor_name, actor_option
from runner.cli.moments import moment, span
from runner.cli.options import settings_options, site_app
from runner.core.errors import UsageError
from runner.operations.actions import Actions
from runner.operations.manage import Actor, Manage

EPILOG = """\b
Examples:
  runner action snooze 48211 --for 2h
  runner action snooze 48211 48212 --until '2026-12-24 18:00' --why "after the holidays"
"""


@click.command("snooze", epilog=EPILOG)
@settings_options("database")
@click.argument("numbers", metavar="ID...", nargs=-1, required=True)
@click.option("--for", "span_text", metavar="SPAN", help="For so long from now: 30m, 2h, 1d.")
@click.option("--until", metavar="MOMENT", help="Until then (UTC unless it says more).")
@click.option("--why", default="", metavar="TEXT", help="The reason, for the log.")
@actor_option
def command(
    *,
    numbers: tuple[str, ...],
    span_text: str | None,
    until: str | None,
    why: str,
    actor: str | None,
    **flags: Any,
) -> int:
    """Put pending actions off. No attempt is spent, and a recurring one keeps its rhythm."""
    if bool(span_text) == bool(until):
        raise UsageError("say how long: --for SPAN or --until MOMENT")
    ids = list(dict.fromkeys(number_of(text) for text in numbers))
    length = span("--for", span_text) if span_text else 0
    given = moment("--until", until) if until else None
    with site_app(flags).open() as (database, site):
        now = Actions(database, site).now()
        at = given.at(now) if given else now + length
        if at <= now:
            raise UsageError("--for or --until is not later than now: nothing was put off")
        if sql_date(at) == ZERO:
            raise UsageError("--for ends after the year 9999: nothing was put off")
        done = Manage(database, site, Actor(actor_name(actor))).put_off(ids, at, why)
        only = "pending actions that nobody has claimed can be put off"
        return told(database, site, ids, done, did="put off", only=only)
