"""What is paused does not begin, costs nothing, and goes on afterwards."""

from __future__ import annotations

import pytest
from support.engine import Engine
from support.fill import fill
from support.measure import rows_read

from runner import Handlers, RetryPolicy
from runner.core.errors import SiteError, UsageError
from runner.operations.pauses import Pauses, Target
from runner.site import discover
from runner.sources.skips import FRESH, WHOLE

NOW = 1_795_413_900  # 2026-11-23 06:05:00 UTC
MANY = 20_000


@pytest.fixture(params=["native", "parked"])
def engine(request, site, clock):
    site.migrate()
    engine = Engine(site, Handlers(retry=RetryPolicy.never()), clock, request.param)
    for hook in ("sync", "mail"):
        engine.handlers.on(hook)(lambda *_: None)
    yield engine
    engine.close()


def pauses(engine) -> Pauses:
    database = engine.database()
    return Pauses(database, discover(database, engine.tables))


def pause(engine, *target, until=None, reason=""):
    pauses(engine).pause(Target(*target), until=until, reason=reason, actor="ann")


def claimed(source):
    claim = source.claim(25)
    return [action.id for action in claim.actions] if claim else []


def test_a_hook_waits_and_others_do_not(site, server, engine):
    """Until it is resumed, whatever is due."""
    site.add("sync", at=NOW - 60)
    mail = site.add("mail", at=NOW - 60)
    with server.frozen(NOW):
        pause(engine, "hook", "sync")
        assert engine.run().claimed == 1
        assert site.row(mail)["status"] == "complete"
        assert pauses(engine).resume(Target("hook", "sync"))
        assert not pauses(engine).resume(Target("hook", "sync"))
        assert engine.run().claimed == 1


def test_a_daemon_sees_a_pause_and_its_end(site, server, engine):
    """One source, which has looked before."""
    with server.frozen(NOW):
        source = engine.source()
        site.add("sync", at=NOW - 60)
        assert len(claimed(source)) == 1
        pause(engine, "hook", "sync")
        second = site.add("sync", at=NOW - 60)
        assert claimed(source) == []
        pauses(engine).resume(Target("hook", "sync"))
        assert claimed(source) == [second]


def test_everything_waits_but_what_dead_workers_left(site, server, engine):
    """Nothing begins; what was running is settled all the same."""
    first = site.add("sync", at=NOW - 60)
    with server.frozen(NOW - 600):
        site.run("UPDATE wp_actionscheduler_actions SET scheduled_date_gmt = '2026-11-23 05:00:00'")
        source = engine.source()
        claim = source.claim(1)
        source.advance(claim, [], claim.actions)
    site.add("mail", at=NOW - 60)
    with server.frozen(NOW):
        pause(engine, "all", reason="moving")
        summary = engine.run()
    assert (summary.claimed, summary.taken_back, summary.failed) == (0, 1, 1)
    assert site.row(first)["status"] == "failed"


def test_a_pause_ends_by_itself(site, server, engine):
    """At its moment, by the database's clock."""
    site.add("sync", at=NOW - 60)
    with server.frozen(NOW):
        pause(engine, "hook", "sync", until=NOW + 100)
        assert engine.run().claimed == 0
        assert [p.until for p in pauses(engine).list()] == ["2026-11-23 06:06:40"]
    with server.frozen(NOW + 100):
        assert pauses(engine).list() == []
        assert engine.run().claimed == 1


def test_a_group_waits_whatever_its_hooks(site, server, engine):
    """The same hook in another group, or in none, does not."""
    for group in ("shop", "crm", ""):
        site.add("sync", at=NOW - 60, group=group)
        site.add("mail", at=NOW - 60, group=group, priority=1)
    with server.frozen(NOW):
        pause(engine, "group", "shop")
        assert engine.run().claimed == 4
        assert {r["group_id"] for r in site.rows(where="status = 'pending'")} == {
            str(site.group("shop"))
        }
        pauses(engine).resume(Target("group", "shop"))
        assert engine.run().claimed == 2


