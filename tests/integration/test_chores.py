"""The daemon's own regular work."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from support.browser import free_port
from support.engine import Engine, handlers_for

from compat.site_time import SiteZone, sql_date
from runner.chores import Once, Pace, clean, record, running, scheduler
from runner.core.signals import Stop

NOW = 1_795_413_900
DAY = 86_400


@pytest.fixture
def stop():
    made = Stop()
    yield made
    made.close()


def test_old_actions_of_our_hooks_go(site, server, clock, stop):
    """What `runner clean` would delete is deleted, and told; PHP's rows stay."""
    old = {"status": "complete", "last_attempt_gmt": sql_date(NOW - 32 * DAY)}
    ours, php, young = (site.add(h, at=NOW - 40 * DAY) for h in ("ours", "php", "ours"))
    for action in (ours, php):
        site.run(
            "UPDATE wp_actionscheduler_actions SET status = %s, last_attempt_gmt = %s WHERE action_id = %s",
            (*old.values(), action),
        )
    engine, told = Engine(site, handlers_for("ours"), clock), []
    with server.frozen(NOW):
        clean(engine.app, stop, told.append)
    assert [row["action_id"] for row in site.rows()] == [str(php), str(young)]
    assert told == ["deleted 1 old actions in 0.0 s"]


def test_what_goes_wrong_is_told_and_ends_nothing(site, clock, stop):
    """A chore that cannot work is no reason for the daemon to end."""
    engine, told = Engine(site, handlers_for("ours"), clock), []
    site.run("RENAME TABLE wp_actionscheduler_logs TO gone")
    clean(engine.app, stop, told.append)
    assert len(told) == 1
    assert told[0].startswith("old actions could not be deleted: ")


def test_a_minute_without_the_database_is_made_up_for(site, server, clock):
    """The workers tell of an outage: the figures do so only when it is no short one, and once."""
    site.migrate()
    app, told = Engine(site, handlers_for("ours"), clock).app, []
    nobody = replace(app.connection, dsn=replace(site.dsn, port=free_port()))
    lost, once = replace(app, connection=nobody), Once(told.append)
    for _ in range(2):
        record(lost, 7, once)
        assert told == []
        record(lost, 7, once)
        record(lost, 7, once)
        assert len(told) == 1
        assert told[0].startswith("the figures of two minutes could not be written: cannot reach ")
        told.clear()
        with server.frozen(NOW):
            record(app, 7, once)
        assert told == []


@pytest.mark.parametrize("zone", ["Europe/Budapest", "America/New_York", ""])
def test_it_is_done_at_the_site_s_time(zone):
    """Once a day, give or take five minutes, in the site's own zone."""
    made = scheduler(SiteZone(zone), "03:30", lambda: None)
    trigger = made.get_jobs()[0].trigger
    here = ZoneInfo(zone or "UTC")
    due = trigger.get_next_fire_time(None, datetime(2026, 11, 22, 12, 0, tzinfo=here))
    early = datetime(2026, 11, 23, 3, 25, tzinfo=here)
    assert 0 <= (due - early).total_seconds() <= 600


def test_off_is_never():
    """Who cleans by other means switches it off."""
    assert scheduler(SiteZone(), "off", lambda: None).get_jobs() == []


def test_chores_end_with_the_daemon():
    """No thread is left behind."""
    made = scheduler(SiteZone(), "03:00", lambda: None)
    with running(made):
        assert made.running
    assert not made.running


def test_a_clock_that_is_set_back_stops_no_chore(monkeypatch):
    """What is done each minute is done within the next one, not an hour later; a clock that goes
    on as it should moves nothing."""
    back = timedelta()

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) - back

    monkeypatch.setattr("apscheduler.schedulers.base.datetime", Clock)
    made = scheduler(SiteZone("Europe/Budapest"), "off", lambda: None, [(7, "look", lambda: None)])
    with running(made):
        pace = Pace(made, wall=lambda: time.time() - back.total_seconds())
        before = made.get_jobs()[0].next_run_time
        pace.look()
        assert made.get_jobs()[0].next_run_time == before
        back = timedelta(hours=1)
        pace.look()
        due = made.get_jobs()[0].next_run_time
    assert 0 <= (due - Clock.now(due.tzinfo)).total_seconds() <= 60
