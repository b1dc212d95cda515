"""What a holder may still write after its row was taken from it: nothing."""

from __future__ import annotations

import threading

import pytest
from support.cutting import Cut, break_connection
from support.engine import Engine, handlers_for
from support.waiting import until

from compat import schedules
from runner.core.errors import DatabaseGone
from runner.core.model import Cancelled, Completed, Dead, Retried, Settlement, Snoozed
from runner.storage import mysql
from runner.storage.db import LostConnection

NOW = 1_795_413_900  # 2026-11-23 06:05:00 UTC


@pytest.fixture(params=["native", "parked"])
def engine(request, site, clock):
    engine = Engine(site, handlers_for("py_hook", attempts=3), clock, request.param)
    yield engine
    engine.close()


def settle(action, outcome=None) -> list[Settlement]:
    return [Settlement(action, outcome or Completed())]


OUTCOMES = [Completed(), Dead("x"), Cancelled("x"), Retried(NOW + 60, "x"), Snoozed(NOW + 60, "x")]


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_a_stale_holder_writes_nothing(outcome, site, server, engine):
    """Frozen while its row was taken back and finished by another, it is told that it lost, and
    rows, logs and chain stay as the other left them."""
    site.add("py_hook", at=NOW - 60, schedule=schedules.interval(NOW - 60, 3600))
    with server.frozen(NOW):
        stale = engine.source()
        old = stale.claim(25)
        stale.advance(old, [], old.actions)
    with server.frozen(NOW + 400):
        engine.run()  # takes the row back: its holder was silent for 400 s
        with server.frozen(NOW + 1000):
            engine.run()  # and runs it to its end
    assert site.row(1)["status"] == "complete"
    before = site.rows(), site.rows("logs"), site.rows("claims")

    held = stale.advance(old, settle(old.actions[0], outcome), [])

    assert (held.settled, [a.id for a in held.lost]) == ((), [1])
    assert (site.rows(), site.rows("logs"), site.rows("claims")) == before


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_a_stale_holder_does_not_disturb_the_running_one(outcome, site, server, engine):
    """The same while the other is still in the handler: status and hook are the same, the token
    is not."""
    site.add("py_hook", at=NOW - 60)
    with server.frozen(NOW):
        stale, fresh = engine.source(), engine.source()
        old = stale.claim(25)
        stale.advance(old, [], old.actions)
    engine.free()
    new = fresh.claim(25)
    fresh.advance(new, [], new.actions)
    before = site.rows(), site.rows("logs")

    held = stale.advance(old, settle(old.actions[0], outcome), [])
    stale.beat(old, [1])
    stale.release(old, old.actions)

    assert [a.id for a in held.lost] == [1]
    assert (site.rows(), site.rows("logs")) == before
    assert fresh.advance(new, settle(new.actions[0]), []).lost == ()
    assert site.row(1)["status"] == "complete"


def test_only_what_is_still_held_is_written(site, server, engine):
    """Of a turn that settles one action and begins two, the one that was stolen is left out and
    the rest is written, chain and logs included."""
    for number in range(3):
        site.add("py_hook", [number], at=NOW - 60 + number)
    with server.frozen(NOW):
        source = engine.source()
        claim = source.claim(25)
        first, second, third = claim.actions
        source.advance(claim, [], [first])
        engine.steal(2)
        held = source.advance(claim, settle(first), [second, third])
    assert ([s.action.id for s in held.settled], [a.id for a in held.started]) == ([1], [3])
    assert [a.id for a in held.lost] == [2]
    assert [row["status"] for row in site.rows()] == ["complete", "pending", "in-progress"]
    assert [len(site.logs(n)) for n in (1, 2, 3)] == [3, 1, 2]


def test_a_row_that_is_gone_is_lost(site, server, engine):
    """A handler that deletes its own row does not stop what comes after."""
    for number in range(2):
        site.add("py_hook", [number], at=NOW - 60 + number)
    with server.frozen(NOW):
        source = engine.source()
        claim = source.claim(25)
        source.advance(claim, [], claim.actions[:1])
        site.run("DELETE FROM wp_actionscheduler_actions WHERE action_id = 1")
        held = source.advance(claim, settle(claim.actions[0]), claim.actions[1:])
    assert ([a.id for a in held.lost], [a.id for a in held.started]) == ([1], [2])
    assert len(site.logs(1)) == 2  # created and started: nothing was written for a lost row


