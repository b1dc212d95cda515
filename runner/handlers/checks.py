"""What is refused where a handler is registered, since it would fail at its first action."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compat.action_scheduler import LONGEST_HOOK
from runner.core.errors import HandlerError
from runner.core.queues import NAME
from runner.core.retry import ON_CRASH, RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Callable

    Classifier = Callable[[BaseException], str | float | None]


def check_policy(
    hook: str,
    policy: RetryPolicy,
    timeout: float,
    soft_timeout: float | None,
    classify: Classifier | None,
) -> None:
    """Refuses, where it is written, what would fail at the first action. Raises HandlerError."""
    if not hook or len(hook) > LONGEST_HOOK:
        raise HandlerError(f"hook {hook!r} has no name or more than {LONGEST_HOOK} characters")
    if not timeout > 0:
        raise HandlerError(f"hook {hook}: the timeout must be more than 0 seconds")
    if soft_timeout is not None and not 0 < soft_timeout < timeout:
        raise HandlerError(
            f"hook {hook}: the soft_timeout must be more than 0 seconds and less than the"
            f" timeout ({timeout:g})"
        )
    if not isinstance(policy, RetryPolicy):
        raise HandlerError(f"hook {hook}: retry must be a RetryPolicy")
    if classify is not None and not callable(classify):
        raise HandlerError(f"hook {hook}: classify must be a function of one error")


def check_crash(hook: str, on_crash: str, *, idempotent: bool) -> None:
    if on_crash not in ON_CRASH:
        raise HandlerError(f"hook {hook}: on_crash must be one of {', '.join(ON_CRASH)}")
    if idempotent and on_crash != "retry":
        raise HandlerError(
            f"hook {hook}: idempotent says that it may run twice, on_crash={on_crash!r} that it"
            " must not: leave one out"
        )


def check_queue(hook: str, group: object, queue: object) -> None:
    """A group may be called anything; a queue has to be named on the command line."""
    if not isinstance(group, str) or not isinstance(queue, str):
        raise HandlerError(f"hook {hook}: group and queue are names")
    if queue and not NAME.fullmatch(queue):
        raise HandlerError(
            f"hook {hook}: queue {queue!r}: a queue's name has no colon, no comma and no space"
            " around it"
        )
