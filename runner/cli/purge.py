"""`runner purge`: finished actions go in bulk, by what they are; or log lines without an action."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from runner.cli import complain
from runner.cli.action.inputs import checked
from runner.cli.actor import actor_name, actor_option
from runner.cli.moments import moment, short_span, span
from runner.cli.options import finite, names_list, settings_options, site_app
from runner.cli.output import table
from runner.cli.progress import Bar
from runner.core.errors import UsageError
from runner.core.limits import Limits
from runner.core.model import Status
from runner.core.signals import Stop
from runner.operations.actions import Actions
from runner.operations.manage import Actor, Manage
from runner.operations.pace import Pace
from runner.operations.purge import (
    FINISHED,
    Plan,
    PurgeActions,
    PurgeOrphans,
    Wanted,
    group_ids,
)
from runner.operations.replica import Replica
from runner.storage.dsn import parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runner.app import App
    from runner.cli.moments import Moment
    from runner.operations.purge import Purge, Purged
    from runner.site import Site
    from runner.storage.db import Database

EPILOG = """\b
Examples:
  runner purge --older-than 30d
  runner purge --hook wpkite_sync_product --status complete --older-than 7d --yes
  runner purge --group shop --keep 100000 --yes
  runner purge --orphan-logs --yes
  runner purge --older-than 30d --replica mysql://watcher@replica.example/shop --yes

