"""Dead letters: whatever is given up is kept, whole, and is replayed once."""

from __future__ import annotations

import pytest
from support.engine import Engine
from support.queue import together

from compat.args import store
from runner import Fail, Handlers, RetryPolicy
from runner.core.errors import RunnerError, SiteError
from runner.core.model import Attempt, Dead, HandlerFailure, Settlement
from runner.operations import changes
from runner.operations.dead_letters import Closed, DeadLetters, Wanted
from runner.site import discover

NOW = 1_795_413_900  # 2026-11-23 06:05:00 UTC


@pytest.fixture(params=["native", "parked"])
def engine(request, site, clock):
    site.migrate()
    engine = Engine(site, Handlers(retry=RetryPolicy.never()), clock, request.param)

    @engine.handlers.on("boom")
    def boom(product, *_):
        if product == 42:
            raise LookupError("no product ☃")

    @engine.handlers.on("two")
    def two(first, second):
        """Wants two."""

    yield engine
    engine.close()


def letters(engine) -> DeadLetters:
    database = engine.database()
    return DeadLetters(database, discover(database, engine.tables))


def run(engine, server, at=NOW):
    with server.frozen(at):
        return engine.run()


def test_a_letter_keeps_all_that_was_known(site, server, engine):
    """Hook, args, group, priority and schedule to the byte; class, message, traceback, attempts."""
    long = {"product": 42, "text": "x" * 300}
    action = site.add("boom", [42, long], at=NOW - 60, group="shop", priority=3)
    schedule = site.row(action)["schedule"]
    run(engine, server)
    (letter,) = site.own("dead_letters")
    row = site.row(action)
    assert (row["status"], letter["action_id"], letter["hook"]) == ("failed", action, "boom")
    assert (letter["args"], letter["extended_args"]) == (row["args"], row["extended_args"])
    assert letter["extended_args"] is not None
    assert letter["schedule"] == schedule
    assert (letter["group_slug"], letter["priority"], letter["attempts"]) == ("shop", 3, 1)
    assert (letter["kind"], letter["error_class"]) == ("error", "LookupError")
    assert letter["error_message"] == "LookupError: no product ☃"
    assert 'raise LookupError("no product' in letter["traceback"]
    assert str(letter["scheduled_at"]) == "2026-11-23 06:04:00"
    assert (letter["status"], letter["site"]) == ("dead", "http://shop.test")
    assert letter["worker"]


def test_what_is_retried_or_complete_has_none(site, server, engine):
    """Only what is given up for good."""
    left = [OSError("down"), None]

    @engine.handlers.on("flaky", retry=RetryPolicy.fixed(60, attempts=2))
    def flaky():
        if error := left.pop(0):
            raise error

    site.add("flaky", at=NOW - 60)
    assert run(engine, server).retried == 1
    assert run(engine, server, NOW + 60).completed == 1
    assert site.own("dead_letters") == []


def test_each_way_to_be_given_up_is_kept(site, server, engine):
    """A permanent error, args that do not fit, a row that nobody can read."""

    @engine.handlers.on("never", retry=RetryPolicy.fixed(60, attempts=5))
    def never():
        raise Fail("wrong address")

    site.add("never", at=NOW - 60)
    site.add("two", [1], at=NOW - 60)
    raw = '[1,"broken'
    corrupt = site.add("boom", [1], at=NOW - 60)
    site.run("UPDATE wp_actionscheduler_actions SET args = %s WHERE action_id = %s", (raw, corrupt))
    lost = site.add("boom", [1], at=NOW - 60, schedule="O:8:stdClass")
    run(engine, server)
    kinds = {
        r["action_id"]: (r["kind"], r["args"], r["schedule"]) for r in site.own("dead_letters")
    }
    assert [kinds[1][0], kinds[2][0], kinds[corrupt][0]] == ["fail", "unbound", "corrupt"]
    assert kinds[corrupt][1] == raw
    assert kinds[lost] == ("corrupt", "[1]", "O:8:stdClass")
    assert site.row(corrupt)["status"] == "canceled"


def test_a_lost_action_leaves_no_letter(site, server, engine):
    """The letter is written only while the action is held: another's outcome counts."""
    action = site.add("boom", [42], at=NOW - 60)
    source = engine.source()
    with server.frozen(NOW):
        claim = source.claim(5)
        source.advance(claim, [], claim.actions)
        engine.steal(action)
        failure = HandlerFailure("error", "late")
        (only,) = claim.actions
        dead = Settlement(only, Dead("late"), False, Attempt(only, 0.1, failure))
        held = source.advance(claim, [dead], [])
    assert [a.id for a in held.lost] == [action]
    assert site.own("dead_letters") == []


def test_a_replay_is_the_same_action_again(site, server, engine):
    """Same hook, args, group and priority, no attempts, due now; linked both ways, with who."""
    action = site.add("boom", [42], at=NOW - 60, group="shop", priority=3)
    run(engine, server)
    with server.frozen(NOW + 50):
        new = letters(engine).replay(1, "anna")
    row, old = site.row(new), site.row(action)
    same = ("hook", "args", "extended_args", "group_id", "priority")
    assert {name: row[name] for name in same} == {name: old[name] for name in same}
    assert (row["status"], row["attempts"], row["claim_id"]) == ("pending", "0", "0")
    (letter,) = site.own("dead_letters")
    assert (letter["status"], letter["replayed_as"]) == ("replayed", new)
    assert letter["reprocessed_by"] == "anna"
    assert str(letter["reprocessed_at"]) == "2026-11-23 06:05:50"
    assert site.logs(new) == [
        "action created",
        f"replay of dead letter 1 (action {action}) by anna",
    ]
    assert site.logs(action)[-1] == f"action replayed as action {new} by anna"


