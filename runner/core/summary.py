"""What a run did."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Summary:
    """Counts of actions, seconds, and why the run ended."""

    claimed: int = 0
    completed: int = 0
    retried: int = 0
    snoozed: int = 0
    failed: int = 0
    canceled: int = 0
    corrupt: int = 0
    lost: int = 0
    taken_back: int = 0
    contended: bool = False
    seconds: float = 0.0
    stopped: str = "nothing left"
