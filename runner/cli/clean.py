"""`runner clean`: old finished actions go, and their logs with them."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from runner.cli.moments import Moment, moment
from runner.cli.options import finite, make_app, names_list, resolved, settings_options, site_app
from runner.cli.progress import Bar
from runner.core.errors import UsageError
from runner.core.limits import Limits
from runner.core.model import Status
from runner.core.signals import Stop
from runner.operations.actions import Actions
from runner.operations.cleaner import AGES, Cleaner

if TYPE_CHECKING:
    from runner.operations.cleaner import Cleaned

EPILOG = """\b
Examples:
  runner clean --handlers shop.jobs:handlers --dry-run
  runner clean --all --batch-size 100 --pause 0.1
  runner clean --status failed --before '1 week ago'

\b
From cron, each night (with RUNNER_DSN and RUNNER_HANDLERS set there):
  10 3 * * * www-data runner clean --quiet

\b
Before: '31 days ago', 12h, '2026-11-23' (UTC), '2026-11-23T06:05+01:00'.
"""


@click.command("clean", epilog=EPILOG)
@settings_options("database", "handlers")
@click.option(
    "--batch-size",
    type=click.IntRange(1, 1000),
    default=20,
    show_default=True,
    metavar="N",
    help="Actions deleted by one transaction.",
)
@click.option(
    "--batches", type=click.IntRange(0), default=0, metavar="N", help="Batches to delete; 0 is all."
)
@click.option("--status", metavar="A,B", help=f"Only these of: {', '.join(AGES)}.")
@click.option(
    "--before",
    metavar="MOMENT",
    help="Last attempted up to this moment, whatever the status. Without --status: complete and"
    " canceled ones.",
)
@click.option(
    "--pause",
    type=click.FloatRange(0, 3600),
    callback=finite,
    default=0,
    metavar="SECONDS",
    help="Rest between batches.",
)
@click.option("--all", "everybodys", is_flag=True, help="Actions of all hooks, PHP's among them.")
@click.option("--dry-run", is_flag=True, help="Delete nothing, say what would be deleted.")
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
@click.option("--json", "as_json", is_flag=True, help="Print what was done as one JSON object.")
def command(
    *,
    batch_size: int,
    batches: int,
    status: str | None,
    before: str | None,
    pause: float,
    everybodys: bool,
    dry_run: bool,
    quiet: bool,
    as_json: bool,
    **flags: Any,
) -> int:
    """Delete old finished actions and their logs.

    Complete and canceled actions go 31 days after their last attempt, failed ones after 93, as
    Action Scheduler does it; one that was canceled before any attempt goes at once. Only those of
    hooks with a Python handler, unless --all is given.
    """
    moments = _moments(status, before)
    app = site_app(flags) if everybodys else make_app(resolved(flags))
    stop = Stop()
    limits = Limits(app.clock, stop, batches=batches)
    with (
        stop.listening(),
        app.open() as (database, site),
        Bar(shown=not (quiet or as_json)) as bar,
    ):
        now = Actions(database, site).now()
        cutoffs = {name: moment.at(now) for name, moment in moments.items()}
        cleaner = Cleaner(
            database,
            site,
            limits,
            hooks=None if everybodys else frozenset(app.handlers.hooks),
            batch_size=batch_size,
            pause=pause,
            dry=dry_run,
            on_passed=bar.update,
        )
        if bar.shown:
            bar.begin(cleaner.how_many(cutoffs))
        cleaned = cleaner.run(cutoffs)
        cleaner.forget_attempts(now)
    if as_json:
        click.echo(json.dumps(asdict(cleaned) | {"dry_run": dry_run}))
    elif not quiet:
        click.echo(_sentence(cleaned, dry=dry_run, everybodys=everybodys))
    return 128 + stop.number if stop.now else 0


def _moments(status: str | None, before: str | None) -> dict[str, Moment]:
    """Up to when the last attempt must lie, for each status that is cleaned."""
    ages = {str(name): Moment(-age, relative=True) for name, age in AGES.items()}
    names = names_list("--status", status)
    for name in names:
        if name not in ages:
            raise UsageError(
                f"--status: {name!r} is not cleaned, only what is finished is: {', '.join(ages)}"
            )
    if before is None:
        return {name: ages[name] for name in names or ages}
    cutoff = moment("--before", before, span_is=-1)
    return dict.fromkeys(names or (str(Status.COMPLETE), str(Status.CANCELED)), cutoff)


def _sentence(cleaned: Cleaned, *, dry: bool, everybodys: bool) -> str:
    done = "would delete" if dry else "deleted"
    if not cleaned.deleted:
        whose = "" if everybodys else " of the hooks with a Python handler"
        nothing = f"nothing{whose} is old enough"
        idle = cleaned.stopped == "nothing left"
        return nothing if idle else f"{done} nothing ({cleaned.stopped})"
    parts = [f"{status} {count}" for status, count in cleaned.statuses.items() if count]
    many = f"{cleaned.deleted} action{'' if cleaned.deleted == 1 else 's'}"
    return f"{done} {many} ({', '.join(parts)}) in {cleaned.seconds:.1f} s ({cleaned.stopped})"
