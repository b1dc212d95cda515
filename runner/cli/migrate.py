"""`runner migrate`: the runner's own tables."""

from __future__ import annotations

from typing import Any

import click

from runner.cli.options import settings_options, site_app
from runner.operations.migrate import Migrate

EPILOG = """\b
Examples:
  runner migrate
  runner migrate --print | mysql -u root shop

\b
The tables are called runner_migrations, _workers, _leases and _attempts, with the site's prefix.
Without them the runner works, but takes 300 seconds instead of 60 to notice that a worker died,
and keeps no record of attempts. Exit codes: 0 done or nothing to do, 1 could not, 75 another
migration is at work, 78 configuration.
"""


@click.command("migrate", epilog=EPILOG)
@settings_options("database")
@click.option("--print", "printed", is_flag=True, help="Only print the SQL that would run.")
def command(*, printed: bool, **flags: Any) -> None:
    """Make or update the runner's own tables: workers, leases and attempts.

    Runs what has not run yet, one at a time, and records it. WordPress's own tables are never
    touched. May be run again at any time, also while runners work.
    """
    with site_app(flags).open() as (database, site):
        migrate = Migrate(database, site)
        if printed:
            script = migrate.script()
            click.echo("".join(f"{text};\n\n" for text in script) or "-- nothing to do\n", nl=False)
            return
        done = migrate.run()
    for name in done:
        click.echo(f"ran {name}")
    if not done:
        click.echo("nothing to do")
