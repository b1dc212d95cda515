"""Types of jobs: many handlers behind one hook. The envelope of an action names its type, and the
type's own policy and time limit hold for it."""

from __future__ import annotations

import inspect
import math
from typing import TYPE_CHECKING, Any, NoReturn

from runner.core.errors import HandlerError
from runner.core.jobs import GROUP, Envelope, wrong_type
from runner.core.retry import RetryPolicy
from runner.handlers.binding import Signature, Unbound

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_RETRIES = 1000

_BATCH = "_batch_"
"""Begins the keys that dispatching a batch adds to each payload."""

_OF_THE_HOOK = {
    "retry": "give max_retries, base_delay and retryable",
    "group": f"all jobs share the group {GROUP}",
    "queue": f"all jobs share the hook's queue, {GROUP}",
    "rate": f"a claim cannot tell types apart: limit all jobs with limit({GROUP!r}, rate=…)",
    "concurrency": f"as for a rate: limit({GROUP!r}, concurrency=…), or a lock",
}
"""Options of on() that make no sense for one type, and what to do instead."""


class PayloadSignature(Signature):
    """Binds the payload in an envelope: by name where the parameters are its keys, whole where the
    one parameter is none of them, and a list by position."""

    __slots__ = ()

    def bind(self, args: list[Any] | dict[Any, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Positional and keyword values for the call. Raises Unbound."""
        return super().bind(self._args(Envelope.of(args).payload))

    def names(self) -> frozenset[str] | None:
        """Any, where one parameter may take the payload whole."""
        return None if self._takes_one() and not self.whole else super().names()

    def _args(self, payload: Any) -> list[Any] | dict[Any, Any]:
        if not payload:
            return [{}] if self._wants_one() else []
        if isinstance(payload, list):
            return payload
        if not isinstance(payload, dict) or self.whole:
            return [payload]
        named = {
            k: v for k, v in payload.items() if self._is_name(k) or not str(k).startswith(_BATCH)
        }
        if all(self._is_name(key) for key in named):
            return named
        if self._takes_one():
            return [payload]
        extra = next(str(key) for key in named if not self._is_name(key))
        raise Unbound(f"the payload does not fit {self.text}: it has no parameter {extra}")

    def _takes_one(self) -> bool:
        parameters = list(self.signature.parameters.values())
        return len(parameters) == 1 and parameters[0].kind in {
            inspect.Parameter.POSITIONAL_ONLY,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
        }

    def _wants_one(self) -> bool:
        """PHP calls with an empty array where there is no payload."""
        parameters = self.signature.parameters.values()
        return self._takes_one() and all(p.default is p.empty for p in parameters)


class Unregistered(Signature):
    """Of a type that has no handler: nothing fits, so that its actions fail for good. PHP's own
    job manager would call them complete, and the job would be lost."""

    __slots__ = ()

    def bind(self, args: list[Any] | dict[Any, Any]) -> NoReturn:  # noqa: ARG002
        raise Unbound(self.text)


def policy(label: str, max_retries: object, base_delay: object, *, retryable: bool) -> RetryPolicy:
    """PHP's numbers as a policy: so many tries after the first, `base_delay` seconds before the
    first of them and twice as long before each further one. Raises HandlerError."""
    if type(max_retries) is not int or not 0 <= max_retries <= MOST_RETRIES:
        raise HandlerError(
            f"{label}: max_retries is the number of tries after the first, 0 to {MOST_RETRIES},"
            f" not {max_retries!r}"
        )
    if isinstance(base_delay, bool) or not isinstance(base_delay, (int, float)):
        raise HandlerError(f"{label}: base_delay is a number of seconds, not {base_delay!r}")
    if not 0 <= base_delay < math.inf:
        raise HandlerError(f"{label}: base_delay must not be negative, and is {base_delay!r}")
    if not isinstance(retryable, bool):
        raise HandlerError(f"{label}: retryable is True or False, not {retryable!r}")
    attempts = max_retries + 1 if retryable else 1
    return RetryPolicy(attempts, base_delay, 2.0, longest=math.inf)


def check(type_: object, options: Mapping[str, object]) -> str:
    """What a type is called in messages. Raises HandlerError for one that cannot be, and for
    options that belong to the hook."""
    if why := wrong_type(type_):
        raise HandlerError(f"@handlers.job: {why}")
    for name in options:
        if name in _OF_THE_HOOK:
            raise HandlerError(
                f"job type {type_}: it has no {name} of its own: {_OF_THE_HOOK[name]}"
            )
    return f"job type {type_}"


def unregistered(type_: str) -> Unregistered:
    """The signature of a type that nobody has registered; an empty one is no type at all."""
    if type_:
        text = (
            f"no handler here for job type {type_}: register one with @handlers.job({type_!r}),"
            " then `runner action retry` runs it again"
        )
    else:
        text = (
            "its envelope names no type: args must be one array with type and payload, as"
            " WPKite_Job_Manager and runner.Queue.dispatch() write them"
        )
    return Unregistered(text, inspect.Signature(), takes_context=False, types={}, whole=None)


def run_job(envelope: dict[str, Any]) -> None:
    """Stands for the hook itself in lists; what is called is the type's own handler."""
    raise NotImplementedError(envelope)
