"""What a hook's actions are held to beyond being due, on all machines that work on the site."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runner.core.rates import Rate

    Args = list[Any] | dict[Any, Any]

LONGEST_NAME = 191
"""Characters of a name in the tables of rates and locks."""


@dataclass(frozen=True, slots=True)
class KeyLock:
    """The lock that an action needs, known by its args. Where another holds it, the action is put
    off for `wait` seconds."""

    name: str
    wait: float


@dataclass(frozen=True, slots=True)
class Throttle:
    """`rates` and `places` go by name: how many actions may begin in a time, and how many may run
    at once. `lock` tells from an action's args the lock it needs, None when it needs none;
    `lock_name` is what that was declared as."""

    rates: Mapping[str, Rate] = field(default_factory=dict)
    places: Mapping[str, int] = field(default_factory=dict)
    lock: Callable[[Args], KeyLock | None] | None = None
    lock_name: str = ""

    def __bool__(self) -> bool:
        return bool(self.rates or self.places or self.lock)

    @property
    def gates(self) -> frozenset[str]:
        """Names of all that is known before an action is claimed."""
        return frozenset({*self.rates, *self.places})

    def words(self) -> list[str]:
        """Each limit as people read it."""
        rates = [f"rate {rate}{_of(name)}" for name, rate in self.rates.items()]
        places = [_place(name, most) for name, most in self.places.items()]
        return rates + places + ([f"lock {self.lock_name}"] if self.lock else [])


def _place(name: str, most: int) -> str:
    kind, _, key = name.partition(":")
    return f"lock {key}" if kind == "lock" else f"concurrency {most}{_of(name)}"


def _of(name: str) -> str:
    """Whose it is, where it is not the hook's own."""
    kind, _, key = name.partition(":")
    return "" if kind == "hook" else f" ({kind} {key})"


def named(kind: str, key: str) -> str:
    """A name that the column holds: `hook:sync`, `key:crm`. A long one ends with its hash, and so
    does one that ends with a space, which the server leaves out when it compares."""
    name = f"{kind}:{key}".encode(errors="replace").decode()
    if len(name) <= LONGEST_NAME and not name.endswith(" "):
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:32]
    return f"{name[: LONGEST_NAME - len(digest) - 1]}#{digest}"
