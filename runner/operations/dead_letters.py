"""Dead letters for people: which there are, and replaying or discarding them.

A replay is a new action with the letter's hook, group, args and priority; letter and action name
each other, and both actions' logs say who asked for it. A letter is closed once: what comes second
is told what the first became.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from compat import action_scheduler as texts
from compat.args import ArgsError, decode
from compat.schedules import simple
from compat.site_time import sql_date
from runner.core.errors import RunnerError, SiteError
from runner.operations.enqueue import Enqueue
from runner.site import action_queries, identifiers
from runner.sources.journal import Journal
from runner.storage.queries import Queries, literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from compat.args import StoredArgs
    from runner.site import Site
    from runner.storage.db import Database, Row, Transaction

DEAD, REPLAYED, DISCARDED = "dead", "replayed", "discarded"
STATUSES = (DEAD, REPLAYED, DISCARDED)

CHUNK = 500
"""Letters read by one statement."""

ALL = 2**63 - 1


class Closed(RunnerError):
    """The letter was replayed or discarded before; the text says what became of it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which letters; None is no condition. `error` is a class, or a part of the message. Moments
    are in epoch seconds."""

    ids: tuple[int, ...] | None = None
    hook: str | None = None
    group: str | None = None
    status: str | None = DEAD
    error: str | None = None
    since: int | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """A letter without what may be long. `created_at` is a text in UTC; `replayed_as` is the new
    action's id, `replay_of` the letter whose replay this action was."""

    id: int
    action_id: int
    hook: str
    group: str
    attempts: int
    status: str
    kind: str
    error_class: str
    message: str
    created_at: str
    replayed_as: int | None
    replay_of: int | None


class DeadLetters:
    """The dead letters of one site. Raises SiteError without the runner's own tables."""

    def __init__(self, database: Database, site: Site) -> None:
        if not site.migrated:
            raise SiteError("the runner's own tables are missing here: `runner migrate` makes them")
        names = identifiers(site, database.dialect)
        self._database = database
        self._site = site
        self._queries = Queries("dead_letters.sql", database.dialect, names)
        actions = action_queries(site, database.dialect)
        self._journal = Journal(actions, site.zone, site.log_charset)
        self._enqueue: Enqueue | None = None

    def count(self, wanted: Wanted, *, at_most: int = ALL) -> int:
        where, values = self._where(wanted)
        text = self._queries["how_many"].replace("/*where*/", where)
        return int(self._database.query(text, limit=at_most, **values)[0]["letters"])

    def newest(self, wanted: Wanted, limit: int, before: int | None = None) -> list[Head]:
        """The newest that match, the newest first; with `before`, of those older than that id."""
        where, values = self._where(wanted)
        text = self._queries["newest"].replace("/*where*/", where)
        below = ALL if before is None else before
        rows = self._database.query(text, limit=limit, below=below, **values)
        found = {head.id: head for head in self.heads([row["id"] for row in rows])}
        return [found[row["id"]] for row in rows if row["id"] in found]

    def walk(self, wanted: Wanted) -> Iterator[list[int]]:
        """The ids of all that match now, the oldest first, some at a time."""
        where, values = self._where(wanted)
        text = self._queries["ids"].replace("/*where*/", where)
        last = self._database.query(self._queries["last"])[0]["last"]
        after = 0
        while True:
            rows = self._database.query(text, after=after, last=last, limit=CHUNK, **values)
            if not rows:
                return
            after = rows[-1]["id"]
            yield [row["id"] for row in rows]

    def heads(self, ids: Sequence[int]) -> list[Head]:
        rows = self._database.query(self._queries["heads"], ids=list(ids))
        found = {row["id"]: _head(row) for row in rows}
        return [found[id_] for id_ in ids if id_ in found]

    def whole(self, ids: Sequence[int]) -> list[dict[str, Any]]:
        """Letters with all that is known, as plain values. `args` are read where they can be, else
        the text as it was stored."""
        rows = self._database.query(self._queries["letters"], ids=list(ids))
        found = {row["id"]: _whole(row) for row in rows}
        return [found[id_] for id_ in ids if id_ in found]

    def replay(self, id_: int, actor: str, *, args: StoredArgs | None = None) -> int:
        """Makes a new action, due now, and closes the letter; returns the action's id. With `args`
        in place of the letter's own.

        Raises Closed when that was done before, RunnerError when there is no such letter, and for
        args that nobody could read.
        """
        head = self._row(id_)
        if args is None:
            _check_readable(id_, head)
        group, now = self._group(head)
        tried: list[int] = []

        def unit(tx: Transaction) -> int:
            letter = self._lock(tx, id_)
            if tx.uncertain and tried and letter["replayed_as"] == tried[-1]:
                return tried[-1]
            _check_open(letter)
            tried.append(self._create(tx, letter, group, now, args))
            note = "edited args" if args else None
            self._close(tx, id_, REPLAYED, actor, note=note, replayed_as=tried[-1])
            edited = ", with other args" if args else ""
            old = f"action replayed as action {tried[-1]} by {actor}{edited}"
            new = f"replay of dead letter {id_} (action {letter['action_id']}) by {actor}{edited}"
            lines = [(tried[-1], texts.CREATED), (tried[-1], new), (letter["action_id"], old)]
            self._journal.write(tx, lines, now)
            return tried[-1]

        return self._database.unit(unit)

    def discard(self, id_: int, actor: str, why: str = "") -> None:
        """Closes the letter: nobody wants it replayed. Raises as `replay`."""

        def unit(tx: Transaction) -> None:
            letter = self._lock(tx, id_)
            done = letter["status"] == DISCARDED and letter["reprocessed_by"] == actor
            if tx.uncertain and done:
                return
            _check_open(letter)
            self._close(tx, id_, DISCARDED, actor, note=why or None)
            reason = f": {why}" if why else ""
            line = f"dead letter {id_} discarded by {actor}{reason}"
            now = int(letter["now"])
            self._journal.write(tx, [(letter["action_id"], texts.clipped(line))], now)

        self._database.unit(unit)

    def _row(self, id_: int) -> Row:
        rows = self._database.query(self._queries["letters"], ids=[id_])
        if not rows:
            raise RunnerError(f"there is no dead letter {id_}")
        _check_open(rows[0])
        return rows[0]

    def _lock(self, tx: Transaction, id_: int) -> Row:
        rows = tx.query(self._queries["lock"], id=id_)
        if not rows:
            raise RunnerError(f"there is no dead letter {id_}")
        return rows[0]

    def _group(self, letter: Row) -> tuple[int, int]:
        """The id of the letter's group, which is made anew if it is gone; and the database's time
        in epoch seconds."""
        old = letter["group_id"]
        row = self._database.query(self._queries["group_is_there"], group_id=old)[0]
        if old and not row["there"]:
            self._enqueue = self._enqueue or Enqueue(self._database, self._site)
            old = self._enqueue.group(letter["group_slug"])
        return old, int(row["now"])

    def _create(
        self, tx: Transaction, letter: Row, group: int, now: int, args: StoredArgs | None
    ) -> int:
        gmt = sql_date(now)
        parks = self._site.installed.hooks if self._site.installed else ()
        return tx.insert(
            self._queries["replay"],
            id=letter["id"],
            gmt=texts.parked(gmt) if letter["hook"] in parks else gmt,
            local=self._site.zone.local(now),
            schedule=simple(now).to_bytes().decode(),
            group_id=group,
            edited=args is not None,
            args=args.args if args else None,
            extended=args.extended if args else None,
        )

    def _close(
        self,
        tx: Transaction,
        id_: int,
        status: str,
        actor: str,
        *,
        note: str | None,
        replayed_as: int | None = None,
    ) -> None:
        tx.later(
            self._queries["close"],
            id=id_,
            status=status,
            actor=actor[:191],
            note=note,
            replayed_as=replayed_as,
        )

    def _where(self, wanted: Wanted) -> tuple[str, dict[str, object]]:
        """The conditions and their values."""
        values: dict[str, object] = {}
        parts = []
        for condition, name, value in (
            ("only_ids", "ids", None if wanted.ids is None else list(wanted.ids)),
            ("only_hook", "hook", wanted.hook),
            ("only_group", "slug", wanted.group),
            ("only_status", "status", wanted.status),
            ("only_error", "error", wanted.error),
            ("only_since", "since", None if wanted.since is None else sql_date(wanted.since)),
            ("only_before", "before", None if wanted.before is None else sql_date(wanted.before)),
        ):
            if value is not None:
                parts.append(self._queries[condition])
                values[name] = value
        if wanted.error is not None:
            values["error_like"] = f"%{literal(wanted.error)}%"
        return " AND ".join(parts or [self._queries["only_all"]]), values


