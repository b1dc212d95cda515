"""Calls one handler and turns whatever happens into a value."""

from __future__ import annotations

import contextlib
import inspect
import math
import sys
import traceback
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from compat.args import decode
from runner.core.errors import Cancel, Control, Fail, Retry, Snooze
from runner.core.http_errors import retry_after
from runner.core.model import HandlerFailure
from runner.core.retry import PERMANENT, RETRY, class_names
from runner.executors import logs
from runner.executors.soft import SoftDeadline
from runner.handlers.binding import Unbound, name_of
from runner.handlers.callbacks import AFTER, BEFORE, ON_DEAD_LETTER, ON_ERROR
from runner.handlers.context import Context, never, outside

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.core.model import Action, Receipt
    from runner.executors.settling import Settling
    from runner.handlers.registry import Handler, Handlers

DEAD_LETTER_TIMEOUT = 30.0
"""Seconds that the `on_dead_letter` functions of one action may take together."""

LONGEST_TEXT = 20_000
"""Characters kept of a message or traceback."""

_CONTROL = {Retry: "retry", Snooze: "snooze", Fail: "fail", Cancel: "cancel"}


@dataclass(frozen=True, slots=True)
class Job:
    """What a process must know to call a handler; plain values, sent as JSON. With `why` the
    action has failed for good, and its `on_dead_letter` functions are called instead. `claim` and
    `marked_ahead` are the receipt's, `type` and `job_id` the envelope's, where there is one."""

    id: int
    hook: str
    args_text: str
    group: str
    attempt: int
    scheduled_at: int | None
    why: str | None = None
    claim: int = 0
    marked_ahead: bool = False
    type: str | None = None
    job_id: str = ""

    @classmethod
    def of(cls, action: Action, receipt: Receipt, why: str | None = None) -> Job:
        return cls(
            action.id,
            action.hook,
            action.args_text,
            action.group,
            action.attempt,
            action.schedule.at,
            why,
            receipt.claim,
            receipt.marked_ahead,
            action.type,
            action.job.job_id if action.job else "",
        )

    def message(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def call(
    handlers: Handlers,
    job: Job,
    cancelled: Callable[[], bool] = never,
    settling: Settling | None = None,
) -> HandlerFailure | None:
    """Runs the handler of the job's hook. None when it returned, or had settled the action before
    it failed; never raises."""
    token = logs.current.set(job.id)
    try:
        if job.why is not None:
            return _bury(handlers, job)
        told = _call(handlers, job, cancelled, settling)
        return settling.failed(told) if told and settling else told
    finally:
        with contextlib.suppress(OSError, ValueError, AttributeError):  # nobody reads it: no harm
            sys.stdout.flush()
        logs.current.reset(token)


def _call(
    handlers: Handlers, job: Job, cancelled: Callable[[], bool], settling: Settling | None
) -> HandlerFailure | None:
    try:
        handler = handlers.find(job)
        positional, named = handler.signature.bind(decode(job.args_text, None))
        context = _context(handler, job, cancelled, settling)
        if handler.signature.takes_context:
            positional.insert(0, context)
    except Unbound as error:
        return HandlerFailure("unbound", str(error))
    except BaseException as error:  # noqa: BLE001  whatever it is, the action failed
        return failure(error)
    _tell(handlers, BEFORE, job, context)
    try:
        with SoftDeadline(handler.soft_timeout):
            result = handler.function(*positional, **named)
            if inspect.isgenerator(result) or inspect.isasyncgen(result):
                return HandlerFailure("fail", "the handler returned a generator, which never ran")
            _finish(result)
    except BaseException as error:  # noqa: BLE001  sys.exit in a handler is a failed action
        told = _classified(failure(error), error, handler, job)
        if told.kind == "error":
            _tell(handlers, ON_ERROR, job, context, error)
        return told
    _tell(handlers, AFTER, job, context)
    return None


def _bury(handlers: Handlers, job: Job) -> HandlerFailure | None:
    """Tells of an action that has failed for good."""
    try:
        context = _context(handlers.find(job), job, never, None)
    except BaseException as error:  # noqa: BLE001  its hook is gone since, say
        return failure(error)
    _tell(handlers, ON_DEAD_LETTER, job, replace(context, timeout=DEAD_LETTER_TIMEOUT), job.why)
    return None


def _tell(handlers: Handlers, moment: str, job: Job, context: Context, *about: object) -> None:
    """Calls the site's functions for that moment, each whatever became of the others."""
    for told in handlers.callbacks(moment, job.hook, job.type):
        try:
            _finish(told.function(context, *about))
        except BaseException as mistake:  # noqa: BLE001  the outcome must not depend on it
            _warn(f"{moment} {told.name}", context.hook, context.action_id, mistake)


def _finish(result: Any) -> None:
    """Runs what an async function has returned to its end."""
    if inspect.iscoroutine(result):
        import asyncio  # noqa: PLC0415  only for async functions

        asyncio.run(result)


def failure(error: BaseException) -> HandlerFailure:
    """Describes an error in plain text."""
    kind = next((word for cls, word in _CONTROL.items() if isinstance(error, cls)), "error")
    seconds = getattr(error, "after", None) if kind == "retry" else getattr(error, "seconds", None)
    return HandlerFailure(
        kind=kind,
        message=_text(error),
        error_class="" if isinstance(error, Control) else type(error).__name__,
        lineage=class_names(*type(error).__mro__),
        seconds=_seconds(seconds) if kind in {"retry", "snooze"} else None,
        traceback="".join(traceback.format_exception(error))[-LONGEST_TEXT:],
        retry_after=retry_after(error) if kind == "error" else "",
    )


def _classified(
    told: HandlerFailure, error: BaseException, handler: Handler, job: Job
) -> HandlerFailure:
    """Adds what the handler's classifier says of an error. One that fails has said nothing."""
    if handler.classify is None or told.kind != "error":
        return told
    try:
        verdict, seconds = _verdict(handler.classify(error))
    except BaseException as mistake:  # noqa: BLE001  the outcome must not depend on it
        _warn(f"classifier {name_of(handler.classify)}", job.hook, job.id, mistake)
        return told
    return replace(told, verdict=verdict, seconds=seconds)


def _verdict(answer: Any) -> tuple[str, float | None]:
    """A classifier's answer as verdict and seconds. Raises ValueError for what is none."""
    if answer is None:
        return "", None
    if isinstance(answer, str) and answer in {RETRY, PERMANENT}:
        return answer, None
    seconds = None if isinstance(answer, (bool, str)) else _seconds(answer)
    if seconds is None or math.isnan(seconds):
        raise ValueError(f"{answer!r} is no answer")
    return RETRY, seconds


def _warn(what: str, hook: str, action_id: int, mistake: BaseException) -> None:
    import logging  # noqa: PLC0415  only where something went wrong

    log = logging.getLogger(f"runner.handler.{hook}")
    log.warning(
        "its %s failed: %s: %s",
        what,
        type(mistake).__name__,
        _text(mistake),
        exc_info=mistake if log.isEnabledFor(logging.DEBUG) else None,
        extra={"action_id": action_id},
    )


def _seconds(value: Any) -> float | None:
    """A handler's own time; a timedelta will do, and nonsense counts as no time given."""
    if hasattr(value, "total_seconds"):
        value = value.total_seconds()
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _text(error: BaseException) -> str:
    try:
        return str(error)[:LONGEST_TEXT]
    except BaseException:  # noqa: BLE001  an error whose text raises is still an error
        return "(its message cannot be shown)"


def _context(
    handler: Handler, job: Job, cancelled: Callable[[], bool], settling: Settling | None
) -> Context:
    try:
        at = None if job.scheduled_at is None else datetime.fromtimestamp(job.scheduled_at, UTC)
    except (ValueError, OverflowError, OSError):
        at = None
    return Context(
        action_id=job.id,
        hook=job.hook,
        group=job.group,
        attempt=job.attempt,
        max_attempts=handler.retry.attempts,
        scheduled_at=at,
        timeout=handler.timeout,
        job_type=job.type or "",
        job_id=job.job_id,
        # A settled action's row is no longer ours: that is no wish of anybody's.
        asked=lambda: cancelled() and not (settling and settling.done),
        settle=settling.begin if settling else outside,
    )
