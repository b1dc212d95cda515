"""Changes to actions that wait or are over, row by row: for people (by `manage`) and for the
site's own code.

Rows are taken under lock and tested again (compare-and-set), at most MOST of them by one
transaction; what another changed meanwhile is left alone and not counted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from compat import action_scheduler as texts
from compat.schedules import simple
from compat.site_time import sql_date
from runner.core.errors import SiteError
from runner.core.model import Status
from runner.site import action_queries, identifiers
from runner.sources.journal import Journal
from runner.sources.rows import Unreadable, schedule_of
from runner.storage.queries import Queries, hooks_hex

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.site import Site
    from runner.storage.db import Database, Row, Transaction

    Write = Callable[[Transaction, list[int], int], None]

MOST = 1_000


def cancel(database: Database, site: Site, ids: Sequence[int], *, why: str = "") -> list[int]:
    """Cancels those that are pending, each with a log line; returns their ids.

    A claimed row is canceled too: it has not begun, both PHP's runner and ours look at the status
    again before they begin, and skip it ("action ignored"). The claim stays on the row as
    history. A running action cannot be canceled. The schedule is left as it is, as in PHP.
    """
    change = _canceling(database, site, "cancel", Status.PENDING, why)
    return _change(database, _queries(database, site), ids, change)


def retry(
    database: Database, site: Site, ids: Sequence[int], *, why: str = "", actor: str | None = None
) -> list[int]:
    """Makes those that failed or were canceled pending again, due now, with all their attempts;
    returns their ids. One of a recurring chain runs once more, outside of its chain."""
    queries, journal = _queries(database, site), _journal(database, site)

    def write(tx: Transaction, some: list[int], now: int) -> None:
        tx.execute(
            queries["retry"],
            ids=some,
            schedule=simple(now).to_bytes().decode(),
            gmt=sql_date(now),
            parked=texts.parked(sql_date(now)),
            parked_hooks=hooks_hex(site.installed.hooks if site.installed else ()),
            local=site.zone.local(now),
        )
        journal.write(tx, [(id_, texts.again(why)) for id_ in some], now)
        if site.migrated:  # what runs again under its own id must not be replayed as well
            tx.execute(queries["close_letters"], ids=some, actor=actor)

    def was_done(row: Row | None) -> bool:
        return row is not None and row["status"] == Status.PENDING

    allowed = (Status.FAILED, Status.CANCELED)
    return _change(database, queries, ids, Change(allowed, write, was_done))


def cancel_running(
    database: Database, site: Site, ids: Sequence[int], *, why: str = ""
) -> list[int]:
    """Cancels those that a worker of ours runs; returns their ids. With its next heartbeat the
    worker tells the handler (`context.cancelled`); whatever comes of it is not written. Needs the
    runner's own tables, which tell whose a running action is."""
    if not site.migrated:
        return []
    change = _canceling(database, site, "cancel_running", Status.RUNNING, why)
    return _change(database, _queries(database, site), ids, replace(change, lock="lock_running"))


def _canceling(database: Database, site: Site, statement: str, status: Status, why: str) -> Change:
    """Cancels what has that status, each with a log line."""
    queries, journal = _queries(database, site), _journal(database, site)

    def write(tx: Transaction, some: list[int], now: int) -> None:
        tx.execute(queries[statement], ids=some)
        journal.write(tx, [(id_, texts.canceled(why)) for id_ in some], now)

    def was_done(row: Row | None) -> bool:
        return row is not None and row["status"] == Status.CANCELED

    return Change((status,), write, was_done)


def put_off(
    database: Database, site: Site, ids: Sequence[int], at: int, *, why: str = ""
) -> list[int]:
    """Puts those off that wait and nobody has claimed, to a moment in epoch seconds; returns their
    ids. A chain keeps its rhythm. What cannot be read is left as it is."""
    queries, journal = _queries(database, site), _journal(database, site)
    date = sql_date(at)

    def write(tx: Transaction, some: list[int], now: int) -> None:
        _move(tx, queries, site, tx.query(queries["schedules"], ids=some), at)
        journal.write(tx, [(id_, texts.snoozed(why, date)) for id_ in some], now)

    def was_done(row: Row | None) -> bool:
        return row is not None and str(row["due"]) == date

    lock = "lock_waiting_unheld" if site.migrated else "lock_waiting"
    return _change(database, queries, ids, Change((Status.PENDING,), write, was_done, lock=lock))


def _move(tx: Transaction, queries: Queries, site: Site, rows: Sequence[Row], at: int) -> None:
    """These are due at that moment, parked or not as before; a chain keeps its rhythm."""
    date = sql_date(at)
    for row in rows:
        tx.later(
            queries["put_off"],
            id=row["action_id"],
            schedule=_put_off(row["schedule"], at),
            gmt=date,
            parked=texts.parked(date),
            local=site.zone.local(at),
        )


