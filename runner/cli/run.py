"""`runner run`: the smallest way to use the runner, from system cron."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from runner.app import Progress
from runner.cli.options import log_level, make_app, resolved, settings_options
from runner.cli.progress import Bar
from runner.core.signals import Stop

if TYPE_CHECKING:
    from runner.core.summary import Summary

EPILOG = """\b
Examples:
  runner run --handlers shop.jobs:handlers --batch-size 25
  runner run --hooks wpkite_sync_product --time-limit 50 --quiet
  runner run --mode native --json --fail-on-error
  runner run --shadow

\b
From cron, each minute (with RUNNER_DSN and RUNNER_HANDLERS set there):
  * * * * * www-data runner run --batch-size 25 --time-limit 50 --quiet

\b
Exit codes: 0 done or nothing to do, 1 could not work, 2 usage, 3 an action failed
(--fail-on-error), 75 another run is at work, 78 configuration, 128+n cut short by a signal.
"""


@click.command("run", epilog=EPILOG)
@settings_options("database", "handlers", "run")
@click.option("--fail-on-error", is_flag=True, help="Exit with 3 when an action failed for good.")
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
@click.option(
    "--shadow",
    is_flag=True,
    help="Only say what would be run and how long it has waited; write nothing, take no lock.",
)
def command(*, fail_on_error: bool, quiet: bool, as_json: bool, shadow: bool, **flags: Any) -> int:
    """Run the due actions of your handlers, then end.

    Claims what is due and has a Python handler, batch by batch, until nothing is left or a limit
    is reached. An action that fails is recorded and retried by its policy: that is no error of
    the run. Of several sites in runner.toml all are run, unless --site names one.
    """
    found = resolved(flags)
    if found.several and not shadow:
        from runner.cli.sites import run_all  # noqa: PLC0415  for several sites only

        return run_all(found, _sentence, quiet=quiet, as_json=as_json)
    app = make_app(found)
    if wanted := found.settings.hooks:
        app.handlers = app.handlers.only(wanted)
    if shadow:
        from runner.cli.shadow import show  # noqa: PLC0415  runs have no use for it

        show(app, found.settings, as_json=as_json)
        return 0
    app.log_level = log_level(quiet=quiet)
    stop = Stop()
    with stop.listening(), Bar(shown=not (quiet or as_json)) as bar:
        begin = bar.begin if bar.shown else None  # counting what is due costs a question
        progress = Progress(begin, [bar.event])
        summary = app.run(found.settings, stop, progress)
    report(summary, quiet=quiet, as_json=as_json)
    return exit_code(summary, stop, fail_on_error=fail_on_error)


def exit_code(summary: Summary, stop: Stop, *, fail_on_error: bool) -> int:
    if stop.now:
        return 128 + stop.number
    return 3 if fail_on_error and (summary.failed or summary.corrupt) else 0


def report(summary: Summary, *, quiet: bool, as_json: bool) -> None:
    """The run's summary on stdout."""
    if as_json:
        import json  # noqa: PLC0415  cron's runs have no use for it

        click.echo(json.dumps(asdict(summary)))
    elif not quiet:
        click.echo(_sentence(summary))


def _sentence(summary: Summary) -> str:
    if not summary.claimed and not summary.taken_back:
        if summary.contended:
            return "others hold every due action"
        idle = summary.stopped == "nothing left"
        return "nothing is due" if idle else f"nothing was begun ({summary.stopped})"
    parts = [f"completed {summary.completed}"]
    names = ("retried", "snoozed", "failed", "canceled", "corrupt", "lost")
    parts += [f"{name} {count}" for name in names if (count := getattr(summary, name))]
    if summary.taken_back:
        parts.append(f"taken back {summary.taken_back}")
    return (
        f"claimed {summary.claimed}: {', '.join(parts)} in {summary.seconds:.1f} s"
        f" ({summary.stopped})"
    )
