"""What each outcome leaves in the tables, and what a dead worker's rows become."""

from __future__ import annotations

import pytest
from support.engine import Engine, handlers_for

from compat import schedules
from compat.site_time import SiteZone, sql_date
from runner import Cancel, Fail, Handlers, Retry, RetryPolicy, Snooze
from runner import engine as parts
from runner.operations.worker import HEARTBEAT
from runner.site import has_skip_locked

NOW = 1_795_413_900  # 2026-11-23 06:05:00 UTC
LOCAL = SiteZone("Europe/Budapest").local


@pytest.fixture(params=["native", "parked"])
def engine(request, site, clock):
    engine = Engine(site, Handlers(retry=RetryPolicy.steps(90, 600)), clock, request.param)
    yield engine
    engine.close()


def on(engine, *answers):
    """One hook whose handler gives these answers in turn: an exception is raised."""
    left = list(answers)

    @engine.handlers.on("py_hook")
    def answer(*_):
        result = left.pop(0) if left else None
        if result is not None:
            raise result


def due_at(site, engine, action_id: int, at: int) -> None:
    """The date, the local date and the schedule all say the same."""
    row = site.row(action_id)
    assert (row["status"], row["claim_id"]) == ("pending", "0")
    assert row["scheduled_date_gmt"] == engine.due_column(at)
    assert row["scheduled_date_local"] == LOCAL(at)
    assert schedules.read(row["schedule"].encode()).at == at


def run(engine, server, at: int, **options):
    with server.frozen(at):
        return engine.run(**options)


def test_a_retry_keeps_the_row_and_moves_its_whole_date(site, server, engine):
    """Same id, same log, later date everywhere; the log names attempt, error class and when."""
    on(engine, TimeoutError("no answer"), ValueError("odd"), None)
    site.add("py_hook", [1], at=NOW - 60, group="g")
    assert run(engine, server, NOW).retried == 1
    due_at(site, engine, 1, NOW + 90)
    assert site.row(1)["attempts"] == "1"
    assert site.logs(1)[-1] == (
        "action failed via Python runner and will be retried at 2026-11-23 06:06:30 UTC:"
        " TimeoutError: no answer (attempt 1 of 3)"
    )
    assert run(engine, server, NOW + 89).claimed == 0
    assert run(engine, server, NOW + 90).retried == 1
    due_at(site, engine, 1, NOW + 90 + 600)
    assert run(engine, server, NOW + 700).completed == 1
    assert len(site.rows()) == 1
    assert site.row(1)["attempts"] == "3"
    assert len(site.logs(1)) == 1 + 3 * 2


def test_used_up_attempts_end_in_failed(site, server, engine):
    """The last line says that there is no attempt left."""
    on(engine, *[OSError("down")] * 3)
    site.add("py_hook", at=NOW - 60)
    for at in (NOW, NOW + 100, NOW + 1000):
        summary = run(engine, server, at)
    assert (summary.failed, site.row(1)["status"], site.row(1)["attempts"]) == (1, "failed", "3")
    assert (
        site.logs(1)[-1]
        == "action failed via Python runner: OSError: down (attempt 3 of 3, none left)"
    )


@pytest.mark.parametrize(
    ("schedule", "kind"),
    [
        (schedules.asynchronous(), "simple"),
        (schedules.interval(NOW - 60, 3600), "interval"),
        (schedules.cron(NOW - 60, "*/5 * * * *"), "cron"),
    ],
    ids=["async", "interval", "cron"],
)
def test_a_retried_schedule_says_the_retry_s_time(schedule, kind, site, server, engine):
    """WordPress shows the schedule's date: an async one becomes simple, a chain stays a chain."""
    on(engine, Retry("later", after=30))
    site.add("py_hook", at=NOW - 60, schedule=schedule)
    run(engine, server, NOW)
    due_at(site, engine, 1, NOW + 30)
    moved = schedules.read(site.row(1)["schedule"].encode())
    assert (moved.kind, moved.recurrence, moved.first) == (
        kind,
        schedule.recurrence,
        schedule.first,
    )
    assert len(site.rows()) == 1