def test_the_chain_of_replays_is_told(site, server, engine):
    """What dies again points to the letter that it came from."""
    site.add("boom", [42], at=NOW - 60)
    run(engine, server)
    with server.frozen(NOW):
        new = letters(engine).replay(1, "anna")
    run(engine, server, NOW + 1)
    second = site.own("dead_letters")[1]
    assert (second["action_id"], second["replay_of"]) == (new, 1)


def test_a_letter_is_replayed_once(site, server, engine):
    """A second replay says what the first became; four at the same moment make one action."""
    site.add("boom", [42], at=NOW - 60)
    run(engine, server)
    each = [letters(engine) for _ in range(4)]

    def replay(number, start):
        start()
        return each[number].replay(1, f"person {number}")

    results = together(4, replay)
    made = [result for result in results if isinstance(result, int)]
    assert len(made) == 1
    assert sum(isinstance(result, Closed) for result in results) == 3
    with pytest.raises(Closed, match=rf"was replayed before, as action {made[0]}, at .* by person"):
        each[0].replay(1, "anna")
    assert len(site.rows()) == 2


def test_other_args_and_corrupt_ones(site, server, engine):
    """A letter that nobody can read wants other args; those are stored as the API would."""
    site.add("boom", [1], at=NOW - 60)
    site.run("UPDATE wp_actionscheduler_actions SET args = '[1,'")
    run(engine, server)
    found = letters(engine)
    with pytest.raises(RunnerError, match=r"args are corrupt.*--edit-args"):
        found.replay(1, "anna")
    new = found.replay(1, "anna", args=store([7, "é" * 200]))
    row = site.row(new)
    assert row["extended_args"].startswith("[7,")
    assert len(row["args"]) == 32
    assert site.own("dead_letters")[0]["note"] == "edited args"
    assert run(engine, server, NOW + 10**6).completed == 1


def test_a_discarded_letter_is_not_replayed(site, server, engine):
    """It stays, closed, with who and why."""
    action = site.add("boom", [42], at=NOW - 60)
    run(engine, server)
    found = letters(engine)
    found.discard(1, "anna", "order canceled")
    (letter,) = site.own("dead_letters")
    assert (letter["status"], letter["note"]) == ("discarded", "order canceled")
    assert site.logs(action)[-1] == "dead letter 1 discarded by anna: order canceled"
    with pytest.raises(Closed, match=r"was discarded at .* by anna"):
        found.replay(1, "bert")
    with pytest.raises(RunnerError, match="there is no dead letter 99"):
        found.replay(99, "bert")
    assert len(site.rows()) == 1


def test_an_action_that_is_retried_by_hand_closes_its_letter(site, server, engine):
    """Else it would run twice: once under its own id, once as a replay."""
    action = site.add("boom", [42], at=NOW - 60)
    run(engine, server)
    found = letters(engine)
    changes.retry(found._database, found._site, [action])
    with pytest.raises(Closed, match=f"as action {action}"):
        found.replay(1, "anna")


def test_a_group_that_is_gone_is_made_again(site, server, engine):
    """The replay is in a group of the same name."""
    site.add("boom", [42], at=NOW - 60, group="shop")
    run(engine, server)
    site.run("DELETE FROM wp_actionscheduler_groups")
    new = letters(engine).replay(1, "anna")
    (group,) = site.rows("groups")
    assert (group["slug"], site.row(new)["group_id"]) == ("shop", group["group_id"])


def test_filters(site, server, engine):
    """By hook, group, class or message, moment and status; the walk sees all, in order."""
    for number in range(6):
        site.add("boom", [42], at=NOW - 60, group="a" if number % 2 else "b")
    site.add("two", [1], at=NOW - 60)
    run(engine, server)
    found = letters(engine)
    walk = lambda **wanted: [id_ for some in found.walk(Wanted(**wanted)) for id_ in some]  # noqa: E731
    assert len(walk(hook="boom")) == 6
    assert walk(hook="boom", group="a") == sorted(walk(group="a"))
    assert len(walk(group="a")) == 3
    assert len(walk(error="LookupError")) == 6
    assert len(walk(error="do not fit")) == 1
    assert walk(error="100%") == []
    assert (len(walk(since=NOW)), walk(since=NOW + 1), walk(before=NOW)) == (7, [], [])
    found.discard(1, "anna")
    assert (len(walk()), walk(status="discarded"), len(walk(status=None))) == (6, [1], 7)
    assert found.count(Wanted(hook="boom"), at_most=3) == 3
    assert [head.id for head in found.newest(Wanted(), 2)] == [7, 6]


def test_without_the_tables_it_says_so(site, clock):
    """And a run without them works as before, keeping no letter."""
    engine = Engine(site, Handlers(retry=RetryPolicy.never()), clock)

    @engine.handlers.on("boom")
    def boom():
        raise LookupError

    site.add("boom", at=NOW - 60)
    assert engine.run().failed == 1
    database = engine.database()
    with pytest.raises(SiteError, match="runner migrate"):
        DeadLetters(database, discover(database, engine.tables))
    engine.close()
