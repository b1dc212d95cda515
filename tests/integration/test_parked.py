"""Beside a live PHP runner: rows are parked, held in our own table, and given back their dates."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from support.engine import Engine, handlers_for

from compat import schedules
from compat.action_scheduler import parked, true_date
from compat.site_time import ZERO, sql_date
from runner import NewAction, Queue
from runner.core.errors import ConfigError, SafetyRefusal
from runner.core.limits import Limits
from runner.core.model import Cancelled, Completed, Dead, Retried, Settlement
from runner.core.signals import Stop
from runner.operations.cleaner import Cleaner
from runner.operations.enqueue import Enqueue
from runner.operations.safety import check_mode
from runner.site import discover
from runner.sources.leases import is_parked
from runner.sources.ownership import Candidate, Found

NOW = 1_795_413_900  # 2026-11-23 06:05:00 UTC
ACTIONS = "wp_actionscheduler_actions"


@pytest.fixture
def engine(site, clock):
    engine = Engine(site, handlers_for("py_hook", "py_other", attempts=3), clock, "parked")
    yield engine
    engine.close()


def install(site, *hooks: str) -> None:
    site.set_option("wp_action_runner", json.dumps({"mode": "parked", "hooks": hooks}))


def found_by_php(site, at: int) -> int:
    """Rows that PHP's runner would claim, free or fail at that moment."""
    old = sql_date(at - 300)
    return site.run(
        f"SELECT COUNT(*) FROM {ACTIONS} WHERE"
        " (status = 'pending' AND claim_id = 0 AND scheduled_date_gmt <= %s)"
        " OR (status = 'pending' AND claim_id <> 0 AND last_attempt_gmt <= %s)"
        " OR (status = 'in-progress' AND last_attempt_gmt <= %s)",
        (sql_date(at), old, old),
    )[0][0]


@pytest.mark.parametrize(
    "date", ["2000-02-29 12:00:00", "2026-11-23 06:05:00", "2799-12-31 23:59:59"]
)
def test_a_parked_date_is_eight_centuries_away(date, site):
    """As the server adds years; back it is the same date, leap days included."""
    [(moved,)] = site.run("SELECT %s + INTERVAL 800 YEAR", (date,))
    assert parked(date) == str(moved)
    assert true_date(parked(date)) == date


def test_dates_at_the_edges():
    """Before 2000 the first parked moment stands for all; from 2800 on a date stays as it is."""
    assert parked(ZERO) == parked("1970-01-01 00:00:01") == "2800-01-01 00:00:00"
    assert parked("2800-01-01 00:00:00") == "2800-01-01 00:00:00"
    assert true_date("2799-12-31 23:59:59") == "2799-12-31 23:59:59"


def test_php_finds_nothing_of_ours_at_any_moment(site, server, engine):
    """Claimed, begun and silent for an hour: nothing that PHP's runner or cleaner looks for, and
    no claim that it would count."""
    for number in range(2):
        site.add("py_hook", [number], at=NOW - 60 + number)
    with server.frozen(NOW):
        source = engine.source()
        claim = source.claim(25)
        assert found_by_php(site, NOW + 3600) == 0
        source.advance(claim, [], claim.actions[:1])
    row = site.row(1)
    assert (row["status"], row["claim_id"], row["last_attempt_gmt"]) == ("in-progress", "0", None)
    assert row["scheduled_date_gmt"] == parked(sql_date(NOW - 60))
    assert found_by_php(site, NOW + 3600) == 0
    assert (site.rows("claims"), is_parked(claim.id)) == ([], True)
    assert {held["claim_id"] for held in site.own("held")} == {claim.id}