def test_a_chain_goes_on_with_the_final_outcome_only(site, server, engine):
    """One live row at any time: no next row with the retry, one with the outcome after it."""
    on(engine, Retry(after=30), None)
    site.add("py_hook", at=NOW - 60, schedule=schedules.interval(NOW - 60, 3600))
    run(engine, server, NOW)
    assert site.statuses() == {"pending": 1}
    run(engine, server, NOW + 40)
    assert site.statuses() == {"complete": 1, "pending": 1}
    due_at(site, engine, 2, NOW + 40 + 3600)


@pytest.mark.parametrize("answer", [Fail("no"), Cancel("no"), None])
def test_every_final_outcome_continues_the_chain(answer, site, server, engine):
    on(engine, answer)
    site.add("py_hook", at=NOW - 60, schedule=schedules.interval(NOW - 60, 3600))
    run(engine, server, NOW)
    assert site.row(1)["status"] in {"failed", "canceled", "complete"}
    due_at(site, engine, 2, NOW + 3600)


def test_a_retry_after_the_next_occurrence_is_final(site, server, engine):
    """The chain's next row would come first: the action fails, the chain goes on."""
    on(engine, Retry("slow", after=3600))
    site.add("py_hook", at=NOW - 60, schedule=schedules.interval(NOW - 60, 3600))
    summary = run(engine, server, NOW)
    assert (summary.failed, summary.retried) == (1, 0)
    assert "the next occurrence comes before" in site.logs(1)[-1]
    due_at(site, engine, 2, NOW + 3600)


def test_a_snooze_spends_no_attempt(site, server, engine):
    on(engine, Snooze(45, "the remote rests"), None)
    site.add("py_hook", at=NOW - 60)
    assert run(engine, server, NOW).snoozed == 1
    due_at(site, engine, 1, NOW + 45)
    assert site.row(1)["attempts"] == "0"
    assert site.logs(1)[-1] == (
        "action put off via Python runner until 2026-11-23 06:05:45 UTC: the remote rests"
    )


def test_a_cron_expression_without_a_next_date_ends_its_chain(site, server, engine):
    """The action itself is complete; the line says why nothing follows."""
    on(engine, None)
    expression = "0 0 30 2 *"
    good = schedules.cron(NOW - 60, "0 0 30 1 *").to_bytes().decode()
    site.add("py_hook", at=NOW - 60, schedule=good.replace('i:3;s:1:"1"', 'i:3;s:1:"2"').replace(
        str(schedules.cron(NOW - 60, "0 0 30 1 *").at), str(NOW - 60)))  # fmt: skip
    assert schedules.read(site.row(1)["schedule"].encode()).recurrence == expression
    run(engine, server, NOW)
    assert site.statuses() == {"complete": 1}
    assert site.logs(1)[-1].startswith("no further instance of this action is scheduled:")


def leave_behind(engine, server, at: int, begun: int):
    """A worker claims everything, begins some and dies."""
    with server.frozen(at):
        source = engine.source()
        claim = source.claim(25)
        source.advance(claim, [], claim.actions[:begun])
    return claim


def test_what_a_dead_worker_left_is_taken_back(site, server, engine):
    """After 300 s of silence, or the lease: what had begun is retried by its policy, what had not begun is
    reset and run at once."""
    on(engine)
    for number in range(3):
        site.add("py_hook", [number], at=NOW - 60 + number)
    leave_behind(engine, server, NOW, begun=1)
    at = NOW + engine.silence
    assert run(engine, server, at - 1).claimed == 0
    summary = run(engine, server, at)
    assert (summary.taken_back, summary.retried, summary.completed) == (3, 1, 2)
    due_at(site, engine, 1, at + 90)
    assert site.row(1)["attempts"] == "1"
    assert "its worker died" in site.logs(1)[-1]
    assert "(attempt 1 of 3)" in site.logs(1)[-1]
    assert [log for log in site.logs(2) if log == "action reset"] == ["action reset"]
    assert site.statuses() == {"pending": 1, "complete": 2}


