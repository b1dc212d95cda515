"""What a purge deletes, what it leaves alone, and how it goes about it."""

from __future__ import annotations

import itertools
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from support.engine import Engine
from support.fill import fill
from support.measure import rows_read
from support.proxy import Proxy
from support.site import ZERO

from compat.action_scheduler import parked
from compat.site_time import sql_date
from runner import Handlers
from runner.core.errors import UsageError
from runner.core.limits import Limits
from runner.core.signals import Stop
from runner.demo import shop
from runner.operations import purge as purging
from runner.operations.pace import Brake, Pace
from runner.operations.purge import PurgeActions, PurgeOrphans, Wanted, group_ids
from runner.site import Tables, discover, has_skip_locked
from runner.storage.db import Database
from runner.storage.dsn import parse
from runner.storage.mysql import MySQL
from runner.storage.sqlite import SQLite

NOW = 1_795_413_900
DAY = 86_400
FINISHED = ("complete", "failed", "canceled")
EVERY = (*FINISHED, "pending", "in-progress")


@pytest.fixture
def stop():
    stop = Stop()
    yield stop
    stop.close()


@pytest.fixture
def make(site, clock, stop):
    """Builds a purge; `cutoff` makes it one of orphaned lines."""
    engine = Engine(site, Handlers(), clock)

    def build(wanted: Wanted | None = None, *, cutoff=None, on_passed=int):
        database = engine.database()
        found, limits = discover(database, engine.tables), Limits(clock, stop)
        if wanted is None:
            return PurgeOrphans(database, found, limits, cutoff, on_passed)
        return PurgeActions(database, found, limits, wanted, on_passed)

    yield build
    engine.close()


@pytest.fixture
def run(clock, stop):
    """Runs a purge at its own pace, without a brake unless one is given."""

    def go(purge, most: int = 500, gauges=()):
        return purge.run(Pace(1.0, most), Brake(Limits(clock, stop), gauges, str))

    return go


def ids(site) -> set[int]:
    return {int(row["action_id"]) for row in site.rows()}


def with_log(site) -> list[int]:
    return [int(row["action_id"]) for row in site.rows("logs")]


def all_kinds(site) -> dict[int, tuple]:
    """A row of every hook, group, status and age, with two log lines each."""
    made = {}
    kinds = itertools.product(("a", "b"), ("shop", "mail", ""), EVERY, (1, 40, 90, "never", None))
    for hook, group, status, age in kinds:
        attempted = {"never": ZERO, None: None}.get(age) if isinstance(age, (str, type(None))) else (
            sql_date(NOW - age * DAY)
        )  # fmt: skip
        id_ = site.add(
            hook, at=NOW - 100 * DAY, group=group, status=status, last_attempt_gmt=attempted
        )
        site.insert("logs", {"action_id": id_, "message": "second"})
        made[id_] = (hook, group, status, age)
    return made


def is_old(age, days: int) -> bool:
    return age == "never" or (isinstance(age, int) and age >= days)


