"""Windows of idempotent handlers: marked ahead and recorded together, bounded by time."""

from __future__ import annotations

from collections import deque

import pytest
from support.engine import Engine

from compat import schedules
from compat.site_time import sql_date
from runner import Fail, Handlers, RetryPolicy
from runner import engine as parts
from runner.config import Settings
from runner.core.limits import Limits
from runner.core.model import Action, Completed, HandlerFailure, Settlement
from runner.core.signals import Stop
from runner.executors.inline import Inline
from runner.operations.windows import SHORTEST_OVERRUN, SPAN, Pace
from runner.operations.worker import Worker

NOW = 1_795_413_900
STARTED, COMPLETE = "action started via Python runner", "action complete via Python runner"
NOT_CALLED = "action start taken back via Python runner: its handler was not called"


@pytest.fixture(params=["native", "parked"])
def engine(request, site, clock):
    engine = Engine(site, Handlers(retry=RetryPolicy(attempts=3)), clock, request.param)
    yield engine
    engine.close()


def add(site, count: int, hook: str = "py_hook", **columns) -> None:
    for _ in range(count):
        number = len(site.rows())
        site.add(hook, [number], at=NOW - 1000 + number, **columns)


def run(engine, server, at: int = NOW, **options):
    with server.frozen(at):
        return engine.run(**options)


@pytest.fixture
def turns(monkeypatch):
    """What each transaction settled, began, un-marked: as lists of ids."""
    seen = []
    original = parts.ActionScheduler.advance

    def advance(self, claim, settled, starting, *, unmarked=(), **options):
        seen.append(
            ([s.action.id for s in settled], [a.id for a in starting], [a.id for a in unmarked])
        )
        return original(self, claim, settled, starting, unmarked=unmarked, **options)

    monkeypatch.setattr(parts.ActionScheduler, "advance", advance)
    return seen


def test_the_first_runs_alone_and_the_rest_together(site, server, engine, turns):
    """No history: one. Then a window: one commit begins the rest and one settles it."""
    engine.handlers.on("py_hook", idempotent=True)(lambda _: None)
    add(site, 10)
    assert run(engine, server).completed == 10
    rest = list(range(2, 11))
    assert turns == [([], [1], []), ([1], rest, []), (rest, [], [])]
    assert site.statuses() == {"complete": 10}
    assert {row["attempts"] for row in site.rows()} == {"1"}
    assert all(site.logs(n)[1:] == [STARTED, COMPLETE] for n in range(1, 11))


def test_the_log_does_not_say_started_for_what_is_only_marked(site, server, engine):
    """While one of a window runs, the others are in progress in the table and silent in the log."""
    seen = {}

    def look(number: int) -> None:
        seen[number] = [(r["status"], site.logs(int(r["action_id"]))[1:]) for r in site.rows()]

    engine.handlers.on("py_hook", idempotent=True)(look)
    add(site, 4)
    run(engine, server)
    assert [status for status, _ in seen[1]] == ["complete", *["in-progress"] * 3]
    assert [logs for _, logs in seen[1][1:]] == [[], [], []]


def test_a_handler_that_is_not_idempotent_has_no_windows(site, server, engine, turns):
    engine.handlers.on("py_hook")(lambda _: None)
    add(site, 4)
    run(engine, server)
    assert [starting for _, starting, _ in turns] == [[1], [2], [3], [4], []]


def test_an_action_that_was_tried_before_runs_alone(site, server, engine, turns):
    """One poison action must not take others with it."""
    engine.handlers.on("py_hook", idempotent=True)(lambda _: None)
    add(site, 3)
    add(site, 1, attempts=1)
    add(site, 2)
    run(engine, server)
    begun = [starting for _, starting, _ in turns if starting]
    assert begun == [[1], [2, 3, 5, 6], [4]]  # more attempts come later in the queue's order


def test_a_window_is_bounded_by_time(site, server, engine, clock, turns):
    """40 ms each: three fit into 150 ms. 200 ms each: one at a time."""

    def slow(seconds: float):
        clock.now += seconds

    engine.handlers.on("py_hook", idempotent=True)(lambda _: slow(0.04))
    engine.handlers.on("py_slow", idempotent=True)(lambda _: slow(0.2))
    add(site, 7)
    run(engine, server)
    assert [len(starting) for _, starting, _ in turns] == [1, 3, 3, 0]
    turns.clear()
    add(site, 3, "py_slow")
    run(engine, server)
    assert [len(starting) for _, starting, _ in turns] == [1, 1, 1, 0]


