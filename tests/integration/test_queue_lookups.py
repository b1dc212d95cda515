"""Looking for actions, canceling and deleting them, from Python."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from support.cutting import Cut
from support.engine import Engine, handlers_for
from support.fill import fill
from support.measure import rows_read
from support.queue import caller
from support.site import golden
from support.waiting import until

from compat import schedules
from runner import EnqueueError, NewAction, Queue
from runner.demo import shop
from runner.operations import changes

NOW = 1_795_413_900  # 2026-11-23 06:05:00 UTC
ACTIONS = "wp_actionscheduler_actions"
LONG = ["x" * 300]


def date(epoch: int) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


@pytest.fixture
def queue(site):
    with Queue.open(site.url) as queue:
        yield queue


WANTED = [
    pytest.param((), [1, 2, 3, 4, 5], id="any args, any group"),
    pytest.param(([],), [3], id="exactly no args"),
    pytest.param(([1],), [1, 2], id="these args"),
    pytest.param(({"a": "x"},), [4], id="a map"),
    pytest.param(({"a": "X"},), [4], id="args compare by collation"),
    pytest.param((LONG,), [5], id="long args, by their hash"),
    pytest.param(([9],), [], id="no such args"),
    pytest.param((None, "g"), [2], id="a group"),
    pytest.param((None, "G"), [2], id="groups compare by collation"),
    pytest.param((None, ""), [1, 3, 4, 5], id="the empty group"),
    pytest.param(([1], "g"), [2], id="args and group"),
    pytest.param((None, "no such"), [], id="no such group"),
]


@pytest.fixture
def filled(queue):
    queue.many(
        [
            NewAction("a_hook", [1], at=NOW + 10),
            NewAction("a_hook", [1], at=NOW + 20, group="g"),
            NewAction("a_hook", at=NOW + 30),
            NewAction("a_hook", {"a": "x"}, at=NOW + 40),
            NewAction("a_hook", LONG, at=NOW + 50),
            NewAction("b_hook", [1], at=NOW),
        ]
    )
    return queue


@pytest.mark.parametrize(("wanted", "ids"), WANTED)
def test_what_is_looked_for(filled, wanted, ids):
    """By hook, args and group; None is any. All verbs agree on what is meant."""
    args, group = (*wanted, None, None)[:2]
    found = filled.list("A_HOOK", args, group=group)
    assert [action.id for action in found] == ids
    assert filled.has("a_hook", args, group=group) is bool(ids)
    upcoming = filled.next("a_hook", args, group=group)
    assert (upcoming and upcoming.id) == (ids[0] if ids else None)
    assert filled.cancel("a_hook", args, group=group) == (ids[0] if ids else None)
    assert filled.cancel_all("a_hook", args, group=group) == len(ids[1:])
    canceled = [action.id for action in filled.list(status="canceled")]
    assert canceled == ids
    assert not filled.has("a_hook", args, group=group)
    assert filled.has("b_hook")


def test_an_action_that_was_found(queue, site):
    """Args decoded, dates in UTC, recurrence and group told; the newest facts, frozen."""
    queue.schedule("once", NOW, {"a": [1, "ü"]}, group="g", priority=3)
    queue.recur("often", 60, [1], first=NOW + 1)
    queue.cron("nightly", "@daily", start=NOW + 2)
    queue.enqueue("soon", LONG)
    site.run(f"UPDATE {ACTIONS} SET attempts = 2, status = 'failed' WHERE hook = 'soon'")
    once, often, nightly = queue.list(status="pending")
    assert (once.id, once.hook, once.args, once.group) == (1, "once", {"a": [1, "ü"]}, "g")
    assert (once.at, once.recurrence, once.priority) == (date(NOW), None, 3)
    assert (once.status, once.attempts, once.unreadable) == ("pending", 0, "")
    assert (often.at, often.recurrence, often.args) == (date(NOW + 1), 60, [1])
    assert (nightly.at, nightly.recurrence) == (datetime(2026, 11, 24, tzinfo=UTC), "0 0 * * *")
    (soon,) = queue.list("soon")
    assert (soon.at, soon.args, soon.attempts, soon.status) == (None, LONG, 2, "failed")
    assert len(queue.list(limit=2)) == 2
    with pytest.raises(AttributeError):
        soon.status = "pending"


def test_a_running_one_comes_first(queue, site):
    """As in PHP: what runs now is the answer, whatever waits; what is over is none."""
    queue.schedule("h", NOW, [1])
    queue.schedule("h", NOW + 9, [2])
    assert queue.next("h").at == date(NOW)
    site.run(f"UPDATE {ACTIONS} SET status = 'in-progress' WHERE action_id = 2")
    assert (queue.next("h").id, queue.next("h").status) == (2, "in-progress")
    assert queue.cancel("h", [2]) is None
    site.run(f"UPDATE {ACTIONS} SET status = 'complete'")
    assert queue.next("h") is None
    assert not queue.has("h")


def test_rows_that_cannot_be_read_are_listed(queue, site):
    """They say what is wrong, keep the date of their column, and can be canceled."""
    site.add("h", at=NOW, schedule="rubbish")
    site.add("h", at=NOW + 1, args=[1])
    site.run(f"UPDATE {ACTIONS} SET args = '{{' WHERE action_id = 2")
    site.add("h", [3], at=NOW + 2)
    site.add("h", [4], at=NOW + 3, group_id=99, scheduled_date_gmt=None)
    site.run(f"UPDATE {ACTIONS} SET schedule = NULL WHERE action_id = 4")
    nothing, first, second, third = queue.list("h")
    assert (first.args, first.at, first.id) == (None, date(NOW), 1)
    assert first.unreadable.startswith("its schedule")
    assert second.unreadable.startswith("its args")
    assert (third.unreadable, third.args) == ("", [3])
    assert (nothing.at, nothing.group, bool(nothing.unreadable)) == (None, "", True)
    assert queue.cancel_all("h") == 4


def test_looking_does_not_read_the_backlog(queue, site):
    """With 80,000 rows, 8,000 of them pending of the hook, each look reads a few."""
    hooks = tuple(f"py_hook_{n}" for n in range(5))
    for mix in ("future", "complete"):
        fill(site, 40_000, mix, hooks=hooks, now=NOW)
    site.insert("groups", {"group_id": 7, "slug": "g"})
    site.run(f"UPDATE {ACTIONS} SET group_id = 7 WHERE hook = 'py_hook_1' AND status = 'pending'")
    site.run(f"ANALYZE TABLE {ACTIONS}")
    looks = [
        lambda: queue.next("py_hook_1"),
        lambda: queue.next("py_hook_1", group="g"),
        lambda: queue.has("py_hook_1", [-1]) or True,
        lambda: queue.list("py_hook_1", status="pending", limit=5),
        lambda: queue.cancel("py_hook_1"),
        lambda: queue.enqueue("py_hook_1", [-1], unique=True),
        lambda: queue.enqueue("py_hook_1", unique="hook") is None,
    ]
    for number, look in enumerate(looks):
        before = rows_read(queue._database)
        assert look()
        assert rows_read(queue._database) - before <= 50, number


@pytest.mark.parametrize("far", [10**18, -(10**15), 253_402_300_800])
def test_a_date_beyond_python_s_calendar_is_none(queue, site, far):
    """PHP can store such a schedule; the list does not break."""
    site.add("h", at=NOW, schedule=schedules.simple(far))
    assert queue.list("h")[0].at is None


@pytest.mark.parametrize(
    ("why", "look"),
    [
        ("wants a hook or a group", lambda q: q.cancel_all()),
        ("wants a hook or a group", lambda q: q.cancel_all(args=[1])),
        ("status 'canceld': expected one of pending", lambda q: q.list(status="canceld")),
        ("limit is a number", lambda q: q.list(limit=-1)),
        ("limit is a number", lambda q: q.list(limit=None)),
        ("192 characters", lambda q: q.has("x" * 192)),
        ("hook must be a str", lambda q: q.next(5)),
        ("group must be a str", lambda q: q.cancel("h", group=5)),
        ("a list or a dict", lambda q: q.has("h", "args")),
    ],
)
def test_refused(filled, site, why, look):
    """One line that says what to do; nothing is canceled."""
    with pytest.raises(EnqueueError, match=why):
        look(filled)
    assert site.statuses() == {"pending": 6}


# --- canceling


def test_canceling_writes_php_s_line(queue, site, server):
    """Status and one log line, in GMT and the site's time; the schedule stays, the unique key of
    schema 9 becomes free."""
    site.run(f"ALTER TABLE {ACTIONS} ADD unique_key varchar(191) NULL, ADD UNIQUE KEY (unique_key)")
    with server.frozen(NOW), Queue.open(site.url) as frozen:
        frozen.recur("h", 60, first=NOW)
        site.run(f"UPDATE {ACTIONS} SET unique_key = 'k'")
        before = site.row(1)
        assert frozen.cancel("h") == 1
    assert site.row(1) == before | {"status": "canceled", "unique_key": None}
    log = site.rows("logs")[-1]
    assert (log["message"], log["log_date_gmt"], log["log_date_local"]) == (
        "action canceled", "2026-11-23 06:05:00", "2026-11-23 07:05:00",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("name", "wanted"), [("tr-0064", {"hook": "ok_hook"}), ("tr-0065", {"group": "gx"})]
)
def test_all_are_canceled_as_in_php(queue, site, name, wanted):
    """The recorded bulk cancels of 4.0.0, by hook and by group, leave the same rows and logs."""
    record = next(r for r in golden("transitions.jsonl") if r["id"] == f"{name}-v400")
    for table, rows in (
        ("actions", record["before"]["actions"]),
        ("groups", record["groups"]),
        ("logs", record["logs_before"]),
    ):
        for row in rows:
            site.insert(table, row)
    if "group" in wanted:
        used = record["before"]["actions"][0]["group_id"]
        wanted = {"group": next(g["slug"] for g in record["groups"] if g["group_id"] == used)}
    queue.cancel_all(**wanted)
    assert site.rows() == record["after"]["actions"]
    logs = [(row["action_id"], row["message"]) for row in site.rows("logs")]
    assert logs == [(row["action_id"], row["message"]) for row in record["logs_after"]]


def test_more_than_one_statement_cancels(queue, site, monkeypatch):
    """Some at a time, until none is left; each has its line."""
    monkeypatch.setattr(changes, "MOST", 7)
    queue.many(NewAction("h", [n]) for n in range(30))
    assert queue.cancel_all("h") == 30
    assert site.statuses() == {"canceled": 30}
    assert len(site.rows("logs", "message = 'action canceled'")) == 30


def test_only_pending_ones_are_canceled(queue, site):
    """Ids of others, of any status or none, are left alone and not told."""
    statuses = ["pending", "in-progress", "complete", "failed", "canceled", "pending"]
    queue.many(NewAction("h", [n]) for n in range(6))
    for number, status in enumerate(statuses, 1):
        site.run(f"UPDATE {ACTIONS} SET status = %s WHERE action_id = %s", (status, number))
    done = changes.cancel(
        queue._database, queue._lookup._site, [6, 5, 4, 3, 2, 1, 99, 1], why="not wanted"
    )
    assert sorted(done) == [1, 6]
    assert site.logs(6)[-1] == "action canceled via Python runner: not wanted"
    assert [len(site.logs(n)) for n in range(1, 7)] == [2, 1, 1, 1, 1, 2]
    assert changes.cancel(queue._database, queue._lookup._site, []) == []


def test_a_claimed_one_is_canceled_and_its_worker_skips_it(queue, site, server, clock):
    """Claimed is not begun: the row is canceled, keeps the claim as history, and the worker notes
    that it was ignored and goes on."""
    for number in range(2):
        site.add("py_hook", [number], at=NOW - 60)
    calls: list = []
    engine = Engine(site, handlers_for("py_hook", calls=calls), clock)
    with server.frozen(NOW):
        source = engine.source()
        claim = source.claim(25)
        assert queue.cancel("py_hook", [0]) == 1
        held = source.advance(claim, [], claim.actions)
        source.release(claim, [])
    engine.close()
    assert ([a.id for a in held.started], [a.id for a in held.lost]) == ([2], [1])
    assert site.logs(1)[-2:] == ["action canceled", "action ignored via Python runner"]
    assert site.row(1)["status"] == "canceled"


def test_one_that_another_takes_meanwhile_is_passed_over(queue, site):
    """The one that begins just now is waited for, not canceled; the next one is."""
    queue.many([NewAction("h", [n], at=NOW + n) for n in range(2)])
    with caller(site) as connection, connection.cursor() as cursor:
        cursor.execute(f"UPDATE {ACTIONS} SET status = 'in-progress' WHERE action_id = 1")
        made: list = []
        thread = threading.Thread(target=lambda: made.append(queue.cancel("h")))
        thread.start()
        until(site.server.waits_for_lock)
        connection.commit()
        thread.join()
    assert made == [2]
    assert site.statuses() == {"in-progress": 1, "canceled": 1}


# --- deleting


def test_deleting_takes_the_logs_along(queue, site):
    """Whatever the status but running; ids that are not there are not told, others' logs stay."""
    queue.many(NewAction("h", [n]) for n in range(4))
    site.run(f"UPDATE {ACTIONS} SET status = 'in-progress' WHERE action_id = 2")
    site.run(f"UPDATE {ACTIONS} SET status = 'complete' WHERE action_id = 3")
    assert sorted(changes.delete(queue._database, queue._lookup._site, [1, 2, 3, 77])) == [1, 3]
    assert [row["action_id"] for row in site.rows()] == ["2", "4"]
    assert [row["action_id"] for row in site.rows("logs")] == ["2", "4"]
    assert changes.delete(queue._database, queue._lookup._site, []) == []


