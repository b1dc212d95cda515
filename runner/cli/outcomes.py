"""What became of an action, in a line for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compat.site_time import sql_date
from runner.cli import printable
from runner.core.model import Cancelled, Completed, Dead, Retried, Snoozed

if TYPE_CHECKING:
    from runner.core.model import Outcome, Settlement


def sentence(settlement: Settlement) -> str:
    action = settlement.action
    return printable(f"action {action.id} ({action.hook}) {_outcome(settlement.outcome)}")


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