def test_a_group_s_run_leaves_other_groups_abandoned_work(site, server, engine):
    on(engine)
    site.add("py_hook", [1], at=NOW - 60, group="a")
    site.add("py_hook", [2], at=NOW - 59, group="b")
    leave_behind(engine, server, NOW, begun=1)
    before = site.row(1), site.logs(1)
    assert run(engine, server, NOW + 301, groups=["b"]).taken_back == 1
    assert (site.row(1), site.logs(1)) == before


def test_corrupt_abandoned_rows_do_not_hide_others(site, server, engine):
    """More of them than one look sees: what lies behind them is taken back all the same."""
    on(engine)
    for number in range(4):
        site.add("py_hook", [number], at=NOW - 60 + number)
    leave_behind(engine, server, NOW, begun=4)
    site.run("UPDATE wp_actionscheduler_actions SET schedule = 'x' WHERE action_id < 4")
    summary = run(engine, server, NOW + 301, batch_size=2)
    assert (summary.corrupt, summary.retried) == (3, 1)


def test_a_locked_abandoned_row_does_not_stop_due_work(site, server, engine):
    """It is passed over, where the server can."""
    if not has_skip_locked(server.version):
        pytest.skip("this server waits for locked rows")
    on(engine)
    site.add("py_hook", [1], at=NOW - 60)
    leave_behind(engine, server, NOW, begun=1)
    site.add("py_hook", [2], at=NOW - 50)
    other = server.admin(site.name)
    other.autocommit(False)
    other.cursor().execute(
        "SELECT * FROM wp_actionscheduler_actions WHERE action_id = 1 FOR UPDATE"
    )
    assert run(engine, server, NOW + 301).completed == 1
    other.close()
    assert site.row(1)["status"] == "in-progress"


def test_a_short_expiry_has_a_quicker_heart(site, server, engine, monkeypatch):
    """Four beats fit into the time after which others take over."""
    workers = []
    original = parts.Worker
    monkeypatch.setattr(
        parts, "Worker", lambda *a, **o: workers.append(original(*a, **o)) or workers[0]
    )
    site.add("py_hook", [1], at=NOW - 60)
    on(engine)
    run(engine, server, NOW, expiry=8)
    assert workers[0]._heartbeat == 2


def test_a_dead_worker_s_last_attempt_fails_and_its_chain_goes_on(site, server, engine):
    """PHP ends the chain here: a deliberate difference."""
    on(engine)
    site.add("py_hook", at=NOW - 60, schedule=schedules.interval(NOW - 60, 3600), attempts=2)
    leave_behind(engine, server, NOW, begun=1)
    assert site.row(1)["attempts"] == "3"
    assert run(engine, server, NOW + 301).failed == 1
    assert site.row(1)["status"] == "failed"
    assert "(attempt 3 of 3, none left)" in site.logs(1)[-1]
    due_at(site, engine, 2, NOW + 301 + 3600)


def test_a_dead_worker_of_a_hook_that_is_not_ours_is_left_alone(site, server, engine):
    on(engine)
    site.add("php_hook", at=NOW - 60, status="in-progress", claim_id=5, attempts=1,
             last_attempt_gmt=sql_date(NOW - 9000))  # fmt: skip
    site.add("PY_hook", at=NOW - 60, claim_id=5, last_attempt_gmt=sql_date(NOW - 9000))
    before = site.rows(), site.rows("logs")
    assert run(engine, server, NOW).taken_back == 0
    assert (site.rows(), site.rows("logs")) == before