OUTCOMES = [Completed(), Dead("no"), Cancelled("no")]


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_what_is_settled_has_its_true_date(outcome, site, server, engine):
    """Status, date and last attempt are those of an action that PHP ran; the next of its chain is
    parked, and shows its true date in schedule and local date."""
    site.add("py_hook", at=NOW - 60, schedule=schedules.interval(NOW - 60, 3600))
    with server.frozen(NOW):
        source = engine.source()
        claim = source.claim(25)
        source.advance(claim, [], claim.actions)
        source.advance(claim, [Settlement(claim.actions[0], outcome)], [])
        source.release(claim, [])
    row, following = site.rows()
    assert (
        row["status"]
        == {Completed: "complete", Dead: "failed", Cancelled: "canceled"}[type(outcome)]
    )
    assert (row["claim_id"], row["scheduled_date_gmt"], row["last_attempt_gmt"]) == (
        "0", sql_date(NOW - 60), sql_date(NOW)
    )  # fmt: skip
    assert following["scheduled_date_gmt"] == parked(sql_date(NOW + 3600))
    assert following["scheduled_date_local"].startswith("2026-11-23 08:05")
    assert schedules.read(following["schedule"].encode()).at == NOW + 3600
    assert (site.own("held"), site.own("leases")) == ([], [])


def test_a_retry_too_late_to_be_parked_keeps_its_date(site, server, engine):
    """The year 2800 and later have no parked date; the outcome is recorded all the same."""
    site.add("py_hook", at=NOW - 60)
    far = 26_508_000_000  # in 2810
    with server.frozen(NOW):
        source = engine.source()
        claim = source.claim(25)
        source.advance(claim, [], claim.actions)
        held = source.advance(claim, [Settlement(claim.actions[0], Retried(far, "later"))], [])
    assert (len(held.settled), site.row(1)["scheduled_date_gmt"]) == (1, sql_date(far))


def test_what_was_given_back_meanwhile_is_not_swept(site, server, engine):
    """A worker goes by the list that it read at its start; of what PHP adds after an installation
    for fewer hooks, or an uninstallation, it parks nothing: nobody would give it back."""
    install(site, "py_hook", "py_other")
    with server.frozen(NOW):
        source = engine.source()
        install(site, "py_hook")
        ids = [site.add(hook, at=NOW + 60) for hook in ("py_hook", "py_other")]
        for _ in range(2):
            assert source.claim(25) is None
        assert [site.row(id_)["scheduled_date_gmt"][:2] for id_ in ids] == ["28", "20"]
        site.run("DELETE FROM wp_options WHERE option_name = 'wp_action_runner'")
        ids.append(site.add("py_hook", at=NOW - 60))
        for _ in range(2):
            assert source.claim(25) is None
        assert [site.row(id_)["scheduled_date_gmt"][:2] for id_ in ids] == ["28", "20", "20"]


def test_the_sweep_parks_what_php_has_added(site, server, engine):
    """Pending rows of our hooks, due or not, zero dates and dates before 2000 too. Left alone: what
    PHP has claimed, other hooks (also by another case), what is over, and dates from 2800 on."""
    moved = {
        site.add("py_hook", at=NOW + 86_400): parked(sql_date(NOW + 86_400)),
        site.add("py_other", at=NOW - 60): parked(sql_date(NOW - 60)),
        site.add("py_hook", at=1): "2800-01-01 00:00:00",
        site.add("py_hook", at=1, scheduled_date_gmt=ZERO): "2800-01-01 00:00:00",
        site.add("py_hook", at=1, scheduled_date_gmt="2026-11-00 06:00:00"): "2800-01-01 00:00:00",
    }
    left = [
        site.add("py_hook", at=NOW - 60, claim_id=7),
        site.add("PY_hook", at=NOW - 60),
        site.add("php_hook", at=NOW - 60),
        site.add("py_hook", at=NOW - 60, status="complete"),
        site.add("py_hook", at=NOW - 60, scheduled_date_gmt="9300-01-01 00:00:00"),
    ]
    before = [site.row(id_) for id_ in left]
    with server.frozen(NOW):
        found = engine.source()._ownership.find(engine.database(), 25, expired=False)
    assert {id_: site.row(id_)["scheduled_date_gmt"] for id_ in moved} == moved
    assert [site.row(id_) for id_ in left] == before
    assert sorted(candidate.id for candidate in found.due) == [2, 3, 4, 5]


