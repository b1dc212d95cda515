"""Writes figures by the minute, and the census: what the page's chart and its counts are made of.

A minute is written when it is over, from what the tables tell; so it does not matter who ran what,
and a minute may be written again. The census reads the whole table, and is taken so seldom that it
costs a hundredth of a processor at most.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from compat.site_time import epoch_of, sql_date
from runner.site import alone, identifiers
from runner.storage.queries import Queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.site import Site
    from runner.storage.db import Database, Row, Transaction

MINUTE = 60
AGAIN = 2
"""Minutes that are written once more: a commit may have come late."""

BACK = 24 * 60
"""Minutes of a time without a daemon that are made up for at most."""

BUDGET = 20.0
"""Seconds that one call goes on making up for minutes; the next one goes on from there."""

ROWS = 100_000
"""Ended actions, and attempts, of one minute that are looked at."""

SHARE = 100
"""A census that took a second is taken again after so many seconds."""

COMBINATIONS = 2_000
"""Of status, hook and group that the census names."""

_PRUNED = 10_000


@dataclass(slots=True)
class _Tally:
    """One hook's minute, in the making. Times are in milliseconds."""

    done: int = 0
    failed: int = 0
    retried: int = 0
    waits: list[int] = field(default_factory=list)
    runs: list[int] = field(default_factory=list)

    def row(self, minute: str, hook: str, waiting: int | None) -> dict[str, Any]:
        self.waits.sort()
        self.runs.sort()
        return {
            "minute": minute,
            "hook": hook,
            "done": self.done,
            "failed": self.failed,
            "retried": self.retried,
            "waiting": waiting,
            "wait_p50": _quantile(self.waits, 0.5),
            "wait_p95": _quantile(self.waits, 0.95),
            "run_p50": _quantile(self.runs, 0.5),
            "run_p95": _quantile(self.runs, 0.95),
        }


class Minutes:
    """The record of one site, which has the runner's own tables."""

    def __init__(self, database: Database, site: Site) -> None:
        self._database = database
        self._site = site
        self._queries = Queries(
            "minutes.sql", database.dialect, identifiers(site, database.dialect)
        )

    def record(self, keep: int) -> int:
        """Writes what is missing and takes the census when its time has come; returns how many
        minutes were written, 0 where another daemon is at it. Minutes older than `keep` seconds
        go."""
        with alone(self._database, self._site, "minutes") as taken:
            if not taken:
                return 0
            counted = self._census()
            written = self._write_missing(counted)
            self._database.write(self._queries["prune"], seconds=keep, limit=_PRUNED)
            return written

    def _write_missing(self, counted: dict[str, int] | None) -> int:
        told = self._database.query(self._queries["clock"])[0]
        last = int(told["now"]) // MINUTE * MINUTE - MINUTE
        newest = epoch_of(told["newest"] and str(told["newest"]))
        first = last - (BACK - 1) * MINUTE
        if newest is not None:  # one that is still to come was written before the clock went back
            first = max(first, min(newest, last) - (AGAIN - 1) * MINUTE)
        clock = self._database.clock
        until, written = clock.monotonic() + BUDGET, 0
        for minute in range(first, last + 1, MINUTE):
            ends = minute == last or clock.monotonic() > until
            written += self._write(minute, counted if minute == last else None, ends=ends)
            if ends:
                break
        return written

    def _write(self, minute: int, counted: dict[str, int] | None, *, ends: bool) -> int:
        """One minute, in place of what was written of it; returns 1. One in which nothing happened
        is left out, 0, unless it `ends` what is written: that row tells how far it went."""
        begin, end = sql_date(minute), sql_date(minute + MINUTE)
        limits = {"begin": begin, "end": end, "limit": ROWS}
        ended = self._database.query(self._queries["ended"], **limits)
        tried = self._database.query(self._queries["tried"], **limits)
        tallies = _tallied(ended, tried)
        if not (tallies or counted or ends):
            return 0
        hooks = {*tallies, *(counted or ())} - {""}
        rows = [
            tallies.get(hook, _Tally()).row(
                begin, hook, None if counted is None else counted.get(hook, 0)
            )
            for hook in ["", *sorted(hooks)]
        ]

        def unit(tx: Transaction) -> None:
            tx.execute(self._queries["forget_minute"], minute=begin)
            tx.insert_rows_later(self._queries["minute"], rows)

        self._database.unit(unit)
        return 1

    def _census(self) -> dict[str, int] | None:
        """Counts the table, if that may be done again; returns what is due by hook, and of all
        under the empty name."""
        last = self._database.query(self._queries["last_census"])[0]
        taken = epoch_of(last["taken_at"] and str(last["taken_at"]))
        rest = max(int(last["cost_ms"] or 0) * SHARE / 1000, MINUTE - 5)
        if taken is not None and 0 <= int(last["now"]) - taken < rest:
            return None
        clock = self._database.clock
        began = clock.monotonic()
        rows = self._database.query(self._queries["count"], limit=COMBINATIONS)
        cost = round((clock.monotonic() - began) * 1000)
        named = self._database.query(self._queries["groups"])
        groups = {row["group_id"]: row["slug"] for row in named}
        stored = [_combination(row, groups, cost) for row in rows]

        def unit(tx: Transaction) -> None:
            tx.execute(self._queries["forget_census"])
            tx.insert_rows_later(self._queries["census"], stored)

        self._database.unit(unit)
        due: dict[str, int] = defaultdict(int)
        for row in stored:
            for name in (row["hook"], "") if row["due"] else ("",):
                due[name] += row["due"]
        return dict(due)


def _combination(row: Row, groups: dict[int, str], cost: int) -> dict[str, Any]:
    return {
        "status": row["status"][:20],
        "group_slug": groups.get(row["group_id"], ""),
        "hook": row["hook"],
        "actions": int(row["actions"]),
        "due": int(row["due"] or 0),
        "recurring": int(row["recurring"] or 0),
        "oldest": row["oldest"],
        "cost_ms": cost,
    }


def _tallied(ended: Sequence[Row], tried: Sequence[Row]) -> dict[str, _Tally]:
    """By hook, and of all under the empty name."""
    tallies: dict[str, _Tally] = defaultdict(_Tally)
    ran = {}
    for row in tried:
        ran[row["action_id"]] = row
        for tally in (tallies[row["hook"]], tallies[""]):
            tally.retried += row["outcome"] == "retried"
            tally.runs.append(int(row["elapsed_ms"]))
    for row in ended:
        wait = _waited(row, ran.get(row["action_id"]))
        for tally in (tallies[row["hook"]], tallies[""]):
            tally.done += row["status"] == "complete"
            tally.failed += row["status"] == "failed"
            if wait is not None:
                tally.waits.append(wait)
    return tallies


def _waited(row: Row, attempt: Row | None) -> int | None:
    """Milliseconds from its date to its first try. What was tried before has another date by now,
    and tells nothing."""
    due, ended = epoch_of(str(row["due"])), epoch_of(str(row["ended"]))
    if due is None or ended is None or (attempt and attempt["attempt"] > 1):
        return None
    ran = int(attempt["elapsed_ms"]) if attempt else 0
    return max((ended - due) * 1000 - ran, 0)


def _quantile(ordered: Sequence[int], share: float) -> int | None:
    """The least value that so many are not above."""
    if not ordered:
        return None
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
