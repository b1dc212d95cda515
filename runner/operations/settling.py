"""Settles an action from inside its handler: what the handler writes and the completion are one
transaction, over a connection that belongs to this process or thread alone.

The same Turn as the worker's writes the completion, so the fence is the same: only while the claim
holds the action.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from compat.action_scheduler import not_atomic
from runner.core.errors import DatabaseError, DatabaseGone, SettlingError, SoftTimeout, TooBusy
from runner.core.limits import peak_memory
from runner.core.model import Attempt, Claim, Completed, Settlement, Step
from runner.site import action_queries, check_prefix, discover
from runner.sources.job_tables import JobTables
from runner.sources.journal import Journal
from runner.sources.leases import Leases, is_parked
from runner.sources.rows import to_action
from runner.sources.turn import Turn
from runner.storage.db import Conflict, Interrupted, LostConnection, TransactionEnded, Unmatched
from runner.storage.drivers import driver_of
from runner.storage.lent import ENDED, Lent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runner.core.clock import Clock
    from runner.executors.call import Job
    from runner.executors.settling import Settling
    from runner.storage.dsn import Dsn

LOST = "the action was taken over by another, so what was written here is undone"


class DatabaseSettler:
    """Its connection is opened by the first handler that settles, and kept."""

    def __init__(self, dsn: Dsn, prefix: str, clock: Clock) -> None:
        self._tables = check_prefix(prefix)
        driver = driver_of(dsn, self._tables.plain("actions"), for_handlers=True)
        self._database = Lent(driver, clock)
        self._clock = clock
        self._process = os.getpid()
        self._known: tuple[Journal, Leases | None] | None = None
        self._knows_jobs = False

    @contextmanager
    def settle(self, call: Settling) -> Iterator[Any]:
        """Lends the connection for a block, and completes the action with it."""
        if os.getpid() != self._process:
            raise SettlingError("settling() is for the process that was given the action, no fork")
        claim = self._begin(call)
        try:
            yield self._database.connection
        except SoftTimeout:  # it may have cut an answer in two
            self._database.close()
            raise
        except BaseException as error:
            call.stays = self._database.roll_back(error)
            raise
        self._end(call, self._turn(call, claim))

    def rest(self) -> None:
        self._database.rest()

    def _site(self, job: Job) -> tuple[Journal, Leases | None]:
        """What writes log lines and attempts here. All claims of a process are of one kind."""
        jobs = job.type is not None
        if self._known is None or (jobs and not self._knows_jobs):
            site, dialect = discover(self._database, self._tables), self._database.dialect
            queries = action_queries(site, dialect, parked=is_parked(job.claim))
            journal = Journal(queries, site.zone, site.log_charset)
            if jobs:
                journal = replace(journal, jobs=JobTables.of(self._database, site))
                self._knows_jobs = True
            self._known = journal, Leases.of(site, dialect)
        return self._known

    def _begin(self, call: Settling) -> Claim:
        """Opens the transaction; what the claim has lost already is not even begun."""
        job, text = call.job, self._site(call.job)[0].queries["begun"]
        rows = self._database.begin(text, id=job.id, claim=job.claim)
        if not rows:
            self._database.roll_back()
            raise SettlingError(LOST)
        action, now = to_action(rows[0], job.group, job=job.type is not None), float(rows[0]["now"])
        return Claim(job.claim, (action,), now, self._clock.monotonic())

    def _turn(self, call: Settling, claim: Claim) -> Turn:
        """What completes the action, once the connection is ours again."""
        try:
            stays = self._database.regain()
        except TransactionEnded as error:
            self._database.roll_back()
            raise SettlingError(f"not atomic: {ENDED}") from error
        except (LostConnection, Conflict) as error:
            self._database.close()
            raise DatabaseGone(f"lost in settling(), and all is undone: {error}") from error
        note = not_atomic(stays) if stays else ""
        monotonic = self._clock.monotonic()
        attempt = Attempt(claim.actions[0], monotonic - call.began, memory=peak_memory())
        settlement = Settlement(
            attempt.action, Completed(), call.job.marked_ahead, attempt=attempt, note=note
        )
        return Turn(
            *self._site(call.job), claim, Step((settlement,)), claim.database_time(monotonic)
        )

    def _end(self, call: Settling, turn: Turn) -> None:
        try:
            with self._database.ending() as tx:
                turn.write(tx)
            call.done = True
        except Interrupted as error:  # perhaps after its COMMIT
            if not self._find_out(call, turn):
                raise TooBusy(f"the database is too busy: {error}") from error
        except (Unmatched, Conflict, DatabaseError) as error:  # the server said no
            self._undone(call, error)
        except LostConnection as error:
            if not self._find_out(call, turn):
                raise DatabaseGone(f"lost in settling(), and all is undone: {error}") from error
        except BaseException:  # a soft timeout, say
            self._find_out(call, turn)
            raise

    def _undone(self, call: Settling, error: Exception) -> NoReturn:
        """Says what the server would not take."""
        call.stays = self._database.roll_back(error)
        if isinstance(error, Unmatched):
            raise SettlingError(LOST) from error
        if isinstance(error, Conflict):
            raise TooBusy(f"the database is too busy: {error}") from error
        self._refused(call.job, error)
        raise error

    def _find_out(self, call: Settling, turn: Turn) -> bool:
        """Nobody knows how far it came: whether it is done."""
        self._database.close()
        call.done = self._took_place(turn)
        return call.done

    def _refused(self, job: Job, error: Exception) -> None:
        """Perhaps it was what is told to the job manager: the next try does without."""
        journal = self._site(job)[0]
        if journal.jobs:
            journal.jobs.stop(error)

    def _took_place(self, turn: Turn) -> bool:
        """Whether a COMMIT without an answer was done: the action's row tells."""
        try:
            return self._database.unit(turn.was_written)
        except (DatabaseError, Unmatched) as error:
            raise DatabaseGone(
                f"COMMIT had no answer, and nobody can tell whether it was done: {error}"
            ) from error