def test_who_chooses_an_action_runs_it(site, server, engine):
    """`runner action run ID` asks for no pause."""
    action = site.add("sync", at=NOW - 60)
    with server.frozen(NOW):
        pause(engine, "all")
        assert claimed(engine.source(ids=[action])) == [action]


def test_rows_behind_a_paused_group_are_found(site, server, engine):
    """Later ones at once; one that is older than what was noted within a minute."""
    for _ in range(30):
        site.add("sync", at=NOW - 600, group="shop")
    first = site.add("sync", at=NOW - 300)
    with server.frozen(NOW):
        pause(engine, "group", "shop")
        source = engine.source()
        assert claimed(source) == [first]
    second = site.add("sync", at=NOW - 200)
    old = site.add("sync", at=NOW - 900)
    if engine.mode == "parked":  # else it is swept, and that is noticed
        site.run(
            "UPDATE wp_actionscheduler_actions SET scheduled_date_gmt = scheduled_date_gmt"
            " + INTERVAL 800 YEAR WHERE action_id = %s", [old]
        )  # fmt: skip
    with server.frozen(NOW + FRESH - 1):
        assert claimed(engine.source()) == [second]
        assert {row["looked_at"] for row in site.own("skips")} == {NOW}
    with server.frozen(NOW + WHOLE):
        assert claimed(engine.source()) == [old]
        assert claimed(engine.source()) == []
    with server.frozen(NOW + WHOLE + FRESH):
        late = site.add("sync", at=NOW + WHOLE)
        assert claimed(engine.source()) == [late]


def test_a_shadow_notes_nothing(site, server, engine):
    """It reads alone."""
    site.add("sync", at=NOW - 60, group="shop")
    with server.frozen(NOW):
        pause(engine, "group", "shop")
        source = engine.source()
        assert not source._ownership.peek(engine.database(), 25)
    assert site.own("skips") == []


def test_a_look_past_what_is_closed_reads_few_rows(site, server, engine):
    """A paused hook, a paused group with many due rows and a rate that is used up: a look reads at
    most twice the rows of a look without them."""
    engine.handlers.on("rated", rate="1/h")(lambda *_: None)
    engine.handlers.on("free")(lambda *_: None)
    fill(site, MANY, "due", hooks=("sync",), now=NOW)
    shop = site.group("shop")
    site.run("UPDATE wp_actionscheduler_actions SET group_id = %s", [shop])
    for number in range(60):
        site.add("free", at=NOW - 60 + number // 2)
    if engine.mode == "parked":
        site.run(
            "UPDATE wp_actionscheduler_actions SET scheduled_date_gmt ="
            " scheduled_date_gmt + INTERVAL 800 YEAR"
        )
    with server.frozen(NOW):
        quiet = looked(engine)
    for _ in range(60):
        site.add("mail", at=NOW - 600)
        site.add("rated", at=NOW - 600)
    with server.frozen(NOW):
        pause(engine, "hook", "mail")
        pause(engine, "group", "shop")
        site.run("REPLACE INTO wp_runner_rates VALUES ('hook:rated', %s)", [NOW + 3600])
        engine.source().claim(1)  # the first look notes where others' rows begin
        assert looked(engine) <= 2 * quiet


def looked(engine) -> int:
    """Rows that one look reads."""
    database = engine.database()
    source = engine.source(database)
    source._ownership.find(database, 25, expired=True)
    before = rows_read(database)
    assert len(source._ownership.find(database, 25, expired=True).due) == 25
    return rows_read(database) - before


def test_bad_names_and_missing_tables(site, clock):
    """One line that says what to do."""
    with pytest.raises(UsageError, match="a group has a name"):
        Target("group", " ")
    with pytest.raises(UsageError, match="192 characters"):
        Target("hook", "x" * 192)
    engine = Engine(site, Handlers(), clock)
    with pytest.raises(SiteError, match="runner migrate"):
        pauses(engine)
    engine.close()
