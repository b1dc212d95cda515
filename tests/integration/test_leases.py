"""Leases: what a dead worker held is taken back by its lease, as the hook's on_crash says."""

from __future__ import annotations

import pytest
from support.cutting import Cut, break_connection
from support.engine import Engine

from compat import schedules
from compat.site_time import sql_date
from runner import Handlers, RetryPolicy
from runner.core.errors import DatabaseError
from runner.core.limits import Limits
from runner.core.model import Completed, Dead, Retried, Settlement
from runner.core.signals import Stop
from runner.operations.cleaner import AGES, Cleaner
from runner.site import discover

NOW = 1_795_413_900  # 2026-11-23 06:05:00 UTC
LEASE = 45
REVIVED = "action marked as failed by Action Scheduler while Python runner held it: its own outcome counts"


def handlers() -> Handlers:
    made = Handlers(retry=RetryPolicy(attempts=3, first=60))

    @made.on("py_retry")
    def retry(*_): ...

    @made.on("py_fail", on_crash="fail")
    def fail(*_): ...

    @made.on("py_ask", on_crash="ask")
    def ask(*_): ...

    return made


@pytest.fixture(params=["native", "parked"])
def engine(request, site, clock):
    site.migrate()
    engine = Engine(site, handlers(), clock, request.param)
    yield engine
    engine.close()


only_native = pytest.mark.parametrize("engine", ["native"], indirect=True)
"""PHP's cleaner never meets a parked row, and silence says nothing of it."""


def php_cleaner(site, now: int, age: int = 300) -> None:
    """What Action Scheduler 4.0.0's cleaner does to rows of that age (seconds)."""
    old = sql_date(now - age)
    site.run(
        "UPDATE wp_actionscheduler_actions SET claim_id = 0"
        " WHERE status = 'pending' AND claim_id <> 0 AND last_attempt_gmt <= %s", (old,)
    )  # fmt: skip
    site.run(
        "UPDATE wp_actionscheduler_actions SET status = 'failed', last_attempt_gmt = %s"
        " WHERE status = 'in-progress' AND last_attempt_gmt <= %s", (sql_date(now), old)
    )  # fmt: skip


def died_in(engine, server, *begun: int):
    """A worker that claimed all and began some, and was not heard of again; the claim."""
    with server.frozen(NOW):
        source = engine.source()
        claim = source.claim(25)
        source.advance(claim, [], [a for a in claim.actions if a.id in begun])
    return source, claim


def test_a_claim_is_leased_until_it_ends(site, server, engine):
    """For the seconds of the setting, renewed by each heartbeat, gone with the claim."""
    site.add("py_retry", at=NOW - 60)
    source, claim = died_in(engine, server)
    assert [(r["claim_id"], str(r["expires_at"])) for r in site.own("leases")] == [
        (claim.id, sql_date(NOW + LEASE))
    ]
    engine.opened[0].close()  # a new connection sees the new time
    with server.frozen(NOW + 15):
        source.beat(claim, [1])
    assert str(site.own("leases")[0]["expires_at"]) == sql_date(NOW + 15 + LEASE)
    source.release(claim, claim.actions)
    assert (site.own("leases"), site.rows("claims")) == ([], [])
    assert site.row(1)["claim_id"] == "0"


def test_a_heartbeat_over_a_connection_that_was_cut_counts(site, server, engine):
    """Servers and firewalls cut what is idle, as a connection is while a long handler runs: each
    beat would meet a dead one, and the lease would run out under a living worker."""
    site.add("py_retry", at=NOW - 60)
    source, claim = died_in(engine, server)
    break_connection(engine.opened[0]._connection)
    with server.frozen(NOW + 15):
        source.beat(claim, [1])
    assert str(site.own("leases")[0]["expires_at"]) == sql_date(NOW + 15 + LEASE)


def test_nothing_is_taken_while_the_lease_lasts(site, server, engine):
    """Up to its last second, whatever was claimed or begun."""
    for number in range(2):
        site.add("py_retry", [number], at=NOW - 60)
    died_in(engine, server, 1)
    before = site.rows(), site.rows("logs")
    with server.frozen(NOW + LEASE):
        assert engine.run().taken_back == 0
    assert (site.rows(), site.rows("logs")) == before


