"""Limits as handlers declare them: `rate`, `concurrency`, `lock`. Whatever is wrong with one is
said when the handlers are loaded."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any

from runner.core.errors import HandlerError, Snooze
from runner.core.rates import LONGEST_KEY, Rate, RateError
from runner.core.throttle import KeyLock, Throttle, named
from runner.handlers.binding import Unbound, fields_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from runner.core.throttle import Args
    from runner.handlers.binding import Signature

    OnLocked = Snooze | float

WAIT = 30.0
"""Seconds for which an action is put off when its lock is taken, unless told otherwise."""

LONGEST_WAIT = 1e9

MOST_PLACES = 10_000


def limits(label: str, scope: str, rate: object, concurrency: object) -> Throttle:
    """Of a hook or a group: `scope` is the name of what has no key of its own, such as
    `hook:sync`. Raises HandlerError."""
    rates = {}
    if rate is not None:
        found = _rate(label, rate)
        rates[named("key", found.key) if found.key else scope] = found
    places = {}
    if concurrency is not None:
        count, key = _places(label, concurrency)
        places[named("key", key) if key else scope] = count
    return Throttle(rates, places)


def lock_by_key(
    label: str,
    lock: object,
    on_locked: OnLocked | None,
    signature: Signature,
    *,
    gate: bool = True,
) -> Throttle:
    """Of a lock whose name may hold args: `crm:{customer_id}`. One that holds none is a `gate` for
    the whole hook, if it may be one. Raises HandlerError."""
    if lock is None:
        if on_locked is not None:
            raise HandlerError(
                f"{label}: on_locked says what to do about a lock, and there is none"
            )
        return Throttle()
    fields = _fields(label, lock)
    names = signature.names()
    if names is not None and (unknown := [name for name in fields if name not in names]):
        raise HandlerError(
            f"{label}: lock {lock!r} names {unknown[0]}, which is no argument of {signature.text}"
        )
    wait = _wait(label, on_locked)
    if gate and not fields:
        if on_locked is not None:
            raise HandlerError(
                f"{label}: lock {lock!r} holds no argument, so nothing is claimed while it is"
                " taken: leave on_locked out"
            )
        return Throttle(places={named("lock", str(lock)): 1})
    return Throttle(lock=_by_args(str(lock), wait, signature), lock_name=str(lock))


def _by_args(template: str, wait: float, signature: Signature) -> Callable[[Args], KeyLock | None]:
    def lock(args: Args) -> KeyLock | None:
        """None for args that do not fit: the action will fail by that, and calls nothing."""
        try:
            values = values_of(signature, args)
        except Unbound:
            return None
        try:
            name = _Lenient().vformat(template, (), values)
        except Exception:  # noqa: BLE001  a type of the site's own that is no text
            name = template  # one lock for all of them
        return KeyLock(named("lock", name), wait)

    return lock


def values_of(signature: Signature, args: Args) -> Mapping[str, object]:
    """The values that a call gets, by name; those inside a map as well. Raises Unbound."""
    positional, by_name = signature.bind(args)
    bound = signature.signature.bind(*positional, **by_name)
    bound.apply_defaults()
    values: dict[str, object] = {}
    for value in bound.arguments.values():
        if isinstance(value, dict):
            values |= {key: item for key, item in value.items() if isinstance(key, str)}
        else:
            values |= {name: getattr(value, name) for name in fields_of(type(value))}
    return values | bound.arguments


class _Lenient(string.Formatter):
    """A key that a map does not have is empty: all such actions share one lock."""

    def get_value(self, key: int | str, args: Any, kwargs: Any) -> Any:  # noqa: ARG002
        return kwargs.get(key, "")


def merged(label: str, throttles: Iterable[Throttle]) -> Throttle:
    """What holds for a hook by all of them. Raises HandlerError where they contradict."""
    rates: dict[str, Rate] = {}
    places: dict[str, int] = {}
    lock, lock_name = None, ""
    for throttle in throttles:
        agree(label, rates, throttle.rates)
        agree(label, places, throttle.places)
        rates |= throttle.rates
        places |= throttle.places
        lock, lock_name = throttle.lock or lock, throttle.lock_name or lock_name
    return Throttle(rates, places, lock, lock_name)


def by_hook(own: Mapping[str, Sequence[Throttle]]) -> dict[str, Throttle]:
    """What each hook is held to by all that is said of it; hooks without limits are left out.
    Raises HandlerError where one name has two figures, be it of two hooks."""
    found: dict[str, Throttle] = {}
    rates: dict[str, Rate] = {}
    places: dict[str, int] = {}
    for hook, several in own.items():
        label = f"hook {hook}"
        throttle = merged(label, several)
        agree(label, rates, throttle.rates)
        agree(label, places, throttle.places)
        rates |= throttle.rates
        places |= throttle.places
        if throttle:
            found[hook] = throttle
    return found


def agree(label: str, known: Mapping[str, object], more: Mapping[str, object]) -> None:
    """Raises HandlerError for one name with two figures."""
    for name in known.keys() & more.keys():
        if known[name] != more[name]:
            raise HandlerError(
                f"{label}: {name} is limited to {more[name]} here and to {known[name]} elsewhere:"
                " give both the same figure, or keys of their own"
            )


def _rate(label: str, rate: object) -> Rate:
    if isinstance(rate, Rate):
        return rate
    try:
        return Rate.parse(str(rate))
    except RateError as error:
        raise HandlerError(f"{label}: rate {error}") from error


def _places(label: str, concurrency: object) -> tuple[int, str]:
    """How many at once, and the key under which they are counted, if one is given."""
    first, _, option = str(concurrency).partition(",")
    name, _, key = (part.strip() for part in option.partition("="))
    fits = (
        first.strip().isascii() and first.strip().isdecimal() and not isinstance(concurrency, bool)
    )
    if not fits or not 0 < int(first) <= MOST_PLACES or (option and name != "key"):
        raise HandlerError(
            f"{label}: concurrency is how many may run at once, 1 to {MOST_PLACES}, as 2 or"
            f" '2,key=crm', not {concurrency!r}"
        )
    if option and not 0 < len(key) <= LONGEST_KEY:
        raise HandlerError(
            f"{label}: concurrency {concurrency!r}: its key has no name, or too long a one"
        )
    return int(first), key


def _fields(label: str, lock: object) -> list[str]:
    """The args that a lock's name holds."""
    example = "a lock is a name such as 'crm' or 'crm:{customer_id}'"
    if not isinstance(lock, str) or not lock.strip():
        raise HandlerError(f"{label}: {example}, not {lock!r}")
    try:
        parts = list(string.Formatter().parse(lock))
    except ValueError as error:
        raise HandlerError(f"{label}: lock {lock!r}: {error}; {example}") from error
    fields = []
    for _, field, spec, conversion in parts:
        if field is None:
            continue
        if not field.isidentifier() or spec or conversion:
            raise HandlerError(
                f"{label}: lock {lock!r}: {{{field}}} is no argument's name; {example}"
            )
        fields.append(field)
    return fields


def _wait(label: str, on_locked: object) -> float:
    """Seconds."""
    if on_locked is None:
        return WAIT
    seconds = on_locked.seconds if isinstance(on_locked, Snooze) else on_locked
    if isinstance(seconds, (int, float)) and 1 <= seconds < LONGEST_WAIT and seconds is not True:
        return float(seconds)
    raise HandlerError(
        f"{label}: on_locked is a Snooze of a second or more, such as Snooze(30), not {on_locked!r}"
    )
