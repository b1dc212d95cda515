"""Deletes finished actions and their logs once they are old enough, in short transactions.

Ages are those of Action Scheduler 4.0.0: complete and canceled actions go 31 days after the last
attempt, failed ones after three times that. A row that was never attempted counts as old.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from compat.site_time import ZERO, sql_date
from runner.core.model import Status
from runner.site import identifiers
from runner.sources.leases import Leases
from runner.storage.queries import Queries

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from runner.core.limits import Limits
    from runner.site import Site
    from runner.storage.db import Database, Row, Transaction

RETENTION = 31 * 86_400
"""Seconds (filter `action_scheduler_retention_period`)."""

AGES: Mapping[Status, int] = {
    Status.COMPLETE: RETENTION,
    Status.CANCELED: RETENTION,
    Status.FAILED: 3 * RETENTION,
}
"""Seconds since the last attempt after which a row is old, for every status that is final."""


def usual_cutoffs(now: int) -> dict[str, int]:
    """For each status the last attempt (epoch seconds) up to which a row is old."""
    return {str(status): now - age for status, age in AGES.items()}


WINDOW = 1000
"""Rows looked at by one statement: most may belong to hooks that are to be left alone."""


@dataclass(slots=True)
class Cleaned:
    """What a cleaning did, or with a dry run would have done, in actions."""

    deleted: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    stopped: str = "nothing left"


class Cleaner:
    """Deletes old rows of one site. `hooks` are the hooks whose rows may go, None is all.

    `on_passed` hears how many rows were dealt with or passed over. With `dry` nothing is written.
    """

    def __init__(
        self,
        database: Database,
        site: Site,
        limits: Limits,
        *,
        hooks: Collection[str] | None,
        batch_size: int = 20,
        pause: float = 0.0,
        dry: bool = False,
        on_passed: Callable[[int], None] | None = None,
    ) -> None:
        self._database = database
        facts = identifiers(site, database.dialect)
        self._queries = Queries("changes.sql", database.dialect, facts)
        self._site = site
        self._migrated = site.migrated
        self._limits = limits
        self._hooks = hooks
        self._batch_size = batch_size
        self._pause = pause
        self._dry = dry
        self._on_passed = on_passed or (lambda _: None)

    def how_many(self, cutoffs: Mapping[str, int]) -> int:
        """Rows that are old, of all hooks. `cutoffs` are statuses with epoch seconds."""
        query = self._queries["old_in_all"]
        counts = (
            self._database.query(query, status=status, cutoff=sql_date(cutoff))[0]["actions"]
            for status, cutoff in cutoffs.items()
        )
        return sum(map(int, counts))

    def run(self, cutoffs: Mapping[str, int]) -> Cleaned:
        """Deletes rows of these statuses that were last attempted at or before their cut-off."""
        cleaned = Cleaned()
        for status, cutoff in cutoffs.items():
            cleaned.statuses[status] = 0
            for batch in self._batches(status, sql_date(cutoff)):
                if self._ends():
                    break
                deleted = self._delete(status, sql_date(cutoff), batch)
                cleaned.statuses[status] += deleted
                cleaned.deleted += deleted
                self._limits.batches_claimed += 1
                self._limits.rest(self._pause)
        cleaned.stopped = self._ends() or "nothing left"
        cleaned.seconds = self._limits.elapsed()
        return cleaned

    def forget_attempts(self, now: int) -> int:
        """Deletes what was recorded of attempts longer ago than any action is kept by default;
        returns how many. `now` is in epoch seconds.

        Before that, claims of dead workers that hold nothing end: without its attempt, what such a
        worker had failed itself would look as if nobody had judged it.
        """
        leases = None if self._dry else Leases.of(self._site, self._database.dialect)
        if leases:
            self._database.unit(leases.end_dead)
        cutoff, forgotten = sql_date(now - max(AGES.values())), 0
        while self._migrated and not self._dry and not self._limits.reached():
            found = self._database.query(self._queries["old_attempts"], cutoff=cutoff, limit=WINDOW)
            if not found:
                break
            ids = [row["attempt_id"] for row in found]
            forgotten += self._database.write(self._queries["forget_attempts"], ids=ids)
            self._database.write(self._queries["forget_failures"], cutoff=cutoff, limit=WINDOW)
        return forgotten

    def _ends(self) -> str | None:
        """Why it ends here, None while it goes on."""
        return self._limits.reached() or (
            "batches done" if self._limits.no_more_batches() else None
        )

    def _batches(self, status: str, cutoff: str) -> Iterator[list[int]]:
        """Ids of old rows that may go, in batches, each row seen once."""
        after, after_id = ZERO, 0
        batch: list[int] = []
        while not self._ends():
            place = {"after": after, "after_id": after_id, "limit": WINDOW}
            rows = self._database.query(self._queries["old"], status=status, cutoff=cutoff, **place)
            if not rows:
                break
            after, after_id = rows[-1]["last_attempt_gmt"], rows[-1]["action_id"]
            batch += [row["action_id"] for row in rows if self._may_go(row)]
            while len(batch) >= self._batch_size:
                yield batch[: self._batch_size]
                batch = batch[self._batch_size :]
            self._on_passed(len(rows))
        if batch:
            yield batch

    def _may_go(self, row: Row) -> bool:
        return self._hooks is None or row["hook"] in self._hooks

    def _delete(self, status: str, cutoff: str, ids: Sequence[int]) -> int:
        """One transaction: what still is old under the lock goes, with its log."""
        if self._dry:
            return len(ids)

        tried: list[int] = []

        def unit(tx: Transaction) -> int:
            if tx.uncertain and tried and not tx.query(self._queries["lock"], ids=tried):
                return len(tried)  # the COMMIT without an answer took place
            query = self._queries["lock_old"]
            rows = tx.query(query, ids=ids, status=status, cutoff=cutoff)
            tried[:] = old = [row["action_id"] for row in rows]
            if old:
                if self._migrated:
                    tx.execute(self._queries["delete_attempts"], ids=old)
                    tx.execute(self._queries["delete_failures"], ids=old)
                tx.execute(self._queries["delete_logs"], ids=old)
                tx.execute(self._queries["delete"], ids=old)
            return len(old)

        return self._database.unit(unit)