def test_after_an_overrun_the_rest_is_unmarked(site, server, engine, clock, turns):
    """The late one's result is recorded and the others are pending again, their attempt given
    back, before the next begins; all are done in the end, none twice."""
    calls = []

    def sometimes_slow(number: int) -> None:
        calls.append(number)
        clock.now += 0.5 if number == 2 else 0.01

    engine.handlers.on("py_hook", idempotent=True)(sometimes_slow)
    add(site, 6)
    assert run(engine, server).completed == 6
    assert turns[:3] == [([], [1], []), ([1], [2, 3, 4, 5, 6], []), ([2, 3], [], [4, 5, 6])]
    assert sorted(calls) == list(range(6))
    assert {row["attempts"] for row in site.rows()} == {"1"}
    assert all(site.logs(n)[1:] == [STARTED, COMPLETE] for n in range(1, 7))


def test_a_failure_inside_a_window_is_its_own(site, server, engine):
    """Outcomes are judged one by one; a retry's row leaves the window by itself."""

    def answer(number: int) -> None:
        if number == 2:
            raise Fail("no")
        if number == 3:
            raise TimeoutError("later")

    engine.handlers.on("py_hook", idempotent=True)(answer)
    add(site, 5)
    summary = run(engine, server)
    assert (summary.completed, summary.failed, summary.retried) == (3, 1, 1)
    assert site.logs(3)[1:] == [STARTED, "action failed via Python runner: no"]
    assert site.logs(4)[1] == STARTED
    assert site.row(4)["attempts"] == "1"


class Killer:
    """An executor whose process dies with one action."""

    def __init__(self, inner, victim: int) -> None:
        self.inner, self.victim = inner, victim

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def finished(self, wait: float):
        attempts = self.inner.finished(wait)
        for number, attempt in enumerate(attempts):
            if attempt.action.id == self.victim and attempt.action.attempts == 0:
                crash = HandlerFailure("crash", "the handler process 1 died: exit code 3")
                attempts[number] = type(attempt)(attempt.action, attempt.elapsed, crash)
        return attempts


def test_a_crash_costs_only_what_had_begun(site, server, engine, turns, monkeypatch):
    """The child dies with the third action of a window: that one is retried, the others lose no
    attempt and run."""
    inline = parts.Inline
    monkeypatch.setattr(parts, "Inline", lambda *parts: Killer(inline(*parts), 4))
    engine.handlers.on("py_hook", idempotent=True)(lambda _: None)
    add(site, 7)
    summary = run(engine, server)
    assert (summary.completed, summary.retried) == (6, 1)
    assert turns[2] == ([2, 3, 4], [], [5, 6, 7])
    assert [row["attempts"] for row in site.rows()] == ["1"] * 7
    assert site.row(4)["status"] == "pending"


def test_a_signal_inside_a_window_hands_the_rest_back(site, server, engine):
    """What was only marked is pending, unclaimed and without an attempt afterwards."""
    stop = Stop()

    def answer(number: int) -> None:
        if number == 2:
            stop.ask(15)

    engine.handlers.on("py_hook", idempotent=True)(answer)
    add(site, 6)
    with server.frozen(NOW):
        options = Settings(mode="native", executor="inline")
        summary = engine.app.run(options, stop)
    stop.close()
    assert summary.completed == 3
    left = site.rows("actions", "action_id > 3")
    assert {(r["status"], r["claim_id"], r["attempts"]) for r in left} == {("pending", "0", "0")}
    assert all(site.logs(n) == ["action created"] for n in (4, 5, 6))


def test_a_dead_runner_s_window_counts_as_begun(site, server, engine):
    """Every unsettled row of it: each is taken back as a failed attempt, and then runs alone."""
    engine.handlers.on("py_hook", idempotent=True)(lambda _: None)
    add(site, 3)
    with server.frozen(NOW):
        source = engine.source()
        claim = source.claim(25)
        source.advance(claim, [], claim.actions, ahead=True)
    summary = run(engine, server, NOW + 301)
    assert (summary.taken_back, summary.retried) == (3, 3)
    assert {row["attempts"] for row in site.rows()} == {"1"}


