"""Changes that a person or the site's own code makes to actions that wait or are over.

Rows are taken under lock and tested again (compare-and-set), at most MOST of them by one
transaction; what another changed meanwhile is left alone and not counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compat import action_scheduler as texts
from runner.site import identifiers
from runner.sources.journal import Journal
from runner.storage.queries import Queries

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner.site import Site
    from runner.storage.db import Database, Transaction

    Write = Callable[[Transaction, list[int], int], None]

MOST = 1_000


def cancel(database: Database, site: Site, ids: Sequence[int], *, why: str = "") -> list[int]:
    """Cancels those that are pending, each with a log line; returns their ids.

    A claimed row is canceled too: it has not begun, both PHP's runner and ours look at the status
    again before they begin, and skip it ("action ignored"). The claim stays on the row as
    history. A running action cannot be canceled. The schedule is left as it is, as in PHP.
    """
    queries = _queries(database, site)
    journal = Journal(
        Queries("action_scheduler.sql", database.dialect, identifiers(site, database.dialect)),
        site.zone,
        site.log_charset,
    )

    def write(tx: Transaction, some: list[int], now: int) -> None:
        tx.execute(queries["cancel"], ids=some)
        journal.write(tx, [(id_, texts.canceled(why)) for id_ in some], now)

    return _change(database, queries["lock_pending"], ids, write)


def delete(
    database: Database, site: Site, ids: Sequence[int], *, running: bool = False
) -> list[int]:
    """Deletes actions with their logs, whatever their status; returns their ids. One that is
    running is left alone unless `running`: its worker would find that it lost it."""
    queries = _queries(database, site)

    def write(tx: Transaction, some: list[int], _now: int) -> None:
        tx.execute(queries["delete_logs"], ids=some)
        tx.execute(queries["delete"], ids=some)

    lock = queries["lock_any"] if running else queries["lock_not_running"]
    return _change(database, lock, ids, write)


def _change(database: Database, lock: str, ids: Sequence[int], write: Write) -> list[int]:
    changed: list[int] = []
    for begin in range(0, len(ids), MOST):
        changed += database.unit(_unit(lock, list(ids[begin : begin + MOST]), write))
    return changed


def _unit(lock: str, ids: Sequence[int], write: Write) -> Callable[[Transaction], list[int]]:
    tried: list[int] = []

    def once(tx: Transaction) -> list[int]:
        rows = tx.query(lock, ids=ids)
        held = [row["action_id"] for row in rows]
        if tx.uncertain and tried and not set(tried) & set(held):
            return tried  # the COMMIT without an answer took place
        tried[:] = held
        if held:
            write(tx, held, int(rows[0]["now"]))
        return held

    return once


def _queries(database: Database, site: Site) -> Queries:
    return Queries("manage.sql", database.dialect, identifiers(site, database.dialect))
