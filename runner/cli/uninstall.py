"""`runner uninstall`: as if the runner had never been there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from runner.cli import complain
from runner.cli.options import settings_options, site_app
from runner.cli.progress import Bar
from runner.operations.install import Uninstall
from runner.operations.parking import Parking
from runner.operations.plugin import NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runner.operations.install import Done

EPILOG = """\b
Examples:
  runner uninstall --wp-path /var/www/shop --dry-run
  runner uninstall --wp-path /var/www/shop
  runner uninstall --wp-path /var/www/shop --drop-tables

\b
PHP's runner then runs the actions that wait, and fails those whose hook has no PHP callback.
Exit codes: 0 done or nothing to do, 1 something could not be done, 75 a runner is at work here,
78 configuration.
"""


@click.command("uninstall", epilog=EPILOG)
@settings_options("database")
@click.option("--dry-run", is_flag=True, help="Change nothing, say what would be done.")
@click.option(
    "--drop-tables", is_flag=True, help="Drop the runner's own tables too, with all attempts."
)
@click.option(
    "--keep-plugin", is_flag=True, help="Leave its file: other sites of this network use it too."
)
def command(*, dry_run: bool, drop_tables: bool, keep_plugin: bool, **flags: Any) -> int:
    """Undo `runner install`: every action gets its true date back, whatever its status.

    Stop the runners first. The options and the plugin are removed; the runner's own tables stay
    unless --drop-tables is given. May be run again.
    """
    app = site_app(flags)
    folder = app.connection.mu_plugins
    with app.open() as (database, site), Bar(shown=not dry_run) as bar:
        parking = Parking(database, site, bar.update)
        uninstall = Uninstall(database, site, parking, None if keep_plugin else folder)
        uninstall.check()
        parked = parking.parked()
        if dry_run:
            option = "remove the option, " if uninstall.installed() else ""
            option += "drop the trigger, " if uninstall.has_trigger() else ""
            click.echo(f"would {option}{_dates(parked, 'give')}{' and drop tables' * drop_tables}")
            return 0
        bar.begin(sum(parked.values()))
        done = uninstall.run(drop_tables=drop_tables)
    _tell(done)
    if folder is None and not keep_plugin:
        click.echo(f"delete wp-content/mu-plugins/{NAME} of the site: its folder is not known here")
    elif done.plugin:
        click.echo(f"removed {folder}/{NAME}")
    for problem in done.problems:
        complain(problem)
    return 1 if done.problems else 0


def _tell(done: Done) -> None:
    click.echo(f"uninstalled: {_dates(done.given_back, 'gave')}")
    if done.tables:
        click.echo("dropped the runner's own tables")


def _dates(counts: Mapping[str, int], verb: str) -> str:
    """Such as `gave 3 actions their true dates back (pending 2, failed 1)`."""
    many = sum(counts.values())
    parts = [f"{status} {count}" for status, count in sorted(counts.items()) if count]
    listed = f" ({', '.join(parts)})" if parts else ""
    return f"{verb} {many} action{'' if many == 1 else 's'} their true dates back{listed}"
