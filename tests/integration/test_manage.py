"""What people change: each change once, with a line in the log and a row in the audit."""

from __future__ import annotations

import threading

import pytest
from support.page import NOW, bury, connected

from compat import schedules
from compat.action_scheduler import parked
from compat.site_time import sql_date
from runner.operations.audit import KEPT, Audit
from runner.operations.dead_letters import Closed
from runner.operations.manage import Actor, Manage
from runner.operations.pauses import Target

ANNA = Actor("anna", "page", "10.0.0.1")


@pytest.fixture
def shop(site, server):
    site.migrate()
    with server.frozen(NOW):
        yield site


@pytest.fixture
def anna(shop):
    database, found = connected(shop)
    yield Manage(database, found, ANNA)
    database.close()


def audit(site):
    return [
        (r["verb"], r["target"], r["asked"], r["changed"], r["note"]) for r in site.own("audit")
    ]


def test_every_verb_leaves_one_row_and_a_line(shop, anna):
    """Who, from where, what, how many were meant and changed."""
    failed = [shop.add("a", (n,), at=NOW - 60, status="failed") for n in range(2)]
    waits = [shop.add("b", (n,), at=NOW + 3600) for n in range(5)]
    letter = bury(shop, failed[0])
    assert anna.retry([*failed, waits[0]]) == failed
    assert anna.run_now([waits[0]]) == [waits[0]]
    assert anna.cancel([waits[1]]) == [waits[1]]
    assert anna.put_off([waits[2]], NOW + 7200, "after  lunch") == [waits[2]]
    assert anna.prioritize([waits[3]], 0) == [waits[3]]
    assert anna.delete([waits[4], 999]) == [waits[4]]
    other = bury(shop, failed[1])
    new = anna.replay(other)
    third = bury(shop, 77)
    anna.discard(third, "sold out")
    anna.pause(Target("hook", "b"), until=None, reason="stop")
    assert anna.resume(Target("hook", "b"))
    assert not anna.resume(Target("hook", "b"))
    assert audit(shop) == [
        ("retry", f"3 actions: {failed[0]}, {failed[1]}, {waits[0]}", 3, 2, ""),
        ("run", f"action {waits[0]}", 1, 1, ""),
        ("cancel", f"action {waits[1]}", 1, 1, ""),
        ("snooze", f"action {waits[2]}", 1, 1, "after  lunch"),
        ("priority", f"action {waits[3]}", 1, 1, "0"),
        ("delete", f"2 actions: {waits[4]}, 999", 2, 1, "b"),
        ("replay", f"dead letter {other}", 1, 1, ""),
        ("discard", f"dead letter {third}", 1, 1, "sold out"),
        ("pause", "hook b", 1, 1, "stop"),
        ("resume", "hook b", 1, 1, ""),
        ("resume", "hook b", 1, 0, ""),
    ]
    assert {(r["actor"], r["way"], r["address"]) for r in shop.own("audit")} == {
        ("anna", "page", "10.0.0.1")
    }
    for id_ in (*failed, *waits[:4], new):
        assert "anna" in shop.logs(id_)[-1], shop.logs(id_)
    assert "after lunch (by anna)" in shop.logs(waits[2])[-1]
    assert shop.own("dead_letters", f"id = {letter}")[0]["reprocessed_by"] == "anna"


def test_running_now_keeps_rhythm_and_parking(shop, anna):
    """A chain's first date stays; a parked row stays parked; what is due has no second line."""
    chain = shop.add("a", (), at=NOW + 3600, schedule=schedules.interval(NOW + 3600, 3600))
    lead = shop.add("b", (), at=NOW + 3600)
    shop.run(
        "UPDATE wp_actionscheduler_actions SET scheduled_date_gmt = %s WHERE action_id = %s",
        (parked(sql_date(NOW + 3600)), lead),
    )
    due = shop.add("c", (), at=NOW - 5)
    claimed = shop.add("d", (), at=NOW + 60, claim_id=9)
    held = shop.add("e", (), at=NOW + 60)
    shop.run("INSERT INTO wp_runner_held VALUES (%s, 9)", (held,))
    assert anna.run_now([chain, lead, due, claimed, held]) == [chain, lead, due]
    assert shop.row(chain)["scheduled_date_gmt"] == sql_date(NOW)
    assert schedules.read(shop.row(chain)["schedule"].encode()).recurrence == 3600
    assert shop.row(lead)["scheduled_date_gmt"] == parked(sql_date(NOW))
    assert shop.row(due)["scheduled_date_gmt"] == sql_date(NOW - 5)
    assert shop.logs(due) == ["action created"]
    assert (
        shop.row(claimed)["scheduled_date_gmt"]
        == shop.row(held)["scheduled_date_gmt"]
        == sql_date(NOW + 60)
    )


