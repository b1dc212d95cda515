"""One look after another, as the daemon does it: at moments that the test sets, by both clocks."""

from __future__ import annotations

import importlib
import sys
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
from support.engine import handlers_for
from support.health import NOW
from support.page import connected
from support.site import PHP_CRON

from compat.site_time import sql_date
from runner.alerts.own import load
from runner.app import App
from runner.config import Connection, Settings
from runner.core.message import Message, SendError
from runner.core.thresholds import parse
from runner.operations.health import watch as module
from runner.operations.health.lost import Lost, Memory
from runner.site import lock_name
from runner.watcher import watch_of

CHANNEL = """
got = []
refuses = []

def tell(message):
    if refuses:
        raise refuses.pop(0)
    got.append(message)
"""


@pytest.fixture
def shop(site, server, clock, tmp_path, monkeypatch):
    """A site that is looked after; `look(at, ticks)` is one look."""
    (tmp_path / "watch_channel.py").write_text(CHANNEL)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("watch_channel", None)
    watch_channel = importlib.import_module("watch_channel")
    site.migrate()
    site.set_option("cron", PHP_CRON)
    site.set_option("admin_email", "admin@shop.test")
    said = []

    def watch_from(*, dsn=None, thresholds="late=0", cooldown=30):
        settings = Settings(
            alert_channels=("watch_channel:tell",), state_dir=str(tmp_path / "state"),
            alert_cooldown=cooldown, thresholds=parse(thresholds),
        )  # fmt: skip
        app = App(Connection(dsn or site.dsn, site.prefix), handlers_for("ours"), clock=clock)
        return watch_of(app, settings, app.handlers.hooks, said.append)

    def look(at: int, ticks: float | None = None, **options):
        clock.now = 1000.0 + (at if ticks is None else ticks)
        watch = watch_from(**options)
        with server.frozen(NOW + at):
            seen = watch.once()
            watch.join(20)
        return seen

    return SimpleNamespace(
        site=site, look=look, clock=clock, watch=watch_from, got=watch_channel.got, refuses=watch_channel.refuses, said=said,
        state=tmp_path / "state",
    )  # fmt: skip


def titles(shop) -> list[str]:
    return [message.title("{state} {rule}") for message in shop.got]


def worker(shop, seen: int) -> None:
    shop.site.run("DELETE FROM wp_runner_workers")
    shop.site.run(
        "INSERT INTO wp_runner_workers (host, pid, queue, executor, version, started_at, seen_at)"
        " VALUES ('here', 1, '*', 'inline', '1', %s, %s)",
        (sql_date(seen), sql_date(seen)),
    )


def test_a_clock_that_jumps_forward_raises_no_false_alarm(shop):
    """Heartbeats seem an hour old and actions an hour late; both catch up. What is wrong then is
    told."""
    worker(shop, NOW - 5)
    shop.site.add("ours", (), at=NOW + 1800)
    shop.look(0)
    worker(shop, NOW + 55)
    shop.look(60)
    assert shop.look(3660, 120).held
    worker(shop, NOW + 3700)
    shop.look(3720, 180)
    assert shop.site.own("alerts") == []
    shop.look(3840, 300)
    assert titles(shop) == ["CRITICAL workers"]
    assert {row["rule"] for row in shop.site.own("alerts")} == {"workers", "overdue"}


def test_a_clock_that_jumps_back_hides_nothing(shop):
    """A worker that died while the clock went back is missed; what was open stays so."""
    worker(shop, NOW - 5)
    shop.look(0)
    worker(shop, NOW + 60)
    shop.look(60)
    shop.look(-3480, 120)
    shop.look(-3420, 180)
    assert shop.site.own("alerts") == []
    shop.look(-3300, 300)
    assert titles(shop) == ["CRITICAL workers"]
    shop.look(-3240, 360)
    assert len(shop.got) == 1
    worker(shop, NOW - 3200)
    shop.look(-3200, 400)
    worker(shop, NOW - 3100)
    shop.look(-3100, 500)
    assert titles(shop) == ["CRITICAL workers", "RESOLVED workers"]


def test_a_slow_look_is_no_clock_that_jumps(shop, monkeypatch):
    """A database that is hard at work: what is wrong is told all the same."""
    worker(shop, NOW - 5)
    shop.look(0)
    looked = module.look

    def slowly(*given):
        seen = looked(*given)
        shop.clock.now += 45
        return seen

    monkeypatch.setattr(module, "look", slowly)
    assert not shop.look(60).held
    monkeypatch.setattr(module, "look", looked)
    assert not shop.look(120).held
    assert titles(shop) == ["CRITICAL workers"]


def test_whoever_is_not_alone_leaves_it_to_the_other(shop):
    """It looks, and writes nothing."""
    shop.site.add("ours", (), at=NOW - 400)
    with shop.site.server.admin(shop.site.name) as other, other.cursor() as cursor:
        database, facts = connected(shop.site)
        cursor.execute("SELECT GET_LOCK(%s, 0)", (lock_name(database, facts, "health"),))
        database.close()
        assert not shop.look(0).alone
        assert shop.site.own("alerts") == []
    assert shop.look(60).alone
    assert {row["rule"] for row in shop.site.own("alerts")} == {"overdue", "workers"}


