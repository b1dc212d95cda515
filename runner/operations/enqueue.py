"""Creates actions: the rows, groups and log lines that Action Scheduler's own functions write."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from compat.action_scheduler import CREATED, INSTALLED, parked
from compat.site_time import sql_date
from runner.core.errors import EnqueueError, TooBusy
from runner.core.installed import Installed
from runner.core.new_action import NewAction
from runner.operations.safety import check_readable
from runner.site import identifiers
from runner.storage.borrowed import borrow
from runner.storage.queries import Queries, chunks, numbered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from runner.site import Site
    from runner.storage.db import Database, Transaction

MOST = 10_000
"""Actions created by one call, all or none: more would keep locks and undo logs for long."""

ROWS, BYTES = 500, 400_000
"""Of one statement."""

TRIES = 2
"""How often a unit that lost a lock wait of the session (10 s) is tried: the caller may be
answering a web request."""

_SLUGS = 100
"""Groups looked up by one statement."""

_ASCII = ("schedule", "args", "extended")

Row = dict[str, object]
Ids = list[int | None]


class Enqueue:
    """Creates actions on one site. Errors of ours leave nothing written.

    Unique actions are told from their like by one statement (INSERT … WHERE NOT EXISTS), as in
    PHP, which is no constraint: two processes that create the same one at the same moment may
    both succeed.
    """

    def __init__(self, database: Database, site: Site) -> None:
        """Raises ConfigError where nobody knows which actions are to be parked."""
        check_readable(site)
        self._database = database
        self._site = site
        self._zone = site.zone
        place = f"{database.driver.home}\0{site.tables.prefix}"
        self._lock = "runner:groups:" + hashlib.sha256(place.encode()).hexdigest()[:32]
        self._queries = Queries(
            "enqueue.sql", database.dialect, identifiers(site, database.dialect)
        )

    def one(self, new: NewAction, *, connection: Any = None) -> int | None:
        """The new action's id, or None for a duplicate of a unique one."""
        return self.many([new], connection=connection)[0]

    def many(
        self,
        news: Iterable[NewAction],
        *,
        connection: Any = None,
        also: Callable[[Transaction, Ids], object] | None = None,
    ) -> Ids:
        """The same for many, in their order; all or none. Raises EnqueueError beyond MOST.

        `also` writes in the same transaction, given the ids. With a `connection` of the caller's,
        everything is written in the transaction that is open there, and the driver's own errors
        are raised.
        """
        wanted = list(news)
        if not all(isinstance(new, NewAction) for new in wanted):
            raise EnqueueError("many() wants NewAction objects")
        if len(wanted) > MOST:
            raise EnqueueError(f"{len(wanted)} actions: at most {MOST} are created by one call")
        if not wanted:
            return []
        slugs = list(dict.fromkeys(new.group for new in wanted))
        groups, now = self._look(slugs)
        rows, log = self._rows(wanted, now), self._log_dates(now)
        missing = [slug for slug in slugs if groups[slug] is None]
        if connection is None:
            _place(rows, groups | self._create_groups(missing))
            writing = _Writing(self._queries, rows, log, also)
            with self._unique(rows):
                return self._database.unit(writing.write, tries=TRIES)
        with borrow(self._database, connection) as tx:
            _place(rows, groups | self._create_groups(missing, tx))
            return _Writing(self._queries, rows, log, also, self._database).write(tx)

    def group(self, slug: str) -> int:
        """The id of a group, which is made if there is none."""
        groups, _ = self._look([slug])
        return int(groups[slug] or self._create_groups([slug])[slug])

    def _rows(self, wanted: Sequence[NewAction], now: int) -> list[Row]:
        """Raises EnqueueError, when nothing is written yet."""
        rows = [{**new.columns(now, self._zone), **_identity(new)} for new in wanted]
        for row in rows:
            if self._site.installed and row["hook"] in self._site.installed.hooks:
                row["gmt"] = parked(str(row["gmt"]))
        return rows

    def _look(self, slugs: Sequence[str]) -> tuple[dict[str, Any], int]:
        """Ids of groups by slug, None where there is none yet, and the database's time. What is
        parked by now is noted: raises ConfigError where nobody knows."""
        found: dict[str, Any] = {}
        for begin in range(0, len(slugs), _SLUGS):
            some = slugs[begin : begin + _SLUGS]
            parts = [
                numbered(self._queries["facts"], ("number", "slug"), n) for n in range(len(some))
            ]
            values: Row = {}
            for number, slug in enumerate(some):
                values |= {f"number_{number}": number, f"slug_{number}": slug}
            if self._database.dialect == "mysql":  # beside a SQLite file no PHP runner works
                parts.append(self._queries["parks"])
            answers = self._database.query(
                "\nUNION ALL\n".join(parts), installed=INSTALLED, **values
            )
            told = [str(answer["installed"]) for answer in answers if int(answer["number"]) < 0]
            found |= {
                some[int(answer["number"])]: answer["group_id"]
                for answer in answers
                if int(answer["number"]) >= 0
            }
        self._site = replace(self._site, installed=Installed.read("".join(told)))
        check_readable(self._site)
        return found, int(answers[0]["now"])

    def _create_groups(
        self, slugs: Sequence[str], borrowed: Transaction | None = None
    ) -> dict[str, Any]:
        """On our own connection and committed before use, so that other processes see them at
        once: one that came into being inside a caller's long transaction would be invisible, and
        be created again by others. Left behind by the caller's roll-back a group does no harm.
        A SQLite file has one writer, the caller: there it is created in that transaction."""
        if not slugs:
            return {}
        if borrowed and self._database.dialect == "sqlite":
            return self._insert_groups(borrowed, slugs)
        with self._alone(self._lock, "creating groups"):
            return self._database.unit(lambda tx: self._insert_groups(tx, slugs), tries=TRIES)

    @contextmanager
    def _unique(self, rows: Sequence[Row]) -> Iterator[None]:
        """One process at a time creates unique actions of a hook: look and insert are two things,
        and there is no constraint. What a caller's transaction has not committed nobody sees."""
        hooks = {str(row["hook"]).casefold() for row in rows if row["unique"]}
        names = (hashlib.sha256(f"{self._lock}\0{hook}".encode()) for hook in hooks)
        with ExitStack() as stack:
            for name in sorted(name.hexdigest()[:32] for name in names):
                lock = self._alone(f"runner:unique:{name}", "creating unique actions of that hook")
                stack.enter_context(lock)
            yield

    @contextmanager
    def _alone(self, lock: str, what: str) -> Iterator[None]:
        """Holds a named lock outside the unit: a retried one would take it twice, and it is given
        back once. Raises TooBusy."""
        if self._database.query(self._queries["take_lock"], lock=lock)[0]["taken"] != 1:
            raise TooBusy(f"another process is {what} and does not end")
        try:
            yield
        finally:
            self._database.try_write(self._queries["give_lock_back"], lock=lock)

    def _insert_groups(self, tx: Transaction, slugs: Sequence[str]) -> dict[str, Any]:
        found = {}
        for slug in slugs:
            tx.execute(self._queries["create_group"], slug=slug)
            found[slug] = tx.query(self._queries["group"], slug=slug)[0]["group_id"]
        return found

    def _log_dates(self, now: int) -> Row:
        return {"message": CREATED, "gmt": sql_date(now), "local": self._zone.local(now)}