def _check_open(letter: Row) -> None:
    """Raises Closed with what became of the letter."""
    if letter["status"] == DEAD:
        return
    by = f" by {letter['reprocessed_by']}" if letter["reprocessed_by"] else ""
    when = f"{letter['reprocessed_at']} UTC{by}"
    if letter["status"] == DISCARDED:
        raise Closed(f"dead letter {letter['id']} was discarded at {when}: it is not replayed")
    raise Closed(
        f"dead letter {letter['id']} was replayed before, as action {letter['replayed_as']}, at"
        f" {when}"
    )


def _check_readable(id_: int, letter: Row) -> None:
    try:
        decode(letter["args"], letter["extended_args"])
    except ArgsError as error:
        raise RunnerError(
            f"dead letter {id_} cannot be replayed as it is, its args are corrupt: {error}. Give"
            " it others with --edit-args"
        ) from error


def _head(row: Row) -> Head:
    return Head(
        id=row["id"],
        action_id=row["action_id"],
        hook=row["hook"],
        group=row["group_slug"],
        attempts=row["attempts"],
        status=row["status"],
        kind=row["kind"],
        error_class=row["error_class"],
        message=row["error_message"],
        created_at=str(row["created_at"]),
        replayed_as=row["replayed_as"],
        replay_of=row["replay_of"],
    )


def _whole(row: Row) -> dict[str, Any]:
    args: Any = row["extended_args"] or row["args"]  # as it was stored, if nobody can read it
    with contextlib.suppress(ArgsError):
        args = decode(row["args"], row["extended_args"])
    dates = ("created_at", "reprocessed_at", "scheduled_at")
    facts = {name: None if row[name] is None else str(row[name]) for name in dates}
    dropped = {"extended_args", "group_id", *dates}
    kept = {name: value for name, value in row.items() if name not in dropped}
    kept["group"] = kept.pop("group_slug")
    kept["message"] = kept.pop("error_message")
    return kept | facts | {"args": args}
