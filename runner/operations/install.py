"""Setting a site up beside its live PHP runner, and undoing it.

The option comes before the rows in both directions: the plugin and the runners go by it, so no row
changes under them that they would change back.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from compat.action_scheduler import INSTALLED, PLUGIN_FACTS
from runner.core.errors import Busy, ConfigError, DatabaseError, Denied, RunnerError
from runner.core.installed import Installed
from runner.operations.actions import Actions
from runner.operations.migrate import Migrate
from runner.operations.plugin import Plugin, PluginError
from runner.operations.safety import other_site
from runner.operations.trigger import Trigger
from runner.operations.workers import workers
from runner.site import OWN_TABLES, identifiers
from runner.storage.queries import Queries

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runner.operations.parking import Parking
    from runner.site import Site
    from runner.storage.db import Database

ALIVE = 60
"""Seconds since a worker was last seen, up to which it is taken to be at work."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What installing would do. `plugin` is `there`, `copy`, `update`, or `by hand` where the
    site's files are not known; `trigger` is `there`, `create`, `replace`, `drop`, or empty where
    there is none; `park` and `give_back` are numbers of actions."""

    hooks: frozenset[str]
    added: frozenset[str]
    removed: frozenset[str]
    migrations: bool
    option: bool
    plugin: str
    trigger: str
    park: int
    give_back: int

    @property
    def nothing(self) -> bool:
        """Whether all is as it should be."""
        done = self.plugin in {"there", "by hand"} and self.trigger in {"there", ""}
        return done and not (self.migrations or self.option or self.park or self.give_back)


@dataclass(slots=True)
class Done:
    """What was done, in numbers of actions by status, and in words what could not be; `notice` is
    what is left to somebody else."""

    parked: int = 0
    given_back: dict[str, int] = field(default_factory=dict)
    plugin: bool = False
    tables: bool = False
    problems: list[str] = field(default_factory=list)
    notice: str = ""


def at_work(database: Database, site: Site) -> str:
    """Host and process of a living worker; empty when there is none."""
    if not site.migrated:
        return ""
    for worker in workers(database, site):
        if worker.silent <= ALIVE:
            return f"{worker.host}, process {worker.pid}"
    return ""


class Options:
    """WordPress's options that are ours, in the table itself."""

    def __init__(self, database: Database, site: Site) -> None:
        self._database = database
        dialect = database.dialect
        self._queries = Queries("install.sql", dialect, identifiers(site, dialect))
        self._table = f"{site.tables.prefix}options"

    def installed(self) -> bool:
        return bool(self._database.query(self._queries["read_option"], name=INSTALLED))

    def write(self, installed: Installed) -> None:
        with self._advised():
            self._database.write(
                self._queries["write_option"], name=INSTALLED, value=installed.text()
            )

    def remove(self) -> None:
        with self._advised():
            self._database.write(self._queries["remove_options"], names=[INSTALLED, PLUGIN_FACTS])

    @contextmanager
    def _advised(self) -> Iterator[None]:
        try:
            yield
        except Denied as error:
            raise DatabaseError(
                f"the account may not write WordPress's options: grant it INSERT, UPDATE and DELETE"
                f" on {self._table}, or give one that may with --dsn ({error})"
            ) from error


