"""What cleaning deletes, to the second, and what it leaves alone."""

from __future__ import annotations

import pytest
from support.engine import Engine
from support.fill import fill
from support.site import ZERO

from compat.site_time import sql_date
from runner import Handlers
from runner.core.limits import Limits
from runner.core.signals import Stop
from runner.operations.cleaner import AGES, WINDOW, Cleaner
from runner.site import discover, has_skip_locked

NOW = 1_795_413_900
DAY = 86_400
MONTH = 31 * DAY


@pytest.fixture
def stop():
    stop = Stop()
    yield stop
    stop.close()


@pytest.fixture
def cleaner(site, clock, stop):
    """Builds a cleaner; `hooks` None is everybody's rows."""
    engine = Engine(site, Handlers(), clock)

    def build(hooks=None, batches: int = 0, **options) -> Cleaner:
        database = engine.database()
        limits = Limits(clock, stop, batches=batches)
        found = discover(database, engine.tables)
        return Cleaner(database, found, limits, hooks=hooks, **options)

    yield build
    engine.close()


CUTOFFS = {status: NOW - age for status, age in AGES.items()}


def old(site, status: str, at: int | str | None, hook: str = "ok") -> int:
    """A row that was last attempted at this moment."""
    attempted = sql_date(at) if isinstance(at, int) else at
    return site.add(hook, at=NOW - 400 * DAY, status=status, last_attempt_gmt=attempted)


RULES = {
    "complete": {NOW - MONTH: True, NOW - MONTH + 1: False, ZERO: True, None: False},
    "canceled": {NOW - MONTH: True, NOW - MONTH + 1: False, ZERO: True, None: False},
    "failed": {NOW - 3 * MONTH: True, NOW - 3 * MONTH + 1: False, ZERO: True, None: False},
    "pending": {NOW - 300 * DAY: False, ZERO: False, None: False},
    "in-progress": {NOW - 300 * DAY: False, ZERO: False, None: False},
}


def test_rows_go_once_they_are_old_to_the_second(site, cleaner):
    """31 days for complete and canceled, 93 for failed; a zero date is old, NULL is not; what
    waits or runs stays, however old. Logs go with their actions, and no other log does."""
    rows = [
        (old(site, status, at), goes) for status, moments in RULES.items() for at, goes in moments.items()
    ]  # fmt: skip
    cleaned = cleaner().run(CUTOFFS)
    left = {int(row["action_id"]) for row in site.rows()}
    assert left == {id_ for id_, goes in rows if not goes}
    assert {int(row["action_id"]) for row in site.rows("logs")} == left
    assert cleaned.statuses == {"complete": 2, "canceled": 2, "failed": 2}
    assert (cleaned.deleted, cleaned.stopped) == (6, "nothing left")


def test_only_rows_of_the_given_hooks_go(site, cleaner):
    """Compared exactly: a hook that only looks alike is somebody else's."""
    ours = old(site, "complete", ZERO)
    others = [old(site, "complete", ZERO, hook) for hook in ("php", "OK", "ok ")]
    assert cleaner({"ok"}).run(CUTOFFS).deleted == 1
    assert site.row(ours) == {}
    assert all(site.row(id_) and site.logs(id_) for id_ in others)
    assert cleaner(None).run(CUTOFFS).deleted == 3


def test_many_rows_of_one_second_are_each_seen_once(site, cleaner):
    """More foreign rows of one date than a window holds, with ours between and behind them."""
    fill(site, WINDOW * 2 + 50, "complete", hooks=("php",), now=NOW)
    site.run(f"UPDATE wp_actionscheduler_actions SET last_attempt_gmt = '{ZERO}'")
    site.run("UPDATE wp_actionscheduler_actions SET hook = 'ok' WHERE action_id MOD 100 = 7")
    later = old(site, "complete", NOW - 40 * DAY)
    passed: list[int] = []
    cleaned = cleaner({"ok"}, on_passed=passed.append).run(CUTOFFS)
    assert cleaned.deleted == 22
    assert site.row(later) == {}
    assert sum(passed) == WINDOW * 2 + 51
    assert cleaner(None).how_many(CUTOFFS) == WINDOW * 2 + 51 - 22