CASES = {
    "hook": (Wanted(hooks=("a",)), lambda h, g, s, a: h == "a" and s in FINISHED),
    "hooks": (Wanted(hooks=("a", "b")), lambda h, g, s, a: s in FINISHED),
    "group": (Wanted(), lambda h, g, s, a: g == "shop" and s in FINISHED, ["shop"]),
    "no group": (Wanted(), lambda h, g, s, a: g == "" and s in FINISHED, [""]),
    "groups": (Wanted(), lambda h, g, s, a: g in {"shop", "mail"} and s in FINISHED, ["shop", "mail"]),
    "status": (Wanted(("failed",)), lambda h, g, s, a: s == "failed"),
    "statuses": (Wanted(("failed", "canceled")), lambda h, g, s, a: s in {"failed", "canceled"}),
    "age": (Wanted(cutoff=NOW - 40 * DAY), lambda h, g, s, a: s in FINISHED and is_old(a, 40)),
    "a second too young": (
        Wanted(cutoff=NOW - 40 * DAY - 1), lambda h, g, s, a: s in FINISHED and is_old(a, 41),
    ),
    "everything": (
        Wanted(("complete",), ("b",), cutoff=NOW - 60 * DAY),
        lambda h, g, s, a: (h, g, s) == ("b", "mail", "complete") and is_old(a, 60), ["mail"],
    ),
    "pending": (Wanted(("pending",), ("a",)), lambda h, g, s, a: (h, s) == ("a", "pending")),
    "pending, late by more": (
        Wanted(("pending",), ("a",), cutoff=NOW - 101 * DAY), lambda h, g, s, a: False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("migrated", [False, True], ids=["plain", "own tables"])
def test_exactly_what_is_named_goes(site, make, run, migrated, subtests):
    """Each filter and all of them: those rows, their log lines and attempts, and nothing else. The
    plan told the same numbers before."""
    if migrated:
        site.migrate()
    for name, (wanted, goes, *groups) in CASES.items():
        with subtests.test(name):
            made = all_kinds(site)
            if migrated:
                site.run(
                    "INSERT INTO wp_runner_attempts (action_id, claim_id, worker_id, hook, attempt,"
                    " outcome, error, elapsed_ms, peak_memory, ended_at) SELECT action_id, 1, 1, hook,"
                    " 1, 'completed', '', 1, 1, UTC_TIMESTAMP() FROM wp_actionscheduler_actions"
                )
            plain = make(wanted)
            chosen = group_ids(plain.database, plain.site, groups[0] if groups else [])
            named = replace(wanted, groups=chosen)
            plan = make(named).plan()
            assert ids(site) == set(made)
            purged = run(make(named), most=7)
            stay = {id_ for id_, kind in made.items() if not goes(*kind)}
            assert ids(site) == stay
            assert sorted(with_log(site)) == sorted([*stay, *stay])
            if migrated:
                assert {row["action_id"] for row in site.own("attempts")} == stay
            gone = len(made) - len(stay)
            assert (plan.actions, plan.log_lines) == (gone, 2 * gone)
            assert (purged.actions, purged.log_lines, purged.passed) == (gone, 2 * gone, gone)
            assert {(p.status, p.hook, p.group) for p in plan.parts} == {
                (s, h, g) for h, g, s, a in made.values() if goes(h, g, s, a)
            }
        for table in ("actions", "logs", "groups"):
            site.run(f"DELETE FROM wp_actionscheduler_{table}")
        site.groups.clear()
        if migrated:
            site.run("DELETE FROM wp_runner_attempts")


def test_hooks_are_compared_exactly(site, make, run):
    """The column's collation takes others for the same."""
    made = {hook: site.add(hook, at=NOW, status="complete") for hook in ("ok", "OK", "ok ", "óк")}
    assert run(make(Wanted(hooks=("ok",)))).actions == 1
    assert ids(site) == {made["OK"], made["ok "], made["óк"]}


def test_a_group_is_named_as_the_site_compares_it(site, make):
    """A name that it does not have is a slip, not an empty purge."""
    shop_id, purge = site.group("shop"), make(Wanted())
    assert group_ids(purge.database, purge.site, ["SHOP"]) == (shop_id,)
    assert group_ids(purge.database, purge.site, []) is None
    with pytest.raises(UsageError, match="no group 'shpo'"):
        group_ids(purge.database, purge.site, ["shpo"])


@pytest.mark.parametrize("keep", [1, 6, 7, 8, 20, 39, 40, 41, 1000])
def test_the_newest_that_match_are_kept(site, make, run, monkeypatch, keep):
    """Counted among hook, group and status, across ranges and gaps, however old they are."""
    monkeypatch.setattr(purging, "WINDOW", 7)
    matching, others = [], []
    for number in range(120):
        hook, status = ("a", "complete") if number % 3 == 0 else ("b", "complete")
        (matching if hook == "a" else others).append(
            site.add(hook, at=NOW, status=status, last_attempt_gmt=sql_date(NOW - 50 * DAY))
        )
        others.append(site.add("a", at=NOW, status="pending"))
    site.run("DELETE FROM wp_actionscheduler_actions WHERE action_id BETWEEN 100 AND 130")
    matching = [id_ for id_ in matching if not 100 <= id_ <= 130]
    others = [id_ for id_ in others if not 100 <= id_ <= 130]
    young = Wanted(("complete",), ("a",), cutoff=NOW - 60 * DAY, keep=keep)
    assert make(young).plan().actions == 0
    wanted = Wanted(("complete",), ("a",), keep=keep)
    assert make(wanted).plan().actions == max(len(matching) - keep, 0)
    run(make(wanted), most=4)
    assert ids(site) == {*others, *matching[-keep:]}
    assert run(make(wanted)).actions == 0


def test_what_a_living_claim_holds_stays(site, make, run):
    """Its log, or its true outcome, may still be written: by PHP's runner, which has its row of the
    claims alone, and by ours, which has leases. A claim of last week was left behind."""
    site.migrate()
    fresh = site.insert("claims", {"date_created_gmt": "2999-01-01"})
    stale = site.insert("claims", {"date_created_gmt": "2020-01-01"})
    site.run("INSERT INTO wp_runner_leases VALUES (777, 1, '2020-01-01')")
    of_php, leased, left, free, held = (
        site.add("a", at=NOW, status="failed", claim_id=claim)
        for claim in (fresh, 777, stale, 4_711, 0)
    )
    site.run("INSERT INTO wp_runner_held VALUES (%s, 9)", (held,))
    wanted = Wanted(("failed",))
    assert make(wanted).plan().actions == 2
    assert run(make(wanted)).actions == 2
    assert ids(site) == {of_php, leased, held}
    assert not {left, free} & set(with_log(site))


def test_of_what_waits_only_what_nobody_has_taken_goes(site, make, run):
    """Parked or not, by the true date; claimed, held and running ones stay."""
    site.migrate()
    late, due, future = NOW - 30 * DAY, NOW - DAY, NOW + 30 * DAY

    def add(at: int, *, park: bool = False, **columns) -> int:
        columns |= {"scheduled_date_gmt": parked(sql_date(at))} if park else {}
        return site.add("a", at=at, **columns)

    goes = {add(late), add(late, park=True), add(late, scheduled_date_gmt=ZERO)}
    stays = {
        add(due), add(due, park=True), add(future), add(future, park=True),
        add(late, claim_id=5), add(late, status="in-progress"), add(late, status="complete"),
    }  # fmt: skip
    held = add(late, park=True)
    site.run("INSERT INTO wp_runner_held VALUES (%s, 9)", (held,))
    assert run(make(Wanted(("pending",), ("a",), cutoff=NOW - 10 * DAY))).actions == len(goes)
    assert ids(site) == stays | {held}


def test_what_changed_since_it_was_seen_stays(site, make):
    """The conditions are tested again under the lock: another age, status or hook, another claim."""
    free, retried, younger, renamed, claimed = (
        site.add("a", at=NOW, status="failed", last_attempt_gmt=sql_date(NOW - 9 * DAY))
        for _ in range(5)
    )
    purge = make(Wanted(("failed",), ("a",), cutoff=NOW - 5 * DAY))
    seen = purge.candidates(0, 99)
    assert len(seen) == 5
    claim = site.insert("claims", {"date_created_gmt": "2999-01-01"})
    for id_, change in (
        (retried, "status = 'pending'"), (younger, f"last_attempt_gmt = '{sql_date(NOW)}'"),
        (renamed, "hook = 'A'"), (claimed, f"claim_id = {claim}"),
    ):  # fmt: skip
        site.run(f"UPDATE wp_actionscheduler_actions SET {change} WHERE action_id = {id_}")
    assert purge.delete(seen) == (1, 1, True)
    assert ids(site) == set(with_log(site)) == {retried, younger, renamed, claimed}
    assert free not in ids(site)


def test_others_locks_are_not_waited_for(site, make, run, server):
    """Rows that are no part of it are not even looked at under a lock, also where a server would
    rather scan so small a table; rows of it that another holds are passed over."""
    rows = [site.add(hook, at=NOW, status="complete") for hook in ("b", "a", "a", "a", "b")]
    locked = [rows[0], rows[4]] + ([rows[2]] if has_skip_locked(server.version) else [])
    other = server.admin(site.name)
    other.autocommit(False)
    with closing(other), other.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        numbers = ", ".join(map(str, locked))
        for place in ("actions FORCE INDEX (PRIMARY)", "logs FORCE INDEX (action_id)"):
            cursor.execute(
                f"SELECT * FROM wp_actionscheduler_{place} WHERE action_id IN ({numbers}) FOR UPDATE"
            )
        purge = make(Wanted(hooks=("a",)))
        purge.database.query("SET SESSION innodb_lock_wait_timeout = 1")
        purged = run(purge)
    assert ids(site) == set(with_log(site)) == set(locked)
    assert (purged.passed, purged.actions) == (3, 5 - len(locked))


def test_a_long_log_goes_in_several_transactions(site, make, run, monkeypatch):
    """None deletes more lines than it may; the action goes with the last of them."""
    monkeypatch.setattr(purging, "MOST_LINES", 10)
    long, short = (site.add("a", at=NOW, status="complete") for _ in range(2))
    for number in range(34):
        site.insert("logs", {"action_id": long, "message": f"line {number}"})
    purge = make(Wanted())
    told = []
    delete = purge.delete
    purge.delete = lambda batch: told.append((delete(batch), len(ids(site)))) or told[-1][0]
    purged = run(purge)
    assert [gone.log_lines for gone, _ in told] == [10, 10, 10, 6]
    assert [left for _, left in told] == [2, 2, 2, 0]
    assert (purged.actions, purged.log_lines, purged.passed) == (2, 36, 2)
    assert with_log(site) == []
    assert short not in ids(site)


def test_a_commit_without_an_answer_is_counted_once(site, server, clock, stop, run):
    """It took place, though the connection broke before that was said; the rest goes on."""
    for _ in range(5):
        site.add("a", at=NOW, status="complete")
    tables = Tables("wp_")
    with Proxy(server.port) as proxy:
        driver = MySQL(parse(proxy.url(site)), tables.plain("actions"))
        database = Database(driver, clock)
        hold = proxy.hold(r"COMMIT(;\nEND)?$", answered=True)
        found = discover(database, tables)
        purge = PurgeActions(database, found, Limits(clock, stop), Wanted())
        hold.cut()
        purged = run(purge, most=2)
        database.close()
    assert (purged.actions, purged.log_lines, purged.passed) == (5, 5, 5)
    assert ids(site) == set(with_log(site)) == set()


def test_each_row_is_looked_at_once(site, make, run):
    """However many are passed over: the walk goes up by primary key and never turns back."""
    fill(site, 9_000, "complete", hooks=("b", "b", "b", "a"), now=NOW)
    fill(site, 3_000, "due", hooks=("a",), now=NOW)
    purge = make(Wanted(hooks=("a",), keep=250))
    purge.end()
    before = rows_read(purge.database)
    places = []
    walk = purge.ranges
    purge.ranges = lambda: (places.append(place) or place for place in walk())
    purged = run(purge)
    assert purged.actions == 2_000
    assert places[0][0] == 0
    assert all(earlier[1] == later[0] for earlier, later in itertools.pairwise(places))
    walked = places[-1][1]
    # twice for finding the range and what matches in it, thrice more for what goes, and its lines
    assert rows_read(purge.database) - before < 2 * walked + 8 * purged.actions + 500


def test_it_goes_on_where_it_was_ended(site, make, run, stop):
    """A signal ends it after a batch; the next one finds what is left."""
    for number in range(20):
        site.add("ab"[number % 2], at=NOW, status="complete")
    purge = make(Wanted(hooks=("a",)))
    delete = purge.delete
    purge.delete = lambda batch: (stop.ask(15), delete(batch))[1]
    purged = run(purge, most=3)
    assert (purged.actions, purged.passed, purged.stopped) == (3, 3, "signal SIGTERM")
    assert len(ids(site)) == 17
    stop.asked = ""
    assert run(make(Wanted(hooks=("a",))), most=3).actions == 7
    assert {row["hook"] for row in site.rows()} == {"b"}


def test_what_is_created_meanwhile_is_not_its_business(site, make, run):
    """The walk ends where the table ended at its start."""
    first = site.add("a", at=NOW, status="complete")
    purge = make(Wanted(hooks=("a",)))
    assert purge.plan().actions == 1
    later = site.add("a", at=NOW, status="complete")
    run(purge)
    assert ids(site) == {later}
    assert first != later


def test_the_brake_is_asked_before_the_first_row_goes_and_between_batches(site, make, run):
    """Nothing is deleted while a gauge complains."""
    for _ in range(6):
        site.add("a", at=NOW, status="complete")
    seen = []

    def gauge():
        seen.append(len(ids(site)))
        return "wait" if len(seen) in {1, 2, 4, 5} else None

    purged = run(make(Wanted()), most=2, gauges=[gauge])
    assert seen[:6] == [6, 6, 6, 4, 4, 4]
    assert seen[6:8] == [2, 0]
    assert purged.waited == pytest.approx(1.0)
    assert ids(site) == set()


def orphan(site, action: int = 10**6, at: int = NOW) -> int:
    line = {"action_id": action, "message": "lost", "log_date_gmt": sql_date(at)}
    return site.insert("logs", line)


def test_orphaned_lines_go_and_no_others(site, make, run, monkeypatch):
    """In several ranges, with a date or without."""
    monkeypatch.setattr(purging, "WINDOW", 5)
    kept = []
    for status in EVERY * 3:
        id_ = site.add("a", at=NOW, status=status)
        kept.append(id_)
        orphan(site, at=NOW - 5 * DAY)
        orphan(site, 2 * 10**6, at=NOW - 20 * DAY)
    old = NOW - 10 * DAY
    assert make(cutoff=old).plan().log_lines == 15
    assert run(make(cutoff=old), most=4).log_lines == 15
    assert make().plan().log_lines == 15
    purged = run(make(), most=4)
    assert (purged.actions, purged.log_lines, purged.passed) == (0, 15, 15)
    assert with_log(site) == kept
    assert len(site.rows()) == len(kept)


def test_a_line_whose_action_came_back_stays(site, make):
    """As after a restored backup: tested again when it is deleted."""
    line = orphan(site)
    purge = make()
    seen = purge.candidates(0, line)
    site.add("a", at=NOW, action_id=10**6)
    assert (seen, purge.delete(seen).log_lines) == ([line], 0)
    assert len(site.rows("logs")) == 2


def test_plans_are_short_ranges_of_the_primary_key(site, make):
    """EXPLAIN: nothing is sorted, scanned or locked but by primary key; lines are found by theirs."""
    site.migrate()
    fill(site, 20_000, "complete", hooks=("a", "b"), now=NOW)
    fill(site, 2_000, "due", hooks=("a", "b"), now=NOW)
    site.run(
        "INSERT INTO wp_actionscheduler_logs (action_id, message)"
        " SELECT action_id, 'x' FROM wp_actionscheduler_actions"
    )
    site.run("ANALYZE TABLE wp_actionscheduler_logs")
    purge, orphans = make(Wanted(hooks=("a",), cutoff=NOW)), make()
    values = purge._values | {
        "after": 5_000, "last": 7_000, "newest": 20_000, "before": 7_000, "first": 5_000,
        "window": 2_000, "offset": 3, "ids": [1, 2, 3], "lines": [1, 2, 3], "most": 50,
    }  # fmt: skip

    def keys(purge, name: str, where: str) -> dict[str, str]:
        text = purge.queries[name].replace("/*where*/", where)
        rows = purge.database.query(f"EXPLAIN FORMAT=TRADITIONAL {text}", **values)
        assert not [row for row in rows if "filesort" in str(row["Extra"]) and name != "survey"]
        return {row["table"]: row["key"] for row in rows}

    where = purge._where()
    for name in ("matching", "survey", "count_back", "nth_back", "still"):
        assert keys(purge, name, where)["a"] == "PRIMARY", name
    assert keys(purge, "survey", where)["l"] == "action_id"
    for name in ("range", "range_back", "lock"):
        assert keys(purge, name, "")["wp_actionscheduler_actions"] == "PRIMARY", name
    assert keys(purge, "delete", "") == {"wp_actionscheduler_actions": "PRIMARY"}
    assert keys(purge, "delete_lines", "") == {"wp_actionscheduler_logs": "PRIMARY"}
    assert keys(purge, "lines", "")["wp_actionscheduler_logs"] == "action_id"
    lost = keys(purge, "delete_orphans", "")
    assert lost == {"wp_actionscheduler_logs": "PRIMARY", "a": "PRIMARY"}
    assert keys(orphans, "orphans", "TRUE") == {"l": "PRIMARY", "a": "PRIMARY"}
    look = keys(purge, "look", "")["wp_actionscheduler_actions"]
    assert look == "claim_id_status_priority_scheduled_date_gmt"


def test_a_sqlite_file_is_purged_too(tmp_path, clock, stop, run):
    """The embedded default: the same rules, no sizes."""
    path = tmp_path / "shop.sqlite"
    shop.build(path, NOW)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "UPDATE wp_actionscheduler_actions SET status = 'complete', last_attempt_gmt = ?"
            " WHERE action_id % 2 = 0", (sql_date(NOW - 9 * DAY),),
        )  # fmt: skip
        connection.execute(
            "INSERT INTO wp_actionscheduler_logs (action_id, message) VALUES (99999, 'lost')"
        )
        count = "SELECT COUNT(*) FROM wp_actionscheduler_actions"
        every = connection.execute(count).fetchone()[0]
    database = Database(SQLite(str(path), now=lambda: NOW), clock)
    site, limits = discover(database, Tables("wp_")), Limits(clock, stop)
    young = PurgeActions(database, site, limits, Wanted(cutoff=NOW - 10 * DAY))
    assert young.plan().actions == 0
    wanted = Wanted(cutoff=NOW - 9 * DAY, keep=10)
    plan = PurgeActions(database, site, limits, wanted).plan()
    assert (plan.actions, plan.log_lines, plan.bytes) == (every // 2 - 10, every // 2 - 10, None)
    purge = PurgeActions(database, site, limits, wanted)
    assert purge.brake(1.0, [], str).gauges[0]() is None
    assert run(purge, most=9).actions == every // 2 - 10
    lost = PurgeOrphans(database, site, limits)
    assert run(lost).log_lines == 1
    with closing(sqlite3.connect(path)) as connection:
        left = connection.execute(count).fetchone()[0]
        lines = connection.execute("SELECT COUNT(*) FROM wp_actionscheduler_logs").fetchone()[0]
    assert left == lines == every - (every // 2 - 10)
    database.close()
