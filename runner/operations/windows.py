"""How many actions may be marked ahead of their run, and recorded together.

Only handlers that are declared idempotent have windows: when the runner dies, an action that was
marked and not begun looks begun, so it may run once more than its log says. A window is bounded
by time, not by number: slow handlers gain nothing from one and get one action at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.core.model import Action
    from runner.handlers.registry import Handlers

SPAN = 0.150
"""Seconds that the actions of one window may take together, by their hooks' own running means."""

SHORTEST_OVERRUN = 0.020
"""Seconds: an action is late after twice its expected time, but never before this. Un-marking
costs a commit, which is more than a few milliseconds of lateness."""

_WEIGHT = 0.2
"""Share of the newest run in a hook's running mean."""


@dataclass(slots=True)
class Pace:
    """Running mean of each hook's or job type's seconds, learnt in this process."""

    means: dict[str, float] = field(default_factory=dict)

    def learn(self, hook: str, seconds: float) -> None:
        mean = self.means.get(hook)
        self.means[hook] = seconds if mean is None else mean + (seconds - mean) * _WEIGHT

    def late_after(self, hook: str) -> float:
        """Seconds after which a run of the hook holds up the rest of its window."""
        return max(2 * self.means.get(hook, 0.0), SHORTEST_OVERRUN)

    def window(self, waiting: Sequence[Action], handlers: Handlers) -> int:
        """How many of the next actions make one window: 1 for a handler that is not idempotent,
        has no history, or for an action that was tried before."""
        total = 0.0
        for count, action in enumerate(waiting):
            mean = self.means.get(action.key)
            alone = mean is None or action.attempt > 1 or not handlers.may_run_ahead(action)
            if alone or total + (mean or 0.0) > SPAN:
                return max(count, 1)
            total += mean or 0.0
        return max(len(waiting), 1)
