"""What Prometheus asks for, read from the database when it asks: gauges, since others' work counts
too, and a runner that begins anew forgets nothing. Names and units are in the README."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from compat.site_time import epoch_of
from runner.core.model import Status
from runner.operations.figures import Figures
from runner.operations.rail import rail
from runner.site import identifiers
from runner.storage.queries import Queries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client import Metric

    from runner.operations.rail import Rail
    from runner.site import Site
    from runner.storage.db import Database, Row

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

HOOKS = 200
"""Hooks that have labels of their own, the loudest of the last minute."""

_MILLI = 1000
_OUTCOMES = ("done", "failed", "retried")


def exposition(database: Database, site: Site, version: str) -> bytes:
    """All metrics as text. Raises DatabaseError."""
    return _text(_Reading(database, site, version).families())


def unreachable() -> bytes:
    """What is told when the database does not answer."""
    return _text([_gauge("runner_database_up", "Whether the database answered.", 0)])


class _Families:
    """What `generate_latest` takes for a registry."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _text(families: Iterable[Metric]) -> bytes:
    return generate_latest(_Families(families))


def _gauge(name: str, meaning: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, meaning, value=value)


class _Reading:
    """One scrape."""

    def __init__(self, database: Database, site: Site, version: str) -> None:
        self._database = database
        self._site = site
        self._version = version
        names = identifiers(site, database.dialect)
        self._alerts = Queries("alerts.sql", database.dialect, names)
        self._minutes = Queries("minutes.sql", database.dialect, names)

    def families(self) -> Iterator[Metric]:
        beside = rail(self._database, self._site)
        yield _gauge("runner_database_up", "Whether the database answered.", 1)
        yield self._info()
        yield from _of_rail(beside)
        if self._site.migrated:
            yield from self._of_alerts(beside.now)
            yield from self._of_last_minute(beside.now)
            yield from self._of_census(beside.now)

    def _info(self) -> Metric:
        names = ("version", "site", "server", "schema")
        family = GaugeMetricFamily("runner_info", "Versions, and the site.", labels=names)
        site = self._site
        family.add_metric([self._version, site.url, site.server, site.schema], 1)
        return family

    def _of_alerts(self, now: int) -> Iterator[Metric]:
        alerts = GaugeMetricFamily(
            "runner_alerts", "Alerts that are open.", labels=("rule", "severity")
        )
        for row in self._database.query(self._alerts["counts"]):
            alerts.add_metric([row["rule"], row["severity"]], int(row["alerts"]))
        yield alerts
        unsent = GaugeMetricFamily(
            "runner_messages_waiting", "Messages that are to be sent.", labels=("channel",)
        )
        for row in self._database.query(self._alerts["waiting"]):
            unsent.add_metric([row["channel"]], int(row["messages"]))
        yield unsent
        looked = self._database.query(self._alerts["looks"])
        if looked:
            text = "Seconds since somebody looked after the site's health."
            yield _gauge("runner_health_look_age_seconds", text, now - int(looked[0]["at"]))

    def _of_last_minute(self, now: int) -> Iterator[Metric]:
        rows = self._database.query(self._minutes["last_minute"], limit=HOOKS + 1)
        if not rows:
            return
        at = epoch_of(str(rows[0]["minute"])) or now
        text = "Seconds since the minute that the figures of the last minute are of was over."
        yield _gauge("runner_last_minute_age_seconds", text, now - at - 60)
        yield from _minute("runner", [row for row in rows if not row["hook"]], ())
        yield from _minute("runner_hook", [row for row in rows if row["hook"]], ("hook",))

    def _of_census(self, now: int) -> Iterator[Metric]:
        census = Figures(self._database, self._site).census()
        if census is None:
            return
        text = "Seconds since the table was counted as a whole."
        yield _gauge("runner_census_age_seconds", text, now - census.taken_at)
        counted: dict[tuple[str, str], int] = {}
        due: dict[str, int] = {}
        for row in census.rows:
            key = (row.status, row.group)
            counted[key] = counted.get(key, 0) + row.actions
            due[row.group] = due.get(row.group, 0) + row.due
        actions = GaugeMetricFamily(
            "runner_census_actions", "Actions in the table.", labels=("status", "group")
        )
        for (status, group), number in counted.items():
            actions.add_metric([status, group], number)
        yield actions
        waiting = GaugeMetricFamily(
            "runner_census_due_actions", "Actions that should have run.", labels=("group",)
        )
        for group, number in due.items():
            waiting.add_metric([group], number)
        yield waiting


def _of_rail(beside: Rail) -> Iterator[Metric]:
    text = "Actions by status, none counted further than 10000."
    actions = GaugeMetricFamily("runner_actions", text, labels=("status",))
    for status in Status:
        actions.add_metric([status], beside.counts[status])
    yield actions
    yield _gauge(
        "runner_overdue_actions",
        "Actions due for more than a minute, counted to 10000.",
        beside.counts["overdue"],
    )
    yield _gauge(
        "runner_dead_letters", "Dead letters that nobody has closed.", beside.counts["dead"]
    )
    oldest = 0 if beside.oldest_due is None else beside.now - beside.oldest_due
    yield _gauge("runner_oldest_due_age_seconds", "How long the oldest due action waits.", oldest)
    longest = 0 if beside.runs_since is None else beside.now - beside.runs_since
    yield _gauge("runner_longest_running_seconds", "How long the longest action runs.", longest)
    yield _gauge("runner_workers", "Workers seen within 90 seconds.", beside.workers)
    if beside.silent is not None:
        yield _gauge("runner_worker_age_seconds", "Since a worker was seen last.", beside.silent)
    yield _gauge("runner_pauses", "Pauses in force.", beside.pauses)


def _minute(prefix: str, rows: Iterable[Row], labels: tuple[str, ...]) -> Iterator[Metric]:
    """Figures of one minute, of all together or by hook."""
    ended = GaugeMetricFamily(
        f"{prefix}_actions_last_minute",
        "Attempts that ended within the last minute, by what they came to.",
        labels=(*labels, "outcome"),
    )
    wait = GaugeMetricFamily(
        f"{prefix}_wait_p95_seconds", "What 95 of 100 waited less than.", labels=labels
    )
    run = GaugeMetricFamily(
        f"{prefix}_run_p95_seconds", "What 95 of 100 ran less than.", labels=labels
    )
    for row in rows:
        named = [row["hook"]] if labels else []
        for outcome in _OUTCOMES:
            ended.add_metric([*named, outcome], int(row[outcome]))
        for family, column in ((wait, "wait_p95"), (run, "run_p95")):
            if row[column] is not None:
                family.add_metric(named, int(row[column]) / _MILLI)
    yield from (ended, wait, run)