def test_a_mark_is_taken_back_only_where_it_is_held(site, server, engine):
    """Un-marking is fenced like everything else."""
    engine.handlers.on("py_hook", idempotent=True)(lambda _: None)
    add(site, 2)
    with server.frozen(NOW):
        source = engine.source()
        claim = source.claim(25)
        source.advance(claim, [], claim.actions, ahead=True)
        engine.steal(2)
        held = source.advance(claim, [], [], unmarked=claim.actions)
    assert ([a.id for a in held.unmarked], [a.id for a in held.lost]) == ([1], [2])
    assert [(r["status"], r["attempts"]) for r in site.rows()] == [
        ("pending", "0"),
        ("in-progress", "1"),
    ]


@pytest.mark.parametrize("ahead", [False, True])
def test_a_start_that_is_taken_back_is_told_where_it_was_told(site, server, engine, ahead):
    """No place was left for what had begun: its log says so, and stays silent for what was only
    marked ahead."""
    engine.handlers.on("py_hook", idempotent=True)(lambda _: None)
    add(site, 2)
    with server.frozen(NOW):
        source = engine.source()
        claim = source.claim(25)
        source.advance(claim, [], claim.actions, ahead=ahead)
        told = [] if ahead else [a.id for a in claim.actions]
        source.advance(claim, [], [], unmarked=claim.actions, told=told)
    for row in site.rows():
        assert (row["status"], row["attempts"]) == ("pending", "0")
        assert site.logs(int(row["action_id"]))[1:] == ([] if ahead else [STARTED, NOT_CALLED])


def test_a_start_that_no_line_tells_of_is_not_taken_back_in_the_log(site, server, engine):
    """An action that was put off before has a line of its first start; marked ahead again and
    un-marked, it has begun nothing that a line would have to take back."""
    add(site, 2)
    site.insert("logs", {"action_id": 2, "message": STARTED, "log_date_gmt": sql_date(NOW - 90),
                         "log_date_local": sql_date(NOW - 90)})  # fmt: skip
    before = site.logs(2)
    engine.handlers.on("py_hook", idempotent=True)(lambda _: None)
    with server.frozen(NOW):
        source = engine.source()
        claim = source.claim(25)
        source.advance(claim, [], claim.actions, ahead=True)
        first = Settlement(claim.actions[0], Completed(), marked_ahead=True)
        source.advance(claim, [first], [], unmarked=claim.actions[1:])
    assert site.logs(2) == before


class Vanishing(Inline):
    """Its one place is there until something has begun, and then the end is near."""

    def __init__(self, handlers, clock, stop) -> None:
        super().__init__(handlers, clock)
        self._stop = stop
        self._looks = None

    def prepare(self) -> None:
        self._looks = 1

    def room(self) -> int:
        if self._looks is None:
            return 1
        self._looks -= 1
        if self._looks < 0:
            self._stop.end("failure")
        return max(self._looks + 1, 0)


def test_a_worker_without_a_place_takes_a_start_back(site, server, engine, clock):
    """What had begun when the place went is pending again, and the log has both lines."""
    engine.handlers.on("py_hook")(lambda _: None)
    add(site, 1)
    stop = Stop()
    with server.frozen(NOW):
        executor = Vanishing(engine.handlers, clock, stop)
        limits = Limits(clock, stop)
        Worker(engine.source(), executor, engine.handlers, limits, clock).run()
    stop.close()
    assert (site.row(1)["status"], site.row(1)["attempts"]) == ("pending", "0")
    assert site.logs(1)[1:] == [STARTED, NOT_CALLED]


def action(hook: str = "h", attempts: int = 0) -> Action:
    return Action(1, hook, "[]", schedules.asynchronous(), 0, "", 10, attempts)


@pytest.mark.parametrize(
    ("mean", "count"),
    [(None, 1), (0.0, 20), (SPAN / 20.5, 20), (SPAN / 10.5, 10), (SPAN, 1), (SPAN * 2, 1)],
)
def test_the_size_of_a_window(mean, count):
    """As many as fit into the span by the hook's mean, one without history."""
    handlers = Handlers()
    handlers.on("h", idempotent=True)(lambda: None)
    pace = Pace({} if mean is None else {"h": mean})
    assert pace.window(deque(action() for _ in range(20)), handlers) == count


def test_when_a_run_is_late():
    """After twice the mean, and never before a moment in which un-marking costs more."""
    pace = Pace()
    assert pace.late_after("h") == SHORTEST_OVERRUN
    pace.learn("h", 1.0)
    assert pace.late_after("h") == 2.0
    pace.learn("h", 2.0)
    assert pace.means["h"] == pytest.approx(1.2)
