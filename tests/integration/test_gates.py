"""Rates, places and locks hold between workers, and cost no attempt."""

from __future__ import annotations

import pytest
from support.engine import Engine
from support.queue import together

from compat.action_scheduler import true_date
from runner import Handlers, RetryPolicy, Snooze
from runner.core.errors import ConfigError, HandlerError
from runner.core.model import Completed, Settlement
from runner.core.throttle import named
from runner.handlers.binding import Signature
from runner.handlers.throttles import lock_by_key

NOW = 1_795_413_900  # 2026-11-23 06:05:00 UTC


@pytest.fixture(params=["native", "parked"])
def engine(request, site, clock):
    site.migrate()
    engine = Engine(site, Handlers(retry=RetryPolicy.never()), clock, request.param)
    yield engine
    engine.close()


def nothing(*_):
    """Does nothing."""


def due(site, action: int) -> str:
    """The date that is meant, parked or not."""
    row = site.row(action)
    return true_date(str(row["scheduled_date_gmt"]), str(row["scheduled_date_local"]))


def claimed(source, room=25, **options):
    """Ids of what one claim takes."""
    claim = source.claim(25, room=room, **options)
    return [action.id for action in claim.actions] if claim else []


def test_a_rate_lets_through_what_is_due_to_it(site, server, engine):
    """A burst at once, then one for each interval, whoever asks; between them nothing is claimed,
    and the source says when to look again."""
    engine.handlers.on("mail", rate="2/m,burst=3")(nothing)
    ids = [site.add("mail", at=NOW - 60) for _ in range(6)]
    with server.frozen(NOW):
        source, other = engine.source(), engine.source()
        assert claimed(source) == ids[:3]
        assert claimed(other) == []
        assert 29 < other.again_in <= 30
    with server.frozen(NOW + 29):
        assert claimed(engine.source()) == []
    with server.frozen(NOW + 30):
        assert claimed(engine.source()) == ids[3:4]
        assert claimed(engine.source()) == []
    with server.frozen(NOW + 3600):
        assert claimed(engine.source()) == ids[4:]  # no more than the burst is saved up


def test_an_empty_queue_is_not_waited_for(site, server, engine):
    """A rate that is used up matters only where something is due."""
    engine.handlers.on("mail", rate="1/m")(nothing)
    site.add("mail", at=NOW - 60)
    with server.frozen(NOW):
        source = engine.source()
        assert len(claimed(source)) == 1
        assert claimed(source) == []
        assert source.again_in == float("inf")


def test_hooks_that_share_a_key_share_the_rate(site, server, engine):
    """Under any hook, on any machine."""
    engine.handlers.on("mail", rate="1/m,key=smtp")(nothing)
    engine.handlers.on("news", rate="1/m,key=smtp")(nothing)
    site.add("mail", at=NOW - 60)
    site.add("news", at=NOW - 30)
    with server.frozen(NOW):
        assert len(claimed(engine.source())) == 1
        assert claimed(engine.source()) == []


def test_others_are_not_held_up(site, server, engine):
    """What is limited comes first, no more than has room, and all else fills the batch."""
    engine.handlers.on("mail", rate="1000/s,burst=1000")(nothing)
    engine.handlers.on("sync")(nothing)
    sync = [site.add("sync", at=NOW - 60) for _ in range(3)]
    mail = [site.add("mail", at=NOW - 50) for _ in range(3)]
    with server.frozen(NOW):
        assert claimed(engine.source(), room=2) == [*mail[:2], *sync]


def test_places_are_taken_until_an_action_is_over(site, server, engine):
    """Two at once on all machines; what has ended makes room, what is handed back too."""
    engine.handlers.on("sync", concurrency=2)(nothing)
    ids = [site.add("sync", at=NOW - 60) for _ in range(4)]
    with server.frozen(NOW):
        first, second = engine.source(), engine.source()
        claim = first.claim(25)
        assert [action.id for action in claim.actions] == ids[:2]
        assert claimed(second) == []
        first.release(claim, claim.actions)
        assert site.own("locks") == []
        assert claimed(second) == ids[:2]
        assert engine.run().claimed == 0