def test_a_heartbeat_keeps_running_and_waiting_rows(site, server, engine):
    """Touched before the time is over, nothing of the claim is taken back."""
    on(engine)
    for number in range(2):
        site.add("py_hook", [number], at=NOW - 60 + number)
    with server.frozen(NOW):
        source = engine.source()
        claim = source.claim(25)
        source.advance(claim, [], claim.actions[:1])
    with server.frozen(NOW + engine.silence - 10):
        engine.source().beat(claim, [1, 2])
    assert run(engine, server, NOW + 2 * engine.silence - 11).taken_back == 0
    assert run(engine, server, NOW + 2 * engine.silence - 10).taken_back == 2


class SlowExecutor:
    """Says that its one action still runs, a few times; time passes meanwhile."""

    def __init__(self, inner, clock, waits: int) -> None:
        self.inner, self.clock, self.waits = inner, clock, waits

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def finished(self, wait: float):
        if self.waits:
            self.waits -= 1
            self.clock.now += wait
            return []
        return self.inner.finished(wait)


def test_the_worker_beats_every_15_seconds_while_a_handler_runs(
    site, server, engine, clock, monkeypatch
):
    """One beat for each quarter of a minute, of the running row and of those that wait."""
    on(engine)
    for number in range(3):
        site.add("py_hook", [number], at=NOW - 60 + number)
    beats = []
    inline = parts.Inline
    monkeypatch.setattr(parts, "Inline", lambda h, c, s: SlowExecutor(inline(h, c, s), c, 4))
    original = parts.ActionScheduler.beat

    def beat(self, claim, ids):
        beats.append((clock.monotonic(), list(ids)))
        return original(self, claim, ids)

    monkeypatch.setattr(parts.ActionScheduler, "beat", beat)
    began = clock.monotonic()
    assert run(engine, server, NOW).completed == 3
    assert [round(at - began) for at, _ in beats] == [round(HEARTBEAT * n) for n in range(1, 5)]
    assert {tuple(ids) for _, ids in beats} == {(1, 2, 3)}


def test_an_urgent_row_is_seen_behind_many_older_ones(site, server, engine):
    """Priority comes first in Action Scheduler, although its hook index knows no priority."""
    order = []
    engine.handlers.on("py_hook")(order.append)
    for number in range(120):
        site.add("py_hook", [number], at=NOW - 5000 + number)
    site.add("py_hook", ["urgent"], at=NOW - 10, priority=3)
    with server.frozen(NOW):
        engine.run(max_jobs=5)
    assert order == ["urgent", 0, 1, 2, 3]


@pytest.mark.parametrize("mode", ["native", "parked"])
def test_more_hooks_than_one_statement_holds(mode, site, server, clock):
    """150 hooks take several statements; every action is found and run once."""
    calls = []
    hooks = [f"py_hook_{n}" for n in range(150)]
    engine = Engine(site, handlers_for(*hooks, calls=calls), clock, mode)
    for number, hook in enumerate(hooks):
        site.add(hook, [number], at=NOW - 60)
    with server.frozen(NOW):
        assert engine.run().completed == 150
    assert sorted(calls) == [[n] for n in range(150)]


@pytest.mark.parametrize(
    ("charset", "shown"), [("utf8mb3", "broken ? 日 Größe"), ("latin1", "broken ? ? Größe")]
)
def test_an_error_that_the_log_table_cannot_hold(charset, shown, site, server, engine):
    """On a site whose log column has fewer characters the others become question marks: the
    outcome is recorded all the same."""
    site.run(f"ALTER TABLE wp_actionscheduler_logs CONVERT TO CHARACTER SET {charset}")
    on(engine, Fail("broken 💥 日 Größe"))
    site.add("py_hook", at=NOW - 60)
    assert run(engine, server, NOW).failed == 1
    assert site.logs(1)[-1] == f"action failed via Python runner: {shown}"
