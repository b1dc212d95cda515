"""The same source on SQLite, the embedded default."""

from __future__ import annotations

import sqlite3

import pytest

from compat.site_time import sql_date
from runner import engine
from runner.app import App
from runner.config import Connection, Settings
from runner.core.signals import Stop
from runner.demo import shop
from runner.demo.handlers import handlers
from runner.operations.dead_letters import DeadLetters, Wanted
from runner.storage.dsn import parse
from runner.storage.sqlite import SQLite

NOW = 1_795_413_900


class Shop:
    """The demo's shop at a time that the test sets."""

    def __init__(self, path, clock) -> None:
        self.path, self.now = path, NOW
        shop.build(path, NOW)
        self.app = App(Connection(parse(f"sqlite:///{path}"), "wp_"), handlers, (), clock)

    def run(self, **changes):
        stop = Stop()
        try:
            return self.app.run(Settings(executor="inline", **changes), stop)
        finally:
            stop.close()

    def query(self, text: str) -> list[tuple]:
        connection = sqlite3.connect(self.path)
        try:
            return connection.execute(text).fetchall()
        finally:
            connection.close()


@pytest.fixture
def demo(tmp_path, clock, monkeypatch):
    shop = Shop(tmp_path / "shop.sqlite", clock)
    monkeypatch.setattr(App, "_driver", lambda *_: SQLite(str(shop.path), now=lambda: shop.now))
    return shop


def test_the_demo_s_queue_drains(demo):
    """Some fail, two are retried, one recurs, the rest is complete; nothing stays claimed."""
    summary = demo.run()
    assert (summary.claimed, summary.completed, summary.retried, summary.failed) == (221, 217, 2, 2)
    statuses = dict(
        demo.query("SELECT status, COUNT(*) FROM wp_actionscheduler_actions GROUP BY 1")
    )
    assert statuses == {"complete": 217, "pending": 3, "failed": 2}
    assert demo.query("SELECT * FROM wp_actionscheduler_claims") == []
    dates = demo.query(
        "SELECT hook, scheduled_date_gmt FROM wp_actionscheduler_actions WHERE status = 'pending'"
    )
    assert sorted(dates) == [
        ("demo_clean_carts", sql_date(NOW + 3600)),
        ("demo_sync_product", sql_date(NOW + 60)),
        ("demo_sync_product", sql_date(NOW + 60)),
    ]


def test_retries_come_when_their_time_has_come(demo):
    demo.run()
    demo.now = NOW + 59
    assert demo.run().claimed == 0
    demo.now = NOW + 60
    assert demo.run().retried == 2


def test_abandoned_work_is_taken_back(demo):
    """What a dead worker had begun is judged, what it had only claimed runs."""
    with demo.app.open() as (database, site):
        ownership = demo.app.ownership(database, site, Settings())
        source = engine.source(database, site, ownership)
        claim = source.claim(10)
        source.advance(claim, [], claim.actions[:1])
    demo.now = NOW + 299
    assert demo.run().taken_back == 0
    demo.now = NOW + 300
    assert demo.run().taken_back == 10
    assert demo.query(
        "SELECT COUNT(*) FROM wp_actionscheduler_actions WHERE claim_id > 0 AND status = 'pending'"
    ) == [(0,)]


LIMITED = """
from runner import Handlers

handlers = Handlers()

@handlers.on("limited", rate="20/s", concurrency=1, lock="one:{n}")
def limited(n): ...
"""


def test_limits_and_pauses_in_a_file(demo, cli):
    """The embedded default keeps them too."""
    cli.module("limited", LIMITED)
    environ = {"RUNNER_DSN": f"sqlite://{demo.path}", "RUNNER_HANDLERS": "limited:handlers"}
    assert cli("migrate", **environ).returncode == 0
    for _ in range(3):
        assert cli("action", "create", "limited", "now", "--args", "[7]", **environ).returncode == 0
    assert cli("pause", "--hook", "limited", "--by", "ann", **environ).returncode == 0
    assert cli("run", **environ).stdout == "nothing is due\n"
    assert cli("resume", "--hook", "limited", **environ).stdout == "resumed hook limited\n"
    assert cli("run", **environ).stdout.startswith("claimed 3: completed 3 in")


def test_leases_in_a_file(demo, cli):
    """The same tables in a SQLite file: the lease decides, and every try is recorded."""
    made = cli("migrate", RUNNER_DSN=f"sqlite://{demo.path}")
    assert (made.stdout, made.stderr) == (
        "ran 0001_leases\nran 0002_parked\nran 0003_control\nran 0004_page\nran 0005_alerts\n",
        "",
    )
    assert cli("migrate", RUNNER_DSN=f"sqlite://{demo.path}").stdout == "nothing to do\n"
    with demo.app.open() as (database, site):
        source = engine.source(database, site, demo.app.ownership(database, site, Settings()))
        claim = source.claim(10)
        source.advance(claim, [], claim.actions[:1])
    demo.now = NOW + 45
    assert demo.run().taken_back == 0
    demo.now = NOW + 46
    assert demo.run().taken_back == 10
    assert demo.query("SELECT COUNT(*) FROM wp_runner_attempts") == [(221,)]
    assert demo.query("SELECT * FROM wp_runner_leases") == []


@pytest.mark.parametrize("part", ["100%", "max_size", "C:\\new", "full!"])
def test_letters_by_a_part_of_their_error(demo, cli, part):
    """What LIKE would take for more than itself is looked for as it is."""
    assert cli("migrate", RUNNER_DSN=f"sqlite://{demo.path}").returncode == 0
    demo.run()
    one, other = [row[0] for row in demo.query("SELECT id FROM wp_runner_dead_letters")]
    with demo.app.open() as (database, site):
        for id_, message in ((one, f"it says {part} here"), (other, "100 maxAsize C:new full")):
            database.write(
                "UPDATE wp_runner_dead_letters SET error_message = :message WHERE id = :id",
                message=message,
                id=id_,
            )
        found = DeadLetters(database, site).newest(Wanted(error=part), 9)
    assert [letter.id for letter in found] == [one]