\b
Without --yes nothing is deleted: it says what would be. It may be stopped at any time (Ctrl-C,
SIGTERM) and run again: it goes on with what is left.
"""

SHOWN = 20
"""Lines of a plan; JSON has all."""

_NOTHING_NAMED = (
    "say what to purge: --hook, --group, --status, --older-than or --keep, or --orphan-logs;"
    " nothing was deleted (`runner purge --older-than 30d` shows what finished before that)"
)


@click.command("purge", epilog=EPILOG)
@settings_options("database")
@click.option(
    "--hook", "named_hooks", multiple=True, metavar="NAME", help="Of this hook; repeatable."
)
@click.option(
    "--group",
    "named_groups",
    multiple=True,
    metavar="NAME",
    help="Of this group; repeatable; '' is none.",
)
@click.option(
    "--status",
    metavar="A,B",
    help=f"In one of: {', '.join(FINISHED)} (default: all three); or pending, alone.",
)
@click.option(
    "--older-than", metavar="SPAN", help="Last attempted so long ago: 12h, 30d, '2 weeks'."
)
@click.option(
    "--keep",
    type=click.IntRange(1),
    metavar="N",
    help="The newest N of these hooks, groups and statuses stay.",
)
@click.option("--orphan-logs", is_flag=True, help="Instead: log lines whose action is gone.")
@click.option("--yes", is_flag=True, help="Delete; without it nothing is.")
@click.option("--dry-run", is_flag=True, help="Delete nothing, say what would be deleted.")
@click.option(
    "--batch-size",
    "most",
    type=click.IntRange(1, 1000),
    default=500,
    show_default=True,
    metavar="N",
    help="Rows deleted by one transaction at most.",
)
@click.option(
    "--pause",
    "rest",
    type=click.FloatRange(0, 3600),
    callback=finite,
    default=0,
    metavar="SECONDS",
    help="Rest between batches at least.",
)
@click.option(
    "--max-latency",
    default="50ms",
    show_default=True,
    metavar="SPAN",
    help="Batches take a quarter of it, and wait while a claim's look takes this much longer.",
)
@click.option(
    "--replica",
    "replicas",
    multiple=True,
    metavar="DSN",
    help="Rest while it is behind; repeatable.",
)
@click.option(
    "--max-lag",
    default="2s",
    show_default=True,
    metavar="SPAN",
    help="What a replica may be behind.",
)
@click.option("--quiet", is_flag=True, help="Say nothing but errors.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan, or what was done, as JSON.")
@actor_option
def command(
    *, yes: bool, dry_run: bool, quiet: bool, as_json: bool, actor: str | None, **options: Any
) -> int:
    """Delete finished actions by hook, group, status, age or number, with their logs.

    Every condition that is given must hold. Shows rows and bytes first and deletes only with --yes:
    in small transactions with longer rests between them, and none while a replica or the queue's
    claims fall behind. Hooks are compared exactly. A finished action that was never attempted
    counts as old, as for `runner clean`. What is in progress, or of a claim that may live, stays.

    Pending actions go only with --status pending and a hook or group; --older-than is then about
    their date. One that recurs does not come again.
    """
    if yes and dry_run:
        raise UsageError("--yes and --dry-run cannot be given together")
    named = _named(options)
    latency = short_span("--max-latency", options["max_latency"])
    lag = span("--max-lag", options["max_lag"])
    app, stop = site_app(options), Stop()
    limits = Limits(app.clock, stop)
    with (
        stop.listening(),
        app.open() as (database, site),
        _replicas(app, options["replicas"], lag) as gauges,
        Bar(shown=yes and not (quiet or as_json)) as bar,
    ):
        purge = named.purge(database, site, limits, bar)
        plan = purge.plan()
        if limits.reached() or not (yes and plan.steps):
            if not quiet:
                _show(plan, named, limits.reached(), dry=not yes, as_json=as_json)
            return _code(stop)
        bar.begin(plan.steps, named.unit)
        brake = purge.brake(latency, gauges, lambda why: complain(f"the purge waits: {why}"))
        manage = Manage(database, site, Actor(actor_name(actor)))
        with manage.together("purge", named.told(options)) as entry:
            entry.asked = plan.steps
            purged = purge.run(Pace(latency / 4, options["most"], options["rest"]), brake)
            entry.changed = purged.passed
    left = max(plan.steps - purged.passed, 0) if limits.reached() else 0
    if as_json:
        click.echo(json.dumps({"dry_run": False, **asdict(purged), "left": left}))
    elif not quiet:
        click.echo(_sentence(purged, left, named.unit))
    return _code(stop)


class _Named:
    """What was named on the command line, before the site is known."""

    def __init__(
        self, wanted: Wanted, groups: Sequence[str], age: Moment | None, *, orphans: bool
    ) -> None:
        self._wanted = wanted
        self._groups = groups
        self._age = age
        self._orphans = orphans
        self.unit = "log lines" if orphans else "actions"

    def told(self, options: dict[str, Any]) -> str:
        """What is meant, for the audit."""
        names = ("named_hooks", "named_groups", "status", "older_than", "keep")
        said = [f"{n.removeprefix('named_')}: {options[n]}" for n in names if options[n]]
        return f"{self.unit}: {', '.join(said) or 'all'}"

    def purge(self, database: Database, site: Site, limits: Limits, bar: Bar) -> Purge:
        now = Actions(database, site).now()
        cutoff = None if self._age is None else self._age.at(now)
        if self._orphans:
            return PurgeOrphans(database, site, limits, cutoff, bar.update)
        groups = group_ids(database, site, self._groups)
        wanted = replace(self._wanted, groups=groups, cutoff=cutoff)
        return PurgeActions(database, site, limits, wanted, bar.update)


def _named(options: dict[str, Any]) -> _Named:
    """Raises UsageError for what cannot be meant."""
    hooks, groups, keep = options["named_hooks"], options["named_groups"], options["keep"]
    orphans = options["orphan_logs"]
    statuses = names_list("--status", options["status"])
    filters = {"--hook": hooks, "--group": groups, "--status": statuses, "--keep": keep}
    given = [name for name, value in filters.items() if value]
    if orphans and given:
        raise UsageError(f"--orphan-logs stands alone, or with --older-than: leave out {given[0]}")
    if not (orphans or given or options["older_than"] is not None):
        raise UsageError(_NOTHING_NAMED)
    for name in hooks:
        checked(name, None)
    for name in groups:
        checked(None, name)
    _check_statuses(statuses, chosen=bool(hooks or groups), keep=keep)
    age = options["older_than"]
    wanted = Wanted(statuses or tuple(map(str, FINISHED)), hooks, keep=keep)
    back = None if age is None else _back(age)
    return _Named(wanted, groups, back, orphans=orphans)


def _back(age: str) -> Moment:
    """So long ago. Checked as a span, so that `now` and dates are told apart from one."""
    return moment("--older-than", f"{span('--older-than', age)}s", span_is=-1)


def _check_statuses(statuses: Sequence[str], *, chosen: bool, keep: int | None) -> None:
    known = (*FINISHED, Status.PENDING)
    for name in statuses:
        if name == Status.RUNNING:
            raise UsageError("--status: actions in progress are never purged")
        if name not in known:
            raise UsageError(f"--status: {name!r} cannot be purged, only {', '.join(known)}")
    if Status.PENDING not in statuses:
        return
    if len(statuses) > 1:
        raise UsageError("--status pending stands alone: what is finished goes by other rules")
    if not chosen:
        raise UsageError("--status pending wants --hook or --group: whose work is not to be done?")
    if keep is not None:
        raise UsageError("--keep is for finished actions: leave it out with --status pending")


@contextmanager
def _replicas(app: App, texts: Sequence[str], lag: int) -> Iterator[list[Replica]]:
    """Connections to the replicas, each of which can tell its lag."""
    with ExitStack() as stack:
        gauges = []
        for text in texts:
            dsn = parse(text)
            if dsn.dialect != "mysql":
                raise UsageError("--replica wants mysql://user@host/database of a replica")
            if dsn.password_given:
                raise UsageError(
                    "--replica must not hold a password: everybody can read a command line. The"
                    " site's is used (RUNNER_DB_PASSWORD or RUNNER_DB_PASSWORD_FILE)"
                )
            site = app.connection.dsn
            dsn = replace(
                dsn, user=dsn.user or site.user, password=site.password, ssl_ca=site.ssl_ca,
                tls=site.tls if dsn.tls == "auto" else dsn.tls,
            )  # fmt: skip
            database = app.beside(dsn)
            stack.callback(database.close)
            gauge = Replica(database, dsn.where(), lag)
            gauge.check()
            gauges.append(gauge)
        yield gauges


def _show(plan: Plan, named: _Named, cut: str | None, *, dry: bool, as_json: bool) -> None:
    """The plan, where nothing was deleted; `cut` says why it is not whole."""
    if cut:
        plan = Plan()  # half a count is none
    if as_json:
        parts = [part._asdict() for part in plan.parts]
        facts = asdict(plan) | {"parts": parts, "stopped": cut or "nothing left"}
        click.echo(json.dumps({"dry_run": dry} | facts))
    elif cut:
        click.echo(f"nothing was deleted ({cut})")
    elif not plan.steps:
        click.echo(f"no {named.unit} match: nothing to purge")
    else:
        click.echo("\n".join(_told(plan)))


def _told(plan: Plan) -> Iterator[str]:
    """The plan for people."""
    yield f"would delete {_amount(plan.actions, plan.log_lines)}{_size(plan.bytes)}"
    if plan.parts:
        heading = ("actions", "log lines", "status", "hook", "group")
        yield from table(heading, [(p[3], p[4], *p[:3]) for p in plan.parts[:SHOWN]])
    if rest := plan.parts[SHOWN:]:
        yield f"and {sum(p.actions for p in rest):,} of {len(rest)} more kinds"
    yield "nothing was deleted: --yes deletes"


def _sentence(purged: Purged, left: int, unit: str) -> str:
    waited = f", {purged.waited:.1f} s of them waiting" if purged.waited >= 1 else ""
    done = f"deleted {_amount(purged.actions, purged.log_lines)} in {purged.seconds:.1f} s{waited}"
    done += f" ({purged.stopped})"
    if left:
        return f"{done}; about {left:,} {unit} are left: run it again to go on"
    if stayed := purged.passed - (purged.actions if unit == "actions" else purged.log_lines):
        return f"{done}; {stayed:,} {unit} stay: somebody held or changed them meanwhile"
    return done


def _amount(actions: int, lines: int) -> str:
    lines_told = f"{lines:,} log line{'' if lines == 1 else 's'}"
    if not actions:
        return lines_told
    return f"{actions:,} action{'' if actions == 1 else 's'} and {lines_told}"


def _size(bytes_: int | None) -> str:
    return "" if bytes_ is None else f", about {bytes_ / 1e6:,.1f} MB with their indexes"


def _code(stop: Stop) -> int:
    return 128 + stop.number if stop.now else 0
