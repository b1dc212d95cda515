"""What a handler may know about the action it is called for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable
    from datetime import datetime


def never() -> bool:
    """Nobody has canceled the action."""
    return False


@dataclass(frozen=True, slots=True)
class Context:
    """Given to a handler whose first parameter is annotated `Context`.

    `attempt` is the number of this try, from 1, of `max_attempts`. `scheduled_at` is the aware
    UTC time of this instance, None for an async action. `timeout` is in seconds: when it is
    over, the process that runs the handler is killed. `asked` is how `cancelled` finds out.
    """

    action_id: int
    hook: str
    group: str
    attempt: int
    max_attempts: int
    scheduled_at: datetime | None
    timeout: float
    asked: Callable[[], bool] = field(default=never, repr=False, compare=False)

    @property
    def cancelled(self) -> bool:
        """Whether somebody canceled the action while it runs: a long handler may look now and
        then, and leave off. Known some seconds after the fact, with the runner's heartbeat; never
        with the executor `inline`. What the handler then returns or raises changes nothing.
        """
        return self.asked()

    @property
    def log(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger whose records carry the action's id. They go to stderr, from INFO on."""
        import logging  # noqa: PLC0415  only for handlers that log

        logger = logging.getLogger(f"runner.handler.{self.hook}")
        return logging.LoggerAdapter(logger, {"action_id": self.action_id})