class _Writing:
    """The unit that writes the rows. Run again, it knows what the last try wrote. `beside` is our
    own connection while the unit is a caller's."""

    def __init__(
        self,
        queries: Queries,
        rows: Sequence[Row],
        log: Row,
        also: Callable[[Transaction, Ids], object] | None = None,
        beside: Database | None = None,
    ) -> None:
        self._queries = queries
        self._rows = rows
        self._log = log
        self._also = also
        self._beside = beside
        self._ids: Ids = []

    def write(self, tx: Transaction) -> Ids:
        if tx.uncertain and self._is_there(tx):
            return self._ids
        self._ids = []
        step = self._id_step(tx)
        for chunk in _statements(self._rows):
            ids = self._create(tx, chunk, step)
            lines = [{**self._log, "id": id_} for id_ in ids if id_ is not None]
            tx.insert_rows(self._queries["log_created"], lines)
            self._ids += ids
        if self._also:
            self._also(tx, self._ids)
        return self._ids

    def _is_there(self, tx: Transaction) -> bool:
        """All were written by one transaction: one tells of all. Without one there is nothing."""
        for id_, row in zip(self._ids, self._rows, strict=False):
            if id_ is not None:
                values = {name: row[name] for name in ("hook", "args")}
                return bool(tx.query(self._queries["already_created"], id=id_, **values))
        return False

    def _id_step(self, tx: Transaction) -> int:
        """Needed only where one statement writes several rows."""
        if len(self._rows) == 1:
            return 1
        return int(tx.query(self._queries["id_step"])[0]["step"])

    def _create(self, tx: Transaction, chunk: Sequence[Row], step: int) -> list[int | None]:
        if chunk[0]["unique"]:
            return [self._create_unique(tx, chunk[0])]
        told = tx.insert_rows(self._queries["create"], chunk)
        # The server knows the number of rows of INSERT … VALUES before it begins and reserves
        # that many ids in one piece, under innodb_autoinc_lock_mode 1 and 2 alike. Only the
        # interleaved mode's INSERT … SELECT and LOAD take ids bit by bit.
        return [*sorted(range(told, told + step * len(chunk), step))]

    def _create_unique(self, tx: Transaction, row: Row) -> int | None:
        """At a caller's REPEATABLE READ, the usual one, INSERT … SELECT would lock what it looked
        through, gaps included, and stop others' inserts until the caller commits. So there it is
        two looks without locks: at what is committed, and at what the caller wrote itself."""
        if not self._beside:
            return tx.insert(self._queries["create_unique"], **row) or None
        alike = self._queries["alike"]
        if self._beside.query(alike, **row) or tx.query(alike, **row):
            return None
        return tx.insert_rows(self._queries["create"], [row])


def _statements(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows that one statement writes: as many as fit, and a unique one by itself."""
    for unique, alike in groupby(rows, key=lambda row: bool(row["unique"])):
        yield from chunks(alike, _size, most=BYTES, count=1 if unique else ROWS)


def _size(row: Row) -> int:
    """Bytes of the row's values, or a little more."""
    return 200 + 4 * len(str(row["hook"])) + sum(len(str(row[name])) for name in _ASCII)


def _place(rows: Sequence[Row], groups: Mapping[str, Any]) -> None:
    """Gives each row its group's id."""
    for row in rows:
        row["group_id"] = groups[str(row["group"])]


def _identity(new: NewAction) -> Row:
    unique, any_args = bool(new.unique), int(new.unique == "hook")
    return {"group": new.group, "unique": unique, "any_args": any_args}
