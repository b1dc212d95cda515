"""`runner grants verify`: which rights the account in use lacks."""

from __future__ import annotations

from typing import Any

import click

from runner.cli.options import names_list, settings_options, site_app
from runner.core.errors import UsageError
from runner.operations.grants import FEATURES, lacking, rights

EPILOG = f"""\b
Examples:
  runner grants verify
  runner grants verify --for work,enqueue,clean

\b
What an account may be for: {", ".join(FEATURES)}.
The server is asked about each right in turn, so rights of roles, of the database and of the whole
server count too. Nothing is written. Exit codes: 0 nothing is lacking, 1 something is (one line
for each table) or the database cannot be reached.
"""


@click.command("verify", epilog=EPILOG)
@settings_options("database")
@click.option(
    "--for", "features", metavar="A,B", default="run", show_default=True, help="What it is for."
)
def command(*, features: str, **flags: Any) -> int:
    """Say which rights the account in use lacks, one line for each table."""
    needed = rights(names_list("--for", features))
    app = site_app(flags)
    if app.connection.dsn.dialect != "mysql":
        raise UsageError("a SQLite file has no accounts: who may write the file may do all")
    with app.connected() as (database, tables):
        found = lacking(database, tables, needed)
    for table, words in found:
        click.echo(f"{table} lacks {', '.join(words)}")
    if not found:
        click.echo(f"nothing is lacking for {features}")
    return 1 if found else 0
