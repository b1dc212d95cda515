"""What a worker tells, and to whom."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from support.executors import action

from runner.cli.outcomes import facts, sentence
from runner.core.events import Events, Lost, Settled
from runner.core.json_lines import json_line
from runner.core.model import (
    Attempt,
    Cancelled,
    Completed,
    Dead,
    HandlerFailure,
    Retried,
    Settlement,
    Snoozed,
)

SETTLEMENT = Settlement(action("a_hook", 7), Completed())


def test_every_subscriber_hears_of_every_event():
    """In order, with the queue that was given."""
    heard = []
    events = Events([heard.append, lambda event: heard.append(type(event))], queue="mail")
    events.settled(SETTLEMENT)
    events.lost(SETTLEMENT.action)
    lost = Lost(SETTLEMENT.action, "mail")
    assert heard == [Settled(SETTLEMENT, "mail"), Settled, lost, Lost]


def test_a_subscriber_that_fails_harms_nobody():
    """The others hear all the same, and it is told once."""
    heard, told = [], []

    def fails(event):
        raise LookupError("nothing there")

    events = Events([fails, heard.append], tell=told.append)
    events.settled(SETTLEMENT)
    events.settled(SETTLEMENT)
    assert len(heard) == 2
    assert told == ["an event was not passed on: LookupError: nothing there"]


def test_what_nobody_else_hears_goes_to_stderr(capsys):
    """One line, as the command line's own."""

    def fails(event):
        raise LookupError("two\nlines")

    Events([fails]).settled(SETTLEMENT)
    line = "runner: an event was not passed on: LookupError: two lines\n"
    assert capsys.readouterr().err == line


def test_not_even_telling_can_fail():
    """A closed stderr, say, ends no run."""
    heard = []
    Events([lambda _: 1 / 0, heard.append], tell=lambda _: 1 / 0).settled(SETTLEMENT)
    assert len(heard) == 1


ERROR = HandlerFailure("error", "no", error_class="ValueError")
EXPIRED = HandlerFailure("expired", "its worker died")
AT = 1_795_413_900


@pytest.mark.parametrize(
    ("outcome", "failure", "told"),
    [
        (Completed(), None, ("completed", "info", None, None, None)),
        (Retried(AT, "no"), ERROR, ("retried", "warning", "ValueError", "no", "2026-11-23T06:05:00+00:00")),
        (Snoozed(AT, ""), HandlerFailure("snooze", ""), ("snoozed", "info", None, None, "2026-11-23T06:05:00+00:00")),
        (Dead("no"), ERROR, ("failed", "error", "ValueError", "no", None)),
        (Cancelled("no"), HandlerFailure("cancel", "no"), ("canceled", "info", None, "no", None)),
    ],
)  # fmt: skip
def test_the_facts_of_an_outcome(outcome, failure, told):
    """Every outcome has the same keys; what does not apply is None."""
    attempt = Attempt(action("a_hook", 7), 1.2345604, failure, memory=4096)
    line = facts(Settled(Settlement(attempt.action, outcome, attempt=attempt), "mail"))
    word, level, error_class, why, at = told
    assert line == {
        "event": "settled", "level": level, "action_id": 7, "hook": "a_hook", "job_type": None, "group": None,
        "queue": "mail", "attempt": 1, "outcome": word, "seconds": 1.23456, "memory": 4096,
        "error_class": error_class, "why": why, "next_at": at,
    }  # fmt: skip


def test_of_a_call_that_nobody_saw_nothing_is_made_up():
    """Nobody knows how long the handler of a dead worker ran, nor what it took."""
    attempt = Attempt(action("a_hook", 7), 0.0, EXPIRED)
    line = facts(Settled(Settlement(attempt.action, Dead("no"), attempt=attempt)))
    assert (line["seconds"], line["memory"], line["queue"]) == (None, None, None)


def test_a_lost_action_is_told():
    """In both forms."""
    event = Lost(action("a_hook", 7), "mail")
    assert sentence(event).startswith("action 7 (a_hook) was lost: another runner took it")
    assert facts(event) == {
        "event": "lost", "level": "warning", "action_id": 7, "hook": "a_hook", "job_type": None, "group": None,
        "queue": "mail", "attempt": 1,
    }  # fmt: skip


def test_a_json_line_is_one_line():
    """Whatever the data holds, with the time in UTC first."""
    line = json_line("output", text="a\n\x1b\u2028é\ud800")
    assert line.isascii()
    assert line.isprintable()
    read = json.loads(line)
    assert list(read) == ["time", "level", "event", "text"]
    assert read["text"] == "a\n\x1b\u2028é\ud800"
    assert datetime.fromisoformat(read["time"]).utcoffset().total_seconds() == 0
