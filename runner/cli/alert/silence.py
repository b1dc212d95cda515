"""`runner alert silence`: nobody is told of some alerts for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from compat.site_time import ZERO, sql_date
from runner.cli import printable
from runner.cli.actor import actor_name, actor_option
from runner.cli.moments import moment, span
from runner.cli.options import settings_options, site_app
from runner.core.errors import UsageError
from runner.core.pauses import GROUP, HOOK
from runner.core.thresholds import RULES
from runner.operations.actions import Actions
from runner.operations.health.alerts import Alerts
from runner.operations.manage import Actor, Manage, silenced

if TYPE_CHECKING:
    from runner.operations.health.alerts import Silence

EPILOG = """\b
Examples:
  runner alert silence --rule overdue --for 2h --why "the import of the year"
  runner alert silence --rule failures --hook shop_sync --until '2026-12-24 18:00'
  runner alert silence --all --for 30m
  runner alert silence --rule overdue --end
  runner alert silence

\b
Without a rule, a hook or a group it shows what is silenced. Alerts are raised and resolved as
before, and shown; nobody is told of them. One that still holds when the silence ends is told then.
"""


@click.command("silence", epilog=EPILOG)
@settings_options("database")
@click.option(
    "--rule", type=click.Choice(RULES), metavar="RULE", help=f"One of {', '.join(RULES)}."
)
@click.option("--hook", metavar="NAME", help="Alerts about this hook.")
@click.option("--group", metavar="NAME", help="Alerts about this group.")
@click.option("--all", "everything", is_flag=True, help="All alerts.")
@click.option("--for", "span_text", metavar="SPAN", help="For so long: 30m, 2h, 1d.")
@click.option("--until", metavar="MOMENT", help="Until then (UTC unless it says more).")
@click.option("--why", default="", metavar="TEXT", help="The reason, for whoever asks.")
@click.option("--end", is_flag=True, help="End such a silence.")
@actor_option
def command(
    *,
    rule: str | None,
    hook: str | None,
    group: str | None,
    everything: bool,
    span_text: str | None,
    until: str | None,
    why: str,
    end: bool,
    actor: str | None,
    **flags: Any,
) -> int:
    """Tell nobody of some alerts until a moment."""
    names = _names(rule, hook, group, everything=everything)
    if names is None and (span_text or until or why or end):
        raise UsageError("say which alerts: --rule NAME, --hook NAME, --group NAME or --all")
    with site_app(flags).open() as (database, site):
        alerts = Alerts(database, site)
        manage = Manage(database, site, Actor(actor_name(actor)))
        if names is None:
            click.echo("\n".join(map(_line, alerts.silences())) or "nothing is silenced")
        elif end:
            return _end(manage, names)
        else:
            ends = _moment(Actions(database, site).now(), span_text, until)
            manage.silence(*names, until=ends, reason=" ".join(why.split()))
            click.echo(f"silenced {silenced(*names)} until {sql_date(ends)} UTC")
    return 0


def _end(manage: Manage, names: tuple[str, str]) -> int:
    if manage.unsilence(*names):
        click.echo(f"{silenced(*names)} are told again")
        return 0
    click.echo(f"{silenced(*names)} were not silenced")
    return 1


def _names(
    rule: str | None, hook: str | None, group: str | None, *, everything: bool
) -> tuple[str, str] | None:
    """Rule and subject, empty for all; None where nothing is named."""
    if hook is not None and group is not None:
        raise UsageError("name a hook or a group, not both")
    if everything and (rule or hook or group):
        raise UsageError("--all goes without --rule, --hook and --group")
    for option, name in (("--hook", hook), ("--group", group)):
        if name is not None and not name.strip():
            raise UsageError(f"{option} names nothing")
    subject = f"{HOOK} {hook}" if hook else f"{GROUP} {group}" if group else ""
    return (rule or "", subject) if rule or subject or everything else None


def _moment(now: int, span_text: str | None, until: str | None) -> int:
    if bool(span_text) is bool(until):
        raise UsageError("give --for or --until: a silence has an end")
    ends = now + span("--for", span_text) if span_text else moment("--until", until or "").at(now)
    if ends <= now or sql_date(ends) == ZERO:
        raise UsageError("--until or --for ends before it begins, or after the year 9999")
    return ends


def _line(silence: Silence) -> str:
    why = f": {silence.reason}" if silence.reason else ""
    who = f"until {silence.until} UTC, by {silence.actor}{why}"
    return printable(f"{silenced(silence.rule, silence.subject)}, {who}")
