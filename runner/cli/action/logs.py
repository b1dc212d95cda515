"""`runner action logs`: the story of one action."""

from __future__ import annotations

import click

from runner.cli.action.inputs import number_of, one
from runner.cli.options import connection_options, make_app
from runner.cli.output import ITEM_FORMATS, chosen_fields, output_options, print_rows
from runner.operations.actions import Actions

EPILOG = """\b
Examples:
  runner action logs 48211
  runner action logs 48211 --field message
"""

FIELDS = ("date", "message")


@click.command("logs", epilog=EPILOG)
@connection_options
@click.argument("number", metavar="ID")
@output_options(*ITEM_FORMATS)
def command(
    *,
    dsn: str | None,
    prefix: str | None,
    number: str,
    style: str,
    field: str | None,
    fields: str | None,
) -> None:
    """Show the log of one action, the oldest line first. Dates are UTC."""
    id_ = number_of(number)
    names = chosen_fields(field, fields, FIELDS, FIELDS)
    app = make_app(dsn, prefix, (), required=False)
    with app.open() as (database, site):
        actions = Actions(database, site)
        one(actions, id_)
        log = actions.logs([id_])[id_]
    rows = ({"date": entry.date_gmt, "message": entry.message} for entry in log)
    print_rows(rows, names, style, bare=field is not None)
