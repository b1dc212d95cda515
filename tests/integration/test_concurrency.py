"""Several runners on one queue."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from support.engine import Engine, handlers_for

from runner import Handlers
from runner.core.clock import SystemClock

BOTH = pytest.mark.parametrize("mode", ["native", "parked"])
NOW = 1_795_413_900


@BOTH
def test_four_runners_run_each_action_once(mode, site, server):
    """No action is lost and none runs twice; no deadlock is left unanswered."""
    calls: list = []
    for number in range(400):
        site.add(f"py_hook_{number % 3}", [number], at=NOW - 1000 + number)
    summaries, errors = [], []

    def work() -> None:
        try:
            engine = Engine(
                site,
                handlers_for("py_hook_0", "py_hook_1", "py_hook_2", calls=calls),
                SystemClock(),
                mode,
            )
            summaries.append(engine.run(force=True, batch_size=7))
        except Exception as error:  # noqa: BLE001  shown by the assertion below
            errors.append(error)

    with server.frozen(NOW):
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []
    assert Counter(number for (number,) in calls) == Counter(range(400))
    assert sum(summary.completed for summary in summaries) == 400
    assert site.statuses() == {"complete": 400}
    assert {row["attempts"] for row in site.rows()} == {"1"}
    assert site.rows("claims") == []
    assert len(site.rows("logs")) == 400 * 3


@BOTH
def test_contended_is_not_empty(mode, site, server, clock):
    """Rows that others hold are told apart from no rows: the run says so."""
    engine = Engine(site, Handlers(), clock, mode)
    engine.handlers.on("py_hook")(print)
    site.add("py_hook", at=NOW - 60, scheduled_date_gmt=engine.due_column(NOW - 60))
    held = server.admin(site.name)
    held.autocommit(False)
    held.cursor().execute("SELECT * FROM wp_actionscheduler_actions FOR UPDATE")
    with server.frozen(NOW):
        summary = engine.run()
        assert (summary.contended, summary.stopped, summary.claimed) == (True, "contended", 0)
        held.rollback()
        assert engine.run().completed == 1
        assert engine.run().stopped == "nothing left"
    held.close()


@BOTH
def test_a_php_insert_is_not_blocked_by_a_claim(mode, site, server, clock):
    """READ COMMITTED and locks by primary key: an open claim leaves no gap locked."""
    for number in range(50):
        site.add("py_hook", [number], at=NOW - 1000 + number)
    engine = Engine(site, handlers_for("py_hook"), clock, mode)
    with server.frozen(NOW):
        source = engine.source()
        original = source._ownership.mark
        inserted = []

        def mark(tx, ids, offset):
            token = original(tx, ids, offset)
            site.run("SET innodb_lock_wait_timeout = 1")
            inserted.extend(
                site.add("py_hook", ["php"], at=at) for at in (NOW - 2000, NOW - 500, NOW + 500)
            )
            return token

        source._ownership.mark = mark
        claim = source.claim(25)
    assert (len(claim.actions), len(inserted)) == (25, 3)
    engine.close()