def test_a_place_is_free_when_its_action_is_over(site, server, engine):
    """Although the claim goes on with others."""
    engine.handlers.on("sync", concurrency=1)(nothing)
    engine.handlers.on("mail")(nothing)
    sync = [site.add("sync", at=NOW - 60) for _ in range(2)]
    site.add("mail", at=NOW - 60)
    with server.frozen(NOW):
        source = engine.source()
        claim = source.claim(25)
        first, other = claim.actions
        source.advance(claim, [], [first])
        source.advance(claim, [Settlement(first, Completed())], [other])
        assert site.own("locks") == []
        assert claimed(engine.source()) == sync[1:]


def test_several_limited_hooks_share_the_room(site, server, engine):
    """Each is to begin at once."""
    engine.handlers.on("a", rate="9/s,burst=9")(nothing)
    engine.handlers.on("b", concurrency=9)(nothing)
    ids = [site.add(hook, at=NOW - 60) for hook in "abab"]
    with server.frozen(NOW):
        assert claimed(engine.source(), room=3) == ids[:3]
        assert claimed(engine.source(), room=3) == ids[3:]


def test_who_comes_second_does_not_get_a_lock(site, server, engine):
    """Also when both have seen that it is free, or that its holder is dead."""
    engine.handlers.on("sync", lock="crm:{n}")(lambda n: None)
    with server.frozen(NOW):
        database = engine.database()
        locks = engine.source(database)._leases.locks

        def take(action, *, expired):
            return database.unit(
                lambda tx: locks.take(tx, "lock:crm:7", 0, action, expired=expired)
            )

        assert [take(1, expired=False), take(2, expired=False)] == [True, False]
        assert not take(3, expired=True)
    with server.frozen(NOW + 45):
        database = engine.database()
        assert [take(4, expired=True), take(5, expired=True)] == [True, False]
    assert [row["action_id"] for row in site.own("locks")] == [4]


def test_a_run_gives_every_place_back(site, server, engine):
    """One after the other through one place, whatever becomes of them."""
    outcomes = [None, OSError("no"), Snooze(60), None]

    @engine.handlers.on("sync", concurrency=1, retry=RetryPolicy.fixed(60, attempts=2))
    def sync():
        if error := outcomes.pop(0):
            raise error

    for _ in range(4):
        site.add("sync", at=NOW - 60)
    with server.frozen(NOW):
        summary = engine.run()
    assert (summary.completed, summary.retried, summary.snoozed) == (2, 1, 1)
    assert site.own("locks") == []


def test_a_group_has_limits_of_its_own(site, server, engine):
    """Over all hooks that are registered with it, beside the hook's."""
    engine.handlers.on("a", group="crm", concurrency=1)(nothing)
    engine.handlers.on("b", group="crm")(nothing)
    engine.handlers.limit("crm", concurrency=2)
    for at in (60, 50):
        site.add("a", at=NOW - at, group="crm")
    b = [site.add("b", at=NOW - 40, group="crm") for _ in range(2)]
    with server.frozen(NOW):
        found = claimed(engine.source())
    assert found == [1, b[0]]


def test_a_lock_by_args_puts_off_and_spends_nothing(site, server, engine):
    """The second of one customer waits, the other customer does not; its log says so once."""
    engine.handlers.on("sync", lock="crm:{customer}", on_locked=Snooze(40))(lambda customer: None)
    first, second = (site.add("sync", [7], at=NOW - 60) for _ in range(2))
    third = site.add("sync", ["8"], at=NOW - 60)
    with server.frozen(NOW):
        source = engine.source()
        claim = source.claim(25)
        assert [action.id for action in claim.actions] == [first, third]
        assert len(claim.put_off) == 1
    row = site.row(second)
    assert (row["status"], row["attempts"], row["claim_id"]) == ("pending", "0", "0")
    assert due(site, second) == "2026-11-23 06:05:40"
    assert site.logs(second)[-1] == (
        "action put off via Python runner while another holds its lock:crm:7"
    )
    with server.frozen(NOW + 40):
        assert claimed(engine.source()) == []
        assert len(site.logs(second)) == 2
        source.advance(claim, [], claim.actions)
        site.run("DELETE FROM wp_runner_locks WHERE action_id = %s", [first])
    with server.frozen(NOW + 90):
        assert claimed(engine.source()) == [second]