def test_a_transaction_that_adds_actions_is_not_waited_for(site, server, engine):
    """A plugin enqueues in a long transaction of its own, and another holds a row locked: what is
    committed and free is parked and claimed meanwhile, the rest the next time."""
    for number in range(2):
        site.add("py_hook", [number], at=NOW - 60 + number)
    other = server.admin(site.name)
    other.autocommit(False)
    other.cursor().execute(f"SELECT * FROM {ACTIONS} WHERE action_id = 1 FOR UPDATE")
    other.cursor().execute(
        f"INSERT INTO {ACTIONS} (hook, status, scheduled_date_gmt, scheduled_date_local,"
        " last_attempt_gmt, last_attempt_local, args) VALUES ('py_hook', 'pending',"
        " '2026-11-23 06:00:00', '2026-11-23 07:00:00', NULL, NULL, '[]')"
    )
    with server.frozen(NOW):
        database = engine.database()
        database.send("SET innodb_lock_wait_timeout = 1", {})
        claim = engine.source(database).claim(25)
        assert [a.id for a in claim.actions] == [2]
        other.rollback()
        claim = engine.source(database).claim(25)
        assert [a.id for a in claim.actions] == [1]
    other.close()


def test_what_php_left_behind_is_fetched_back(site, server, engine):
    """The plugin moved actions aside and PHP died, a minute ago; PHP canceled parked ones. The former
    run, the latter get their true dates, whatever their hook. Neither is touched while the plugin may
    put it back, or a claim holds it."""
    aside = {"status": "runner-aside", "claim_id": 7}
    dead = site.add("py_hook", at=NOW - 60, last_attempt_gmt=sql_date(NOW - 61), **aside)
    looked_at = site.add("py_hook", at=NOW - 60, last_attempt_gmt=sql_date(NOW - 59), **aside)
    over = {"status": "canceled", "scheduled_date_gmt": parked(sql_date(NOW - 60))}
    canceled = site.add("py_elsewhere", at=NOW - 60, last_attempt_gmt=None, **over)
    held = site.add("py_elsewhere", at=NOW - 60, **over)
    site.run("INSERT INTO wp_runner_held VALUES (%s, 12345)", (held,))
    with server.frozen(NOW):
        assert engine.run().completed == 1
    rows = {int(row["action_id"]): row for row in site.rows()}
    assert rows[dead]["status"] == "complete"
    assert (rows[looked_at]["status"], rows[looked_at]["claim_id"]) == ("runner-aside", "7")
    assert rows[canceled]["scheduled_date_gmt"] == sql_date(NOW - 60)
    assert rows[canceled]["last_attempt_gmt"] == sql_date(NOW)
    assert rows[held]["scheduled_date_gmt"] == parked(sql_date(NOW - 60))


@pytest.mark.parametrize("installed", [("py_hook",), ("py_hook", "py_elsewhere")])
def test_a_true_date_that_looks_parked_is_not_due(installed, site, server, clock):
    """In the year 2810: its local date, which is never moved, is as late. So it is shown; it is moved
    by nothing, and run by hand it keeps that date."""
    install(site, *installed)
    engine = Engine(site, handlers_for("py_hook"), clock, "parked")
    far = 26_508_000_000  # 2810
    id_ = site.add("py_hook", at=far)
    with server.frozen(NOW):
        assert engine.run().claimed == 0
        with Queue.open(site.url) as queue:
            assert [action.at.year for action in queue.list()] == [2810]
            assert queue.next("py_hook").at.year == 2810
        assert site.row(id_)["scheduled_date_gmt"] == sql_date(far)
        source = engine.source(ids=[id_])
        claim = source.claim(25)
        source.advance(claim, [], claim.actions)
        source.advance(claim, [Settlement(claim.actions[0], Completed())], [])
    assert (site.row(id_)["status"], site.row(id_)["scheduled_date_gmt"]) == (
        "complete", sql_date(far)
    )  # fmt: skip


def test_only_hooks_that_are_installed_are_swept(site, server, engine):
    """A hook that has a handler here and is not among those written down stays PHP's."""
    install(site, "py_hook", "py_elsewhere")
    for hook in ("py_hook", "py_other", "py_elsewhere"):
        site.add(hook, at=NOW - 60)
    with server.frozen(NOW):
        assert engine.run(mode="auto").completed == 1
    assert [row["status"] for row in site.rows()] == ["complete", "pending", "pending"]
    assert [row["scheduled_date_gmt"] for row in site.rows()] == [sql_date(NOW - 60)] * 3


