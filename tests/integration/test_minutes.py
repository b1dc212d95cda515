"""Figures by the minute, and the census: written from what the tables tell."""

from __future__ import annotations

import pytest
from support.page import WEEK, connected, record

from compat import schedules
from compat.action_scheduler import parked
from compat.site_time import epoch_of, sql_date
from runner.operations.chains import chains
from runner.operations.figures import Figures
from runner.site import lock_name

NOW = epoch_of("2026-11-23 06:05:04")
MINUTE = epoch_of("2026-11-23 06:04:00")


@pytest.fixture
def shop(site):
    site.migrate()
    return site


def figures(site):
    database, found = connected(site)
    return Figures(database, found)


def ended(site, hook, at, *, due, status="complete", attempt=0, elapsed=0, outcome="completed"):
    id_ = site.add(
        hook, (), at=due, status=status, attempts=1, claim_id=3, last_attempt_gmt=sql_date(at)
    )
    if attempt:
        tried(site, id_, hook, at, outcome, attempt, elapsed)
    return id_


def tried(site, id_, hook, at, outcome, attempt=1, elapsed=100):  # noqa: PLR0917
    site.run(
        "INSERT INTO wp_runner_attempts (action_id, claim_id, worker_id, hook, attempt, outcome, error,"
        " elapsed_ms, peak_memory, ended_at) VALUES (%s, 3, 1, %s, %s, %s, '', %s, 0, %s)",
        (id_, hook, attempt, outcome, elapsed, sql_date(at)),
    )


def test_a_minute_tells_what_ended_in_it(shop, server):
    """PHP's actions and ours, by hook and together; waits of first tries, runs of ours."""
    ended(shop, "php", MINUTE + 5, due=MINUTE - 55)
    ended(shop, "ours", MINUTE + 30, due=MINUTE, attempt=1, elapsed=4000)
    ended(
        shop,
        "ours",
        MINUTE + 59,
        due=MINUTE + 1,
        status="failed",
        attempt=3,
        elapsed=500,
        outcome="failed",
    )
    tried(shop, 99, "ours", MINUTE, "retried", 1, 200)
    ended(shop, "php", MINUTE - 1, due=MINUTE - 100)
    ended(shop, "php", MINUTE + 60, due=MINUTE)
    with server.frozen(NOW):
        record(shop)
    rows = {r["hook"]: r for r in shop.own("minutes", f"minute = '{sql_date(MINUTE)}'")}
    assert {h: (r["done"], r["failed"], r["retried"]) for h, r in rows.items()} == {
        "": (2, 1, 1), "php": (1, 0, 0), "ours": (1, 1, 1)
    }  # fmt: skip
    assert rows["php"]["wait_p50"] == 60_000
    assert rows["php"]["run_p50"] is None
    assert rows["ours"]["wait_p50"] == 26_000  # the failed one was a third try: it tells no wait
    assert (rows["ours"]["run_p50"], rows["ours"]["run_p95"]) == (500, 4000)
    assert rows[""]["wait_p95"] == 60_000


def test_minutes_are_made_up_for_and_written_once(shop, server):
    """After a time without a daemon; and a late commit counts still."""
    for minutes_ago in (1, 30, 600, 1500):
        ended(shop, "php", MINUTE - 60 * minutes_ago + 60, due=MINUTE - 90_000)
    with server.frozen(NOW):
        record(shop)
        assert sum(r["done"] for r in shop.own("minutes", "hook = ''")) == 3  # a day is made up for
        late = ended(shop, "late", MINUTE + 1, due=MINUTE)
        record(shop)
        record(shop)
    assert sum(r["done"] for r in shop.own("minutes", "hook = 'late'")) == 1
    assert sum(r["done"] for r in shop.own("minutes", "hook = ''")) == 4
    with server.frozen(NOW + 60):
        shop.run("DELETE FROM wp_actionscheduler_actions WHERE action_id = %s", (late,))
        record(shop)
    assert str(max(r["minute"] for r in shop.own("minutes"))) == sql_date(MINUTE + 60)


def test_a_clock_that_went_back_ends_no_record(shop, server):
    """What was written of a later hour is no reason to write nothing of this one."""
    ended(shop, "php", MINUTE + 5, due=MINUTE)
    with server.frozen(NOW + 3600):
        record(shop)
    shop.run("DELETE FROM wp_runner_minutes WHERE minute <= %s", (sql_date(MINUTE),))
    with server.frozen(NOW):
        record(shop)
    assert [r["done"] for r in shop.own("minutes", f"hook = '' AND minute = '{sql_date(MINUTE)}'")] == [1]  # fmt: skip
    assert str(shop.own("census")[0]["taken_at"]) == sql_date(NOW)


def test_two_daemons_write_one_minute(shop, server):
    """Whoever comes second has nothing to do."""
    database, found = connected(shop)
    lock = lock_name(database, found, "minutes")
    database.query("SELECT GET_LOCK(:lock, 0) AS taken", lock=lock)
    with server.frozen(NOW):
        assert record(shop) == 0
    assert shop.own("minutes") == []
    database.close()


def test_old_minutes_go(shop, server):
    """By the setting."""
    shop.run(
        "INSERT INTO wp_runner_minutes (minute, hook, done, failed, retried) VALUES (%s, '', 1, 0, 0), (%s, '', 1, 0, 0)",
        (sql_date(NOW - WEEK - 60), sql_date(NOW - WEEK + 60)),
    )
    with server.frozen(NOW):
        record(shop)
    assert sql_date(NOW - WEEK - 60) not in {str(r["minute"]) for r in shop.own("minutes")}
    assert sql_date(NOW - WEEK + 60) in {str(r["minute"]) for r in shop.own("minutes")}


