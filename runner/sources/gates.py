"""Gates before a claim: what is paused, used up or taken is not claimed, so that nothing is handed
back in a loop. The last word is in the claim's own transaction (see `admission`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner.core.pauses import EVERYTHING, GROUP, HOOK, Pause
from runner.core.rates import available, free_at
from runner.sources.skips import Skips

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runner.core.throttle import Throttle
    from runner.sources.locks import Locks
    from runner.storage.db import Database, Row
    from runner.storage.queries import Queries

PAUSED = "paused"
"""The kind of row by which a look sees that something is."""


@dataclass(frozen=True, slots=True)
class Openings:
    """What a look may see. `room` is how many actions of a limited hook may begin, 0 where none;
    `opens` is in how many seconds a hook's rate lets the next one through. `groups` are the ids of
    paused groups, `reached` the dates at which looks for a hook begin then. Nobody has `asked` yet
    where all is open."""

    asked: bool = False
    everything: bool = True
    paused: frozenset[str] = frozenset()
    groups: tuple[int, ...] = ()
    room: Mapping[str, int] = field(default_factory=dict)
    opens: Mapping[str, float] = field(default_factory=dict)
    reached: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there is any restriction."""
        return bool(not self.everything or self.paused or self.groups or self.room)

    def lets(self, hook: str) -> bool:
        """Whether rows of the hook may be claimed now."""
        return self.everything and hook not in self.paused and self.room.get(hook, 1) > 0


OPEN = Openings()


class Gates:
    """Those of one site. `throttles` go by hook; `actions` are the statements of this way of owning
    rows, and `is_parked` says that their dates are parked ones. What is `chosen` by hand waits for
    no rate and no pause."""

    def __init__(
        self,
        actions: Queries,
        throttles: Mapping[str, Throttle],
        locks: Locks,
        *,
        is_parked: bool,
        chosen: bool = False,
    ) -> None:
        self.queries = locks.queries
        self.locks = locks
        self.throttles = throttles
        self.chosen = chosen
        self._actions = actions
        self._is_parked = is_parked
        self._names = sorted({name for t in throttles.values() for name in t.gates})
        self._pauses = False
        self._told: frozenset[str] = frozenset()
        self._tell: Callable[[str], object] | None = None

    @property
    def in_use(self) -> bool:
        """Whether something is limited, or was paused when looked at last."""
        return bool(self.throttles) or self._pauses

    def listen(self, tell: Callable[[str], object]) -> None:
        """Who hears of pauses."""
        self._tell = tell

    def look(
        self, database: Database, room: int, hooks: Sequence[str], *, writes: bool
    ) -> Openings:
        """What is open of these hooks; of limited ones at most `room` actions each may be claimed.
        `writes` lets Skips note what it found."""
        rows = database.query(self.queries["paused"])
        pauses = [Pause.of(row) for row in rows]
        self._say(pauses)
        self._pauses = bool(pauses)
        closed = frozenset(pause.name for pause in pauses if pause.kind == HOOK)
        groups, reached = self._groups(database, pauses), {}
        if groups:
            skips = Skips(
                self.queries, self._actions, groups, int(rows[0]["now"]),
                is_parked=self._is_parked, writes=writes,
            )  # fmt: skip
            reached = skips.reached(database, [hook for hook in hooks if hook not in closed])
        counts, opens = self._look_at_limits(database, room)
        return Openings(
            asked=True,
            everything=not any(pause.kind == EVERYTHING for pause in pauses),
            paused=closed,
            groups=groups,
            room=counts,
            opens=opens,
            reached=reached,
        )

    def _groups(self, database: Database, pauses: Sequence[Pause]) -> tuple[int, ...]:
        """Ids of the paused groups."""
        slugs = [pause.name for pause in pauses if pause.kind == GROUP]
        rows = database.query(self._actions["group_ids"], slugs=slugs) if slugs else []
        return tuple(int(row["group_id"]) for row in rows)

    def came(self, database: Database, date: str) -> None:
        """Rows of that date have been added, which may be older than where looks begin."""
        if self._pauses:
            database.try_write(self.queries["skip_less"], reached=date)

    def _look_at_limits(
        self, database: Database, room: int
    ) -> tuple[dict[str, int], dict[str, float]]:
        """How many actions of each limited hook may begin, and in how many seconds those can that
        wait for a rate. Locks by args are no gates: for them nothing is asked."""
        if not self._names:
            return dict.fromkeys(self.throttles, max(room, 0)), {}
        spent = spent_of(database.query(self.queries["rates"], names=self._names))
        places = database.query(self.queries["places"], names=self._names)
        now, taken = now_of(places), taken_of(places)
        counts, opens = {}, {}
        for hook, throttle in self.throttles.items():
            free = [n - len(taken.get(name, ())) for name, n in throttle.places.items()]
            calls = [available(r, spent.get(name, 0.0), now) for name, r in throttle.rates.items()]
            counts[hook] = max(min([room, *free, *calls]), 0)
            if 0 in calls and all(n > 0 for n in free):
                moments = [free_at(r, spent[n]) for n, r in throttle.rates.items() if n in spent]
                opens[hook] = max(max(moments) - now, 0.0)
        return counts, opens

    def _say(self, pauses: Sequence[Pause]) -> None:
        """Each pause is told once."""
        texts = frozenset(pause.told() for pause in pauses)
        for text in sorted(texts - self._told):
            if self._tell:
                self._tell(text)
        self._told = texts


def spent_of(rows: Sequence[Row]) -> dict[str, float]:
    """Up to which moment each rate is spent, epoch seconds."""
    return {str(row["name"]): float(row["spent_until"]) for row in rows}


def now_of(places: Sequence[Row]) -> float:
    """The database's time, epoch seconds."""
    return float(places[0]["now"])


def taken_of(places: Sequence[Row]) -> dict[str, frozenset[int]]:
    """Places that a living holder has, by name."""
    found: dict[str, frozenset[int]] = {}
    for row in places:
        if row["name"] and row["held"]:
            name = str(row["name"])
            found[name] = found.get(name, frozenset()) | {int(row["place"])}
    return found