def swept(site, engine, unparked: int, ahead: int) -> list[str]:
    """What is told when a claim of actions that were parked as they should be is followed by two
    looks that park what was not."""
    install(site, "py_hook")
    heard: list[str] = []
    source = engine.source(mode="parked")
    source._ownership.listen(heard.append)
    for _ in range(ahead):
        site.add("py_hook", at=NOW - 60, scheduled_date_gmt=parked(sql_date(NOW - 60)))
    claim = source.claim(ahead or 1)
    assert (len(claim.actions) if claim else 0) == ahead
    for _ in range(2):
        for _ in range(unparked):
            site.add("py_hook", at=NOW + 60)
        source.claim(25)
    return heard


@pytest.mark.parametrize(("unparked", "ahead", "told"), [(5, 0, 1), (2, 0, 0), (5, 51, 0)])
def test_a_plugin_that_does_not_park_is_told_once(site, server, engine, unparked, ahead, told):  # noqa: PLR0917
    """A few that a look meets before the plugin does are nothing to tell."""
    with server.frozen(NOW):
        heard = swept(site, engine, unparked, ahead)
    assert len(heard) == told
    assert all(line.startswith("parked 5 actions that PHP had created") for line in heard)


@pytest.mark.parametrize("installed", [("py_hook",), ("py_hook", "py_elsewhere"), None])
def test_parked_rows_of_a_hook_without_a_handler_are_left_alone(installed, site, server, clock):
    """However the due rows are looked for."""
    if installed:
        install(site, *installed)
    calls = []
    engine = Engine(site, handlers_for("py_hook", calls=calls), clock, "parked")
    site.add("py_elsewhere", ["no"], at=NOW - 90)
    site.add("PY_hook", ["no"], at=NOW - 80)
    site.add("py_hook", ["yes"], at=NOW - 60)
    site.run(f"UPDATE {ACTIONS} SET scheduled_date_gmt = scheduled_date_gmt + INTERVAL 800 YEAR")
    before = site.rows("actions", "action_id < 3"), site.rows("logs", "action_id < 3")
    with server.frozen(NOW):
        engine.run()
    assert calls == [["yes"]]
    assert (site.rows("actions", "action_id < 3"), site.rows("logs", "action_id < 3")) == before


def test_one_range_gives_the_order_of_priorities(site, server, clock):
    """Where every parked hook is handled here: priority, then date, whatever the hook."""
    install(site, "py_hook", "py_other")
    calls = []
    engine = Engine(site, handlers_for("py_hook", "py_other", calls=calls), clock, "parked")
    for number, priority in enumerate((255, 10, 11, 0, 10)):
        site.add(
            ("py_hook", "py_other")[number % 2], [number], at=NOW - 60 - number, priority=priority
        )
    with server.frozen(NOW):
        engine.run(batch_size=2)
    assert calls == [[3], [4], [1], [2], [0]]


def test_two_that_saw_the_same_rows_hold_them_once(site, server, engine):
    """A look is old by the time rows are locked: the second finds out when it takes hold."""
    for number in range(4):
        site.add("py_hook", [number], at=NOW - 60 + number)
    with server.frozen(NOW):
        first, second = engine.source(), engine.source()
        own = second._ownership
        stale = own.find(second._database, 2, expired=False)
        one = first.claim(2)
        text = own.queries[
            "lock_due"
        ]  # as if it had seen the table of held actions a moment before
        blind = text[: text.index("AND NOT EXISTS")] + text[text.index("FOR UPDATE") :]
        own.find = lambda *_, **__: stale
        own.lock_due = lambda tx, ids: tx.query(blind, ids=ids, chosen=False)
        assert (second.claim(2), second.contended) == (None, True)
    assert {held["claim_id"] for held in site.own("held")} == {one.id}
    assert len(site.own("leases")) == 1


def test_what_is_held_again_is_not_taken_back(site, server, engine):
    """Seen as abandoned, then its lease was renewed before our lock: the holder keeps it."""
    site.add("py_hook", at=NOW - 60)
    with server.frozen(NOW):
        holder, other = engine.source(), engine.source()
        claim = holder.claim(25)
        holder.advance(claim, [], claim.actions)
        seen = Found(due=(), expired=(Candidate(1, (10, 1, "", 1)),), now=float(NOW))
        other._ownership.find = lambda *_, **__: seen
        assert other.claim(25, expired=True) is None
        held = holder.advance(claim, [Settlement(claim.actions[0], Completed())], [])
    assert (len(held.settled), held.lost) == (1, ())


