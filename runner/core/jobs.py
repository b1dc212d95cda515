"""Jobs of the WPKite job manager: one hook runs many types, and its one argument, the envelope,
says which type, with what payload, and how often it was tried before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runner.core.errors import EnqueueError

HOOK = "wpkite_run_job_python"
"""Envelopes of the types that Python runs, unless a setting says otherwise."""

PHP_HOOK = "wpkite_run_job"
"""The hook of PHP's own job manager."""

GROUP = "wpkite-jobs"
"""The group of every job."""

LONGEST_TYPE = 100
"""Characters of a type: as many as its column in the job manager's tables has."""

MOST_TRIES = 1_000_000
"""Of an envelope that counts more, nobody knows how often it was tried."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What PHP wrote. `attempt` counts the tries before this action was created; `type` is empty
    where the envelope names none, which no handler can have."""

    type: str
    payload: Any = ()
    attempt: int = 0
    dispatched: str = ""
    job_id: str = ""

    @classmethod
    def of(cls, args: list[Any] | dict[Any, Any]) -> Envelope:
        """Reads an action's args: the envelope is their first value. Never raises."""
        first = next(iter(args.values() if isinstance(args, dict) else args), None)
        facts = args if isinstance(args, dict) and "type" in args else first
        if not isinstance(facts, dict):
            return cls("")
        type_ = facts.get("type")
        return cls(
            type=type_ if isinstance(type_, str) else "",
            payload=facts.get("payload", []),
            attempt=_tries(facts.get("attempt")),
            dispatched=_text(facts.get("dispatched")),
            job_id=_text(facts.get("job_id")),
        )

    @classmethod
    def new(cls, type_: object, payload: object, dispatched: str) -> Envelope:
        """Of a job that is to be dispatched. Raises EnqueueError for one that could not run."""
        if why := wrong_type(type_):
            raise EnqueueError(why)
        if not isinstance(payload, (dict, list, tuple)):
            raise EnqueueError(f"the payload of job {type_} is a dict or a list, not {payload!r}")
        import uuid  # noqa: PLC0415  runs need none

        return cls(str(type_), payload, 0, dispatched, str(uuid.uuid4()))

    def facts(self) -> dict[str, Any]:
        """The envelope in PHP's order of keys."""
        return {name: getattr(self, name) for name in self.__slots__}


def wrong_type(type_: object) -> str:
    """Why this is no name of a type, and what to do; empty for one."""
    if not isinstance(type_, str) or not type_.strip():
        return f"a job's type is a name such as 'sync_product', not {type_!r}"
    if len(type_) > LONGEST_TYPE:
        return f"job type {type_[:20]}… has {len(type_)} characters, the limit is {LONGEST_TYPE}"
    return ""


def _tries(value: object) -> int:
    """PHP may have stored the number as text."""
    text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    tries = int(text) if text.isascii() and text.isdigit() and len(text) < len("10000000") else 0
    return min(tries, MOST_TRIES)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