@pytest.mark.parametrize("verb", [changes.cancel, changes.delete])
def test_a_commit_without_an_answer_is_told_as_done(queue, site, verb):
    """What the lost answer was about is done once, and told."""
    queue.many(NewAction("h", [n]) for n in range(3))
    Cut(queue._database, after=True)
    assert verb(queue._database, queue._lookup._site, [1, 2]) == [1, 2]
    assert [log for log in site.logs(1) if log != "action created"] == (
        ["action canceled"] if verb is changes.cancel else []
    )
    assert len(site.rows()) == (3 if verb is changes.cancel else 1)


def test_the_same_on_sqlite(tmp_path):
    """The embedded default looks, cancels and deletes like the server."""
    shop.build(tmp_path / "shop.sqlite", NOW)
    with Queue.open(f"sqlite:///{tmp_path}/shop.sqlite") as queue:
        soon = queue.enqueue("H", {"a": 1}, group="g", unique=True)
        assert queue.enqueue("h", {"a": 1}, group="G", unique=True) is None
        late = queue.schedule("h", NOW + 60, [2], group="g")
        assert queue.next("h", [2]).at == date(NOW + 60)
        assert {action.id for action in queue.list(group="G")} == {late, soon}
        assert queue.cancel("h", {"a": 1}) == soon
        assert queue.cancel_all("demo_send_mail", group="demo") == 80
        assert changes.delete(queue._database, queue._lookup._site, [soon, late]) == [soon, late]
        assert not queue.has("h")
        assert len(queue.list(status="canceled", limit=1000)) == 80