def test_the_census_counts_the_table(shop, server):
    """By state, group and hook; parked ones by their true dates; hooks that differ in case apart."""
    for number in range(3):
        shop.add("sync", (number,), at=NOW - 600 + number, group="shop")
    shop.add("sync", (9,), at=NOW + 600, group="shop")
    lead = shop.add("sync", (10,), at=NOW - 900, group="shop")
    shop.run(
        "UPDATE wp_actionscheduler_actions SET scheduled_date_gmt = %s WHERE action_id = %s",
        (parked(sql_date(NOW - 900)), lead),
    )
    shop.add("report", (), at=NOW + 60, schedule=schedules.interval(NOW + 60, 3600))
    shop.add("done", (), at=NOW, status="complete")
    with server.frozen(NOW):
        record(shop)
        census = figures(shop).census()
    found = {(r.status, r.group, r.hook): r for r in census.rows}
    sync = found["pending", "shop", "sync"]
    assert (sync.actions, sync.due, sync.oldest) == (5, 4, NOW - 900)
    assert found["pending", "", "report"].recurring == 1
    assert found["complete", "", "done"].due == 0
    assert (census.taken_at, census.recurring) == (NOW, ["report"])
    waiting = {
        r["hook"]: r["waiting"] for r in shop.own("minutes", f"minute = '{sql_date(MINUTE)}'")
    }
    assert waiting == {"": 4, "sync": 4}


def test_a_dear_census_is_taken_seldom(shop, server):
    """One that took 5 s is taken again after 500."""
    shop.add("sync", (), at=NOW)
    with server.frozen(NOW):
        record(shop)
    shop.run("UPDATE wp_runner_census SET cost_ms = 5000")
    for later, taken in ((60, NOW), (480, NOW), (540, NOW + 540)):
        with server.frozen(NOW + later):
            record(shop)
        assert epoch_of(str(shop.own("census")[0]["taken_at"])) == taken


def test_the_day_by_buckets(shop, server):
    """Every bucket is there; the last one is the present."""
    for minutes_ago, done in ((1, 5), (9, 2), (11, 1), (1439, 7), (1500, 9)):
        shop.run(
            "INSERT INTO wp_runner_minutes (minute, hook, done, failed, retried, waiting, wait_p95) VALUES (%s, '', %s, 1, 0, %s, 70)",
            (sql_date(MINUTE - 60 * minutes_ago), done, done),
        )
    day = figures(shop).day(NOW)
    assert len(day) == 144
    assert [b.at % 600 for b in day] == [0] * 144
    assert day[-1].at == NOW // 600 * 600
    assert sum(b.done for b in day) in {8, 15}
    assert day[-1].done == 5  # 06:03
    assert (day[-2].done, day[-2].failed, day[-2].waiting, day[-2].wait_p95) == (3, 2, 2, 70)
    assert day[-3].waiting is None


def test_the_loudest_hooks(shop, server):
    """The loudest first; medians by their counts, the worst minute's p95."""
    for minute, hook, done, failed, p50, p95 in (
        (1, "loud", 90, 10, 100, 500), (2, "loud", 300, 0, 200, 900), (3, "quiet", 1, 0, 7, 7), (70, "old", 999, 0, 1, 1),
    ):  # fmt: skip
        shop.run(
            "INSERT INTO wp_runner_minutes (minute, hook, done, failed, retried, wait_p50, wait_p95) VALUES (%s, %s, %s, %s, 0, %s, %s)",
            (sql_date(MINUTE - 60 * minute), hook, done, failed, p50, p95),
        )
    loud, quiet = figures(shop).hooks(NOW)
    assert (loud.hook, loud.done, loud.failed, loud.wait_p50, loud.wait_p95) == (
        "loud",
        390,
        10,
        175,
        900,
    )
    assert (quiet.hook, quiet.run_p50) == ("quiet", None)


def test_chains(shop, server):
    """What comes next, what waits twice, what has stopped; one that somebody canceled is no news,
    and neither is one that ended well: its canceled action may be deleted since."""
    hourly = schedules.interval(NOW + 60, 3600)
    shop.add("twice", (1,), at=NOW + 60, schedule=hourly, group="shop")
    shop.add("twice", (1,), at=NOW + 120, schedule=hourly, group="shop")
    shop.add("twice", (2,), at=NOW + 180, schedule=hourly, group="shop")
    shop.add("nightly", (), at=NOW + 30, schedule=schedules.cron(NOW, "0 3 * * *"))
    for hook in ("stopped", "ended"):
        shop.add(
            hook,
            (),
            at=NOW - 60,
            schedule=hourly,
            status="complete",
            last_attempt_gmt=sql_date(NOW - 50),
        )
    shop.add("ended", (), at=NOW + 60, schedule=hourly, status="canceled")
    past = {"status": "complete", "last_attempt_gmt": sql_date(NOW - 50)}
    well = shop.add("ended well", (), at=NOW - 60, schedule=hourly, **past)
    said = {"message": "action complete via WP Cron", "log_date_gmt": sql_date(NOW - 50)}
    shop.insert("logs", {"action_id": well, **said})
    with server.frozen(NOW):
        record(shop)
        database, site = connected(shop)
        for census in (figures(shop).census(), None):
            found = chains(database, site, census, 100)
            told = [(c.hook, c.args, c.stopped, c.duplicates, c.recurrence) for c in found]
            assert told == [
                ("stopped", [], True, 0, 3600),
                ("twice", [1], False, 1, 3600),
                ("nightly", [], False, 0, "0 3 * * *"),
                ("twice", [2], False, 0, 3600),
            ]
            assert found[0].next_at == NOW - 50
            assert (found[1].group, found[1].next_at) == ("shop", NOW + 60)
        database.close()
