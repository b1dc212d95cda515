"""Jobs of the WPKite job manager: envelopes behind one hook, judged by their type, and the job
manager's tables kept up in the transaction that settles."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace

import pytest
from support.cutting import Cut
from support.engine import Engine
from support.jobs import HOOK, LETTERS, LOG, OLD_LOG, PHP_HOOK, envelope, make_tables, story, told
from support.queue import caller

from compat.site_time import sql_date
from runner import Context, EnqueueError, Fail, Handlers, Queue, Snooze, engine
from runner.core.model import (  # fmt: skip
    Attempt,
    Cancelled,
    Completed,
    Dead,
    HandlerFailure,
    Retried,
    Settlement,
    Snoozed,
)
from runner.operations.job_report import JobReport
from runner.site import check_prefix, discover

NOW = 1_795_413_900  # 2026-11-23 06:05:00 UTC
HOUR = 3600
MODES = ["native", "parked"]


def registry(calls: list | None = None) -> Handlers:
    """Types that do what their payload says."""
    handlers = Handlers()

    def act(context: Context, payload: dict) -> None:
        if calls is not None:
            calls.append((context.job_type, context.job_id, context.attempt, payload))
        if text := payload.get("raise"):
            raise ValueError(text)
        if "fail" in payload:
            raise Fail(payload["fail"])
        if "snooze" in payload:
            raise Snooze(payload["snooze"], "busy")

    handlers.job("sync")(act)
    handlers.job("email", max_retries=2, base_delay=30)(act)
    handlers.job("report", max_retries=1, timeout=600)(act)
    handlers.job("once", retryable=False)(act)
    handlers.job("often", idempotent=True)(act)
    handlers.own_jobs([HOOK])
    return handlers


@pytest.fixture
def calls():
    return []


@pytest.fixture
def runner(site, clock, calls):
    made = Engine(site, registry(calls), clock)
    yield made
    made.close()


@pytest.fixture(params=MODES)
def either(request, site, clock):
    """A runner of each mode."""
    made = Engine(site, registry(), clock, request.param)
    yield made
    made.close()


@pytest.fixture
def queue(site):
    with Queue.open(site.url) as queue:
        yield queue


def test_a_job_from_dispatch_to_its_end(site, server, runner, queue, calls):
    """PHP's own envelope, group and dates in the queue; the handler gets the payload; log lines
    have PHP's statuses and keys."""
    make_tables(site)
    with server.frozen(NOW):
        queue.close()
        with Queue.open(site.url) as fresh:
            first = fresh.dispatch("sync", {"product_id": 1001})
            later = fresh.dispatch("email", {"user_id": 42}, delay=300)
    rows = site.rows()
    assert [row["hook"] for row in rows] == [HOOK, HOOK]
    assert {row["group_id"] for row in rows} == {site.rows("groups")[0]["group_id"]}
    assert site.rows("groups")[0]["slug"] == "wpkite-jobs"
    assert site.row(later)["scheduled_date_gmt"] == sql_date(NOW + 300)
    (written,) = json.loads(rows[0]["extended_args"] or rows[0]["args"])
    job = written.pop("job_id")
    assert uuid.UUID(job).version == 4
    assert written == {
        "type": "sync", "payload": {"product_id": 1001}, "attempt": 0,
        "dispatched": "2026-11-23 07:05:00",
    }  # fmt: skip
    with server.frozen(NOW + 60):
        runner.run()
    assert calls == [("sync", job, 1, {"product_id": 1001})]
    assert (site.row(first)["status"], site.row(later)["status"]) == ("complete", "pending")
    assert story(site) == ["dispatched", "dispatched", "started", "completed"]
    assert [told(site)[1]["context"][key] for key in ("action_id", "delay")] == [later, 300]
    lines = [line for line in told(site) if line["job_id"] == job]
    assert [line["job_type"] for line in lines] == ["sync"] * 3
    assert lines[0]["context"] == {"job_id": job, "action_id": first, "delay": 0}
    assert lines[1]["context"] == {"job_id": job, "attempt": 1}
    assert lines[2]["context"] == {"job_id": job, "attempt": 1, "duration_ms": 0}
    assert lines[2]["duration_ms"] == 0
    assert str(lines[2]["created_at"]) == sql_date(NOW + 60)
    assert told(site, "dead_letters") == []