def test_an_outage_is_told_by_each_channel_that_has_not_heard(shop, monkeypatch):
    """After a minute; a channel that is away too hears when it is back; reminders after a while."""
    now = [5000.0]
    monkeypatch.setattr("runner.operations.health.watch.time.time", lambda: now[0])
    shop.look(0)
    away = replace(shop.site.dsn, port=1)
    shop.refuses += [SendError("no answer password=c4n4ry")]
    for seconds in (0, 59, 60, 120, 180, 1860, 1920, 1980):
        now[0] = 5000.0 + seconds
        assert shop.look(seconds, dsn=away).state == "critical"
    assert [message.lines[0].label for message in shop.got] == ["Critical", "Still"]
    assert shop.got[0].lines[0].lasted == "for 2 min"
    assert (shop.got[0].site, shop.got[0].to) == ("shop.test", "admin@shop.test")
    assert not any("c4n4ry" in text for text in shop.said)
    now[0] = 5000.0 + 2000
    shop.look(2000)
    shop.look(2060)
    assert titles(shop)[2:] == ["RESOLVED database"]
    assert "for 33 min 20 s" in shop.got[2].lines[0].text
    [row] = shop.site.own("alerts")
    assert (row["resolved_at"] - row["raised_at"]).total_seconds() == 2000


@pytest.mark.parametrize("trouble", ["hangs", "breaks"])
def test_an_outage_is_told_although_a_channel_is_unwell(shop, monkeypatch, trouble):
    """One that hangs, or fails in a way of its own, keeps neither the others from hearing nor the
    look from its end; it hears later."""
    now, free, heard = [5000.0], threading.Event(), []
    monkeypatch.setattr("runner.operations.health.watch.time.time", lambda: now[0])
    monkeypatch.setattr("runner.operations.health.watch.SHOUT", 0.5)

    class Unwell:
        name = "unwell"

        def send(self, message):
            if trouble == "breaks" and not free.is_set():
                raise UnicodeError("a fault of its own")
            assert free.wait(20)
            heard.append(message)

    monkeypatch.setattr("runner.watcher.channels", lambda _: [Unwell(), load("watch_channel:tell")])
    watch = shop.watch(dsn=replace(shop.site.dsn, port=1))
    began = time.monotonic()
    for _ in range(3):
        watch.once()
        now[0] += 60
    assert time.monotonic() - began < 10
    assert titles(shop) == ["CRITICAL database"]
    free.set()
    watch.join(10)
    watch.once()
    watch.once()
    assert (len(heard), len(shop.got)) == (1, 1)


def test_an_outage_is_forgotten_although_another_one_looks(shop, monkeypatch):
    """Whoever remembers one waits for the other's look: what is over is told, and the next short
    outage is not taken for the same one."""
    now = [5000.0]
    monkeypatch.setattr("runner.operations.health.watch.time.time", lambda: now[0])
    shop.look(0)
    away = replace(shop.site.dsn, port=1)
    shop.look(60, dsn=away)
    now[0] += 30
    other = shop.site.server.admin(shop.site.name)
    database, facts = connected(shop.site)
    with other.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 0)", (lock_name(database, facts, "health"),))
    database.close()
    later = threading.Timer(1, other.close)
    later.start()
    assert shop.look(90).alone
    later.join()
    now[0] += 3600
    shop.look(3690, dsn=away)
    assert shop.got == []


def test_a_pulse_that_hangs_holds_up_nobody(shop, monkeypatch):
    """Somebody's name server does not answer, say; it is not called again meanwhile."""
    free, called, now = threading.Event(), [], time.monotonic()
    monkeypatch.setattr("runner.watcher.pulse", lambda _: lambda: called.append(free.wait(20)))
    watch = shop.watch(thresholds="late=100")
    with shop.site.server.frozen(NOW):
        watch.once()
        watch.once()
    assert time.monotonic() - now < 10
    free.set()
    watch.join(10)
    assert called == [True]


def test_an_outage_is_told_where_no_file_can_be_written(shop, monkeypatch):
    """A daemon remembers it by itself; where to write is said."""
    now = [5000.0]
    monkeypatch.setattr("runner.operations.health.watch.time.time", lambda: now[0])
    shop.state.write_text("not a folder")
    watch = shop.watch(dsn=replace(shop.site.dsn, port=1))
    for _ in range(3):
        watch.once()
        now[0] += 60
    assert titles(shop) == ["CRITICAL database"]
    assert "set state_dir to a folder" in shop.said[0]


def test_a_short_outage_is_no_news(shop, monkeypatch):
    """A server that starts anew."""
    now = [5000.0]
    monkeypatch.setattr("runner.operations.health.watch.time.time", lambda: now[0])
    shop.look(0)
    shop.look(60, dsn=replace(shop.site.dsn, port=1))
    now[0] += 30
    shop.look(120)
    assert shop.got == shop.site.own("alerts") == []


def test_a_memory_that_is_broken_is_none(tmp_path):
    """Half a file, or another's."""
    lost = Lost(tmp_path, "here")
    assert lost.read() == Memory()
    memory = Memory(5.0, {"email": 6.0}, "shop", "https://shop", "a@b.test")
    lost.write(memory)
    assert lost.read() == memory
    [file] = tmp_path.iterdir()
    assert file.stat().st_mode & 0o077 == 0
    for text in ("", "[]", "{}", '{"since": "x"}', '{"since": 1, "told": 5, "site": "", "url": "", "to": ""}'):  # fmt: skip
        file.write_text(text)
        assert lost.read() == Memory()


def test_a_site_that_cannot_be_read_is_told_too(shop, monkeypatch):
    """Somebody dropped a table: the queue stands, and no rule can say so."""
    now = [5000.0]
    monkeypatch.setattr("runner.operations.health.watch.time.time", lambda: now[0])
    shop.look(0)
    shop.site.run("DROP TABLE wp_actionscheduler_logs")
    for seconds in (60, 120):
        now[0] += 60
        shop.look(seconds)
    assert titles(shop) == ["CRITICAL database"]
    assert "the site cannot be read: the Action Scheduler tables" in shop.got[0].lines[0].text
    assert isinstance(shop.got[0], Message)
