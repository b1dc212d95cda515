"""`runner grants print`: GRANT statements for an administrator."""

from __future__ import annotations

from typing import Any

import click

from runner.cli.options import names_list, settings_options, site_app
from runner.core.errors import UsageError
from runner.operations.grants import FEATURES, account_name, rights, statements
from runner.site import check_prefix

EPILOG = f"""\b
Examples:
  runner grants print --for work,enqueue,status
  runner grants print --for migrate --account "'deploy'@'localhost'" | mysql -u root

\b
What an account may be for: {", ".join(FEATURES)}.
Nothing is asked of the database. Where the statements are run, the tables must be there, but for
those that CREATE is granted on (`migrate`, `install`): else `runner migrate` comes first. The page
has `web`, with `wordpress-sign-in` where people sign in with their WordPress accounts (in a network
of sites both tables have the network's prefix); `accounts` is for `runner web user`.
"""


@click.command("print", epilog=EPILOG)
@settings_options("database")
@click.option(
    "--for", "features", metavar="A,B", default="run", show_default=True, help="What it is for."
)
@click.option("--account", default="'runner'@'%'", show_default=True, help="Who gets the rights.")
def command(*, features: str, account: str, **flags: Any) -> None:
    """Print the GRANT statements for what the account is to do, and no more than that."""
    needed = rights(names_list("--for", features))
    name = account_name(account)
    connection = site_app(flags).connection
    if connection.dsn.dialect != "mysql":
        raise UsageError("a SQLite file has no accounts: who may write the file may do all")
    tables = check_prefix(connection.prefix)
    click.echo(f"-- If it is a new account, first: CREATE USER {name} IDENTIFIED BY 'a password'")
    for statement in statements(needed, connection.dsn.database, tables, name):
        click.echo(f"{statement};")
