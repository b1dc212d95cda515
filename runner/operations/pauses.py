"""Pauses: what must not begin, until a moment or until somebody resumes it. Workers see one within
their next look; what runs already goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from compat.action_scheduler import LONGEST_HOOK, LONGEST_SLUG
from compat.site_time import sql_date
from runner.core.errors import SiteError, UsageError
from runner.core.pauses import EVERYTHING, GROUP, HOOK, Pause, target_text
from runner.site import identifiers
from runner.storage.queries import Queries

if TYPE_CHECKING:
    from runner.site import Site
    from runner.storage.db import Database, Transaction

_LONGEST = {EVERYTHING: 0, HOOK: LONGEST_HOOK, GROUP: LONGEST_SLUG}
_LONGEST_REASON = 255
_LONGEST_ACTOR = 191


@dataclass(frozen=True, slots=True)
class Target:
    """What is paused: `kind` is `hook`, `group` or `all`, which has no name."""

    kind: str
    name: str = ""

    def __post_init__(self) -> None:
        """Raises UsageError for a name that no hook or group can have."""
        if not self.name.strip() and self.kind != EVERYTHING:
            raise UsageError(f"a {self.kind} has a name")
        if len(self.name) > _LONGEST[self.kind]:
            raise UsageError(f"no {self.kind} has a name of {len(self.name)} characters")

    def __str__(self) -> str:
        return target_text(self.kind, self.name)


class Pauses:
    """Those of one site. Raises SiteError without the runner's own tables."""

    def __init__(self, database: Database, site: Site) -> None:
        if not site.migrated:
            raise SiteError("pauses need the runner's own tables: run `runner migrate`")
        self._database = database
        names = identifiers(site, database.dialect)
        self._queries = Queries("pauses.sql", database.dialect, names)
        self._gates = Queries("gates.sql", database.dialect, names)

    def list(self) -> list[Pause]:
        """What is paused now."""
        return [Pause.of(row) for row in self._database.query(self._gates["paused"])]

    def known(self, target: Target) -> bool:
        """Whether there is a group of that name; of hooks nobody knows."""
        if target.kind != GROUP:
            return True
        return bool(self._database.query(self._queries["group"], slug=target.name)[0]["there"])

    def pause(self, target: Target, *, until: int | None, reason: str, actor: str) -> None:
        """Pauses it, in place of an older pause. `until` is in epoch seconds."""

        def unit(tx: Transaction) -> None:
            self._tidy(tx)
            tx.later(
                self._queries["pause"],
                kind=target.kind,
                name=target.name,
                until=None if until is None else sql_date(until),
                reason=reason[:_LONGEST_REASON],
                actor=actor[:_LONGEST_ACTOR],
            )

        self._database.unit(unit)

    def resume(self, target: Target) -> bool:
        """Whether it was paused."""

        def unit(tx: Transaction) -> bool:
            gone = tx.execute(self._queries["resume"], kind=target.kind, name=target.name)
            self._tidy(tx)
            return bool(gone) or tx.uncertain

        return self._database.unit(unit)

    def _tidy(self, tx: Transaction) -> None:
        tx.later(self._queries["forget"])
        tx.later(self._queries["forget_skips"])