def test_what_had_begun_is_judged_and_what_had_not_is_run(site, server, engine):
    """After the lease, long before the 300 seconds of silence: an attempt is charged only to what
    had begun; on_crash decides about that."""
    ids = {
        name: site.add(f"py_{name}", at=NOW - 60, schedule=schedules.interval(NOW - 60, 3600))
        for name in ("retry", "fail", "ask")
    }
    waiting = site.add("py_ask", ["waiting"], at=NOW - 50)
    died_in(engine, server, *ids.values())
    with server.frozen(NOW + LEASE + 1):
        summary = engine.run()
    assert (summary.taken_back, summary.completed, summary.retried, summary.failed) == (4, 1, 1, 2)
    rows = {name: site.row(id_) for name, id_ in ids.items()}
    assert {name: (row["status"], row["attempts"]) for name, row in rows.items()} == {
        "retry": ("pending", "1"), "fail": ("failed", "1"), "ask": ("failed", "1"),
    }  # fmt: skip
    assert (site.row(waiting)["status"], site.row(waiting)["attempts"]) == ("complete", "1")
    died = "its worker died: nothing was heard of it for 45 seconds"
    assert site.logs(ids["fail"])[-1].endswith(f"{died} (on_crash: not tried again)")
    assert site.logs(ids["ask"])[-1].endswith(
        f"{died}. It may have done its work: look, and if it has not, run it again with"
        f" `runner action retry {ids['ask']}`"
    )
    assert site.logs(ids["retry"])[-1].endswith(f"{died} (attempt 1 of 3)")
    # the chains of what is final go on, once; a retry's comes with its end
    following = site.rows("actions", f"action_id > {waiting}")
    assert sorted(row["hook"] for row in following) == ["py_ask", "py_fail"]
    assert (site.own("leases"), site.rows("claims")) == ([], [])


def test_a_frozen_worker_that_wakes_finds_that_it_lost(site, server, engine):
    """Its token is another's: what it settles is lost, its heartbeat renews nothing."""
    site.add("py_retry", at=NOW - 60)
    stale, old = died_in(engine, server, 1)
    engine.opened[0].close()
    with server.frozen(NOW + LEASE + 1):
        engine.run()
        before = site.rows(), site.rows("logs"), site.own("leases")
        assert stale.beat(old, [1]) == [1]
        held = stale.advance(old, [Settlement(old.actions[0], Completed())], [])
    assert [a.id for a in held.lost] == [1]
    assert (site.rows(), site.rows("logs"), site.own("leases")) == before


@only_native
def test_what_php_failed_meanwhile_is_taken_back_by_its_policy(site, server, engine):
    """The worker died, no runner came for ten minutes, PHP's cleaner failed the row: the open
    lease tells that nobody judged it."""
    site.add("py_retry", at=NOW - 60, schedule=schedules.interval(NOW - 60, 3600))
    site.add("py_ask", at=NOW - 60)
    died_in(engine, server, 1, 2)
    php_cleaner(site, NOW + 600)
    assert site.statuses() == {"failed": 2}
    with server.frozen(NOW + 601):
        summary = engine.run()
    assert (summary.taken_back, summary.retried, summary.failed) == (2, 1, 1)
    assert [site.row(n)["status"] for n in (1, 2)] == ["pending", "failed"]
    assert [site.row(n)["attempts"] for n in (1, 2)] == ["1", "1"]
    assert site.logs(1)[-2] == REVIVED
    assert "`runner action retry 2`" in site.logs(2)[-1]
    with server.frozen(NOW + 2000):  # once is enough
        assert engine.run().taken_back == 0


def test_what_failed_by_our_own_judgement_stays_failed(site, server, engine):
    """A worker that died between its last settling and the claim's end leaves an open lease and
    failed rows: those have an attempt, so nobody judges them again."""
    site.add("py_retry", at=NOW - 60)
    source, claim = died_in(engine, server, 1)
    with server.frozen(NOW + 1):
        source.advance(claim, [Settlement(claim.actions[0], Dead("no"))], [])
    before = site.rows(), site.rows("logs")
    with server.frozen(NOW + 1000):
        assert engine.run().taken_back == 0
    assert (site.rows(), site.rows("logs")) == before