def test_two_of_one_key_in_one_claim(site, server, engine):
    """Only one of them begins."""
    engine.handlers.on("sync", lock="crm:{customer}", on_locked=1)(lambda customer: None)
    for _ in range(3):
        site.add("sync", [7], at=NOW - 60)
    with server.frozen(NOW):
        claim = engine.source().claim(25, room=3)
        assert (len(claim.actions), len(claim.put_off)) == (1, 2)
        assert engine.source().claim(25) is None


def test_a_lock_with_a_fixed_name_is_a_gate(site, server, engine):
    """Nothing is claimed while it is taken, by whatever hook."""
    engine.handlers.on("import", lock="crm")(nothing)
    engine.handlers.on("export", lock="crm")(nothing)
    site.add("import", at=NOW - 60)
    site.add("export", at=NOW - 60)
    with server.frozen(NOW):
        assert claimed(engine.source()) == [1]
        assert claimed(engine.source()) == []
    assert [row["name"] for row in site.own("locks")] == ["lock:crm"]


def test_a_dead_holder_s_lock_is_taken_over(site, server, engine):
    """When the lease is over, and not before; a heartbeat keeps it."""
    engine.handlers.on("sync", lock="crm:{customer}", on_locked=1)(lambda customer: None)
    first = site.add("sync", [7], at=NOW - 60)
    with server.frozen(NOW):
        holder = engine.source()
        claim = holder.claim(25)
        holder.advance(claim, [], claim.actions)
    second = site.add("sync", [7], at=NOW - 60)
    with server.frozen(NOW + 30):
        assert claimed(engine.source()) == []
        assert engine.source().beat(claim, [first]) == []
    with server.frozen(NOW + 60):
        assert claimed(engine.source()) == []
    with server.frozen(NOW + 80):
        assert claimed(engine.source()) == [second]
        (lock,) = site.own("locks")
        assert lock["action_id"] == second


@pytest.mark.parametrize("what", ["rate", "places", "lock"])
def test_many_workers_never_take_too_much(site, server, engine, what):
    """Whoever looks at the same moment: five are let through, or one of each customer."""
    limit = {
        "rate": {"rate": "5/h,burst=5"},
        "places": {"concurrency": 5},
        "lock": {"lock": "crm:{customer}", "on_locked": 600},
    }[what]
    engine.handlers.on("sync", **limit)(lambda customer: None)
    for number in range(40):
        site.add("sync", [number % 5], at=NOW - 60)
    with server.frozen(NOW):
        sources = [engine.source() for _ in range(8)]

        def take(number, begin):
            begin()
            return [id_ for _ in range(6) for id_ in claimed(sources[number], room=3)]

        taken = [id_ for got in together(8, take) for id_ in got]
    assert len(taken) == len(set(taken)) == 5
    if what == "lock":
        assert {(id_ - 1) % 5 for id_ in taken} == {0, 1, 2, 3, 4}


def test_chosen_actions_wait_for_no_rate_but_for_locks(site, server, engine):
    """Somebody asked for them: a rate is spent, a lock is a lock."""
    engine.handlers.on("mail", rate="1/h", lock="crm:{n}", on_locked=60)(lambda n: None)
    ids = [site.add("mail", [n], at=NOW - 60) for n in (1, 2, 2)]
    with server.frozen(NOW):
        assert claimed(engine.source()) == ids[:1]
        assert claimed(engine.source(ids=ids[1:])) == [ids[1]]
    assert due(site, ids[2]) == "2026-11-23 06:06:00"


def test_rows_that_cannot_be_read_hold_nothing(site, server, engine):
    """They are given up as ever, and free what was taken for them."""
    engine.handlers.on("sync", concurrency=1, rate="1/s,burst=9", lock="c:{n}")(lambda n: None)
    action = site.add("sync", [1], at=NOW - 60)
    site.run("UPDATE wp_actionscheduler_actions SET args = '[1' WHERE action_id = %s", [action])
    with server.frozen(NOW):
        assert engine.run().corrupt == 1
    assert site.own("locks") == []


def test_without_the_tables_limits_are_refused(site, clock):
    """They could not be kept."""
    engine = Engine(site, Handlers(), clock)
    engine.handlers.on("mail", rate="1/s")(nothing)
    with pytest.raises(ConfigError, match="runner migrate"):
        engine.run()
    engine.close()