def _put_off(text: str | None, at: int) -> str:
    try:
        schedule = schedule_of(text)
    except Unreadable:
        return text or ""  # the next claim gives it up, and says why
    return schedule.put_off_to(at).to_bytes().decode(errors="surrogateescape")


def run_now(database: Database, site: Site, ids: Sequence[int], *, why: str = "") -> list[int]:
    """Makes those due at once that wait and nobody has claimed; returns their ids, with those that
    are due already. A chain keeps its rhythm."""
    queries, journal = _queries(database, site), _journal(database, site)

    def write(tx: Transaction, some: list[int], now: int) -> None:
        date = sql_date(now)
        early = [row for row in tx.query(queries["schedules"], ids=some) if str(row["due"]) > date]
        _move(tx, queries, site, early, now)
        lines = [(row["action_id"], texts.hurried(why)) for row in early]
        journal.write(tx, lines, now)

    def was_done(row: Row | None) -> bool:
        return row is not None and str(row["due"]) <= sql_date(int(row["now"]))

    lock = "lock_waiting_unheld" if site.migrated else "lock_waiting"
    return _change(database, queries, ids, Change((Status.PENDING,), write, was_done, lock=lock))


def hooks_of(database: Database, site: Site, ids: Sequence[int], most: int) -> list[str]:
    """Some hooks of these actions, each once."""
    text = _queries(database, site)["hooks_of"]
    rows = database.query(text, ids=list(ids)[:MOST], most=most)
    return [str(row["hook"]) for row in rows]


def prioritize(
    database: Database, site: Site, ids: Sequence[int], priority: int, *, why: str = ""
) -> list[int]:
    """Gives those that wait another priority, 0 (soonest) to 255; returns their ids. Raises
    SiteError where Action Scheduler's table has none (before 3.6)."""
    if not site.shape.priority:
        raise SiteError("this site's Action Scheduler has no priorities (it does from 3.6 on)")
    queries, journal = _queries(database, site), _journal(database, site)

    def write(tx: Transaction, some: list[int], now: int) -> None:
        tx.execute(queries["prioritize"], ids=some, priority=priority)
        journal.write(tx, [(id_, texts.prioritized(priority, why)) for id_ in some], now)

    def was_done(row: Row | None) -> bool:
        return row is not None and int(row["priority"]) == priority

    return _change(database, queries, ids, Change((Status.PENDING,), write, was_done))


def delete(
    database: Database, site: Site, ids: Sequence[int], *, running: bool = False
) -> list[int]:
    """Deletes actions with their logs, whatever their status; returns their ids. One that is
    running is left alone unless `running`: its worker would find that it lost it."""
    queries = _queries(database, site)

    def write(tx: Transaction, some: list[int], _now: int) -> None:
        if site.migrated:
            tx.execute(queries["delete_attempts"], ids=some)
            tx.execute(queries["delete_failures"], ids=some)
            tx.execute(queries["delete_held"], ids=some)
        tx.execute(queries["delete_logs"], ids=some)
        tx.execute(queries["delete"], ids=some)

    allowed = None if running else tuple(s for s in Status if s != Status.RUNNING)
    return _change(database, queries, ids, Change(allowed, write, lambda row: row is None))


@dataclass(frozen=True, slots=True)
class Change:
    """`allowed` are the statuses that may be changed, None is all. `was_done` tells from a row, or
    its absence, whether a COMMIT without an answer took place. `lock` reads the rows."""

    allowed: tuple[Status, ...] | None
    write: Write
    was_done: Callable[[Row | None], bool]
    lock: str = "lock"


def _change(database: Database, queries: Queries, ids: Sequence[int], change: Change) -> list[int]:
    changed: list[int] = []
    ids = list(dict.fromkeys(ids))
    for begin in range(0, len(ids), MOST):
        changed += database.unit(_unit(queries[change.lock], ids[begin : begin + MOST], change))
    return changed


def _unit(lock: str, ids: Sequence[int], change: Change) -> Callable[[Transaction], list[int]]:
    tried: list[int] = []

    def once(tx: Transaction) -> list[int]:
        rows = {row["action_id"]: row for row in tx.query(lock, ids=ids)}
        if tx.uncertain and tried and all(change.was_done(rows.get(id_)) for id_ in tried):
            return tried
        held = [
            id_
            for id_ in ids
            if id_ in rows and (change.allowed is None or rows[id_]["status"] in change.allowed)
        ]
        tried[:] = held
        if held:
            change.write(tx, held, int(rows[held[0]]["now"]))
        return held

    return once


def _queries(database: Database, site: Site) -> Queries:
    return Queries("changes.sql", database.dialect, identifiers(site, database.dialect))


def _journal(database: Database, site: Site) -> Journal:
    return Journal(action_queries(site, database.dialect), site.zone, site.log_charset)