def test_what_php_claimed_after_the_look_is_not_parked(site, server, engine):
    """The sweep has seen it free; under the lock it is PHP's."""
    site.add("py_hook", at=NOW - 60, claim_id=7)
    before = site.row(1)
    with server.frozen(NOW):
        engine.source()._ownership._park(engine.database(), [1], ["py_hook"])
    assert site.row(1) == before


@pytest.mark.parametrize("lost", ["held", "leases"])
def test_what_runs_and_nobody_holds_is_taken_back(lost, site, server, engine):
    """After a restored backup say: rows in progress without a holder, or a holder without a lease,
    count as a crash; nothing else does."""
    for number in range(2):
        site.add("py_hook", [number], at=NOW - 60 + number)
    site.add(
        "py_hook",
        ["php"],
        at=NOW - 60,
        status="in-progress",
        claim_id=7,
        last_attempt_gmt=sql_date(NOW),
    )
    with server.frozen(NOW):
        source = engine.source()
        claim = source.claim(25)
        source.advance(claim, [], claim.actions[:1])
        site.run(f"DELETE FROM wp_runner_{lost}")
        summary = engine.run()
    assert (summary.retried, summary.completed) == (1, 1)
    assert [row["status"] for row in site.rows()] == ["pending", "complete", "in-progress"]
    assert site.own("held") == []


def test_a_claim_ended_too_early_leaves_what_runs_to_its_lease(site, server, engine):
    """An error ends a run while a handler works: nobody takes its action before the lease is over."""
    for number in range(2):
        site.add("py_hook", [number], at=NOW - 60 + number)
    with server.frozen(NOW):
        source = engine.source()
        claim = source.claim(25)
        source.advance(claim, [], claim.actions[:1])
        source.release(claim, claim.actions[1:])
        assert engine.run().completed == 1
        assert [held["action_id"] for held in site.own("held")] == [1]
    with server.frozen(NOW + 46):
        assert engine.run().retried == 1
    assert (site.own("held"), site.own("leases")) == ([], [])


def test_a_canceled_action_is_not_begun(site, server, engine):
    """Canceled while it is claimed, by PHP or by us: skipped with a line, and never held again."""
    site.add("py_hook", at=NOW - 60)
    with server.frozen(NOW):
        source = engine.source()
        claim = source.claim(25)
        site.run(f"UPDATE {ACTIONS} SET status = 'canceled'")
        held = source.advance(claim, [], claim.actions)
        source.release(claim, [])
    assert [a.id for a in held.lost] == [1]
    assert site.logs(1)[-1] == "action ignored via Python runner"
    assert (site.own("held"), site.own("leases")) == ([], [])


def test_a_row_that_lost_its_parked_date_to_php_is_php_s(site, server, engine):
    """Somebody unparked it while it was held and PHP claimed it: it is not begun here."""
    site.add("py_hook", at=NOW - 60)
    with server.frozen(NOW):
        source = engine.source()
        claim = source.claim(25)
        site.run(f"UPDATE {ACTIONS} SET scheduled_date_gmt = '2026-01-01', claim_id = 3")
        held = source.advance(claim, [], claim.actions)
    assert ([a.id for a in held.lost], site.row(1)["status"]) == ([1], "pending")


def test_chosen_actions_are_parked_and_run_once(site, server, engine):
    """Due or not; PHP's runner cannot take them in between."""
    site.add("py_hook", [1], at=NOW + 5000)
    site.add("py_hook", [2], at=NOW - 50, claim_id=7)
    with server.frozen(NOW):
        source = engine.source(ids=[1, 2])
        claim = source.claim(25)
    assert [a.id for a in claim.actions] == [1]
    assert site.row(1)["scheduled_date_gmt"] == parked(sql_date(NOW + 5000))
    assert engine.source(ids=[1]).claim(25) is None