def test_a_dry_run_counts_and_writes_nothing(site, cleaner):
    """The same numbers as a real one."""
    for number in range(7):
        old(site, "complete", NOW - MONTH - number)
    before = site.rows(), site.rows("logs")
    dry = cleaner(dry=True, batch_size=2, batches=3).run(CUTOFFS)
    assert (site.rows(), site.rows("logs")) == before
    real = cleaner(batch_size=2, batches=3).run(CUTOFFS)
    assert dry == real
    assert (real.deleted, real.stopped, len(site.rows())) == (6, "batches done", 1)


def test_a_signal_ends_it_between_batches(site, cleaner, stop, monkeypatch):
    """The batch that is under way is finished, and the next one is not begun."""
    for number in range(6):
        old(site, "complete", NOW - MONTH - number)
    working = cleaner(batch_size=2)
    delete = working._delete

    def delete_and_stop(*batch):
        stop.ask(15)
        return delete(*batch)

    monkeypatch.setattr(working, "_delete", delete_and_stop)
    cleaned = working.run(CUTOFFS)
    assert (cleaned.deleted, cleaned.stopped) == (2, "signal SIGTERM")
    assert len(site.rows()) == 4


def test_pauses_lie_between_batches(site, cleaner, clock):
    """Three batches, three rests by the process's clock."""
    for number in range(6):
        old(site, "complete", NOW - MONTH - number)
    assert cleaner(batch_size=2, pause=5).run(CUTOFFS).seconds == pytest.approx(15)


def test_a_row_that_is_locked_or_was_changed_stays(site, cleaner, server):
    """The condition is tested again under the lock; what another holds is left for next time."""
    if not has_skip_locked(server.version):
        pytest.skip("this server waits for locked rows")
    locked, changed, free = (old(site, "complete", NOW - 40 * DAY) for _ in range(3))
    working = cleaner()
    other = server.admin(site.name)
    other.autocommit(False)
    cursor = other.cursor()
    cursor.execute(
        f"SELECT * FROM wp_actionscheduler_actions WHERE action_id = {locked} FOR UPDATE"
    )
    try:
        site.run(
            "UPDATE wp_actionscheduler_actions SET last_attempt_gmt = %s WHERE action_id = %s",
            (sql_date(NOW), changed),
        )
        assert working._delete("complete", sql_date(NOW - MONTH), [locked, changed, free]) == 1
    finally:
        other.close()
    assert [bool(site.row(id_)) for id_ in (locked, changed, free)] == [True, True, False]
    assert [bool(site.logs(id_)) for id_ in (locked, changed, free)] == [True, True, False]


def test_plans_of_the_cleaner_are_short_ranges(site, cleaner):
    """EXPLAIN: old rows are read in the order of their own index, rows are locked and deleted by
    primary key, logs by theirs."""
    fill(site, 20_000, "complete", hooks=("php", "ok"), now=NOW)
    working = cleaner()
    values = {
        "status": "complete", "cutoff": sql_date(NOW), "after": "2026-11-22 06:05:00", "after_id": 9,
        "limit": WINDOW, "ids": [1, 2, 3],
    }  # fmt: skip

    def plan(name: str) -> list[dict]:
        text = "EXPLAIN FORMAT=TRADITIONAL " + working._queries[name]
        rows = working._database.query(text, **values)
        return [row for row in rows if "actionscheduler" in str(row["table"])]

    both = plan("old")
    assert [row["key"] for row in both] == ["status_last_attempt_gmt"] * 2
    assert not [row for row in both if "filesort" in str(row["Extra"])]
    assert [row["key"] for row in plan("lock_old")] == ["PRIMARY"]
    assert [row["key"] for row in plan("delete")] == ["PRIMARY"]
    assert [row["key"] for row in plan("delete_logs")] == ["action_id"]