DELAYS = [("sync", [60, 120, 240]), ("email", [30, 60]), ("report", [60]), ("once", [])]


@pytest.mark.parametrize(("type_", "delays"), DELAYS)
def test_a_type_is_retried_by_its_own_numbers(server, runner, calls, type_, delays):
    """Each delay is twice the last; then the job is dead, once, with all that PHP needs."""
    site = runner.site
    make_tables(site)
    site.add(HOOK, envelope(type_, {"raise": "no"}), at=NOW)
    at = NOW
    for delay in [*delays, None]:
        with server.frozen(at):
            runner.run()
        if delay is not None:
            at += delay
            assert site.row(1)["scheduled_date_gmt"] == sql_date(at)
    assert (site.row(1)["status"], len(site.rows())) == ("failed", 1)
    assert [number for _, _, number, _ in calls] == [*range(1, len(delays) + 2)]
    assert story(site) == ["started", "failed", "retrying"] * len(delays) + [
        "started", "failed", "dead_lettered",
    ]  # fmt: skip
    kept = [line["context"] for line in told(site)]
    assert [c["delay"] for c in kept if "next_attempt" in c] == delays
    assert [c["next_attempt"] for c in kept if "next_attempt" in c] == [*range(2, len(delays) + 2)]
    failed = next(line for line in told(site) if line["status"] == "failed")
    assert failed["message"] == "no"
    assert (failed["context"]["error_class"], failed["context"]["attempt"]) == ("ValueError", 1)
    (letter,) = told(site, "dead_letters")
    assert (letter["job_type"], letter["status"]) == (type_, "dead")
    assert (letter["attempts"], letter["reprocessed_at"]) == (len(delays) + 1, None)
    assert letter["error_message"].startswith("ValueError: no")
    assert letter["payload"] == envelope(type_, {"raise": "no"}, len(delays))[0]


def test_tries_of_php_count(site, server, runner, calls):
    """An envelope that PHP enqueued again goes on from its number."""
    make_tables(site)
    site.add(HOOK, envelope("sync", {"raise": "no"}, attempt=2), at=NOW)
    with server.frozen(NOW):
        runner.run()
    assert calls[0][2] == 3
    assert site.row(1)["scheduled_date_gmt"] == sql_date(NOW + 240)
    with server.frozen(NOW + 240):
        runner.run()
    assert site.row(1)["status"] == "failed"
    assert site.row(1)["attempts"] == "2"  # the row's own
    assert told(site, "dead_letters")[0]["attempts"] == 4


BAD = [
    pytest.param(envelope("nobodys", {"a": 1}), ["no handler here for job type nobodys", "@handlers.job"], id="unknown type"),
    pytest.param([{"payload": {"a": 1}}], ["names no type", "type and payload"], id="no type"),
    pytest.param([{"type": "", "payload": []}], ["names no type"], id="empty type"),
    pytest.param([{"type": 5}], ["names no type"], id="a number as type"),
    pytest.param([["sync"]], ["names no type"], id="no map"),
    pytest.param([], ["names no type"], id="no args"),
]  # fmt: skip