def test_modes(site, engine):
    """auto parks where that is written down; parking wants the runner's own tables, and a server."""
    database = engine.database()
    found = discover(database, engine.tables)
    risky = replace(found, php_scheduled=True)
    with pytest.raises(SafetyRefusal, match="--mode parked"):
        check_mode("auto", risky, "mysql", 1)
    check_mode("parked", risky, "mysql", 1)
    install(site, "py_hook")
    installed = replace(discover(database, engine.tables), php_scheduled=True)
    assert installed.installed.hooks == {"py_hook"}
    check_mode("auto", installed, "mysql", 1)
    for mode in ("auto", "parked"):
        with pytest.raises(SafetyRefusal, match="`runner migrate` makes them"):
            check_mode(mode, replace(installed, migrated=False), "mysql", 1)
    with pytest.raises(SafetyRefusal, match="cannot be NULL"):
        check_mode("parked", replace(installed, null_dates=False), "mysql", 1)
    with pytest.raises(SafetyRefusal, match="SQLite"):
        check_mode("parked", found, "sqlite", 1)


@pytest.mark.parametrize("text", ["{", "[]", '{"mode": "parked"}', '{"hooks": 3}', "null"])
def test_an_option_that_cannot_be_read_is_refused(text, site, engine):
    """Nobody knows then which hooks are ours: nothing is run, nothing created."""
    site.set_option("wp_action_runner", text)
    database = engine.database()
    found = discover(database, engine.tables)
    with pytest.raises(ConfigError, match=r"option wp_action_runner.* `runner install` writes it"):
        check_mode("auto", found, "mysql", 1)
    with pytest.raises(ConfigError, match=r"option wp_action_runner.* `runner install` writes it"):
        Enqueue(database, found)


def test_what_python_creates_is_parked_at_once(site, server, monkeypatch):
    """Only the hooks that are written down; its true date is shown everywhere, and unique, next,
    list and cancel see it."""
    install(site, "py_hook")
    with server.frozen(NOW), Queue.open(site.url) as queue:
        ours = queue.schedule("py_hook", NOW + 60, [1])
        php = queue.schedule("php_hook", NOW + 30, [1])
        assert queue.schedule("py_hook", NOW + 90, [1], unique=True) is None
        assert queue.next("py_hook").at.timestamp() == NOW + 60
        assert [action.id for action in queue.list()] == [php, ours]
        assert site.row(ours)["scheduled_date_gmt"] == parked(sql_date(NOW + 60))
        assert site.row(php)["scheduled_date_gmt"] == sql_date(NOW + 30)
        assert queue.cancel("py_hook") == ours
    assert (site.row(ours)["status"], site.row(ours)["scheduled_date_gmt"]) == (
        "canceled", sql_date(NOW + 60)
    )  # fmt: skip


def test_a_queue_that_stays_open_hears_of_installations(site, server):
    """As in a web application: what it parked after an uninstallation nobody would ever run."""
    with server.frozen(NOW), Queue.open(site.url) as queue:
        ids = [queue.enqueue("py_hook")]
        install(site, "py_hook")
        ids += queue.many([NewAction("py_hook", [n], group=f"g{n}") for n in range(150)])
        site.set_option("wp_action_runner", "{}")
        with pytest.raises(ConfigError, match="no list of hooks"):
            queue.enqueue("py_hook")
        site.run("DELETE FROM wp_options WHERE option_name = 'wp_action_runner'")
        ids.append(queue.enqueue("py_hook", group="g1"))
    dates = {id_: row["scheduled_date_gmt"] for id_, row in zip(ids, site.rows(), strict=True)}
    assert dates.pop(ids[0]) == dates.pop(ids[-1]) == sql_date(NOW)
    assert {*dates.values()} == {parked(sql_date(NOW))}


