"""`runner health`: is all well, and who is told when it is not."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from runner.chores import Once, record
from runner.cli import complain, printable
from runner.cli.options import known_hooks, resolved, settings_options, site_app
from runner.cli.sites import look_all
from runner.core.errors import DatabaseError, SiteError
from runner.core.findings import State
from runner.operations.health.watch import look, unreachable
from runner.watcher import plan_of, watch_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.app import App
    from runner.config import Settings
    from runner.operations.health.watch import Look

EPILOG = """\b
Examples:
  runner health
  runner health --json --fail-on critical
  runner health --threshold overdue=200,failures=50@hook:shop_sync
  * * * * *  runner health --send --quiet

\b
Without --send it looks, says what it sees and writes nothing. With it, alerts are raised, told by
e-mail, Slack or your own channels, and resolved, as the daemon does each minute: for sites where
`runner run` comes from cron, or to hear of a daemon that died.
Exit codes: 0 nothing as bad as --fail-on, 1 something was, 2 usage, 78 configuration.
"""

WAIT = 45.0
"""Seconds that channels have to send what is due: the next minute's call does the rest."""

_ORDER = (State.OK, State.OFF, State.UNKNOWN, State.WARNING, State.CRITICAL)
_COLORS = {
    State.OK: "green",
    State.OFF: "bright_black",
    State.UNKNOWN: "magenta",
    State.WARNING: "yellow",
    State.CRITICAL: "red",
}


@click.command("health", epilog=EPILOG)
@settings_options("database", "handlers", "mode", "alerts")
@click.option("--send", is_flag=True, help="Raise, tell and resolve alerts.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
@click.option(
    "--fail-on",
    type=click.Choice(["warning", "critical"]),
    default="warning",
    show_default=True,
    help="The least that exits with 1.",
)
def command(*, send: bool, as_json: bool, quiet: bool, fail_on: str, **flags: Any) -> int:
    """Say whether all is well: the queue, both runners, what failed; and tell people if not.

    Several sites in runner.toml are looked at together, unless --site names one.
    """
    found = resolved(flags)
    if found.several:
        return look_all(found, as_json=as_json)
    hooks, trouble = known_hooks(found)
    if trouble:
        complain(f"{trouble}: looking without knowing which hooks are Python's")
    app = site_app(flags)
    seen = _send(app, found.settings, hooks) if send else _look(app, found.settings, hooks)
    if as_json:
        click.echo(json.dumps(_object(seen, found.settings)))
    elif not quiet:
        for line in _lines(seen):
            click.echo(line)
    return int(_ORDER.index(seen.state) >= _ORDER.index(State(fail_on)))


def _look(app: App, settings: Settings, hooks: Sequence[str]) -> Look:
    plan = plan_of(app, settings, hooks)
    try:
        with app.open() as (database, site):
            database.patience = 0.0
            return look(database, site, plan)
    except (DatabaseError, SiteError) as error:
        return unreachable(error, plan)


def _send(app: App, settings: Settings, hooks: Sequence[str]) -> Look:
    record(app, settings.keep_minutes, Once(complain))
    watch = watch_of(app, settings, hooks, complain)
    seen = watch.once()
    watch.join(WAIT)
    return seen


def _object(seen: Look, settings: Settings) -> dict[str, Any]:
    return {
        "address": seen.site,
        "at": seen.now,
        "state": seen.state,
        "held": seen.held,
        "rules": [
            {
                "rule": judged.rule,
                "state": judged.state,
                "text": judged.text,
                "findings": [asdict(finding) for finding in judged.findings],
            }
            for judged in seen.judged
        ],
        "thresholds": [str(limit) for limit in settings.thresholds],
    }


def _lines(seen: Look) -> Iterator[str]:
    """The worst comes last, where a terminal stands still."""
    width = max(len(judged.rule) for judged in seen.judged)
    for judged in sorted(seen.judged, key=lambda judged: _ORDER.index(judged.state)):
        word = click.style(f"{judged.state:<9}", fg=_COLORS[judged.state])
        if not judged.findings:
            yield f"{word}{judged.rule:<{width}}  {click.style(printable(judged.text), dim=True)}"
        for finding in judged.findings:
            word = click.style(f"{finding.severity:<9}", fg=_COLORS[State(finding.severity)])
            yield f"{word}{finding.rule:<{width}}  {printable(finding.text)}"
            yield f"{'':<9}{'':<{width}}  {printable(finding.advice)}"
    if seen.held:
        yield "the time was changed a moment ago: nothing is judged for two minutes"
    if not seen.alone:
        yield "another runner is at it: it raises and tells"