def test_what_fails_is_in_the_audit_too(shop, anna):
    """With nothing changed; a letter that was closed before, an action that is gone."""
    letter = bury(shop, 77)
    anna.discard(letter)
    with pytest.raises(Closed):
        anna.replay(letter)
    assert anna.retry([999]) == []
    assert [(r[0], r[3]) for r in audit(shop)] == [("discard", 1), ("replay", 0), ("retry", 0)]


def test_two_people_at_once(shop):
    """Twenty threads retry the same ten actions: each is changed once, and the audit adds up."""
    ids = [shop.add("a", (n,), at=NOW, status="failed") for n in range(10)]
    done = []

    def press(number):
        database, found = connected(shop)
        done.extend(Manage(database, found, Actor(f"person {number}")).retry(ids))
        database.close()

    threads = [threading.Thread(target=press, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == ids
    assert sum(r["changed"] for r in shop.own("audit")) == 10
    assert len(shop.own("audit")) == 20
    assert all(len(shop.logs(id_)) == 2 for id_ in ids)


def test_together(shop, anna):
    """Many at a time are one row."""
    ids = [shop.add("a", (n,), at=NOW, status="failed") for n in range(4)]
    with anna.together("retry", "all that match hook:a") as entry:
        anna.retry(ids[:2])
        anna.retry(ids[2:])
        entry.note = "in two steps"
    assert audit(shop) == [("retry", "all that match hook:a", 4, 4, "in two steps")]


def test_what_was_deleted_together_is_named(shop, anna):
    """By up to a dozen hooks, whatever else is noted; each once."""
    ids = [shop.add(f"h{n:02}", (k,), at=NOW) for n in range(14) for k in range(2)]
    few, many = ids[:6], ids[6:]
    with anna.together("delete", "all that match h") as entry:
        anna.delete(few[:3])
        anna.delete(few[3:])
        entry.note = "There are more"
    with anna.together("delete", "the rest"):
        for id_ in many:
            anna.delete([id_])
    more = [shop.add(f"k{n:02}", (), at=NOW) for n in range(13)]
    anna.delete(more)
    dozen = ", ".join(f"k{n:02}" for n in range(12))
    assert [(row[2], row[3], row[4]) for row in audit(shop)] == [
        (6, 6, "h00, h01, h02. There are more"),
        (22, 22, ", ".join(f"h{n:02}" for n in range(3, 14))),
        (13, 13, f"{dozen}, …"),
    ]


def test_a_change_without_an_audit_is_none(shop, anna):
    """Where the row cannot be written, nothing is changed."""
    id_ = shop.add("a", (), at=NOW, status="failed")
    shop.run("DROP TABLE wp_runner_audit")
    with pytest.raises(Exception, match="runner_audit"):
        anna.retry([id_])
    assert shop.row(id_)["status"] == "failed"


def test_one_that_was_cut_off_is_told(shop, anna, monkeypatch):
    """The row was there before the change: how much was changed is not known."""
    monkeypatch.setattr(Audit, "end", lambda *_: None)
    anna.retry([shop.add("a", (), at=NOW, status="failed")])
    assert audit(shop)[0][3] is None


def test_the_audit_page_by_page(shop, anna):
    """By person and verb; what is older than a year goes."""
    for number in range(5):
        anna.retry([number])
    anna.cancel([1])
    database, found = connected(shop)
    log = Audit(database, found)
    rows = log.newest(3)
    assert [r.verb for r in rows] == ["cancel", "retry", "retry"]
    assert [r.target for r in log.newest(10, rows[-1].id)] == ["action 2", "action 1", "action 0"]
    assert len(log.newest(10, verb="cancel")) == 1
    assert log.newest(10, actor="eva") == []
    shop.run("UPDATE wp_runner_audit SET at = %s WHERE id <= 4", (sql_date(NOW - KEPT - 1),))
    assert log.forget() == 4
    assert len(shop.own("audit")) == 2
    database.close()


def test_without_the_runners_tables(site):
    """As before: changes are made, and there is nowhere to note them."""
    id_ = site.add("a", (), at=NOW, status="failed")
    database, found = connected(site)
    assert Manage(database, found, ANNA).retry([id_]) == [id_]
    database.close()
    assert site.logs(id_)[-1].endswith("by anna")
