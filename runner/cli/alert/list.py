"""`runner alert list`: what is wrong, what was, and what people could not be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from compat.site_time import sql_date
from runner.cli import complain
from runner.cli.options import settings_options, site_app
from runner.cli.output import chosen_fields, output_options, per_page_option, print_rows
from runner.core.durations import duration
from runner.operations.health.alerts import Alerts
from runner.operations.health.outbox import Outbox

if TYPE_CHECKING:
    from runner.operations.health.alerts import Alert

EPILOG = """\b
Examples:
  runner alert list
  runner alert list --all --format json

\b
Dates are UTC. told: raised, resolved, or nothing yet. What could not be sent is told on stderr.
"""

USUAL = ("id", "state", "severity", "rule", "subject", "text", "raised_at", "lasted", "told")
ALL = (*USUAL, "resolved_at", "told_at", "advice")
FORMATS = ("table", "json", "csv", "count")


@click.command("list", epilog=EPILOG)
@settings_options("database")
@click.option("--all", "everything", is_flag=True, help="Also those that are over.")
@per_page_option("Alerts", 10_000)
@output_options(*FORMATS)
def command(
    *,
    everything: bool,
    per_page: int,
    style: str,
    field: str | None,
    fields: str | None,
    **flags: Any,
) -> None:
    """List alerts: those that are open, and with --all those that are over."""
    names = chosen_fields(field, fields, ALL, USUAL)
    with site_app(flags).open() as (database, site):
        alerts = Alerts(database, site).history(only_open=not everything, limit=per_page or 10_000)
        unsent = Outbox(database, site).unsent()
    if style == "count":
        click.echo(len(alerts))
    elif not alerts and style == "table":
        click.echo("nothing is wrong" if not everything else "nothing was wrong yet")
    else:
        print_rows([_shown(alert) for alert in alerts], names, style, bare=field is not None)
    for message in unsent:
        again = f"tried again at {message.due_at} UTC" if message.due_at else "given up"
        complain(
            f"a message of {message.created_at} UTC could not be sent, {again}: {message.error}"
        )


def _shown(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.id,
        "state": "open" if alert.resolved_at is None else "over",
        "severity": alert.severity,
        "rule": alert.rule,
        "subject": alert.subject,
        "text": alert.text,
        "raised_at": sql_date(alert.raised_at),
        "lasted": duration(alert.seconds),
        "told": alert.told or "nothing yet",
        "resolved_at": None if alert.resolved_at is None else sql_date(alert.resolved_at),
        "told_at": None if alert.told_at is None else sql_date(alert.told_at),
        "advice": alert.advice,
    }
