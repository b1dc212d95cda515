"""`runner handlers`: which hooks are handled, by what, and how they are retried."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from runner.cli.options import load_handlers, resolved, settings_options

if TYPE_CHECKING:
    from runner.core.retry import RetryPolicy
    from runner.handlers import Handler

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
    if as_json:
        click.echo(json.dumps([_facts(handler) for handler in loaded]))
        return
    width = max(len(hook) for hook in loaded.hooks) + 2
    for handler in loaded:
        facts = _facts(handler)
        click.echo(f"{handler.hook:<{width}}{facts['handler']}")
        click.echo(f"{'':<{width}}{facts['retries']}; killed after {handler.timeout:g} s")


def _facts(handler: Handler) -> dict[str, Any]:
    return {
        "hook": handler.hook,
        "handler": f"{handler.function.__module__}.{handler.signature.text}",
        "attempts": handler.retry.attempts,
        "retries": _retries(handler.retry),
        "timeout": handler.timeout,
    }


def _retries(policy: RetryPolicy) -> str:
    if policy.attempts == 1:
        return "1 attempt, no retry"
    shown = min(policy.attempts - 1, 4)
    plain = type(policy)(
        attempts=policy.attempts,
        first=policy.first,
        factor=policy.factor,
        delays=policy.delays,
        longest=policy.longest,
    )  # fmt: skip  the same without jitter
    delays = ", ".join(f"{plain.delay(n):g}" for n in range(1, shown + 1))
    more = ", …" if policy.attempts - 1 > shown else ""
    return f"{policy.attempts} attempts, retried after {delays}{more} s"