class Install:
    """Installs for the hooks that have a Python handler. `folder` is that of the site's must-use
    plugins, None when its files are not known; `version` is this runner's; `trigger` says whether a
    trigger is to park as well, None to leave it as it is."""

    def __init__(
        self,
        database: Database,
        site: Site,
        parking: Parking,
        hooks: frozenset[str],
        folder: Path | None,
        *,
        version: str,
        trigger: bool | None = None,
    ) -> None:
        self._database = database
        self._site = site
        self._parking = parking
        self._hooks = hooks
        self._version = version
        self._plugin = Plugin(folder) if folder else None
        before = site.installed or Installed()
        self._wanted = before.trigger if trigger is None else trigger
        self._trigger = Trigger(database, site.tables, hooks, site.server)

    def plan(self, *, confirmed: bool = False) -> Plan:
        """What `run` would do. Raises ConfigError for a copy of the site, unless `confirmed`, and
        for what a newer runner wrote; PluginError for a file that must stay."""
        before = self._site.installed or Installed()
        self._check(before, confirmed=confirmed)
        trigger = self._trigger_state()
        same = before.trigger == self._wanted and before.hooks == self._hooks
        same = same and before.is_for(self._site.url, self._site.database)
        removed = (before.hooks | self._parking.others(self._hooks)) - self._hooks
        return Plan(
            hooks=self._hooks,
            added=self._hooks - before.hooks,
            removed=removed,
            migrations=bool(Migrate(self._database, self._site).script()),
            option=not same or bool(before.problem) or before.version != self._version,
            plugin=self._plugin.state() if self._plugin else "by hand",
            trigger=trigger,
            park=self._parking.waiting(self._hooks),
            give_back=self._parking.parked_of(removed) if removed else 0,
        )

    def run(self, plan: Plan) -> Done:
        """Does it. What the site's files do not allow is told, the rest is done. Raises
        DatabaseError, with nothing changed, where the trigger cannot be made or dropped."""
        if plan.trigger in {"create", "replace"}:
            self._trigger.put()  # first, so that a refusal leaves the site as it was
        elif plan.trigger == "drop":
            self._trigger.drop()
        try:
            return self._run(plan)
        except RunnerError:
            if plan.trigger == "create":
                self._trigger.drop()  # what it parked on would be known to nobody
            raise

    def _run(self, plan: Plan) -> Done:
        done = Done()
        if plan.migrations:
            Migrate(self._database, self._site).run()
        if plan.option:
            now = Actions(self._database, self._site).now()
            made = Installed.made(
                plan.hooks, self._site.url, self._site.database, self._version, now
            )
            Options(self._database, self._site).write(replace(made, trigger=self._wanted))
        self._put_plugin(plan, done)
        self._parking.free_aside()
        done.parked = self._parking.park(plan.hooks)
        if plan.removed:
            done.given_back = {"pending": self._parking.give_back(plan.removed)}
            if worker := at_work(self._database, self._site):
                done.notice = (
                    f"a runner is at work ({worker}), perhaps with handlers of hooks that are PHP's"
                    " again: restart it, then run this again"
                )
        return done

    def _trigger_state(self) -> str:
        """Raises ConfigError where it would not be the site's own."""
        state = self._trigger.state(wanted=self._wanted)
        if state in {"create", "replace"} and self._plugin is None:
            raise ConfigError(
                "a trigger must be the site's own, since its inserts fail when the account that"
                " made it is dropped: give --wp-path, so that wp-config.php tells the account, or"
                " --no-trigger"
            )
        return state

    def _check(self, before: Installed, *, confirmed: bool) -> None:
        if self._database.dialect == "sqlite":
            raise ConfigError("no PHP runner works on a SQLite file: there is nothing to install")
        if _numbers(before.version) > _numbers(self._version):
            raise ConfigError(
                f"the runner was installed by version {before.version}, and this is"
                f" {self._version}: update the runner here, or `runner uninstall` first"
            )
        site = self._site
        if not confirmed and not before.problem and not before.is_for(site.url, site.database):
            raise ConfigError(
                f"nothing was touched: is this a copy of a site? {other_site(before, site)} If it"
                " is to do its own work, say --confirm-site"
            )

    def _put_plugin(self, plan: Plan, done: Done) -> None:
        if self._plugin and plan.plugin in {"copy", "update"}:
            try:
                self._plugin.put()
                done.plugin = True
            except PluginError as error:
                done.problems.append(str(error))


class Uninstall:
    """Undoes it all; may be run again, also where nothing is installed any more."""

    def __init__(
        self, database: Database, site: Site, parking: Parking, folder: Path | None
    ) -> None:
        self._database = database
        self._site = site
        self._parking = parking
        self._plugin = Plugin(folder) if folder else None
        self._options = Options(database, site)
        self._trigger = Trigger(database, site.tables, ())
        self._promised = bool(site.installed and site.installed.trigger)

    def check(self) -> None:
        """Raises Busy while runners work here: what they hold must not change under them."""
        if worker := at_work(self._database, self._site):
            raise Busy(
                f"nothing was touched: a runner is at work on this site ({worker}). Stop it first"
                " (`runner worker list` shows all)"
            )

    def installed(self) -> bool:
        """Whether the option is there."""
        return self._options.installed()

    def has_trigger(self) -> bool:
        """Seen, or promised by the option: some servers show none without the right to drop it."""
        return self._promised or self._trigger.found() is not None

    def run(self, *, drop_tables: bool) -> Done:
        """Does it; what could not be done is told in `problems`. Raises DatabaseError, with nothing
        done, where the trigger cannot be dropped: it would park for ever."""
        done = Done()
        if self.has_trigger():
            self._trigger.drop()
        self._options.remove()
        self._parking.free_aside()
        done.given_back = dict(self._parking.give_all_back())
        if aside := self._parking.aside():
            done.problems.append(
                f"{aside} actions are being looked at by PHP: run this again in a minute"
            )
        self._remove_plugin(done)
        self._give_back_again(done)
        if worker := at_work(self._database, self._site):
            done.problems.append(
                f"a runner began meanwhile ({worker}), by the old settings: stop it, then run this"
                " again"
            )
        elif drop_tables:
            self._drop_tables(done)
        return done

    def _give_back_again(self, done: Done) -> None:
        """What a request parked that had read the option a moment before it was removed."""
        for status, count in self._parking.give_all_back().items():
            done.given_back[status] = done.given_back.get(status, 0) + count

    def _remove_plugin(self, done: Done) -> None:
        if self._plugin is None:
            return
        try:
            done.plugin = self._plugin.remove()
        except PluginError as error:
            done.problems.append(str(error))

    def _drop_tables(self, done: Done) -> None:
        try:
            for table in OWN_TABLES:
                name = {"table": f"`{self._site.tables.own(table)}`"}
                queries = Queries("install.sql", self._database.dialect, name)
                self._database.write(queries["drop_table"])
            done.tables = True
        except Denied as error:
            done.problems.append(f"the account may not drop the runner's tables ({error})")


def _numbers(version: str) -> list[int]:
    """`1.10.2` so that it can be compared."""
    return [int(part) for part in re.findall(r"\d+", version)]
