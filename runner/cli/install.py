"""`runner install`: beside a live PHP runner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from runner import __version__
from runner.cli import complain, printable
from runner.cli.options import make_app, resolved, settings_options
from runner.cli.progress import Bar
from runner.operations.install import Install
from runner.operations.parking import Parking
from runner.operations.plugin import by_hand

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from runner.operations.install import Done, Plan

EPILOG = """\b
Examples:
  runner install --wp-path /var/www/shop --handlers shop.jobs:handlers --dry-run
  runner install --wp-path /var/www/shop --handlers shop.jobs:handlers

\b
Give the handlers of all runners of the site: other hooks are PHP's. Run it again when they change.
Exit codes: 0 done or nothing to do, 1 something could not be done, 78 configuration, or a copy of
the site that was not confirmed.
"""


@click.command("install", epilog=EPILOG)
@settings_options("database", "handlers")
@click.option("--dry-run", is_flag=True, help="Change nothing, say what would be done.")
@click.option(
    "--confirm-site",
    is_flag=True,
    help="This copy of a site, or site with a new address, is to do its own work.",
)
@click.option(
    "--trigger/--no-trigger",
    default=None,
    help="Let a database trigger park as well, made by the site's own account; or drop it again.",
)
def command(*, dry_run: bool, confirm_site: bool, trigger: bool | None, **flags: Any) -> int:
    """Set up beside PHP's own runner: park the actions of your handlers' hooks.

    Makes the runner's tables, writes the option wp_action_runner, puts the plugin
    wp-action-runner.php into wp-content/mu-plugins, and parks what waits. From then on runners
    need no --mode. Nothing that PHP runs itself is touched; `runner uninstall` undoes it.
    """
    app = make_app(resolved(flags))
    folder = app.connection.mu_plugins
    with app.open() as (database, site), Bar(shown=not dry_run) as bar:
        parking = Parking(database, site, bar.update)
        hooks = frozenset(app.handlers.hooks)
        install = Install(
            database, site, parking, hooks, folder, version=__version__, trigger=trigger
        )
        plan = install.plan(confirmed=confirm_site)
        click.echo(f"site     {printable(site.url)}, tables {site.tables.prefix}*")
        for line in _plan(plan, folder):
            click.echo(line)
        if dry_run or plan.nothing:
            click.echo("dry run: nothing was done" if dry_run else "nothing to do")
            return 0
        bar.begin(plan.park + plan.give_back)
        done = install.run(plan)
    click.echo(_sentence(done))
    for problem in [*done.problems, *filter(None, [done.notice])]:
        complain(problem)
    return 1 if done.problems else 0


def _plan(plan: Plan, folder: Path | None) -> Iterator[str]:
    """What will be done, a line a thing."""
    tables = "make or update the runner's own" if plan.migrations else "there"
    yield f"tables   {tables}"
    yield f"hooks    {_names(plan.hooks)}"
    if plan.added and plan.added != plan.hooks:
        yield f"  added    {_names(plan.added)}"
    if plan.removed:
        yield f"  removed  {_names(plan.removed)}: PHP's again"
    yield f"option   {'write wp_action_runner' if plan.option else 'there'}"
    yield f"plugin   {_plugin(plan.plugin, folder)}"
    if plan.trigger:
        yield f"trigger  {plan.trigger}"
    yield f"actions  park {plan.park}" + (f", give back {plan.give_back}" * bool(plan.removed))


def _plugin(state: str, folder: Path | None) -> str:
    if folder is None:
        return f"{by_hand()}: without --wp-path its folder is not known"
    return f"{state}: {printable(folder)}" if state != "there" else "there"


def _names(hooks: Iterable[str]) -> str:
    return ", ".join(printable(hook) for hook in sorted(hooks))


def _sentence(done: Done) -> str:
    back = sum(done.given_back.values())
    return f"installed: parked {done.parked}" + (f", gave back {back}" if back else "")
