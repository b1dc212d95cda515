"""What a handler may know about the action it is called for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runner.core.errors import SettlingError

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from datetime import datetime


def never() -> bool:
    """Nobody has canceled the action."""
    return False


def outside() -> AbstractContextManager[Any]:
    """There is no action to settle. Raises SettlingError."""
    raise SettlingError(
        "settling() works where the runner calls the handler. In a test, let the context have a"
        " connection of yours: Context(…, settle=lambda: contextlib.nullcontext(connection))"
    )


@dataclass(frozen=True, slots=True)
class Context:
    """Given to a handler whose first parameter is annotated `Context`.

    `attempt` is the number of this try, from 1, of `max_attempts`. `scheduled_at` is the aware
    UTC time of this instance, None for an async action. `timeout` is in seconds: when it is
    over, the process that runs the handler is killed. Of a job, `job_type` and `job_id` are its
    envelope's, else they are empty. `asked` is how `cancelled` finds out, and
    `settle` what `settling` calls.
    """

    action_id: int
    hook: str
    group: str
    attempt: int
    max_attempts: int
    scheduled_at: datetime | None
    timeout: float
    job_type: str = ""
    job_id: str = ""
    asked: Callable[[], bool] = field(default=never, repr=False, compare=False)
    settle: Callable[[], AbstractContextManager[Any]] = field(
        default=outside, repr=False, compare=False
    )

    def settling(self) -> AbstractContextManager[Any]:
        """`with context.settling() as connection:` what the block writes on the connection and
        the action's completion are committed together when the block ends; an error in it rolls
        back both. Once for each call of the handler.

        The connection is PyMySQL's (sqlite3's for a SQLite file), in the site's database, with a
        transaction open. It belongs to the block: end no transaction there, and leave nothing on
        it afterwards. What the handler does after the block no longer changes the outcome.

        Raises SettlingError when another has taken the action over (then nothing was written),
        and when the block has ended the transaction (then what came before may be there).
        """
        return self.settle()

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
