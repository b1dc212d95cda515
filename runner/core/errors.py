"""Errors of the runner.

RunnerError                 the runner cannot do its work (exit 1); the text is for a user
├── ConfigError             a setting is missing or wrong (exit 78)
├── UsageError              an option is wrong (exit 2)
├── EnqueueError            an action that cannot be created; nothing was written (exit 2)
├── SafetyRefusal           running now would harm the shop (exit 1)
├── Busy                    another run holds the lock (exit 75)
├── DatabaseError           the database said no
│   ├── DatabaseGone        the connection is lost and did not come back
│   ├── Denied              the account lacks a right
│   ├── TooBusy             deadlocks or lock waits, again and again
│   └── TookTooLong         a look was ended at its time limit
├── SiteError               the site's tables cannot be used
├── HandlerError            a handler module or registration is wrong
│   └── NotReady            no handler can be called now; a later try may be able to
└── SettlingError           a handler could not settle its action (context.settling)
Control                     raised inside a handler to say what happened
├── Retry, Snooze, Fail, Cancel
SoftTimeout                 raised in a handler that takes longer than its soft_timeout
"""

from __future__ import annotations


class RunnerError(Exception):
    """Something a user must know; `exit_code` is what the command returns.

    Each of the texts given is a problem of its own, told in one line.
    """

    exit_code = 1

    def __init__(self, *problems: str) -> None:
        super().__init__(*problems)
        self.problems = problems

    def __str__(self) -> str:
        return "; ".join(self.problems)


class ConfigError(RunnerError):
    exit_code = 78


class UsageError(RunnerError):
    exit_code = 2


class EnqueueError(RunnerError, ValueError):
    """An action that cannot be created as asked for. Nothing was written."""

    exit_code = 2


class SafetyRefusal(RunnerError):
    """Refused before anything was touched. Exit 1, so that cron mails it."""


class Busy(RunnerError):
    exit_code = 75


class DatabaseError(RunnerError):
    pass


class DatabaseGone(DatabaseError):
    pass


class Denied(DatabaseError):
    """The account lacks a right that is needed."""


class TooBusy(DatabaseError):
    """Others held what was wanted, again and again."""


class TookTooLong(DatabaseError):
    """A statement would have taken longer than it may: nothing was read or written by it."""


class SiteError(RunnerError):
    pass


class HandlerError(RunnerError):
    pass


class NotReady(HandlerError):
    """No process for handlers could be started."""


class SettlingError(RunnerError):
    """Raised in a handler whose `context.settling()` could not do what it promises."""


class Control(Exception):
    """Base of what a handler may raise to decide its own outcome."""


class Retry(Control):
    """Try again. `after` is seconds from now; None leaves it to the handler's retry policy.

    Spends an attempt: when the attempts are used up, the action fails.
    """

    def __init__(self, reason: str = "", *, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class Snooze(Control):
    """Not now: run again `seconds` from now. Spends no attempt. At least one second."""

    def __init__(self, seconds: float, reason: str = "") -> None:
        super().__init__(reason)
        self.seconds = seconds


class Fail(Control):
    """Failed for good: no retry, whatever the policy says."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)


class Cancel(Control):
    """Not wanted any more: the action becomes canceled."""

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)


class SoftTimeout(Exception):
    """Raised inside a handler when its `soft_timeout` (seconds) is over, so that it can clean up
    before its process is killed. Left alone it is an error like any other, retried by policy.

    It is no TimeoutError: that is an OSError, and an `except OSError` around the slow call would
    take it for a failure of the network and go on.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"still running after {seconds:g} seconds")
        self.seconds = seconds
