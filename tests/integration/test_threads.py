"""Handlers in threads: results, time limits that can only be told, and what is given up."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time

import pytest
from support.executors import action, drain
from support.waiting import until

from runner import Context, HandlerError, Handlers, SoftTimeout
from runner.core.clock import SystemClock
from runner.core.signals import Stop
from runner.executors import threads
from runner.executors.threads import Threads


class World:
    """What the handlers share with the test."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.told = threading.Event()
        self.ran = []
        self.names = set()
        self.handlers = Handlers(timeout=20)
        self.handlers.on("ok")(self.ok)
        self.handlers.on("fails")(self.fails)
        self.handlers.on("exits")(sys.exit)
        self.handlers.on("prints")(self.prints)
        self.handlers.on("gated")(self.gated)
        self.handlers.on("slow", timeout=0.2)(self.gated)
        self.handlers.on("looks", timeout=0.5)(self.looks)
        self.handlers.on("soft", soft_timeout=0.1)(self.soft)

    def ok(self, number: int = 0) -> None:
        self.ran.append(number)
        self.names.add(threading.get_ident())

    def fails(self) -> None:
        raise LookupError("gone")

    def prints(self) -> None:
        print("printed")  # noqa: T201

    def gated(self) -> None:
        self.go.wait(60)

    def looks(self, context: Context) -> None:
        while not (context.cancelled or self.go.is_set()):
            time.sleep(0.01)
        if context.cancelled:
            self.told.set()

    def soft(self) -> None:
        try:
            time.sleep(0.3)
        except SoftTimeout:
            self.told.set()


@pytest.fixture
def world():
    world = World()
    yield world
    world.go.set()


@pytest.fixture
def start(world):
    opened = []

    def start(count: int) -> Threads:
        executor = Threads(world.handlers, Stop(), SystemClock(), count=count)
        opened.append(executor)
        return executor

    yield start
    world.go.set()
    for executor in reversed(opened):
        until(lambda executor=executor: executor._bell.fileno() < 0 or settled(executor))
        executor.close()
        executor._stop.close()


def settled(executor) -> bool:
    executor._listen(0)
    return len(executor._idle()) == len(executor._places)


def submit(executor, hook: str, number: int = 1) -> None:
    executor.prepare()
    executor.submit(action(hook, number))


def test_several_handlers_wait_at_a_time(start, world):
    """As many as there are threads, each in one of its own, kept for the next action."""
    executor = start(3)
    assert executor.room() == 3
    for number in range(3):
        submit(executor, "gated", number)
    assert (executor.room(), executor.busy(), executor.finished(0.05)) == (0, True, [])
    world.go.set()
    assert sorted(a.action.id for a in drain(executor)) == [0, 1, 2]
    for number in range(20):
        submit(executor, "ok", number)
        drain(executor)
    assert len(world.names) <= 3
    assert len([t for t in threading.enumerate() if t.name == "handler"]) >= 3
    assert threading.get_ident() not in world.names


def test_whatever_a_handler_raises_is_its_own(start):
    """An error, an exit: the thread lives on."""
    executor = start(1)
    for hook, said in (("fails", "gone"), ("exits", ""), ("fails", "gone")):
        submit(executor, hook)
        (attempt,) = drain(executor)
        assert said in attempt.failure.message
        assert attempt.failure.kind == "error"


def test_a_time_out_is_told_and_its_thread_given_up(start, world):
    """The others go on; the place is free again when the thread ends, and its result is dropped."""
    executor = start(2)
    submit(executor, "slow", 1)
    submit(executor, "gated", 2)
    (late,) = executor.finished(10)
    assert (late.action.id, late.failure.kind) == (1, "timeout")
    assert late.failure.message == "timed out after 0.2 seconds; its thread may still be running"
    assert 0.2 <= late.elapsed < 2
    assert (executor.room(), executor.busy()) == (0, True)
    world.go.set()
    seen = []
    until(lambda: seen.extend(executor.finished(0.05)) or settled(executor))
    assert [a.action.id for a in seen] == [2]
    assert executor.room() == 2


def test_a_thread_over_its_time_may_ask_and_leave_off(start, world):
    """`context.cancelled` is the only word that reaches it."""
    executor = start(1)
    submit(executor, "looks")
    assert [a.failure.kind for a in drain(executor)] == ["timeout"]
    assert world.told.wait(10)


def test_a_handler_learns_that_its_action_was_canceled(start, world):
    """It alone, and not the one that runs in that thread next."""
    executor = start(2)
    submit(executor, "looks", 1)
    submit(executor, "gated", 2)
    executor.cancel(2)
    executor.cancel(1)
    assert [(a.action.id, a.failure) for a in executor.finished(10)] == [(1, None)]
    assert world.told.is_set()
    world.told.clear()
    submit(executor, "looks", 3)
    world.go.set()
    assert {a.action.id: a.failure for a in drain(executor)} == {2: None, 3: None}
    assert not world.told.is_set()


def test_when_every_thread_is_held_the_run_ends(start, world, monkeypatch):
    """A moment is waited for one of them; then only a new process helps, and nothing begins."""
    monkeypatch.setattr(threads, "PATIENCE", 0.2)
    executor = start(2)
    submit(executor, "slow", 1)
    submit(executor, "slow", 2)
    assert [a.failure.kind for a in drain(executor)] == ["timeout", "timeout"]
    assert (executor.busy(), executor.room()) == (False, 1)
    with pytest.raises(HandlerError, match="every one of the 2 threads is held"):
        executor.prepare()
    monkeypatch.setattr(threads, "PATIENCE", 30.0)
    threading.Timer(0.1, world.go.set).start()
    submit(executor, "ok", 3)
    assert [a.failure for a in drain(executor)] == [None]


def test_a_second_signal_hands_back_at_once(start):
    """Nobody waits for the threads."""
    executor = start(2)
    submit(executor, "gated", 1)
    submit(executor, "gated", 2)
    executor._stop.ask(signal.SIGTERM)
    executor._stop.ask(signal.SIGTERM)
    attempts = executor.finished(60)
    assert [a.failure.kind for a in attempts] == ["interrupted", "interrupted"]
    began = time.monotonic()
    executor.close()
    assert time.monotonic() - began < 1


def test_there_is_no_soft_deadline(start, world):
    """An alarm only reaches the main thread: the handler is not disturbed."""
    executor = start(1)
    submit(executor, "soft")
    assert [a.failure for a in drain(executor)] == [None]
    assert not world.told.is_set()


def test_what_handlers_print_goes_to_stderr(start, capsys):
    """The runner's own words stay on stdout, also while handlers run; afterwards all is as before."""
    before = sys.stdout
    executor = start(1)
    submit(executor, "prints")
    print("mine")  # noqa: T201
    drain(executor)
    executor.close()
    assert sys.stdout is before
    assert capsys.readouterr() == ("mine\n", "printed\n")


def test_a_traceback_is_logged_for_debugging(start, caplog):
    """With the id of its action."""
    caplog.set_level(logging.DEBUG)
    submit(executor := start(1), "fails", 7)
    drain(executor)
    (record,) = caplog.records
    assert "LookupError: gone" in record.message
    assert record.action_id == 7