def test_the_command_line_shows_true_dates(site, server, cli):
    """status, list with its filters and order, get, next and retry."""
    install(site, "py_hook")
    site.migrate()
    site.add("php_hook", at=NOW - 10)
    site.add("py_hook", [2], at=NOW - 60, scheduled_date_gmt=parked(sql_date(NOW - 60)))
    site.add("py_hook", [3], at=NOW + 60, scheduled_date_gmt=parked(sql_date(NOW + 60)))
    site.add("py_hook", [4], at=NOW - 99, status="failed")
    with server.frozen(NOW):
        status = json.loads(cli("status", "--json").stdout)
        ordered = cli("action", "list", "--orderby", "date", "--order", "asc", "--format", "ids")
        due = cli("action", "list", "--status", "pending", "--past-due", "--format", "ids")
        shown = cli(
            "action",
            "list",
            "--hook",
            "py_hook",
            "--status",
            "pending",
            "--fields",
            "id,scheduled_date",
            "--format",
            "csv",
        )
        following = cli("action", "next", "py_hook", "--raw")
        again = cli("action", "retry", "4")
    assert status["parked"] == {"all": 2, "ours": 0}
    assert status["due"]["all"] == 2
    assert status["oldest_due_gmt"] == sql_date(NOW - 60)
    assert status["next_due_gmt"] == sql_date(NOW + 60)
    assert ordered.stdout.split() == ["4", "2", "1", "3"]
    assert sorted(due.stdout.split()) == ["1", "2"]
    assert "2826" not in shown.stdout
    assert sql_date(NOW - 60) in shown.stdout
    assert following.stdout.strip() == str(NOW - 60)
    assert again.returncode == 0
    assert site.row(4)["scheduled_date_gmt"] == parked(sql_date(NOW))


def test_a_deleted_action_is_held_by_nobody(site, server, engine, cli):
    """Also one that runs, with --force."""
    site.add("py_hook", at=NOW - 60)
    with server.frozen(NOW):
        source = engine.source()
        claim = source.claim(25)
        source.advance(claim, [], claim.actions)
        assert cli("action", "delete", "1", "--force").returncode == 0
        held = source.advance(claim, [Settlement(claim.actions[0], Completed())], [])
    assert ([a.id for a in held.lost], site.own("held")) == ([1], [])


def test_a_whole_run_in_child_processes(site, server, cli):
    """`runner run` beside PHP's runner, without saying so where it is installed: everything of ours
    is complete, PHP's rows are as they were, no claim was ever made."""
    install(site, "py_hook")
    site.set_option("cron", 'a:1:{i:1;a:1:{s:26:"action_scheduler_run_queue";a:0:{}}}')
    cli.module(
        "jobs",
        "from runner import Handlers\nhandlers = Handlers()\n"
        "@handlers.on('py_hook')\ndef note(context: 'Context', n): pass\n".replace(
            "context: 'Context', ", ""
        ),
    )
    for number in range(60):
        site.add("py_hook" if number % 2 else "php_hook", [number], at=NOW - 100 + number)
    before = site.rows("actions", "hook = 'php_hook'")
    with server.frozen(NOW):
        refused = cli("run", "--handlers", "jobs:handlers", RUNNER_MODE="auto")
        site.migrate()
        done = cli("run", "--handlers", "jobs:handlers", RUNNER_MODE="auto")
    assert refused.returncode == 1
    assert "`runner migrate`" in refused.stderr
    assert done.stdout.startswith("claimed 30: completed 30"), done.stderr
    assert site.rows("actions", "hook = 'php_hook'") == before
    assert site.run("SHOW TABLE STATUS LIKE 'wp_actionscheduler_claims'")[0][10] in {1, None}
    assert (site.own("held"), site.own("leases")) == ([], [])


def test_claims_of_dead_workers_end_with_a_cleaning(site, server, engine, clock):
    """Killed after its last result and before its end, or with an action in hand: the lease of the
    first goes, the second's stays, with what it holds."""
    for _ in range(2):
        site.add("py_hook", at=NOW - 60)
        with server.frozen(NOW):
            source = engine.source()
            claim = source.claim(25)
            source.advance(claim, [], claim.actions)
    with server.frozen(NOW):
        source.advance(claim, [Settlement(claim.actions[0], Completed())], [])
    with server.frozen(NOW + 600):
        database, stop = engine.database(), Stop()
        facts = discover(database, engine.tables)
        Cleaner(database, facts, Limits(clock, stop), hooks=None).forget_attempts(NOW + 600)
        stop.close()
        [held], [lease] = site.own("held"), site.own("leases")
        assert held["claim_id"] == lease["claim_id"] != claim.id
        assert engine.run().taken_back == 1