OUTCOMES = [Completed(), Dead("no"), Retried(NOW + 900, "no")]


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
@pytest.mark.parametrize("tables", [True, False], ids=["leases", "no tables"])
def test_a_live_worker_s_outcome_counts_although_php_failed_the_row(
    outcome, tables, site, server, clock
):
    """A worker that was frozen for longer than PHP's limit, but not replaced, still holds the
    claim: its true outcome is written over the cleaner's, the log tells of both, the chain goes
    on once."""
    if tables:
        site.migrate()
    engine = Engine(site, handlers(), clock)
    site.add("py_retry", at=NOW - 60, schedule=schedules.interval(NOW - 60, 3600))
    source, claim = died_in(engine, server, 1)
    php_cleaner(site, NOW + 310)
    with server.frozen(NOW + 311):
        assert source.beat(claim, [1]) == []  # it is still ours: no reason to cancel the handler
        held = source.advance(claim, [Settlement(claim.actions[0], outcome)], [])
    engine.close()
    assert [s.action.id for s in held.settled] == [1]
    status = {Completed: "complete", Dead: "failed", Retried: "pending"}[type(outcome)]
    assert site.row(1)["status"] == status
    assert site.logs(1)[2] == REVIVED
    assert len(site.logs(1)) == 4
    assert len(site.rows()) == (1 if status == "pending" else 2)


@only_native
def test_what_was_marked_ahead_and_failed_by_php_is_not_lost(site, server, engine):
    """A window's rest, frozen past PHP's limit, can still be un-marked: it did not begin."""
    for number in range(2):
        site.add("py_retry", [number], at=NOW - 60)
    with server.frozen(NOW):
        source = engine.source()
        claim = source.claim(25)
        source.advance(claim, [], claim.actions, ahead=True)
    php_cleaner(site, NOW + 310)
    with server.frozen(NOW + 311):
        settled = [Settlement(claim.actions[0], Completed(), marked_ahead=True)]
        held = source.advance(claim, settled, [], unmarked=claim.actions[1:])
    assert (len(held.settled), len(held.unmarked), held.lost) == (1, 1, ())
    assert [(r["status"], r["attempts"]) for r in site.rows()] == [
        ("complete", "1"),
        ("pending", "0"),
    ]


def test_each_call_leaves_an_attempt(site, server, engine):
    """Hook, number, outcome, error and worker, written with the outcome."""
    boom = Handlers(retry=RetryPolicy(attempts=2, first=60))

    @boom.on("py_retry")
    def retry(*_):
        raise LookupError("no such thing")

    site.add("py_retry", at=NOW - 60)
    engine.app.handlers = boom
    for moment in (NOW, NOW + 60):
        with server.frozen(moment):
            engine.run()
    found = [
        (r["action_id"], r["hook"], r["attempt"], r["outcome"], r["error"], str(r["ended_at"]))
        for r in site.own("attempts")
    ]
    assert found == [
        (1, "py_retry", 1, "retried", "LookupError", sql_date(NOW)),
        (1, "py_retry", 2, "failed", "LookupError", sql_date(NOW + 60)),
    ]
    assert {r["worker_id"] for r in site.own("attempts")} <= {1, 2}
    assert site.own("workers") == []  # both have ended


def test_a_fence_that_fails_leaves_no_attempt(site, server, engine):
    """What was lost is not recorded as a call of ours."""
    site.add("py_retry", at=NOW - 60)
    source, claim = died_in(engine, server, 1)
    engine.steal(1)
    with server.frozen(NOW + 1):
        source.advance(claim, [Settlement(claim.actions[0], Completed())], [])
    assert site.own("attempts") == []


@only_native
def test_older_claims_without_a_lease_are_taken_back_by_silence(site, server, engine):
    """What a runner without the tables left is found as before, after 300 seconds."""
    site.add("py_retry", at=NOW - 60)
    died_in(engine, server, 1)
    site.run("DELETE FROM wp_runner_leases")
    with server.frozen(NOW + 299):
        assert engine.run().taken_back == 0
    with server.frozen(NOW + 300):
        assert engine.run().taken_back == 1


@only_native
def test_another_s_rows_are_left_alone(site, server, engine):
    """Rows of hooks without a handler here stay with the dead worker's lease, until somebody who
    has one comes; rows that PHP claimed are none of ours."""
    site.add("py_retry", at=NOW - 60)
    other = site.add("php_hook", at=NOW - 60)
    _, claim = died_in(engine, server, 1)
    site.run(
        f"UPDATE wp_actionscheduler_actions SET claim_id = {claim.id}, status = 'in-progress',"
        f" last_attempt_gmt = '{sql_date(NOW)}' WHERE action_id = {other}"
    )
    before = site.row(other)
    with server.frozen(NOW + LEASE + 1):
        assert engine.run().taken_back == 1
    assert site.row(other) == before
    assert [r["claim_id"] for r in site.own("leases")] == [claim.id]


