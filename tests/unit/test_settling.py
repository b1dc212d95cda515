"""`context.settling()` as one call sees it, with a settler of the test's."""

from __future__ import annotations

import logging
from contextlib import contextmanager

import pytest
from support.executors import action

from runner import Context, Fail, Handlers, SettlingError
from runner.core.clock import SystemClock
from runner.executors.call import Job, call
from runner.executors.inline import Inline
from runner.executors.settling import Settling


class Settler:
    """Commits, or leaves something behind."""

    def __init__(self, stays: str = "") -> None:
        self.stays = stays
        self.rests = 0

    @contextmanager
    def settle(self, settling):
        try:
            yield "connection"
        except BaseException:
            settling.stays = self.stays
            raise
        settling.done = True

    def rest(self) -> None:
        self.rests += 1


def run(function, settler=None, cancelled=lambda: False):
    """Calls the handler; gives its failure and its settling."""
    handlers = Handlers()
    handlers.on("hook")(function)
    settling = Settling(Job(7, "hook", "[]", "", 1, None), lambda: settler or Settler(), 0.0)
    failure = call(handlers, settling.job, cancelled, settling)
    settling.end()
    return failure, settling


def block(context: Context) -> None:
    with context.settling() as connection:
        assert connection == "connection"


def test_a_call_that_settles_is_done_and_its_connection_rests():
    settler = Settler()
    failure, settling = run(block, settler)
    assert (failure, settling.done, settler.rests) == (None, True, 1)


def test_a_call_that_does_not_settle_has_nothing_to_rest():
    settler = Settler()
    assert run(lambda: None, settler)[1].done is False
    assert settler.rests == 0


@pytest.mark.parametrize("error", [Fail("late"), LookupError("late"), SystemExit("late")])
def test_an_error_after_the_block_is_only_logged(error, caplog):
    """With the action's id; it is no failure any more."""

    def late(context: Context) -> None:
        block(context)
        raise error

    with caplog.at_level(logging.ERROR):
        failure, settling = run(late)
    assert (failure, settling.done) == (None, True)
    (record,) = caplog.records
    assert (record.action_id, record.name) == (7, "runner.handler.hook")
    assert "complete" in record.getMessage()
    assert "late" in record.getMessage()


def test_what_could_not_be_undone_is_in_the_failure():
    def fails(context: Context) -> None:
        with context.settling():
            raise LookupError("x")

    assert run(fails, Settler("two rows"))[0].message == "x (not atomic: two rows)"
    assert run(fails)[0].message == "x"


def test_a_settled_action_is_not_called_canceled():
    """Its row is no longer ours, which a heartbeat takes for somebody's wish."""
    seen = []

    def look(context: Context) -> None:
        seen.append(context.cancelled)
        block(context)
        seen.append(context.cancelled)

    run(look, cancelled=lambda: True)
    assert seen == [True, False]


def test_without_a_database_it_is_an_error_of_the_handler():
    """An executor that was given no settler goes on working."""
    handlers = Handlers()
    handlers.on("hook")(block)
    executor = Inline(handlers, SystemClock())
    for number in (1, 2):
        executor.submit(action("hook", number))
        (attempt,) = executor.finished(1)
        assert attempt.failure.error_class == SettlingError.__name__
        assert "no database" in attempt.failure.message
