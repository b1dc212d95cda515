"""Puts the parts together: settings, database, site, and which rows are ours. What then works is
put together by `engine`."""

from __future__ import annotations

import hashlib
import math
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypedDict

from runner.core.clock import SystemClock
from runner.core.errors import Busy, ConfigError, DatabaseError, UsageError
from runner.core.events import on_stderr
from runner.core.summary import Summary
from runner.operations.safety import check_mode, parks
from runner.site import action_queries, check_prefix, discover
from runner.sources.gates import Gates
from runner.sources.leases import Leases
from runner.sources.ownership import Chosen, Native
from runner.sources.parked import Parked, ParkedChosen
from runner.storage.db import Database
from runner.storage.drivers import driver_of
from runner.storage.queries import Queries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from runner.config import Connection, Settings
    from runner.core.clock import Clock
    from runner.core.events import Subscriber
    from runner.core.signals import Stop
    from runner.handlers.registry import Handlers
    from runner.site import Site, Tables
    from runner.storage.db import Driver
    from runner.storage.dsn import Dsn


@dataclass(slots=True)
class Progress:
    """Who watches: told how many actions are due, then of what becomes of each."""

    begin: Callable[[int], None] | None = None
    subscribers: Sequence[Subscriber] = ()


@dataclass(slots=True)
class App:
    """One site's runner. `names` are the handlers as `module:attribute`, for child processes.
    What handlers log and print is shown from `log_level` on, and with `json_output` as JSON. A
    child stands back for others by `nice`."""

    connection: Connection
    handlers: Handlers
    names: Sequence[str] = ()
    clock: Clock = field(default_factory=SystemClock)
    log_level: str = "INFO"
    json_output: bool = False
    nice: int = 0

    def run(
        self,
        settings: Settings,
        stop: Stop,
        progress: Progress | None = None,
        *,
        ids: Sequence[int] | None = None,
    ) -> Summary:
        """Drains what is due. Raises RunnerError when it cannot work.

        With `ids`, these actions run instead, due or not, and beside any other run: the claim
        alone decides who runs a row.
        """
        alone = not settings.force and ids is None
        with self.open(self._lock_name(settings.groups) if alone else None) as (database, site):
            check_mode(settings.mode, site, database.dialect, len(self.handlers))
            ownership = self.ownership(database, site, settings, ids)
            ownership.listen(on_stderr)
            found = ownership.find(database, settings.batch_size, expired=True)
            if not found and found.again_in == math.inf:
                return Summary()
            # Most runs from cron end above: what works is loaded when there is work.
            from runner import engine  # noqa: PLC0415

            return engine.drain(
                self,
                database,
                site,
                ownership=ownership,
                settings=settings,
                limits=engine.limits_of(self, settings, stop),
                progress=progress or Progress(),
            )

    @contextmanager
    def connected(self) -> Iterator[tuple[Database, Tables]]:
        """A connection for who looks at a site that may be unfit for work. No outage is waited for:
        it is what one looks for."""
        tables = check_prefix(self.connection.prefix)
        database = Database(self._driver(tables), self.clock, patience=0.0)
        try:
            yield database, tables
        finally:
            database.close()

    @contextmanager
    def open(self, lock: str | None = None) -> Iterator[tuple[Database, Site]]:
        """Connects, reads the site's facts, and holds the named lock meanwhile."""
        tables = check_prefix(self.connection.prefix)
        database = Database(self._driver(tables), self.clock)
        with _file_lock(self.connection, lock):
            named = lock if database.dialect == "mysql" else None
            try:
                site = discover(database, tables, lock=named)
                if named:
                    database.on_reconnect = partial(_take_again, database, named)
                yield database, site
            finally:
                database.close()

    def beside(self, dsn: Dsn) -> Database:
        """A connection to another server of the same site, whose outages are not waited for."""
        table = check_prefix(self.connection.prefix).plain("actions")
        return Database(driver_of(dsn, table), self.clock, patience=0.0)

    def _driver(self, tables: Tables) -> Driver:
        return driver_of(self.connection.dsn, tables.plain("actions"))

    def _lock_name(self, groups: Sequence[str]) -> str:
        """Named locks are the server's, so the name carries database, prefix and group."""
        facts = "\0".join([self.connection.dsn.place(), self.connection.prefix, *sorted(groups)])
        return "runner:" + hashlib.sha256(facts.encode()).hexdigest()[:40]

    def ownership(
        self,
        database: Database,
        site: Site,
        settings: Settings,
        ids: Sequence[int] | None = None,
    ) -> Native:
        """Which rows are ours: those of the hooks that have a handler here."""
        throttles = self.handlers.throttles()
        leases = Leases.of(site, database.dialect, settings.lease, throttles.keys())
        if throttles and leases is None:
            raise ConfigError(
                "limits (rate, concurrency, lock) need the runner's own tables: `runner migrate`"
            )
        beside_php = leases is not None and parks(settings.mode, site)
        queries = action_queries(site, database.dialect, parked=beside_php)
        hooks = self.handlers.hooks
        gates = None
        if leases:
            chosen = ids is not None
            gates = Gates(queries, throttles, leases.locks, is_parked=beside_php, chosen=chosen)
        if ids is not None:
            way = ParkedChosen if beside_php else Chosen
            return way(queries, hooks, ids, expiry=settings.expiry, leases=leases, gates=gates)
        indexed = site.shape.claim_index is not None
        filters = _Filters(
            groups=_group_ids(database, queries, settings.groups, must_exist=True),
            excluded=_group_ids(database, queries, settings.exclude_groups, must_exist=False),
        )
        if leases and beside_php:
            return Parked(
                queries,
                hooks,
                expiry=settings.expiry,
                leases=leases,
                parks=site.installed.hooks if site.installed else None,
                indexed=indexed,
                gates=gates,
                **filters,
            )
        return Native(
            queries,
            hooks,
            expiry=settings.expiry,
            urgent=indexed,
            leases=leases,
            gates=gates,
            **filters,
        )


class _Filters(TypedDict):
    """Group ids that are wanted, or not wanted."""

    groups: list[int] | None
    excluded: list[int] | None


def _take_again(database: Database, lock: str) -> None:
    """A named lock goes with its connection. Whoever took it meanwhile keeps it: what is claimed
    here stays fenced by the claim."""
    database.send(Queries("site.sql", "mysql", {})["take_lock"], {"lock": lock, "seconds": 0})


def _group_ids(
    database: Database, queries: Queries, slugs: Sequence[str], *, must_exist: bool
) -> list[int] | None:
    """Ids of groups by name; a name may have several. None when no name is given."""
    if not slugs:
        return None
    rows = database.query(queries["group_ids"], slugs=list(slugs))
    if must_exist and not rows:
        raise UsageError(f"this site has no group {', '.join(slugs)}")
    return [row["group_id"] for row in rows] or None


@contextmanager
def _file_lock(connection: Connection, lock: str | None) -> Iterator[None]:
    """A SQLite file has no named locks: a lock file beside it stands in."""
    if lock is None or connection.dsn.dialect != "sqlite":
        yield
        return
    import fcntl  # noqa: PLC0415  only for the embedded default

    place = connection.dsn.place()
    if not Path(place).is_file():
        yield  # the driver says what is wrong
        return
    path = Path(f"{place}.{lock.removeprefix('runner:')[:8]}.lock")
    try:
        handle: IO[str] = path.open("w")
    except OSError as error:
        raise DatabaseError(f"cannot write {path}: {error.strerror}") from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Busy("another run is at work on this site (--force runs beside it)") from None
        yield