@pytest.mark.parametrize(("args", "words"), BAD)
def test_what_names_no_type_of_ours_is_dead_at_once(server, runner, calls, args, words):
    """Never complete: its log says what to do, and it is a dead letter."""
    site = runner.site
    make_tables(site)
    dead = []
    runner.handlers.on_dead_letter(lambda context, why: dead.append((context.action_id, why)))
    site.add(HOOK, args, at=NOW)
    site.add(HOOK, envelope("sync"), at=NOW)
    with server.frozen(NOW):
        summary = runner.run()
    assert (summary.failed, summary.completed) == (1, 1)
    assert (site.row(1)["status"], site.row(2)["status"]) == ("failed", "complete")
    line = site.logs(1)[-1]
    assert all(word in line for word in words), line
    (letter,) = told(site, "dead_letters")
    known = bool(args) and args[0] == envelope("nobodys", {"a": 1})[0]
    assert (letter["attempts"], letter["payload"]) == (1, args[0] if known else args)
    assert [id_ for id_, _ in dead] == [1]
    assert len(calls) == 1


def test_php_keeps_its_own_hook(site, server, runner, calls):
    """`wpkite_run_job` is Python's only when the site says so."""
    site.add(PHP_HOOK, envelope("sync"), at=NOW)
    with server.frozen(NOW):
        assert runner.run().claimed == 0
        runner.app.handlers = handlers = registry(calls)
        handlers.own_jobs([PHP_HOOK])
        assert runner.run().completed == 1


def test_a_snooze_and_a_fail(site, server, runner):
    """A snooze spends no try and is told as a retry; a Fail is dead at once."""
    make_tables(site)
    site.add(HOOK, envelope("sync", {"snooze": 30}), at=NOW)
    site.add(HOOK, envelope("email", {"fail": "gone"}), at=NOW)
    with server.frozen(NOW):
        runner.run()
    assert (site.row(1)["status"], site.row(1)["attempts"]) == ("pending", "0")
    lines = {(line["job_type"], line["status"]): line for line in told(site)}
    assert lines["sync", "retrying"]["message"] == "snoozed busy"
    assert lines["sync", "retrying"]["context"]["delay"] == 30
    assert ("sync", "failed") not in lines
    assert lines["email", "dead_lettered"]["message"] == "gone"


def test_windows_of_jobs_tell_each_start_once(site, server, runner):
    """What is marked ahead is told as started when it has run."""
    make_tables(site)
    for number in range(20):
        site.add(HOOK, envelope("often", {"n": number}, job_id=str(number)), at=NOW)
    with server.frozen(NOW):
        runner.run()
    assert site.statuses() == {"complete": 20}
    for number in range(20):
        own = [line["status"] for line in told(site) if line["job_id"] == str(number)]
        assert own == ["started", "completed"]


OUTCOMES = [Completed(), Dead("x"), Cancelled("x"), Retried(NOW + 60, "x"), Snoozed(NOW + 60, "x")]


def settlements(claim, outcome) -> list[Settlement]:
    return [
        Settlement(a, outcome, attempt=Attempt(a, 0.5, HandlerFailure("error", "x")))
        for a in claim.actions
    ]


def source(runner, database=None):
    """A source of jobs; the tables are looked for."""
    database = database or runner.database()
    made = runner.source(database)
    site = discover(database, runner.tables)
    return engine.source(database, site, made._ownership, runner.handlers.job_hooks)


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_a_stale_holder_tells_nothing(site, server, either, outcome):
    """Its row was taken back and finished by another: no second line, no second dead letter."""
    make_tables(site)
    runner = either
    site.add(HOOK, envelope("sync"), at=NOW - 60)
    with server.frozen(NOW):
        stale = source(runner)
        old = stale.claim(25)
        stale.advance(old, [], old.actions)
    for moment in (NOW + 400, NOW + 1000):
        with server.frozen(moment):
            runner.run()
    assert site.row(1)["status"] == "complete"
    before = told(site), told(site, "dead_letters")
    held = stale.advance(old, settlements(old, outcome), [])
    assert (held.settled, len(held.lost)) == ((), 1)
    assert (told(site), told(site, "dead_letters")) == before


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: type(outcome).__name__)
def test_a_commit_without_an_answer_tells_once(site, server, either, outcome, after):
    """Whether or not the server had it."""
    make_tables(site)
    runner = either
    site.add(HOOK, envelope("sync"), at=NOW)
    with server.frozen(NOW):
        database = runner.database()
        held = source(runner, database)
        claim = held.claim(25)
        held.advance(claim, [], claim.actions)
        begun = len(told(site))
        cut = Cut(database, after=after)
        held.advance(claim, settlements(claim, outcome), [])
        assert not cut.armed
    lines = {Completed: 1, Dead: 2, Cancelled: 1, Retried: 2, Snoozed: 1}[type(outcome)]
    assert len(told(site)) - begun == lines
    assert len(told(site, "dead_letters")) == (type(outcome) is Dead)


