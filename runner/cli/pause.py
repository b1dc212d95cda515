"""`runner pause` and `runner resume`: what must not begin for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from compat.site_time import ZERO, sql_date
from runner.cli import complain
from runner.cli.actor import actor_name, actor_option
from runner.cli.moments import moment, span
from runner.cli.options import settings_options, site_app
from runner.core.errors import UsageError
from runner.core.pauses import EVERYTHING, GROUP, HOOK
from runner.operations.actions import Actions
from runner.operations.manage import Actor, Manage
from runner.operations.pauses import Pauses, Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.core.pauses import Pause

F = TypeVar("F", bound="Callable[..., Any]")

EPILOG = """\b
Examples:
  runner pause --hook wpkite_sync_product --for 2h --why "the CRM is being moved"
  runner pause --group shop
  runner pause --all --until '2026-12-24 18:00'
  runner pause

\b
Without a hook or a group it shows what is paused.
"""


def target_options(function: F) -> F:
    """What is meant."""
    for option in (
        click.option("--all", "everything", is_flag=True, help="Everything."),
        click.option("--group", metavar="NAME", help="All actions of this group."),
        click.option("--hook", metavar="NAME", help="This hook, exactly."),
    ):
        function = option(function)
    return function


def target_of(hook: str | None, group: str | None, *, everything: bool) -> Target | None:
    """None where nothing is named. Raises UsageError for more than one."""
    named = [(HOOK, hook), (GROUP, group), (EVERYTHING, "" if everything else None)]
    targets = [(kind, name) for kind, name in named if name is not None]
    if len(targets) > 1:
        raise UsageError("name one: --hook, --group or --all")
    return Target(*targets[0]) if targets else None


@click.command("pause", epilog=EPILOG)
@settings_options("database")
@target_options
@click.option("--for", "span_text", metavar="SPAN", help="For so long: 30m, 2h, 1d.")
@click.option("--until", metavar="MOMENT", help="Until then (UTC unless it says more).")
@click.option("--why", default="", metavar="TEXT", help="The reason, for whoever asks.")
@actor_option
def command(
    *,
    hook: str | None,
    group: str | None,
    everything: bool,
    span_text: str | None,
    until: str | None,
    why: str,
    actor: str | None,
    **flags: Any,
) -> None:
    """Let nothing of a hook, a group, or all begin until a moment, or until `runner resume`.

    Workers see it within a second; what runs already goes on. Due actions wait, and run afterwards.
    """
    if span_text and until:
        raise UsageError("give --for or --until, not both")
    target = target_of(hook, group, everything=everything)
    if target is None and (span_text or until or why):
        raise UsageError("say what to pause: --hook NAME, --group NAME or --all")
    length = span("--for", span_text) if span_text else None
    moment_given = moment("--until", until) if until else None
    with site_app(flags).open() as (database, site):
        pauses = Pauses(database, site)
        if target is None:
            click.echo(_listed(pauses.list()))
            return
        now = Actions(database, site).now()
        ends = moment_given.at(now) if moment_given else None if length is None else now + length
        if ends is not None and ends <= now:
            raise UsageError("--until or --for ends before it begins: nothing was paused")
        if ends is not None and sql_date(ends) == ZERO:
            raise UsageError("--for ends after the year 9999: leave it out, and it has no end")
        manage = Manage(database, site, Actor(actor_name(actor)))
        manage.pause(target, until=ends, reason=" ".join(why.split()))
        (found,) = [p for p in pauses.list() if (p.kind, p.name) == (target.kind, target.name)]
        if not pauses.known(target):
            complain(f"there is no group {target.name} yet: it is paused when it comes")
    click.echo(f"paused {found}")


def _listed(pauses: list[Pause]) -> str:
    return "\n".join(str(pause) for pause in pauses) or "nothing is paused"
