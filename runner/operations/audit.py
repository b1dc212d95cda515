"""Who changed what. A row is written before the change, and completed after it: what was cut off in
between is there too, and says that nobody knows how much was done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runner.core.errors import SiteError
from runner.site import identifiers
from runner.storage.queries import Queries

if TYPE_CHECKING:
    from runner.site import Site
    from runner.storage.db import Database

KEPT = 365 * 86_400
"""Seconds that rows are kept."""

NAMED = 12
"""Ids or hooks that an entry names one by one."""

_LONGEST_TARGET = 255
_LONGEST_NAME = 191
_LONGEST_NOTE = 2000
_ALL = 2**63 - 1
_CHUNK = 1000


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks for a change, `way` is shell, page or api, `address` where from, for the latter."""

    name: str
    way: str = "shell"
    address: str = ""


@dataclass(slots=True)
class Entry:
    """One change: how many were asked for and changed, and what is worth noting. `hooks` are of
    what goes: nothing else tells them afterwards."""

    verb: str
    target: str
    asked: int
    note: str = ""
    changed: int = 0
    id: int = 0
    hooks: list[str] = field(default_factory=list)

    @property
    def noted(self) -> str:
        """The names of a dozen hooks, and the note."""
        names = ", ".join(self.hooks[:NAMED])
        more = ", …" if len(self.hooks) > NAMED else ""
        return ". ".join(filter(None, (f"{names}{more}", self.note)))[:_LONGEST_NOTE]


@dataclass(frozen=True, slots=True)
class AuditRow:
    """`at` is a text in UTC; `changed` is None for a change that was cut off."""

    id: int
    at: str
    actor: str
    way: str
    address: str
    verb: str
    target: str
    asked: int
    changed: int | None
    note: str


class Audit:
    """The record of one site. Raises SiteError without the runner's own tables."""

    def __init__(self, database: Database, site: Site) -> None:
        if not site.migrated:
            raise SiteError("the audit needs the runner's own tables: run `runner migrate`")
        self._database = database
        self._queries = Queries("audit.sql", database.dialect, identifiers(site, database.dialect))

    def begin(self, actor: Actor, entry: Entry) -> None:
        """Nothing is changed without it."""
        entry.id = self._database.unit(
            lambda tx: tx.insert(
                self._queries["begin"],
                actor=actor.name[:_LONGEST_NAME],
                way=actor.way,
                address=actor.address[:45],
                verb=entry.verb,
                target=entry.target[:_LONGEST_TARGET],
                asked=entry.asked,
                note=entry.noted,
            )
        )

    def end(self, entry: Entry) -> None:
        self._database.write(
            self._queries["end"],
            id=entry.id,
            changed=entry.changed,
            asked=entry.asked,
            note=entry.noted,
        )

    def newest(
        self,
        limit: int,
        before_id: int | None = None,
        actor: str | None = None,
        verb: str | None = None,
    ) -> list[AuditRow]:
        """The newest first; with `before_id`, of those older than that."""
        before = _ALL if before_id is None else before_id
        rows = self._database.query(
            self._queries["newest"], before=before, actor=actor, verb=verb, limit=limit
        )
        return [AuditRow(**(row | {"at": str(row["at"])})) for row in rows]

    def forget(self) -> int:
        """Deletes what is older than KEPT; returns how many rows."""
        gone = 0
        while rows := self._database.query(self._queries["old"], seconds=KEPT, limit=_CHUNK):
            gone += self._database.write(self._queries["forget"], ids=[row["id"] for row in rows])
        return gone
