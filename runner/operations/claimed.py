"""A claim while it is worked through."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.core.model import Action, Claim, Settlement


class Claimed:
    """One claim's actions and how far each has come.

    `waiting` has not begun; `ahead` is written as begun and not yet handed to the executor;
    `marked` are the ids of a window, whose start is not in the log yet; `running` maps an id to
    its key and the monotonic time it was handed over; `outcomes` are judged and not yet recorded.
    `late` says that the window ends here, `stranded` that no place is left for what waits.
    """

    def __init__(self, claim: Claim, now: float) -> None:
        self.claim = claim
        self.outcomes: list[Settlement] = []
        self.waiting = deque(claim.actions)
        self.ahead: deque[Action] = deque()
        self.marked: set[int] = set()
        self.running: dict[int, tuple[str, float]] = {}
        self.late = False
        self.stranded = False
        self.last_beat = now

    def live(self) -> list[int]:
        unrecorded = (settlement.action for settlement in self.outcomes)
        held = {action.id for action in (*self.ahead, *self.waiting, *unrecorded)}
        return sorted({*self.running} | held)
