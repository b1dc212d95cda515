"""The nouns: action, claim, attempt, outcome. Frozen values, no behaviour but their own."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compat.schedules import Schedule
    from runner.core.jobs import Envelope


class Status(StrEnum):
    """The strings in the `status` column (Action Scheduler, class ActionScheduler_Store)."""

    PENDING = "pending"
    RUNNING = "in-progress"
    COMPLETE = "complete"
    FAILED = "failed"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class Action:
    """One row of the queue, as it was when claimed.

    `attempts` counts the begins before this one. `args_text` is the JSON as stored; it has been
    proved readable. `job` is the envelope in it, of a hook that runs jobs.
    """

    id: int
    hook: str
    args_text: str
    schedule: Schedule
    group_id: int
    group: str
    priority: int
    attempts: int
    job: Envelope | None = None

    @property
    def attempt(self) -> int:
        """Number of the attempt that begins now, from 1, with those of a job before this row."""
        return self.attempts + 1 + (self.job.attempt if self.job else 0)

    @property
    def type(self) -> str | None:
        """The job's type, empty where it names none; None where it is no job."""
        return self.job.type if self.job else None

    @property
    def key(self) -> str:
        """What runs alike: the hook, or the job's type."""
        return self.hook if self.job is None else f"{self.hook}/{self.job.type}"


@dataclass(frozen=True, slots=True)
class Claim:
    """A lease on a batch. `id` is the token that fences every later write.

    `now` is the database's clock when claimed (epoch seconds), `monotonic` this process's clock
    at the same moment: together they tell the database's time without asking again. `expired`
    are actions a dead worker had begun: they are ours now, to be judged and settled, not run.
    `reset` and `corrupt` count rows that were dealt with while claiming; `put_off` are the ids of
    those whose lock was taken.
    """

    id: int
    actions: tuple[Action, ...]
    now: float
    monotonic: float
    expired: tuple[Action, ...] = ()
    reset: int = 0
    corrupt: int = 0
    put_off: tuple[int, ...] = ()

    def database_time(self, monotonic: float) -> float:
        """The database's clock now, in epoch seconds, given this process's clock."""
        return self.now + monotonic - self.monotonic


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a handler that settles its action itself must show: the token of the claim under which
    the action began. `marked_ahead`: see Settlement."""

    claim: int
    marked_ahead: bool = False


NO_RECEIPT = Receipt(0)
"""For a call that has nothing to do with a database."""


def spelled_out(text: str) -> str:
    """The same text made of whole characters: of half a one its number is shown."""
    return text.encode(errors="backslashreplace").decode()


@dataclass(frozen=True, slots=True)
class HandlerFailure:
    """Why a call did not return: plain text, so that it crosses process borders.

    `kind` is `error` (the handler raised), a control word (`retry`, `snooze`, `fail`, `cancel`),
    `timeout`, `crash`, `interrupted`, `expired` or `unbound` (the args do not fit).
    `lineage` holds the qualified names of the error's class and its bases, `verdict` what the
    handler's classifier said of it (`retry`, `permanent`, or nothing), `seconds` a delay that the
    handler or its classifier named, `retry_after` the header of an HTTP response, as sent.
    """

    kind: str
    message: str
    error_class: str = ""
    lineage: tuple[str, ...] = ()
    seconds: float | None = None
    traceback: str = ""
    verdict: str = ""
    retry_after: str = ""

    def __post_init__(self) -> None:
        """What is half a character, of an answer cut in two say, could be stored nowhere."""
        for name in ("message", "error_class", "traceback"):
            object.__setattr__(self, name, spelled_out(getattr(self, name)))


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call of a handler. `elapsed` is in seconds; `failure` is None when it returned;
    `memory` is the peak of the process that ran it, in bytes, 0 when unknown; `settled` says that
    the handler has settled the action itself."""

    action: Action
    elapsed: float
    failure: HandlerFailure | None = None
    memory: int = 0
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Completed:
    pass


@dataclass(frozen=True, slots=True)
class Retried:
    """Pending again at `at` (epoch seconds, UTC); the attempt is spent."""

    at: int
    why: str


@dataclass(frozen=True, slots=True)
class Snoozed:
    """Pending again at `at` (epoch seconds, UTC); the attempt is given back."""

    at: int
    why: str


@dataclass(frozen=True, slots=True)
class Dead:
    """Failed for good."""

    why: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    why: str


Outcome = Completed | Retried | Snoozed | Dead | Cancelled
"""Closed: nothing else can happen to an action that is still ours."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """An outcome on its way to the source. `marked_ahead`: the action began without a log line
    of its own, which is written now. `attempt` is the call that was judged, if there was one;
    `note` is one more line for the log."""

    action: Action
    outcome: Outcome
    marked_ahead: bool = False
    attempt: Attempt | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """What one turn is to write: outcomes, what begins, and what was marked ahead and is not to
    run now. `ahead`: those that begin are only marked, and nothing says yet that they started.
    `told` are the ids of unmarked ones of which a log line says that they did."""

    settled: tuple[Settlement, ...] = ()
    starting: tuple[Action, ...] = ()
    unmarked: tuple[Action, ...] = ()
    ahead: bool = False
    told: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.settled or self.starting or self.unmarked)

    def actions(self) -> tuple[Action, ...]:
        return (*(s.action for s in self.settled), *self.starting, *self.unmarked)


@dataclass(frozen=True, slots=True)
class Held:
    """What an advance wrote. Anything given to it and not named here was lost to another."""

    settled: tuple[Settlement, ...] = ()
    started: tuple[Action, ...] = ()
    unmarked: tuple[Action, ...] = ()
    lost: tuple[Action, ...] = ()
