"""`runner dead-letter list`: what failed for good."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from runner.cli.dead_letter.choice import filter_options, status_option, wanted_by
from runner.cli.options import settings_options, site_app
from runner.cli.output import (
    LIST_FORMATS,
    chosen_fields,
    output_options,
    per_page_option,
    print_rows,
)
from runner.operations.actions import Actions
from runner.operations.dead_letters import DeadLetters, Head

EPILOG = """\b
Examples:
  runner dead-letter list
  runner dead-letter list --hook wpkite_sync_product --since 24h
  runner dead-letter list --error TimeoutError --format ids
  runner dead-letter list --status all --format json

\b
Fields: id, action_id, hook, group, attempts, status, error_class, message, created_at and, when
asked for, kind, replayed_as, replay_of. Dates are UTC.
"""

USUAL = ("id", "action_id", "hook", "group", "attempts", "status", "created_at", "message")
ALL = tuple(Head.__slots__)

MOST = 10**9


@click.command("list", epilog=EPILOG)
@settings_options("database")
@filter_options
@status_option
@per_page_option("Letters", MOST)
@output_options(*LIST_FORMATS)
def command(
    *, style: str, field: str | None, fields: str | None, per_page: int, **options: Any
) -> None:
    """List dead letters, the newest first."""
    names = chosen_fields(field, fields, ALL, USUAL)
    with site_app(options).open() as (database, site):
        letters = DeadLetters(database, site)
        wanted = wanted_by(options, Actions(database, site).now())
        if style == "count":
            click.echo(letters.count(wanted))
            return
        heads = letters.newest(wanted, per_page or MOST)
        total = letters.count(wanted) if per_page and len(heads) == per_page else len(heads)
    if style == "ids":
        click.echo(" ".join(str(head.id) for head in heads))
        return
    rows = [asdict(head) for head in heads]
    if style == "table" and "message" in names and field is None:
        rows = [row | {"message": _short(row["message"])} for row in rows]
    print_rows(rows, names, style, bare=field is not None)
    if total > len(heads):
        click.echo(f"the newest {len(heads)} of {total} (--per_page 0 shows all)", err=True)


def _short(text: str, most: int = 80) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