def test_only_what_is_still_held_is_told(site, server, runner):
    """Of two jobs that end together one is another's meanwhile."""
    make_tables(site)
    for name in "ab":
        site.add(HOOK, envelope("sync", job_id=name), at=NOW)
    with server.frozen(NOW):
        held = source(runner)
        claim = held.claim(25)
        held.advance(claim, [], claim.actions)
        runner.steal(1)
        held.advance(claim, settlements(claim, Dead("x")), [])
    assert [letter["payload"]["job_id"] for letter in told(site, "dead_letters")] == ["b"]
    ended = [line["job_id"] for line in told(site) if line["status"] == "dead_lettered"]
    assert ended == ["b"]


MISFITS = [
    pytest.param(([OLD_LOG, LETTERS], "job_log", "it has no column job_id"), id="an earlier log"),
    pytest.param(([LOG, LETTERS.replace("payload", "data")], "dead_letters", "it has no column payload"), id="other letters"),
    pytest.param(([LOG.replace("created_at datetime", "who int NOT NULL, created_at datetime", 1), LETTERS], "job_log", "its column who wants a value"), id="a column more"),
    pytest.param(([LOG, LETTERS + " ENGINE MyISAM"], "dead_letters", "MyISAM has no transactions"), id="no transactions"),
]  # fmt: skip


@pytest.mark.parametrize("misfit", MISFITS)
def test_a_table_with_other_columns_is_left_alone(server, runner, capfd, misfit):
    """One line says so, jobs run, and the other table is kept up."""
    (tables, which, why), site = misfit, runner.site
    make_tables(site, *tables)
    site.add(HOOK, envelope("once", {"raise": "no"}), at=NOW)
    with server.frozen(NOW):
        runner.run()
    assert site.row(1)["status"] == "failed"
    said = [line for line in capfd.readouterr().err.splitlines() if "kept up" in line]
    assert len(said) == 1
    assert f"table wp_wpkite_{which} is not kept up: {why}" in said[0]
    rows = {name: site.run(f"SELECT COUNT(*) FROM wp_wpkite_{name}")[0][0]
            for name in ("job_log", "dead_letters")}  # fmt: skip
    assert rows.pop(which) == 0
    assert min(rows.values()) > 0


def test_an_account_that_may_not_write_them(site, server, runner, capfd):
    """Rights are asked for before anything is written."""
    make_tables(site)
    server.execute("CREATE USER IF NOT EXISTS 'narrow'@'%' IDENTIFIED BY 'narrow'")
    for table in ("actions", "claims", "groups", "logs"):
        server.execute(
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON {site.name}.{site.table(table)} TO 'narrow'@'%'"
        )
    for table in ("options", "wpkite_job_log", "wpkite_dead_letters"):
        server.execute(f"GRANT SELECT ON {site.name}.wp_{table} TO 'narrow'@'%'")
    try:
        dsn = replace(site.dsn, user="narrow", password="narrow")
        runner.app.connection = replace(runner.app.connection, dsn=dsn)
        site.add(HOOK, envelope("once", {"raise": "no"}), at=NOW)
        with server.frozen(NOW):
            assert runner.run().failed == 1
    finally:
        server.execute("DROP USER 'narrow'@'%'")
    said = capfd.readouterr().err
    assert said.count("the database account may not write it; GRANT SELECT, INSERT ON") == 2
    assert story(site) == []


