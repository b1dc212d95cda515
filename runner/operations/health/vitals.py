"""The one snapshot that all health rules judge. Each part is read by itself: one that the database
refuses makes its rule unknown, and no other."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from compat.site_time import epoch_of, sql_date
from runner.core.errors import DatabaseError, DatabaseGone
from runner.core.pauses import EVERYTHING, GROUP, HOOK
from runner.operations.doctor import Patient
from runner.operations.doctor.php import LINES, seen_at
from runner.operations.doctor.queue import ended_chains
from runner.operations.pauses import Pauses
from runner.operations.plugin import Plugin, PluginError
from runner.operations.rail import LATE
from runner.site import identifiers
from runner.storage.queries import Queries, hooks_hex

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from runner.core.pauses import Pause
    from runner.core.thresholds import Thresholds
    from runner.site import Site
    from runner.storage.db import Database, Row

LIMIT = 10_000
"""Rows that a look reads."""

COUNTED = 2_000
"""Overdue actions that are counted, if no threshold is higher: what there is beyond changes
nothing."""

SETTLED = 60
"""Seconds within which an action that PHP created is parked."""

HOUR = 3600

WHOLE = ("", "")
"""The scope of everything that has no scope of its own."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Due actions of one hook and group. `oldest` is the true date, in epoch seconds, None where
    they have none."""

    hook: str
    group: str
    overdue: int
    late: int
    oldest: int | None


@dataclass(frozen=True, slots=True)
class Silent:
    """An action that runs and gave no sign of life for `seconds`."""

    id: int
    hook: str
    group: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Ended:
    """What ended of a hook within the time that is looked at."""

    hook: str
    done: int
    failed: int


@dataclass(frozen=True, slots=True)
class Letters:
    """New dead letters of a hook; of a job, of its type."""

    hook: str
    group: str
    letters: int


@dataclass(frozen=True, slots=True)
class Vitals:
    """The site's state at `now` (epoch seconds, the database's clock), when this machine's clock of
    ticks stood at `ticks`.

    `waiting` is by scope, (kind, name), counted no further than `counted_to`; `stopped` maps hooks
    of chains to their newest action; `grown` is what waited by the minute, (epoch seconds,
    actions), by scope; `heartbeat` is how many seconds ago a worker was seen, None where there is
    none; `php_late` is an action of PHP's that waits too long, when PHP itself was silent as long;
    `harmed` are hooks whose actions PHP can take or has failed; `unknown` maps rules to why nothing
    can be told; `unasked` to why they do not matter here."""

    now: int
    ours: frozenset[str]
    groups_of: Mapping[str, frozenset[str]] = field(default_factory=dict)
    waiting: Mapping[tuple[str, str], Sequence[Waiting]] = field(default_factory=dict)
    counted_to: int = COUNTED
    silent: Sequence[Silent] = ()
    ended: Sequence[Ended] = ()
    letters: Sequence[Letters] = ()
    grown: Mapping[tuple[str, str], Sequence[tuple[int, int]]] = field(default_factory=dict)
    stopped: Mapping[str, int] = field(default_factory=dict)
    php_late: Row | None = None
    heartbeat: int | None = None
    harmed: Sequence[str] = ()
    unknown: Mapping[str, str] = field(default_factory=dict)
    unasked: Mapping[str, str] = field(default_factory=dict)
    ticks: float = 0.0


@dataclass(frozen=True, slots=True)
class Setting:
    """What a look must know besides the site. `hooks` have a handler here; `mode` is the setting;
    `folder` is that of the must-use plugins, None where files are not known; `open_chains` are
    those that an alert is open for, with their newest action."""

    thresholds: Thresholds
    hooks: Sequence[str] = ()
    mode: str = "auto"
    folder: Path | None = None
    open_chains: Mapping[str, int] = field(default_factory=dict)


def vitals(database: Database, site: Site, setting: Setting) -> Vitals:
    """Reads them. Raises DatabaseGone when the database is lost meanwhile."""
    return _Reader(database, site, setting).read()


class _Reader:
    """One look."""

    def __init__(self, database: Database, site: Site, setting: Setting) -> None:
        self._database = database
        self._site = site
        self._setting = setting
        self._limits = setting.thresholds
        self._queries = Queries("health.sql", database.dialect, identifiers(site, database.dialect))
        self._unknown: dict[str, str] = {}
        self._unasked: dict[str, str] = {}
        installed = site.installed.hooks if site.installed else ()
        self._ours = frozenset((*setting.hooks, *installed))
        self._existed: dict[int, int] = {}
        highest = max(setting.thresholds.most("overdue"), setting.thresholds.most("late"))
        self._counted_to = max(COUNTED, int(highest) + 1)

    def read(self) -> Vitals:
        self._now = int(self._ask("clock")[0]["now"])
        ticks = self._database.clock.monotonic()
        self._paused = self._pauses()
        everything = any(pause.kind == EVERYTHING for pause in self._paused)
        own = self._site.migrated
        return Vitals(
            now=self._now,
            ticks=ticks,
            ours=self._ours,
            groups_of=self._try("groups", self._hooks_by_group, {}) if own else {},
            counted_to=self._counted_to,
            waiting={} if everything else self._try("overdue", self._waiting, {}),
            silent=self._try("stuck", self._silent, ()),
            ended=self._own("failures", self._ended, ()),
            letters=self._own("dead_letters", self._letters, ()),
            grown={} if everything else self._own("backlog", self._grown, {}),
            stopped=self._try("chains", self._stopped, {}),
            php_late=self._try("php", self._php_late, None),
            heartbeat=self._own("workers", self._heartbeat, None),
            harmed=self._try("protection", self._harmed, ()),
            unknown=self._unknown,
            unasked=self._unasked,
        )

    def _try(self, rule: str, read: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return read()
        except DatabaseGone:
            raise
        except DatabaseError as error:
            self._unknown[rule] = str(error)
            return otherwise

    def _own(self, rule: str, read: Callable[[], Any], otherwise: Any) -> Any:
        """What only the runner's own tables tell."""
        if self._site.migrated:
            return self._try(rule, read, otherwise)
        self._unknown[rule] = "it needs the runner's own tables: `runner migrate`"
        return otherwise

    def _ask(self, name: str, **values: object) -> list[Row]:
        return self._database.query(self._queries[name], **values)

    def _pauses(self) -> Sequence[Pause]:
        if not self._site.migrated:
            return ()
        found: Sequence[Pause] = self._try("pauses", Pauses(self._database, self._site).list, ())
        return found

    def _was_there(self, seconds: float) -> int:
        """The id up to which actions existed so long ago."""
        key = int(seconds)
        if key not in self._existed:
            self._existed[key] = int(self._ask("existed", seconds=key)[0]["id"] or 0)
        return self._existed[key]

    @cached_property
    def _groups(self) -> dict[int, str]:
        return {row["group_id"]: str(row["slug"]) for row in self._ask("group_names")}

    def _group_ids(self, names: Collection[str]) -> list[int]:
        return [id_ for id_, slug in self._groups.items() if slug in names]

    def _waiting(self) -> dict[tuple[str, str], list[Waiting]]:
        """All but what is paused or has a threshold of its own; and each of the latter. A hook with
        one of its own does not count among its group's."""
        found = {WHOLE: self._waiting_of(self._apart)}
        for scope in self._limits.scopes("overdue"):
            if scope not in self._paused_scopes:
                apart = self._paused_scopes if scope[0] == HOOK else self._apart
                found[scope] = self._waiting_of([s for s in apart if s[0] != scope[0]], scope)
        return found

    @cached_property
    def _paused_scopes(self) -> list[tuple[str, str]]:
        return [(pause.kind, pause.name) for pause in self._paused]

    @cached_property
    def _apart(self) -> list[tuple[str, str]]:
        """What does not count among the rest."""
        return [*self._limits.scopes("overdue"), *self._paused_scopes]

    def _waiting_of(
        self, apart: Sequence[tuple[str, str]], scope: tuple[str, str] = WHOLE
    ) -> list[Waiting]:
        but = {kind: [name for k, name in apart if k == kind] for kind in _BUT}
        conditions = [_BUT[kind] for kind, names in but.items() if names]
        if scope != WHOLE:
            conditions.append(_ONLY[scope[0]])
        late = int(self._limits.number("late.seconds"))
        names = ("dated", "undated", *(("parked",) if self._database.dialect == "mysql" else ()))
        branches = "\nUNION ALL\n".join(self._queries[name] for name in names)
        text = self._queries["waiting"].replace("/*branches*/", branches)
        rows = self._database.query(
            text.replace("/*which*/", " ".join(self._queries[name] for name in conditions)),
            overdue=LATE,
            late=late,
            old=self._was_there(LATE),
            older=self._was_there(late),
            limit=self._counted_to,
            but_hooks=hooks_hex(but[HOOK]),
            but_groups=self._group_ids(but[GROUP]) or [-1],
            hook=scope[1],
            groups=self._group_ids([scope[1]]),
        )
        return [
            Waiting(
                row["hook"],
                self._groups.get(row["group_id"], ""),
                int(row["overdue"]),
                int(row["late"] or 0),
                epoch_of(row["oldest"] and str(row["oldest"])),
            )
            for row in rows
        ]

    def _silent(self) -> list[Silent]:
        least = self._limits.least("stuck")
        if least is None:
            return []
        rows = self._ask("silent", seconds=int(least), limit=LIMIT)
        if self._site.migrated:
            rows += self._ask("silent_held", seconds=int(least), limit=LIMIT)
        return [
            Silent(
                int(row["action_id"]),
                row["hook"],
                self._groups.get(row["group_id"], ""),
                self._now - (epoch_of(str(row["since"])) or self._now),
            )
            for row in rows
        ]

    def _ended(self) -> list[Ended]:
        until = sql_date(self._now)
        recorded = epoch_of(str(self._ask("recorded", until=until)[0]["minute"] or ""))
        if recorded is None or recorded < self._now - HOUR // 4:
            self._unknown["failures"] = _UNRECORDED
            return []
        since = sql_date(self._now - int(self._limits.number("failures.seconds")))
        rows = self._ask("rates", since=since, until=until, limit=LIMIT)
        return [Ended(row["hook"], int(row["done"]), int(row["failed"])) for row in rows]

    def _letters(self) -> list[Letters]:
        seconds = int(self._limits.number("dead_letters.seconds"))
        rows = self._ask("letters", seconds=seconds, limit=LIMIT)
        return [
            Letters(row["job_type"] or row["hook"], row["group_slug"], int(row["letters"]))
            for row in rows
        ]

    def _hooks_by_group(self) -> dict[str, frozenset[str]]:
        """Groups of each hook that is in a group with a threshold of its own."""
        names = {limit.subject for limit in self._limits.given if limit.kind == GROUP}
        found: dict[str, set[str]] = {}
        if names:
            for row in self._ask("hooks_of_groups", groups=sorted(names)):
                found.setdefault(row["hook"], set()).add(row["group_slug"])
        return {hook: frozenset(groups) for hook, groups in found.items()}

    def _grown(self) -> dict[tuple[str, str], list[tuple[int, int]]]:
        scopes = [s for s in self._limits.scopes("backlog") if s not in self._paused_scopes]
        paused = set().union(*(self._hooks_of(s) for s in self._paused_scopes if s[0] in _ONLY))
        hooks = {WHOLE: {""}} | {scope: self._hooks_of(scope) - paused for scope in scopes}
        rows = self._ask(
            "backlog",
            since=sql_date(self._now - int(self._limits.number("backlog.seconds")) - 60),
            until=sql_date(self._now),
            hooks=sorted(paused.union(*hooks.values())),
        )
        if not rows:
            self._unknown["backlog"] = _UNRECORDED
        found: dict[tuple[str, str], dict[int, int]] = {scope: {} for scope in hooks}
        for row in rows:
            at, waiting = epoch_of(str(row["minute"])) or 0, int(row["waiting"])
            if row["hook"] in paused:
                found[WHOLE][at] = found[WHOLE].get(at, 0) - waiting
            for scope, wanted in hooks.items():
                if row["hook"] in wanted:
                    found[scope][at] = found[scope].get(at, 0) + waiting
        return {scope: sorted(points.items()) for scope, points in found.items()}

    def _hooks_of(self, scope: tuple[str, str]) -> set[str]:
        kind, name = scope
        if kind == HOOK:
            return {name}
        return {row["hook"] for row in self._ask("hooks_of_groups", groups=[name])}

    @cached_property
    def _patient(self) -> Patient:
        return Patient(self._database, self._site.tables, hooks=[*self._ours])

    def _stopped(self) -> dict[str, int]:
        if self._limits.least("chains") is None:
            return {}
        return ended_chains(self._patient, self._setting.open_chains)

    def _php_late(self) -> Row | None:
        """An action that waits although PHP should have run it."""
        if why := self._without_php():
            self._unasked["php"] = why
            return None
        seconds = self._limits.of("php")
        if seconds is None:
            return None
        ours = hooks_hex(self._ours) or [""]
        old = self._was_there(seconds)
        late = self._ask("php_due", seconds=int(seconds), old=old, ours=ours, limit=COUNTED)
        if not late:
            return None
        if self._ask("php_ran", seconds=int(seconds), **LINES):
            return None
        return {**late[0], "seen": seen_at(self._patient)}

    def _without_php(self) -> str:
        """Why nothing is expected of PHP's runner here; empty where it must work."""
        if self._database.dialect != "mysql":
            return "no PHP works on a SQLite file of the runner's"
        beside = self._site.installed is not None or self._site.php_scheduled
        if self._setting.mode == "native" or not beside:
            return "PHP's runner is off here"
        return ""

    def _heartbeat(self) -> int | None:
        """By how much the nearest sign of a worker is off. One from the future is no newer than
        one as far in the past: the clock went back since. A run from cron that was killed leaves
        an old one, although the next runs do well: only daemons are missed by theirs."""
        limit = self._limits.of("workers") or 0
        rows = self._ask("workers")
        off = [
            (abs(self._now - (epoch_of(str(row["seen_at"])) or 0)), row["queue"]) for row in rows
        ]
        return min((age for age, queue in off if queue or age <= limit), default=None)

    def _harmed(self) -> list[str]:
        installed = self._site.installed
        if installed is None or installed.problem:
            self._unasked["protection"] = "nothing is parked here"
            return []
        if self._limits.of("protection") is None:
            return []
        return [*self._file(), *self._failed_by_php(installed.installed_at), *self._open()]

    def _file(self) -> list[str]:
        """Whether the plugin is in its place, where that can be seen."""
        if self._setting.folder is None:
            return []
        try:
            missing = Plugin(self._setting.folder).state() == "copy"
        except PluginError:
            return []  # another's file, or a newer one: the doctor says so
        return ["the plugin is not in its folder"] if missing else []

    def _failed_by_php(self, installed_at: int) -> list[str]:
        rows = self._patient.ask(
            "failed_by_php",
            hooks_hex=hooks_hex(sorted(self._ours)),
            since=max(installed_at, self._now - HOUR),
            limit=LIMIT,
            **LINES,
        )
        return [f"PHP failed {row['actions']} of {row['hook']}" for row in rows]

    def _open(self) -> list[str]:
        hooks = sorted(self._ours)
        rows = self._ask(
            "unparked",
            hooks=hooks,
            hooks_hex=hooks_hex(hooks),
            seconds=SETTLED,
            old=self._was_there(SETTLED),
            limit=LIMIT,
        )
        return [f"{row['actions']} of {row['hook']} are not parked" for row in rows]


_ONLY = {HOOK: "of_hook", GROUP: "of_groups"}
"""The condition for a scope of its own."""

_BUT = {HOOK: "but_hooks", GROUP: "but_groups"}
"""The condition for what does not count there."""

_UNRECORDED = "no minutes are recorded: the daemon writes them, and `runner health --send` does"
