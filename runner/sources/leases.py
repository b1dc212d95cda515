"""A worker's leases: which claims it holds and until when, in the runner's own tables.

A claim whose lease ran out is anybody's. The claim's id stays the token that fences every write:
a worker that was only frozen finds that its rows are another's. Each call of a handler is recorded
by the transaction that settles it, so that an action which Action Scheduler's cleaner failed can be
told from one that we did.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import SystemRandom
from typing import TYPE_CHECKING

from runner.core.model import Cancelled, Completed, Dead, Retried, Snoozed
from runner.site import identifiers
from runner.sources.letters import Letters
from runner.sources.locks import Locks
from runner.storage.queries import Queries

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from runner.core.model import Claim, Outcome, Settlement
    from runner.site import Site
    from runner.storage.db import Database, Row, Transaction

FORGET = 86_400
"""Seconds after which a worker that ended without a word leaves the list."""

WORDS: Mapping[type[Outcome], str] = {
    Completed: "completed",
    Retried: "retried",
    Snoozed: "snoozed",
    Dead: "failed",
    Cancelled: "canceled",
}
"""What an attempt came to, as it is recorded."""

_LONGEST_ERROR = 191
_LONGEST_MESSAGE, _LONGEST_TRACEBACK = 2_000, 20_000
"""Characters."""

_PARKED = 1 << 62
"""Tokens of claims on parked actions begin here: Action Scheduler's own ids never come so far."""


def new_token() -> int:
    """A token for a claim on parked actions, unlike any before. Drawn and not counted: a counter of
    the server's may begin anew after a restart, and a frozen holder's token must never return."""
    return _PARKED + SystemRandom().getrandbits(61)


def is_parked(token: int) -> bool:
    """Whether a claim of this token holds parked actions."""
    return token >= _PARKED


@dataclass(frozen=True, slots=True)
class Registration:
    """What a worker tells of itself. `version` is the runner's."""

    host: str
    pid: int
    queue: str
    executor: str
    version: str


class Leases:
    """`seconds` is how long a lease lasts when nothing renews it."""

    def __init__(self, queries: Queries, letters: Letters, locks: Locks, seconds: int) -> None:
        self.queries = queries
        self.letters = letters
        self.locks = locks
        self.seconds = seconds
        self.worker = 0

    @classmethod
    def of(
        cls, site: Site, dialect: str, seconds: int = 0, limited: Collection[str] | None = None
    ) -> Leases | None:
        """Those of a site; None where the runner's own tables are missing. Only actions of the
        `limited` hooks hold locks; None where that is not known."""
        if not site.migrated:
            return None
        names = identifiers(site, dialect)
        letters = Letters(Queries("dead_letters.sql", dialect, names), site.url)
        locks = Locks(Queries("gates.sql", dialect, names), seconds, limited)
        return cls(Queries("leases.sql", dialect, names), letters, locks, seconds)

    def register(self, database: Database, worker: Registration) -> None:
        """The worker begins; those that died long ago are forgotten."""

        def unit(tx: Transaction) -> int:
            tx.later(self.queries["forget_workers"], seconds=FORGET)
            facts = {name: getattr(worker, name) for name in worker.__slots__}
            return tx.insert(self.queries["register"], **facts)

        self.worker = database.unit(unit)
        queue = f" {worker.queue}" if worker.queue else ""
        self.letters.worker = f"{worker.host} {worker.pid}{queue}"[:191]

    def leave(self, database: Database) -> None:
        """The worker ends. Tried once: one that is left behind is forgotten in a day."""
        database.try_write(self.queries["leave"], worker=self.worker)

    def seen(self, database: Database) -> None:
        """It lives, also while it has nothing to do."""
        database.try_write(self.queries["seen"], worker=self.worker)

    def take(self, tx: Transaction, claim: int) -> None:
        """Leases a new claim, in the transaction that makes it."""
        tx.later(self.queries["lease"], claim=claim, worker=self.worker, lease=self.seconds)

    def renew(self, database: Database, claim: int) -> None:
        """Tried once: the next heartbeat follows."""
        database.try_write(self.queries["renew"], claim=claim, lease=self.seconds)
        self.locks.renew(database, claim)
        self.seen(database)

    def end(self, tx: Transaction, claim: int) -> None:
        self.locks.free_claims(tx, [claim])
        tx.later(self.queries["end_leases"], claims=[claim])

    def end_dead(self, tx: Transaction) -> None:
        """Ends the claims of dead workers from which nothing is left to take back."""
        ended = [row["claim_id"] for row in tx.query(self.queries["ended"])]
        if ended:
            self.locks.free_claims(tx, ended)
            tx.later(self.queries["end_leases"], claims=ended)
            tx.later(self.queries["end_held"], claims=ended)
            tx.later(self.queries["end_claims"], claims=ended)

    def lock(self, tx: Transaction, ids: Sequence[int], expiry: int) -> list[Row]:
        """The abandoned rows of these, by their leases or by `expiry` seconds of silence."""
        return tx.query(self.queries["lock_orphaned"], ids=ids, expiry=expiry)

    def record(self, tx: Transaction, claim: Claim, settled: Sequence[Settlement]) -> None:
        """Writes an attempt for each outcome, and a dead letter for each that is given up, and
        frees the locks, in the transaction that settles it."""
        attempt = self.queries["attempt" if self.worker else "attempt_elsewhere"]
        tx.insert_rows_later(attempt, [self._attempt(claim, s) for s in settled])
        failures = [_failure(claim, s) for s in settled if s.attempt and s.attempt.failure]
        tx.insert_rows_later(self.queries["failure"], failures)
        self.letters.bury(tx, claim.id, settled)
        self.locks.free(tx, settled)

    def _attempt(self, claim: Claim, settlement: Settlement) -> dict[str, object]:
        action, attempt = settlement.action, settlement.attempt
        failure = attempt.failure if attempt else None
        error = (failure.error_class or failure.kind) if failure else ""
        return {
            "action": action.id,
            "claim": claim.id,
            "worker": self.worker,
            "hook": action.hook,
            "attempt": action.attempt,
            "outcome": WORDS[type(settlement.outcome)],
            "error": error[:_LONGEST_ERROR],
            "elapsed_ms": round(attempt.elapsed * 1000) if attempt else 0,
            "peak_memory": attempt.memory if attempt else 0,
        }


def _failure(claim: Claim, settlement: Settlement) -> dict[str, object]:
    """What was said by an attempt that failed. Of a traceback the end says most."""
    from runner.core.redact import redact_text  # noqa: PLC0415  for failures alone

    attempt = settlement.attempt
    failure = attempt.failure if attempt else None
    assert failure  # noqa: S101  only those are asked for
    return {
        "action": settlement.action.id,
        "claim": claim.id,
        "attempt": settlement.action.attempt,
        "message": redact_text(failure.message[:_LONGEST_MESSAGE]),
        "traceback": redact_text(failure.traceback[-_LONGEST_TRACEBACK:]),
    }