@pytest.mark.parametrize("after", [False, True], ids=["not committed", "committed"])
@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_a_commit_without_an_answer_is_settled_once(outcome, after, site, server, engine):
    """Whether the COMMIT took place or not, the outcome is there exactly once afterwards: one
    line, one next row; and what began is known to have begun."""
    site.add("py_hook", at=NOW - 60, schedule=schedules.interval(NOW - 60, 3600))
    site.add("py_hook", at=NOW - 50)
    with server.frozen(NOW):
        database = engine.database()
        source = engine.source(database)
        claim = source.claim(25)
        source.advance(claim, [], claim.actions[:1])
        Cut(database, after=after)
        held = source.advance(claim, settle(claim.actions[0], outcome), claim.actions[1:])
    assert [s.action.id for s in held.settled] == [1]
    assert ([a.id for a in held.started], held.lost) == ([2], ())
    assert len(site.logs(1)) == 3
    assert site.logs(2) == ["action created", "action started via Python runner"]
    final = not isinstance(outcome, (Retried, Snoozed))
    assert len(site.rows()) == 2 + final
    assert site.row(2)["attempts"] == "1"


@pytest.mark.parametrize("after", [False, True], ids=["not committed", "committed"])
@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_a_long_outage_after_a_commit_without_an_answer(outcome, after, site, server, engine):
    """The database stays away for longer than settling is tried. A daemon then asks for the same
    turn again: what the COMMIT had written is known to be ours."""
    site.add("py_hook", at=NOW - 60, schedule=schedules.interval(NOW - 60, 3600))
    site.add("py_hook", at=NOW - 50)
    with server.frozen(NOW):
        database = engine.database()
        source = engine.source(database)
        claim = source.claim(25)
        source.advance(claim, [], claim.actions[:1])
        turn = settle(claim.actions[0], outcome), claim.actions[1:]
        Cut(database, after=after)
        with pytest.MonkeyPatch.context() as outage:
            outage.setattr(database.driver, "connect", refuse)
            with pytest.raises(DatabaseGone):
                source.advance(claim, *turn)
        held = source.advance(claim, *turn)
    assert [s.action.id for s in held.settled] == [1]
    assert ([a.id for a in held.started], held.lost) == ([2], ())
    assert len(site.logs(1)) == 3
    assert site.logs(2) == ["action created", "action started via Python runner"]
    assert len(site.rows()) == 2 + (not isinstance(outcome, (Retried, Snoozed)))


def refuse():
    raise LostConnection("no route to host")


@pytest.mark.parametrize("after", [False, True], ids=["not committed", "committed"])
def test_a_claim_whose_commit_had_no_answer_is_taken_once(after, site, server, engine):
    """The rows are claimed under one id, and no claims row of the other try is left."""
    site.add("py_hook", at=NOW - 60, scheduled_date_gmt=engine.due_column(NOW - 60))
    with server.frozen(NOW):
        database = engine.database()
        source = engine.source(database)
        Cut(database, after=after)
        claim = source.claim(25)
    assert [a.id for a in claim.actions] == [1]
    assert engine.holder(1) == claim.id
    if engine.mode == "native":
        assert [row["claim_id"] for row in site.rows("claims")] == [str(claim.id)]
    else:
        assert site.rows("claims") == []
        assert [row["claim_id"] for row in site.own("leases")] == [claim.id]


def test_a_database_that_does_not_come_back_is_an_error(site, server, engine):
    """The runner waits for a lost server, then says so."""
    database = engine.database()
    database.query("SELECT 1 AS one")
    break_connection(database._connection)
    database.driver._dsn = database.driver._dsn.__class__("mysql", "gone", "127.0.0.1", 1)
    with pytest.raises(DatabaseGone, match="lost the database"):
        database.query("SELECT 1 AS one")


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_a_server_that_takes_one_statement_at_a_time(outcome, site, server, engine, monkeypatch):
    """Some proxies refuse packets of several statements: then everything goes one by one."""
    monkeypatch.setattr(mysql.CLIENT, "MULTI_STATEMENTS", 0)
    database = two_turns(outcome, site, server, engine)
    assert not database.driver.packets


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_a_server_without_blocks(outcome, site, server, engine, monkeypatch):
    """MySQL takes packets, and knows no compound statement outside of a procedure."""
    monkeypatch.setattr(mysql, "_has_blocks", lambda _: False)
    database = two_turns(outcome, site, server, engine)
    assert (database.driver.packets, database.driver.blocks) == (True, False)


def two_turns(outcome, site, server, engine):
    """An outcome that is recorded, and one of an action that was lost."""
    for number in range(3):
        site.add("py_hook", [number], at=NOW - 60 + number)
    with server.frozen(NOW):
        database = engine.database()
        source = engine.source(database)
        claim = source.claim(25)
        source.advance(claim, [], claim.actions[:1])
        held = source.advance(claim, settle(claim.actions[0], outcome), claim.actions[1:2])
        engine.steal(2)
        lost = source.advance(claim, settle(claim.actions[1], outcome), claim.actions[2:])
    assert ([s.action.id for s in held.settled], [a.id for a in held.started]) == ([1], [2])
    assert ([a.id for a in lost.lost], [a.id for a in lost.started]) == ([2], [3])
    assert (len(site.logs(1)), len(site.logs(2))) == (3, 2)
    return database