def test_after_an_outage_the_living_have_time_to_say_so(site, server, engine, clock):
    """The database was gone for longer than a lease: everybody's ran out meanwhile. Who comes back
    first takes nothing over before the others could renew theirs; what is dead is taken then."""
    living, dead = site.add("py_retry", at=NOW - 60), site.add("py_fail", at=NOW - 60)
    with server.frozen(NOW):
        others, lost = engine.source(), engine.source()
        claim = others.claim(1)
        others.advance(claim, [], claim.actions)
        gone = lost.claim(1)
        lost.advance(gone, [], gone.actions)
        source = engine.source()
        assert source.claim(25, expired=True) is None
    for database in engine.opened:  # the server was away, and each has to connect again
        database.close()
    with server.frozen(NOW + LEASE + 60):
        assert source.claim(25, expired=True) is None
        assert others.beat(claim, [living]) == []
        assert source.claim(25, expired=True) is None
        clock.now += LEASE
        taken = source.claim(25, expired=True)
        assert others.beat(claim, [living]) == []
    assert [action.id for action in taken.expired] == [dead]


def test_a_claim_is_kept_alive_between_handlers_that_end_at_once(site, server, engine, clock):
    """Handlers in this very process always have a result ready: the claim is renewed all the
    same, or another runner would take what waits."""
    seen = []

    @engine.app.handlers.on("py_slow")
    def slow(number):
        seen.append(site.own("leases")[0]["expires_at"].year)
        site.run("UPDATE wp_runner_leases SET expires_at = '2001-01-01'")
        clock.now += 20

    for number in range(3):
        site.add("py_slow", [number], at=NOW - 60)
    with server.frozen(NOW):
        assert engine.run().completed == 3
    assert seen == [2026, 2026, 2026]


def test_a_dead_worker_s_claim_of_which_nothing_is_left_ends(site, server, engine, clock):
    """It died between its last outcome and the claim's end. A cleaning ends the claim, before the
    attempt goes that tells who failed the action: it must not be judged again."""
    failed, canceled = site.add("py_retry", at=NOW - 60), site.add("py_retry", ["b"], at=NOW - 60)
    source, claim = died_in(engine, server, failed)
    with server.frozen(NOW + 1):
        source.advance(claim, [Settlement(claim.actions[0], Dead("no"))], [])
    site.run(
        f"UPDATE wp_actionscheduler_actions SET status = 'canceled' WHERE action_id = {canceled}"
    )
    after = NOW + max(AGES.values()) + 60
    with server.frozen(after):
        database = engine.database()
        facts, stop = discover(database, engine.tables), Stop()
        Cleaner(database, facts, Limits(clock, stop), hooks=None).forget_attempts(after)
        stop.close()
        assert site.own("attempts") == []
        assert (site.own("leases"), site.rows("claims")) == ([], [])
        assert engine.run().taken_back == 0
    assert site.row(failed)["status"] == "failed"


def test_a_worker_that_cannot_record_leaves_the_lease_to_others(site, server, engine):
    """A write is refused for good and the worker ends: what had begun is told by its lease, so
    that others judge it in time, and also when Action Scheduler's cleaner came first."""
    action = site.add("py_retry", at=NOW - 60)
    waiting = site.add("py_fail", at=NOW - 50)

    @engine.app.handlers.on("py_sabotage")
    def sabotage():
        site.run("RENAME TABLE wp_runner_attempts TO elsewhere")

    site.run("UPDATE wp_actionscheduler_actions SET hook = 'py_sabotage' WHERE action_id = 1")
    with server.frozen(NOW), pytest.raises(DatabaseError, match="table is missing"):
        engine.run()
    site.run("RENAME TABLE elsewhere TO wp_runner_attempts")
    assert site.row(waiting)["claim_id"] == "0"
    assert site.row(action)["status"] == "in-progress"
    php_cleaner(site, NOW + 600)
    with server.frozen(NOW + 601):
        assert engine.run().taken_back == 1
    assert site.row(action)["status"] == "pending"


def test_what_was_taken_over_by_a_commit_without_an_answer_is_taken_over_again(
    site, server, engine
):
    """The takeover itself was committed and its answer lost: the rows are found by the lease of
    that claim, 45 seconds later, and the attempt is charged once."""
    site.add("py_retry", at=NOW - 60)
    died_in(engine, server, 1)
    with server.frozen(NOW + LEASE + 1):
        database = engine.database()
        source = engine.source(database)
        Cut(database, after=True)
        assert source.claim(25, expired=True) is None
    assert [row["expires_at"] for row in site.own("leases")]
    with server.frozen(NOW + 2 * LEASE + 2):
        assert engine.run().taken_back == 1
    assert (site.row(1)["status"], site.row(1)["attempts"]) == ("pending", "1")
    assert (site.own("leases"), site.rows("claims")) == ([], [])
