"""`runner handlers`: which hooks are handled, by what, and how they are retried."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from runner.cli import printable
from runner.cli.options import load_handlers, resolved, settings_options
from runner.core.retry import class_names
from runner.handlers.binding import name_of
from runner.handlers.callbacks import MOMENTS

if TYPE_CHECKING:
    from runner.core.retry import RetryPolicy
    from runner.core.throttle import Throttle
    from runner.handlers import Handler, Handlers

EPILOG = """\b
Example:
  runner handlers --handlers shop.jobs:handlers
"""


@click.command("handlers", epilog=EPILOG)
@settings_options("handlers")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def command(*, as_json: bool, **flags: Any) -> None:
    """Show which hooks are handled, by what, and how they are retried. Needs no database."""
    loaded, _ = load_handlers(resolved(flags), required=True)
    limits = loaded.throttles()
    shown = [
        _facts(handler, loaded, limits.get(handler.hook, handler.throttle))
        for handler in loaded
        if handler.hook not in loaded.job_hooks
    ]
    jobs = {
        f"job {handler.hook}": _facts(handler, loaded, handler.throttle, job=True)
        for handler in loaded.jobs
    }
    if as_json:
        click.echo(json.dumps([*shown, *jobs.values()]))
        return
    named = {facts["hook"]: facts for facts in shown} | jobs
    width = max(len(name) for name in named) + 2
    for name, facts in named.items():
        click.echo(f"{name:<{width}}{facts['handler']}")
        click.echo(f"{'':<{width}}{facts['retries']}; killed after {facts['timeout']:g} s")
        if facts["attempts"] > 1 and (words := _errors(facts)):
            click.echo(f"{'':<{width}}{words}")
        if words := _around(facts):
            click.echo(f"{'':<{width}}{words}")


def _facts(
    handler: Handler, loaded: Handlers, limits: Throttle, *, job: bool = False
) -> dict[str, Any]:
    hook, type_ = (", ".join(loaded.job_hooks), handler.hook) if job else (handler.hook, None)
    around = {m: [c.name for c in loaded.callbacks(m, hook, type_)] for m in MOMENTS}
    return {
        "hook": hook,
        "job_type": type_,
        "handler": f"{handler.function.__module__}.{handler.signature.text}",
        "attempts": handler.retry.attempts,
        "retries": _retries(handler.retry),
        "retry_on": _names(handler.retry.retry_on),
        "give_up_on": _names(handler.retry.give_up_on),
        "classify": name_of(handler.classify) if handler.classify else None,
        "timeout": handler.timeout,
        "queue": handler.queue or None,
        "limits": limits.words(),
        **around,
    }


def _around(facts: dict[str, Any]) -> str:
    """Its queue, its limits, and what is called around it."""
    parts = [f"queue {facts['queue']}"] if facts["queue"] else []
    parts += facts["limits"]
    parts += [f"{moment} {', '.join(facts[moment])}" for moment in MOMENTS if facts[moment]]
    return printable("; ".join(parts))


def _names(errors: tuple[type[BaseException] | str, ...]) -> list[str]:
    return [name.removeprefix("builtins.") for name in class_names(*errors)]


def _retries(policy: RetryPolicy) -> str:
    if policy.attempts == 1:
        return "1 attempt, no retry"
    shown = min(policy.attempts - 1, 4)
    plain = replace(policy, jitter=0.0)
    delays = ", ".join(f"{plain.delay(n):g}" for n in range(1, shown + 1))
    more = ", …" if policy.attempts - 1 > shown else ""
    spread = f" (±{policy.jitter:.0%})" if policy.jitter else ""
    return f"{policy.attempts} attempts, retried after {delays}{more} s{spread}"


def _errors(facts: dict[str, Any]) -> str:
    """Which errors are retried, in the order in which it is decided; "" when all are."""
    gives_up, retries = ", ".join(facts["give_up_on"]), ", ".join(facts["retry_on"])
    parts = [f"gives up on {gives_up}"] if gives_up else []
    if retries:
        parts.append(f"retries {retries}" if facts["classify"] else f"retries only {retries}")
    if classify := facts["classify"]:
        parts.append(f"{classify} decides {'the rest' if parts else 'which errors are retried'}")
    return printable("; ".join(parts))
