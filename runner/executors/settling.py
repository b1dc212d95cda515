"""`context.settling()` as one call of a handler sees it. What does it on the database is made by
whoever starts the executor, when the first handler wants it."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from runner.core.errors import SettlingError
from runner.core.judge import describe

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from runner.core.model import HandlerFailure
    from runner.executors.call import Job


class Settler(Protocol):
    """Settles actions from inside their handlers, one at a time."""

    def settle(self, call: Settling) -> AbstractContextManager[Any]:
        """The transaction that a handler's block gets; sets `done` and `stays` of the call."""
        ...

    def rest(self) -> None:
        """Between two actions: nothing of the last one stays on the connection."""
        ...


def no_settler() -> Settler:
    """For an executor that works without a database."""
    raise SettlingError("there is no database here to settle in")


class Settling:
    """One call's right to settle its action, once.

    `done`: the action's completion is committed, and nothing changes its outcome any more.
    `began` is this process's monotonic clock when the handler was called.
    `stays` says in words what of a block that failed could not be undone.
    """

    def __init__(self, job: Job, settler: Callable[[], Settler], began: float) -> None:
        self.job = job
        self.began = began
        self.done = False
        self.stays = ""
        self._settler = settler
        self._begun = False
        self._used: Settler | None = None

    def begin(self) -> AbstractContextManager[Any]:
        """What `context.settling()` is. Raises SettlingError the second time."""
        if self._begun:
            raise SettlingError("settling() was called before in this run of the handler")
        self._begun = True
        self._used = self._settler()
        return self._used.settle(self)

    def failed(self, failure: HandlerFailure) -> HandlerFailure | None:
        """What an error of the handler comes to: a line on stderr when it is too late for more."""
        if self.done:
            logging.getLogger(f"runner.handler.{self.job.hook}").error(
                "the action is complete; after that its handler failed: %s",
                describe(failure),
                extra={"action_id": self.job.id},
            )
            return None
        if self.stays:
            return replace(failure, message=f"{failure.message} (not atomic: {self.stays})")
        return failure

    def end(self) -> None:
        """The call is over."""
        if self._used:
            self._used.rest()