def test_names_fit_their_column():
    """Long ones end with a hash."""
    assert named("lock", "crm:7") == "lock:crm:7"
    long = named("lock", "x" * 500)
    assert len(long) == 191
    assert long != named("lock", "x" * 499)
    assert named("hook", "sync ") not in {named("hook", "sync"), "hook:sync "}
    assert named("hook", "sync ") != named("hook", "sync  ")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"rate": "fast"}, "'fast' is no rate"),
        ({"rate": "0/s"}, "use a pause"),
        ({"concurrency": 0}, "concurrency is how many"),
        ({"concurrency": "2,burst=3"}, "concurrency is how many"),
        ({"lock": ""}, "a lock is a name"),
        ({"lock": "crm:{customer"}, "a lock is a name"),
        ({"lock": "crm:{0}"}, "is no argument's name"),
        ({"lock": "crm:{order.id}"}, "is no argument's name"),
        ({"lock": "crm:{customer}"}, "names customer, which is no argument of"),
        ({"lock": "crm", "on_locked": 30}, "leave on_locked out"),
        ({"lock": "crm:{n}", "on_locked": 0}, "a Snooze of a second or more"),
        ({"on_locked": 30}, "there is none"),
    ],
)
def test_what_does_not_parse_is_refused_where_it_stands(options, why):
    """When the handlers are loaded."""
    with pytest.raises(HandlerError, match="hook sync") as told:
        Handlers().on("sync", **options)(lambda n: None)
    assert why in str(told.value)


def test_limits_that_contradict_are_refused():
    """One key, two figures; a group that nobody has."""
    handlers = Handlers()
    handlers.on("a", rate="1/s,key=crm")(nothing)
    handlers.on("b", rate="2/s,key=crm")(nothing)
    with pytest.raises(HandlerError, match="key:crm is limited to 2/s here and to 1/s"):
        handlers.check_limits()
    handlers = Handlers()
    handlers.limit("crm", rate="1/s")
    with pytest.raises(HandlerError, match="no handler is registered with it"):
        handlers.check_limits()
    with pytest.raises(HandlerError, match="limited twice"):
        handlers.limit("crm", concurrency=1)


def test_a_chosen_action_whose_lock_is_taken_is_put_off_once(site, server, engine):
    """It has had its turn: it is not looked at again and again until the lock is free."""
    engine.handlers.on("sync", lock="crm:{customer}")(lambda customer: None)
    running, chosen = (site.add("sync", [7], at=NOW - 60) for _ in range(2))
    with server.frozen(NOW):
        assert claimed(engine.source()) == [running]
        source = engine.source(ids=[chosen])
        assert source.claim(25).put_off == (chosen,)
        assert source.claim(25) is None
        assert not source.contended


def test_a_frozen_holder_frees_no_lock_of_another_claim(site, server, engine):
    """It hands back what it has lost meanwhile, and others have claimed."""
    engine.handlers.on("sync", concurrency=1)(nothing)
    action = site.add("sync", at=NOW - 60)
    with server.frozen(NOW):
        frozen = engine.source()
        claim = frozen.claim(25)
    with server.frozen(NOW + 400):
        living = engine.source()
        living.claim(25, expired=True)
        assert claimed(living) == [action]
        frozen.release(claim, claim.actions)
        assert [lock["action_id"] for lock in site.own("locks")] == [action]


def test_an_action_canceled_while_it_runs_leaves_its_lock(site, server, engine):
    """Its worker settles nothing of it, and ends its claim."""
    engine.handlers.on("sync", concurrency=1)(nothing)
    action = site.add("sync", at=NOW - 60)
    with server.frozen(NOW):
        source = engine.source()
        claim = source.claim(25)
        source.advance(claim, [], claim.actions)
        site.run("UPDATE wp_actionscheduler_actions SET status = 'canceled'")
        source.release(claim, [])
    assert site.own("locks") == []
    assert site.row(action)["status"] == "canceled"


class Odd:
    """A type of the site's own that is no text."""

    def __format__(self, spec: str) -> str:
        raise ValueError(spec)


def test_a_value_that_is_no_text_shares_one_lock():
    """It stops no claim; all that have such a value wait for each other."""
    signature = Signature.of(lambda customer: None)
    lock = lock_by_key("hook sync", "crm:{customer}", 60, signature).lock
    assert lock([Odd()]).name == "lock:crm:{customer}"
    assert lock([7]).name == "lock:crm:7"
    assert lock([]) is None