class Busy:
    """A lock on one row that outlasts many tries, in the clock's time."""

    def __init__(self, server, site, clock, seconds: float) -> None:
        self.other = server.admin(site.name)
        self.other.autocommit(False)
        self.other.cursor().execute("SELECT * FROM wp_actionscheduler_actions FOR UPDATE")
        self.until, self.clock, self.sleep = clock.monotonic() + seconds, clock, clock.sleep
        clock.sleep = self.slept

    def slept(self, seconds: float) -> None:
        self.sleep(seconds + 10)  # as long as a lock wait of the session takes
        if self.clock.monotonic() >= self.until:
            self.other.rollback()


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_a_result_outlasts_a_long_lock(outcome, site, server, engine, clock):
    """A finished handler is not run again because somebody held its row for minutes: settling is
    tried as long as the claim lives."""
    site.add("py_hook", at=NOW - 60)
    with server.frozen(NOW):
        database = engine.database()
        source = engine.source(database)
        claim = source.claim(25)
        source.advance(claim, [], claim.actions)
        database.send("SET innodb_lock_wait_timeout = 0", {})
        busy = Busy(server, site, clock, seconds=250)
        held = source.advance(claim, settle(claim.actions[0], outcome), [])
    busy.other.close()
    assert ([s.action.id for s in held.settled], held.lost) == ([1], ())
    assert len(site.logs(1)) == 3


def test_a_heartbeat_that_fails_ends_nothing(site, server, engine):
    """One try: a lost connection or a locked row costs one beat, not the running handler."""
    site.add("py_hook", at=NOW - 60)
    with server.frozen(NOW):
        database = engine.database()
        source = engine.source(database)
        claim = source.claim(25)
        source.advance(claim, [], claim.actions)
        break_connection(database._connection)
        source.beat(claim, [1])
        before = site.row(1)["last_attempt_gmt"]
    with server.frozen(NOW + 15):
        database.close()
        source.beat(claim, [1])
    if engine.mode == "native":
        assert (before, site.row(1)["last_attempt_gmt"]) == (
            "2026-11-23 06:05:00",
            "2026-11-23 06:05:15",
        )
    else:  # the lease alone: PHP's sweeps never match a row without a last attempt
        assert (before, site.row(1)["last_attempt_gmt"]) == (None, None)
        assert str(site.own("leases")[0]["expires_at"]) == "2026-11-23 06:06:00"


def test_a_server_that_goes_away_twice_is_waited_for(site, server, engine):
    """Breaking again while the lock is taken anew is no other error."""
    database = engine.database()
    breaks = [1, 1]

    def again() -> None:
        if breaks:
            breaks.pop()
            break_connection(database._connection)
        database.send("SELECT 1", {})

    database.on_reconnect = again
    break_connection(database._connection)
    assert database.query("SELECT 2 AS two") == [{"two": 2}]
    assert breaks == []


def test_a_deadlock_is_tried_again(site, server, engine):
    """The whole unit is run again after error 1213, and its result is there once."""
    for number in range(2):
        site.add("py_hook", [number], at=NOW - 60)
    lock = "UPDATE wp_actionscheduler_actions SET args = args WHERE action_id = {}"
    other = server.admin(site.name)
    other.autocommit(False)
    blocker = other.cursor()
    blocker.execute(lock.format(2))
    tries = []

    def crosswise() -> None:
        blocker.execute(lock.format(1))  # waits for the unit, which waits for us: one must lose
        other.commit()

    def unit(tx) -> None:
        tries.append(1)
        tx.execute(
            "UPDATE wp_actionscheduler_actions SET priority = priority + 1 WHERE action_id = 1"
        )
        if len(tries) == 1:
            waiting.start()
            until(server.waits_for_lock)
        tx.execute(
            "UPDATE wp_actionscheduler_actions SET priority = priority + 1 WHERE action_id = 2"
        )

    waiting = threading.Thread(target=crosswise)
    # The engine makes the transaction that wrote less the victim: let the other have written more.
    blocker.execute("UPDATE wp_actionscheduler_actions SET group_id = 77 WHERE action_id = 2")
    for number in range(50):
        blocker.execute("INSERT INTO wp_actionscheduler_groups (slug) VALUES (%s)", (f"g{number}",))
    engine.database().unit(unit)
    waiting.join()
    other.close()
    assert (len(tries), [row["priority"] for row in site.rows()]) == (2, ["11", "11"])
