"""The engine inside the test's own process: real database, a clock that stands still."""

from __future__ import annotations

from dataclasses import replace

from runner import Handlers, RetryPolicy, engine
from runner.app import App
from runner.config import Connection, Settings
from runner.core.signals import Stop
from runner.site import check_prefix, discover
from runner.storage.db import Database
from runner.storage.mysql import MySQL


class Engine:
    """Builds what the app builds, one part at a time."""

    def __init__(self, site, handlers: Handlers, clock) -> None:
        self.site = site
        self.handlers = handlers
        self.clock = clock
        self.tables = check_prefix(site.prefix)
        self.app = App(Connection(site.dsn, site.prefix), handlers, (), clock)
        self.opened: list[Database] = []

    def run(self, options: Settings | None = None, **changes):
        """One whole run, handlers called in this process. Without the run's lock: it goes with its
        connection, and a busy server may notice that end a moment later."""
        options = replace(
            options or Settings(mode="native", executor="inline", force=True), **changes
        )
        stop = Stop()
        try:
            return self.app.run(options, stop)
        finally:
            stop.close()

    def database(self) -> Database:
        database = Database(MySQL(self.site.dsn, self.tables.plain("actions")), self.clock)
        database.connect()
        self.opened.append(database)
        return database

    def source(self, database: Database | None = None, *, ids=None, **options):
        database = database or self.database()
        found = discover(database, self.tables)
        ownership = self.app.ownership(database, found, Settings(**options), ids)
        return engine.source(database, found, ownership)

    def close(self) -> None:
        for database in self.opened:
            database.close()


def handlers_for(*hooks: str, attempts: int = 1, calls: list | None = None) -> Handlers:
    """Handlers that note their args and return."""
    handlers = Handlers(retry=RetryPolicy(attempts=attempts))

    @handlers.on(*hooks)
    def note(*args) -> None:
        if calls is not None:
            calls.append(list(args))

    return handlers