def test_a_table_that_goes_away_meanwhile_costs_no_job(site, server, runner, capfd):
    """The work is recorded; one line says that no more is told of it."""
    make_tables(site)

    def drop(payload: dict) -> None:
        site.run("DROP TABLE IF EXISTS wp_wpkite_job_log")

    runner.handlers.job("drops")(drop)
    for _ in range(3):
        site.add(HOOK, envelope("drops"), at=NOW)
    with server.frozen(NOW):
        assert runner.run().completed == 3
    assert site.statuses() == {"complete": 3}
    assert capfd.readouterr().err.count("are no longer kept up") == 1


def test_a_table_that_goes_away_under_a_handler_that_settles(site, server, runner):
    """One try is lost with it, and no more."""
    make_tables(site)

    def settles(context: Context, payload: dict) -> None:
        with context.settling():
            pass
        if payload.get("drop"):
            site.run("DROP TABLE wp_wpkite_job_log")

    runner.handlers.job("settles")(settles)
    for number in range(3):
        site.add(HOOK, envelope("settles", {"drop": not number}), at=NOW)
    site.add(HOOK, envelope("settles"), at=NOW)
    with server.frozen(NOW):
        summary = runner.run()
    assert (summary.completed, summary.retried) == (3, 1)
    assert site.logs(2)[-1].startswith("action failed via Python runner and will be retried")


def test_what_a_column_cannot_hold(site, server, runner):
    """Long texts are cut, characters beyond the column's become question marks."""

    def shout(payload: dict) -> None:
        raise ValueError("\U0001f600" + "漢" * 70_000 + "\ud800")

    runner.handlers.job("shouts", retryable=False)(shout)
    make_tables(site)
    for table in ("job_log", "dead_letters"):
        site.run(f"ALTER TABLE wp_wpkite_{table} CONVERT TO CHARACTER SET utf8mb3")
    site.add(HOOK, envelope("shouts", job_id="i" * 50), at=NOW)
    site.add(HOOK, envelope("t" * 150), at=NOW)
    with server.frozen(NOW):
        assert runner.run().failed == 2
    assert {len(line["job_id"]) for line in told(site)} == {36}
    letters = {letter["job_type"]: letter for letter in told(site, "dead_letters")}
    assert [*letters] == ["shouts", "t" * 100]
    assert letters["shouts"]["error_message"].startswith("ValueError: ?漢")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (("", {}), "a job's type is a name"),
        ((None, {}), "a job's type is a name"),
        (("t" * 101, {}), "the limit is 100"),
        (("sync", "text"), "a dict or a list"),
        (("sync", {"a": object()}), "object"),
        (("sync", {"a": "x" * 9000}), "the limit is 8000"),
    ],
)
def test_a_job_that_cannot_be_dispatched(site, queue, given, why):
    """One line, and nothing is written."""
    make_tables(site)
    with pytest.raises(EnqueueError, match=why):
        queue.dispatch(*given)
    for delay in (-1, float("nan"), float("inf"), "5", True):
        with pytest.raises(EnqueueError, match="the delay"):
            queue.dispatch("sync", delay=delay)
    assert (site.rows(), story(site)) == ([], [])


def test_a_dispatch_in_a_callers_transaction(site, queue):
    """Action and line come and go with it."""
    make_tables(site)
    with caller(site) as connection:
        queue.dispatch("sync", {"a": 1}, connection=connection)
        connection.rollback()
        assert (site.rows(), story(site)) == ([], [])
        queue.dispatch("sync", {"a": 1}, connection=connection)
        connection.commit()
    assert (len(site.rows()), story(site)) == (1, ["dispatched"])


