"""What became of an action: in a line for people, or as facts for machines."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

import click

from compat.site_time import sql_date
from runner.cli import printable
from runner.core.events import Lost
from runner.core.model import Cancelled, Completed, Dead, Retried, Snoozed

if TYPE_CHECKING:
    from runner.core.events import Event
    from runner.core.model import Action, Attempt, Outcome

_WORDS = {
    Completed: ("completed", "info"),
    Retried: ("retried", "warning"),
    Snoozed: ("snoozed", "info"),
    Dead: ("failed", "error"),
    Cancelled: ("canceled", "info"),
}
"""Each outcome's word and level in facts; the words are those of the summary."""


def say(line: str, out: TextIO) -> None:
    """Prints a line. Nobody who reads, or a full disk, is no reason to stop working."""
    try:
        click.echo(line, file=out)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())


def sentence(event: Event) -> str:
    if isinstance(event, Lost):
        what = "was lost: another runner took it, or it was changed meanwhile"
        return _about(event.action, what)
    return _about(event.settlement.action, _outcome(event.settlement.outcome))


def _about(action: Action, what: str) -> str:
    return printable(f"action {action.id} ({action.key}) {what}")


def _outcome(outcome: Outcome) -> str:
    match outcome:
        case Completed():
            return "is complete"
        case Dead(why):
            return f"failed: {why}"
        case Cancelled(why):
            return f"was canceled: {why}" if why else "was canceled"
        case Retried(at, why):
            return f"failed and will be retried at {sql_date(at)} UTC: {why}"
        case Snoozed(at, why):
            return f"was put off until {sql_date(at)} UTC" + (f": {why}" if why else "")


def facts(event: Event) -> dict[str, Any]:
    """The same keys for every action that is settled; None for what does not apply or is not
    known. `seconds` is how long the handler took, `memory` its process's peak in bytes."""
    if isinstance(event, Lost):
        return {"event": "lost", "level": "warning", **_identity(event.action, event.queue)}
    settlement = event.settlement
    word, level = _WORDS[type(settlement.outcome)]
    at = getattr(settlement.outcome, "at", None)
    return {
        "event": "settled",
        "level": level,
        **_identity(settlement.action, event.queue),
        "outcome": word,
        **_call(settlement.attempt),
        "why": getattr(settlement.outcome, "why", None) or None,
        "next_at": None if at is None else datetime.fromtimestamp(at, UTC).isoformat(),
    }


def _identity(action: Action, queue: str) -> dict[str, Any]:
    return {
        "action_id": action.id,
        "hook": action.hook,
        "job_type": action.type or None,
        "group": action.group or None,
        "queue": queue or None,
        "attempt": action.attempt,
    }


def _call(attempt: Attempt | None) -> dict[str, Any]:
    failure = attempt.failure if attempt else None
    seen = attempt if attempt and not (failure and failure.kind == "expired") else None
    return {
        "seconds": round(seen.elapsed, 6) if seen else None,
        "memory": (seen.memory or None) if seen else None,
        "error_class": (failure.error_class or None) if failure else None,
    }
