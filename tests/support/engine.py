"""The engine inside the test's own process: real database, a clock that stands still."""

from __future__ import annotations

from dataclasses import replace

from compat.action_scheduler import parked
from compat.site_time import sql_date
from runner import Handlers, RetryPolicy, engine
from runner.app import App
from runner.config import Connection, Settings
from runner.core.signals import Stop
from runner.site import check_prefix, discover
from runner.storage.db import Database
from runner.storage.mysql import MySQL


class Engine:
    """Builds what the app builds, one part at a time, for a runner of that mode. In `parked` the
    first look parks what a test has added."""

    def __init__(self, site, handlers: Handlers, clock, mode: str = "native") -> None:
        self.mode = mode
        self.silence = 46 if mode == "parked" else 300
        """Seconds after which a dead worker's rows are taken back, where there are no leases or
        where they are all there is."""
        if mode == "parked":
            site.migrate()
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
            options or Settings(mode=self.mode, executor="inline", force=True), **changes
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
        settings = Settings(**({"mode": self.mode} | options))
        ownership = self.app.ownership(database, found, settings, ids)
        return engine.source(database, found, ownership)

    def steal(self, action_id: int) -> None:
        """Another claim holds the action from now on."""
        if self.mode == "parked":
            self.site.run(
                "UPDATE wp_runner_held SET claim_id = 4711 WHERE action_id = %s", (action_id,)
            )
        else:
            self.site.run(
                "UPDATE wp_actionscheduler_actions SET claim_id = 4711 WHERE action_id = %s",
                (action_id,),
            )

    def free(self) -> None:
        """Nobody holds anything any more, and nothing runs."""
        self.site.run("UPDATE wp_actionscheduler_actions SET status = 'pending', claim_id = 0")
        if self.mode == "parked":
            self.site.run("DELETE FROM wp_runner_held")

    def holder(self, action_id: int) -> int:
        """The claim that holds the action, 0 for none."""
        if self.mode == "parked":
            held = self.site.own("held", f"action_id = {action_id}")
            return held[0]["claim_id"] if held else 0
        return int(self.site.row(action_id)["claim_id"])

    def due_column(self, at: int) -> str:
        """What the column of a pending action's date holds when it is due at that moment."""
        return parked(sql_date(at)) if self.mode == "parked" else sql_date(at)

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