def test_a_dispatch_whose_commit_had_no_answer(site, queue):
    """One action, one line."""
    make_tables(site)
    queue.dispatch("warm", {})
    for after in (False, True):
        Cut(queue._database, after=after)
        queue.dispatch("sync", {})
    assert (len(site.rows()), story(site)) == (3, ["dispatched"] * 3)


def test_a_site_without_the_tables(site, server, runner, queue, capfd):
    """Nothing is missed and nothing is said."""
    with server.frozen(NOW):
        id_ = queue.dispatch("sync", {"a": 1})
        site.run(f"UPDATE wp_actionscheduler_actions SET scheduled_date_gmt = '{sql_date(NOW)}'")
        runner.run()
    assert site.row(id_)["status"] == "complete"
    assert "kept up" not in capfd.readouterr().err


def report(runner, **options) -> JobReport:
    database = runner.database()
    return JobReport(database, discover(database, check_prefix("wp_")), **options)


def test_a_job_that_is_given_up_is_a_letter_under_its_type(site, server, either):
    """Beside the hook and the args as they were, the letter names type and payload; an envelope
    without a type goes by its hook."""
    site.migrate()
    dead = site.add(HOOK, envelope("once", {"raise": "no ☃"}), at=NOW - 60, group="wpkite-jobs")
    nameless = site.add(HOOK, envelope(None), at=NOW - 60)
    with server.frozen(NOW):
        either.run()
    letters = {letter["action_id"]: letter for letter in site.own("dead_letters")}
    assert letters[dead]["job_type"] == "once"
    assert json.loads(letters[dead]["payload"]) == {"raise": "no ☃"}
    assert (letters[dead]["hook"], letters[dead]["args"]) == (HOOK, site.row(dead)["args"])
    assert letters[nameless]["job_type"] == HOOK
    assert "its envelope names no type" in letters[nameless]["error_message"]


@pytest.mark.parametrize("tables", [True, False], ids=["the job manager's tables", "attempts"])
def test_figures(site, server, runner, tables):
    """PHP's keys and rules from either source: failed tries of all, in percent; the mean of what
    completed; nothing for a type without tries or before the time asked about."""
    site.migrate()
    if tables:
        make_tables(site)
    for moment in (NOW - 30 * HOUR, NOW - 2 * HOUR):
        for payload in ({}, {"a": "x" * 300}, {"raise": "no"}):
            site.add(HOOK, envelope("sync", payload), at=moment, group="wpkite-jobs")
        site.add(HOOK, envelope("once", {"raise": "no"}), at=moment, group="wpkite-jobs")
        site.add(HOOK, envelope("nobodys"), at=moment, group="wpkite-jobs")
        with server.frozen(moment):
            runner.run()
    site.add(HOOK, envelope("sync"), at=NOW + 9, group="wpkite-jobs")
    site.add(HOOK, envelope("sync"), at=NOW, group="else")
    site.add("other", at=NOW)
    site.run("UPDATE wp_runner_attempts SET elapsed_ms = 30 WHERE outcome = 'completed'")
    if tables:
        site.run("UPDATE wp_wpkite_job_log SET duration_ms = 30 WHERE status = 'completed'")
        site.run("UPDATE wp_wpkite_dead_letters SET status = 'reprocessed' WHERE id = 1")
    with server.frozen(NOW):
        found = report(runner, types=["sync", "once", "email"])
        assert found.failure_rate("sync") == 50.0  # one of them is the retry of an older one
        assert found.failure_rate("once", 24) == 100.0
        assert found.failure_rate("sync", 1) == 0
        assert found.avg_duration("sync", 48) == 30.0
        stats = found.stats()
    assert (stats.pending, stats.in_progress) == (3, 0)  # two wait for their retry
    assert (stats.completed, stats.failed) == (2, 2)
    assert stats.dead_letters == (3 if tables else 4)
    rates = {"sync": 50.0, "once": 100.0, "email": 0.0}
    assert stats.failure_rate == (rates | {"nobodys": 100.0} if tables else rates)
    assert stats.avg_duration["sync"] == 30.0
