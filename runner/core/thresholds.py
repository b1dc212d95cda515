"""What the health rules compare with: a number for each, which a hook or a group may have of its
own. `overdue=500`, `failures=50@hook:shop_sync`, `chains=off@group:imports`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.core.pauses import GROUP, HOOK

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

KINDS = (HOOK, GROUP)

LARGEST = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Threshold:
    """One number that a rule compares with. One that is `scoped` may differ by hook and group."""

    rule: str
    default: float
    unit: str
    meaning: str
    scoped: bool = True


KNOWN = {
    "stuck": Threshold("stuck", 600, "seconds", "running without a sign of life for so long"),
    "overdue": Threshold("overdue", 500, "actions", "due for more than a minute: critical"),
    "late": Threshold("overdue", 100, "actions", "due for more than late.seconds: a warning"),
    "late.seconds": Threshold("overdue", 300, "seconds", "from then on an action is late", False),
    "failures": Threshold("failures", 10, "percent", "of what ended has failed: more than that"),
    "failures.least": Threshold("failures", 1, "actions", "must have failed"),
    "failures.seconds": Threshold("failures", 3600, "seconds", "the time that is looked at", False),
    "dead_letters": Threshold("dead_letters", 1, "letters", "are new"),
    "dead_letters.seconds": Threshold("dead_letters", 3600, "seconds", "so long is one new", False),
    "backlog": Threshold("backlog", 100, "actions", "more wait than at first, and never fewer"),
    "backlog.seconds": Threshold("backlog", 1800, "seconds", "the time that is looked at", False),
    "chains": Threshold("chains", 1, "chains", "that recurred have no next action"),
    "php": Threshold("php", 600, "seconds", "an action of PHP's waits, and PHP runs none", False),
    "workers": Threshold("workers", 60, "seconds", "no heartbeat of a worker", False),
    "protection": Threshold("protection", 1, "actions", "of Python's can be taken by PHP", False),
    "database": Threshold("database", 60, "seconds", "the database is out of reach", False),
}  # fmt: skip
"""By name, in the order in which they are shown."""

RULES = tuple(dict.fromkeys(threshold.rule for threshold in KNOWN.values()))

EXPECTED = (
    "NAME=NUMBER or NAME=off, for one hook or group with @hook:NAME or @group:NAME after it, as in"
    f" overdue=200 or failures=50@hook:shop_sync; names are {', '.join(KNOWN)}"
)


@dataclass(frozen=True, slots=True)
class Limit:
    """A threshold as it was set. `value` is None for off; `kind` is empty where it holds for
    all."""

    name: str
    value: float | None
    kind: str = ""
    subject: str = ""

    def __str__(self) -> str:
        value = "off" if self.value is None else f"{self.value:.12g}"
        return f"{self.name}={value}" + (f"@{self.kind}:{self.subject}" if self.kind else "")


def parse(text: str) -> tuple[Limit, ...]:
    """Reads `a=1, b=off@hook:name`. Raises ValueError with what was expected."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise ValueError(EXPECTED)
    found: dict[tuple[str, str, str], Limit] = {}
    for part in parts:
        limit = _limit(part)
        key = (limit.name, limit.kind, limit.subject)
        if key in found:
            raise ValueError(f"one value for {part.partition('=')[0]}, not two")
        found[key] = limit
    return tuple(found.values())


def _limit(part: str) -> Limit:
    given, at, scope = part.partition("@")
    name, _, value = (piece.strip() for piece in given.partition("="))
    kind, _, subject = (piece.strip() for piece in scope.partition(":"))
    if name not in KNOWN:
        raise ValueError(f"{EXPECTED} (there is no {name!r})")
    if at and (kind not in KINDS or not subject):
        raise ValueError(f"{EXPECTED} ({part!r} names no hook and no group)")
    if scope and not KNOWN[name].scoped:
        raise ValueError(f"{name} without a hook or group: it is one for the whole site")
    return Limit(name, _value(name, value), kind, subject)


def _value(name: str, text: str) -> float | None:
    if text == "off":
        if "." in name:
            raise ValueError(f"a number for {name}: off is for {name.partition('.')[0]}")
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= LARGEST or not (text and text[0].isdigit()):
        raise ValueError(f"a number from 0 to {LARGEST:,} for {name}, or off")
    return number


class Thresholds:
    """Those in force: what was set, over the defaults."""

    def __init__(self, given: Iterable[Limit] = ()) -> None:
        self.given = tuple(given)
        self._set = {(limit.name, limit.kind, limit.subject): limit.value for limit in self.given}

    def of(self, name: str, hook: str = "", groups: Collection[str] = ()) -> float | None:
        """What counts for a hook that is in these groups: the hook's own, then the mildest of its
        groups', then everybody's. None is off."""
        if hook and (name, HOOK, hook) in self._set:
            return self._set[name, HOOK, hook]
        own = [self._set[name, GROUP, g] for g in groups if (name, GROUP, g) in self._set]
        if own:
            return None if None in own else max(value for value in own if value is not None)
        return self._set.get((name, "", ""), KNOWN[name].default)

    def number(self, name: str) -> float:
        """One that cannot be off, such as a time that is looked at."""
        return self.of(name) or 0.0

    def least(self, name: str) -> float | None:
        """The lowest of all scopes; None where it is off everywhere."""
        return min(self._values(name), default=None)

    def most(self, name: str) -> float:
        """The highest of all scopes; 0 where it is off everywhere."""
        return max(self._values(name), default=0.0)

    def _values(self, name: str) -> list[float]:
        values = [self.of(name), *(v for (n, k, _), v in self._set.items() if n == name and k)]
        return [value for value in values if value is not None]

    def scopes(self, rule: str) -> list[tuple[str, str]]:
        """Hooks and groups with a number of their own for a rule, as (kind, name)."""
        found = [
            (limit.kind, limit.subject)
            for limit in self.given
            if limit.kind and KNOWN[limit.name].rule == rule
        ]
        return list(dict.fromkeys(found))
