"""Calling a handler: whatever happens becomes a value, and nothing escapes."""

import asyncio
import functools
import json
import signal
import sys
import threading
import time
import types
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import pytest

from compat import schedules
from runner import (
    Cancel,
    Context,
    Fail,
    HandlerError,
    Handlers,
    Retry,
    RetryPolicy,
    Snooze,
    SoftTimeout,
)
from runner.core.errors import Control
from runner.core.model import Action, HandlerFailure, Receipt
from runner.executors.call import LONGEST_TEXT, Job, call, failure


def job(args=(), **facts):
    known = {"id": 7, "group": "shop", "attempt": 2, "scheduled_at": None}
    return Job(hook="hook", args_text=json.dumps(args), **(known | facts))


def run(function, args=(), **facts):
    """What a call of this handler comes to."""
    handlers = Handlers()
    handlers.on("hook", retry=RetryPolicy(attempts=5), timeout=9)(function)
    return call(handlers, job(args, **facts))


def raises(error):
    def handler():
        raise error

    return handler


class OwnError(LookupError):
    pass


class OwnBase(BaseException):
    pass


def text_raises(error):
    """An error whose text cannot be had."""

    class Silent(Exception):
        def __str__(self):
            raise error

    Silent.__qualname__ = "Silent"
    return Silent()


class TextIsNoText(Exception):
    __str__ = int


@pytest.mark.parametrize(
    ("error", "shown", "message"),
    [
        pytest.param(ValueError("it broke"), "ValueError", "it broke", id="error"),
        pytest.param(ValueError(), "ValueError", "", id="without text"),
        pytest.param(OwnError("it broke"), "OwnError", "it broke", id="own class"),
        pytest.param(KeyError("a"), "KeyError", "'a'", id="key"),
        pytest.param(SystemExit(3), "SystemExit", "3", id="sys.exit"),
        pytest.param(KeyboardInterrupt(), "KeyboardInterrupt", "", id="interrupt"),
        pytest.param(GeneratorExit(), "GeneratorExit", "", id="generator exit"),
        pytest.param(asyncio.CancelledError(), "CancelledError", "", id="cancelled"),
        pytest.param(OwnBase("x"), "OwnBase", "x", id="own base"),
        pytest.param(BaseExceptionGroup("g", [SystemExit(1)]), "BaseExceptionGroup", "g (1 sub-exception)", id="group"),
        pytest.param(RecursionError("deep"), "RecursionError", "deep", id="recursion"),
        pytest.param(MemoryError(), "MemoryError", "", id="memory"),
        pytest.param(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), "UnicodeDecodeError", "'utf-8' codec can't decode byte 0xff in position 0: bad", id="decode"),
        pytest.param(ValueError("half \ud800 a character"), "ValueError", "half \\ud800 a character", id="lone surrogate"),
        pytest.param(text_raises(ValueError()), "Silent", "(its message cannot be shown)", id="text raises"),
        pytest.param(text_raises(SystemExit(2)), "Silent", "(its message cannot be shown)", id="text exits"),
        pytest.param(TextIsNoText(), "TextIsNoText", "(its message cannot be shown)", id="text is no text"),
    ],
)  # fmt: skip
def test_every_error_is_a_failure(error, shown, message):
    """Any error, also one that is no Exception or cannot be shown, becomes a plain failure."""
    result = run(raises(error))
    assert (result.kind, result.error_class, result.message) == ("error", shown, message)
    assert result.seconds is None
    assert result.traceback.startswith(("Traceback", "  + Exception Group Traceback"))
    assert json.loads(json.dumps(asdict(result)))["kind"] == "error"


def test_the_lineage_names_class_and_bases():
    """A policy can tell an error by its class or a base, also in another process."""
    result = run(raises(OwnError("x")))
    assert result.lineage == (
        f"{__name__}.OwnError",
        "builtins.LookupError",
        "builtins.Exception",
        "builtins.BaseException",
        "builtins.object",
    )


class OwnSnooze(Snooze):
    def __init__(self):
        super().__init__(300, "closed")


@pytest.mark.parametrize(
    ("word", "kind", "seconds", "message"),
    [
        pytest.param(Retry("busy"), "retry", None, "busy", id="retry"),
        pytest.param(Retry("busy", after=5), "retry", 5.0, "busy", id="retry after"),
        pytest.param(Retry(after=0), "retry", 0.0, "", id="retry at once"),
        pytest.param(Retry(after="7"), "retry", 7.0, "", id="retry after text"),
        pytest.param(Snooze(60, "closed"), "snooze", 60.0, "closed", id="snooze"),
        pytest.param(Snooze(1.5), "snooze", 1.5, "", id="snooze, no reason"),
        pytest.param(OwnSnooze(), "snooze", 300.0, "closed", id="own kind of snooze"),
        pytest.param(Fail("no stock"), "fail", None, "no stock", id="fail"),
        pytest.param(Fail(), "fail", None, "", id="fail, no reason"),
        pytest.param(Cancel("not wanted"), "cancel", None, "not wanted", id="cancel"),
        pytest.param(Control("?"), "error", None, "?", id="no word at all"),
    ],
)
def test_control_words(word, kind, seconds, message):
    """What a handler raises to decide its own outcome keeps its word, time and reason."""
    result = run(raises(word))
    assert (result.kind, result.seconds, result.message) == (kind, seconds, message)
    assert result.error_class == ""


@pytest.mark.parametrize(
    "word",
    [
        pytest.param(Snooze(timedelta(minutes=5)), id="snooze for a timedelta"),
        pytest.param(Snooze("soon"), id="snooze for a word"),
        pytest.param(Snooze(None), id="snooze for nothing"),
        pytest.param(Retry(after=timedelta(minutes=5)), id="retry after a timedelta"),
        pytest.param(Retry(after=[]), id="retry after a list"),
    ],
)
def test_a_wrong_time_of_a_control_word_does_not_escape(word):
    """A time that is no number is the handler's mistake: a failure like any other."""
    assert isinstance(run(raises(word)), HandlerFailure)


def test_other_attributes_are_not_taken_for_times():
    """An ordinary error that happens to have `seconds` or `after` sets no time."""
    error = ValueError("x")
    error.seconds, error.after = "soon", "later"
    assert run(raises(error)).seconds is None


def test_a_cause_is_in_the_traceback_alone():
    """The traceback tells the whole story, the message only the last error's own text."""

    def handler():
        try:
            {}["a"]
        except KeyError as error:
            raise ValueError("outer") from error

    result = run(handler)
    assert result.message == "outer"
    assert "KeyError: 'a'" in result.traceback
    assert "in handler" in result.traceback


def test_texts_are_cut():
    """A huge message does not travel: of a text its beginning is kept, of a traceback its end."""
    result = run(raises(ValueError("x" * 1_000_000 + "END")))
    assert result.message == "x" * LONGEST_TEXT
    assert len(result.traceback) == LONGEST_TEXT
    assert result.traceback.endswith("END\n")


@pytest.mark.parametrize("value", [None, 5, "text", [1], object(), False])
def test_any_return_is_success(value):
    """What a handler returns means nothing."""
    assert run(lambda: value) is None


async def async_ok(seen):
    await asyncio.sleep(0)


async def async_fails(seen):
    await asyncio.sleep(0)
    raise OwnError("late")


async def async_retry(seen):
    raise Retry("busy", after=5)


async def async_exit(seen):
    sys.exit(4)


class AsyncObject:
    async def __call__(self, seen):
        raise OwnError("late")


@pytest.mark.parametrize(
    ("handler", "kind", "shown"),
    [
        pytest.param(async_ok, None, "", id="returns"),
        pytest.param(async_fails, "error", "OwnError", id="raises"),
        pytest.param(async_retry, "retry", "", id="control word"),
        pytest.param(async_exit, "error", "SystemExit", id="exits"),
        pytest.param(AsyncObject(), "error", "OwnError", id="callable object"),
        pytest.param(functools.partial(async_fails), "error", "OwnError", id="partial"),
    ],
)
def test_async_handlers_are_awaited(handler, kind, shown):
    """An async handler runs to its end, and fails like any other."""
    result = run(handler, ["x"])
    assert (result and result.kind, result.error_class if result else "") == (kind, shown)


def test_what_was_never_run_is_no_success():
    """A handler that returns a generator has done nothing: that is a failure, not a success."""
    assert run(lambda: (n for n in ())) is not None


@dataclass
class Picky:
    id: int

    def __post_init__(self):
        raise RuntimeError("not this one")


def typed(a: int):
    raise AssertionError("must not be called")


def picky(a: Picky):
    raise AssertionError("must not be called")


@pytest.mark.parametrize(
    ("handler", "args", "message"),
    [
        pytest.param(typed, [1, 2], "typed(a: int)", id="too many"),
        pytest.param(typed, ["many"], "argument a does not fit typed(a: int)", id="wrong type"),
        pytest.param(picky, {"id": 1}, "not this one", id="the class refuses"),
    ],
)
def test_args_that_do_not_fit_are_unbound(handler, args, message):
    """The handler is not called; the failure shows the signature."""
    result = run(handler, args)
    assert result.kind == "unbound"
    assert message in result.message


@pytest.mark.parametrize("text", ["", "0", "null", "5", "{", '"text"', "[NaN]"])
def test_text_that_is_no_args_does_not_escape(text):
    """Args that cannot be read are a failure, here too."""
    handlers = Handlers()
    handlers.on("hook")(lambda: None)
    wrong = Job(7, "hook", text, "", 1, None)
    assert isinstance(call(handlers, wrong), HandlerFailure)


def test_a_hook_without_a_handler_does_not_escape():
    """A process whose module lost a handler answers with a failure."""
    assert isinstance(call(Handlers(), job()), HandlerFailure)


def seen_context(**facts):
    seen = []

    def handler(context: Context, *args):
        seen.append((context, args))

    assert run(handler, ["a"], **facts) is None
    ((context, args),) = seen
    assert args == ("a",)
    return context


def test_the_context_tells_the_facts():
    """Context holds id, hook, group, attempt, policy and the aware date of this instance."""
    assert seen_context(scheduled_at=1_795_413_600) == Context(
        action_id=7,
        hook="hook",
        group="shop",
        attempt=2,
        max_attempts=5,
        scheduled_at=datetime(2026, 11, 23, 6, tzinfo=UTC),
        timeout=9.0,
    )


@pytest.mark.parametrize("at", [None, 0, -1, 253_402_300_799])
def test_any_date_of_the_calendar_can_be_told(at):
    """An async action has no date; others have theirs, however far away."""
    expected = None if at is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at)
    assert seen_context(scheduled_at=at).scheduled_at == expected


@pytest.mark.parametrize("at", [1_795_413_600_000, -(10**12), 10**19])
def test_a_date_beyond_the_calendar_does_not_escape(at):
    """A plugin that schedules by milliseconds dates its actions in the year 58,864: they run."""
    assert seen_context(scheduled_at=at).action_id == 7


class Broken(types.SimpleNamespace):
    def write(self, text):
        return len(text)

    def flush(self):
        raise self.error


@pytest.mark.parametrize(
    "stdout",
    [
        pytest.param(Broken(error=BrokenPipeError()), id="reader gone"),
        pytest.param(Broken(error=OSError(28, "No space left on device")), id="disk full"),
        pytest.param(Broken(error=ValueError("I/O operation on closed file")), id="closed"),
        pytest.param(None, id="none"),
    ],
)
def test_an_output_that_cannot_be_written_is_no_failure(monkeypatch, stdout):
    """A handler that did its work has done it, whatever became of what it printed."""

    def handler():
        monkeypatch.setattr(sys, "stdout", stdout)

    assert run(handler) is None


def test_what_a_handler_prints_is_written_at_once(monkeypatch):
    """Output is flushed after each call, so that a kill later does not lose it."""
    flushed = []
    stdout = types.SimpleNamespace(write=len, flush=lambda: flushed.append(True))
    monkeypatch.setattr(sys, "stdout", stdout)
    run(raises(ValueError()))
    assert flushed == [True]


def test_a_job_is_plain_values():
    """What a child is told of an action survives JSON unchanged."""
    action = Action(7, "hook", '["x"]', schedules.simple(5), 3, "shop", 10, 1)
    told = Job.of(action, Receipt(11, marked_ahead=True))
    assert told == Job(7, "hook", '["x"]', "shop", 2, 5, None, 11, marked_ahead=True)
    assert Job(**json.loads(json.dumps(told.message()))) == told


def test_a_failure_of_the_runner_itself_can_be_described():
    """An error that was never raised has no traceback and is still described."""
    assert failure(ValueError("x")).message == "x"


@pytest.fixture
def alarm():
    """Whoever had the alarm before has it afterwards, and no timer runs on."""
    before = signal.getsignal(signal.SIGALRM)
    yield
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def soft(function, seconds=0.05):
    handlers = Handlers()
    handlers.on("hook", soft_timeout=seconds)(function)
    return call(handlers, job())


def test_a_soft_deadline_rings_in_the_handler(alarm):
    """Where it is, once; what it makes of it counts."""
    seen = []

    def cleans_up():
        try:
            time.sleep(30)
        except SoftTimeout as error:
            seen.append(error.seconds)
            time.sleep(0.1)
            raise Retry("later") from error

    assert soft(lambda: time.sleep(30)).message == "still running after 0.05 seconds"
    assert (soft(cleans_up).kind, seen) == ("retry", [0.05])


def test_a_soft_deadline_that_is_met_does_not_ring(alarm):
    """Nor does one in a thread, where no alarm arrives, or none at all."""
    assert soft(lambda: None) is None
    assert soft(lambda: time.sleep(0.1), None) is None
    found = []
    thread = threading.Thread(target=lambda: found.append(soft(lambda: time.sleep(0.1))))
    thread.start()
    thread.join()
    assert found == [None]


def test_a_late_alarm_is_none(alarm, monkeypatch):
    """It comes when the handler has just returned: that one is not called late."""
    set_timer = signal.setitimer

    def late(which, seconds):
        if seconds == 0:
            signal.raise_signal(signal.SIGALRM)
        set_timer(which, seconds)

    monkeypatch.setattr(signal, "setitimer", late)
    assert soft(lambda: None, 30) is None


def test_a_soft_timeout_is_no_error_of_the_system():
    """`except OSError` around a slow call must not swallow it; nor is it a word like Retry."""
    assert not issubclass(SoftTimeout, (OSError, Control))
    assert issubclass(SoftTimeout, Exception)


@pytest.mark.parametrize("seconds", [0, -1, 9, 10, float("nan")])
def test_a_soft_deadline_comes_before_the_hard_one(seconds):
    """Any other is refused when the handler is registered."""
    with pytest.raises(
        HandlerError, match=r"hook a: the soft_timeout must be .* less than the timeout \(9\)"
    ):
        Handlers().on("a", timeout=9, soft_timeout=seconds)(print_nothing)


def print_nothing():
    pass


def test_cancelled_is_what_the_executor_says():
    """Nobody asked: not cancelled. It is looked up each time."""
    answers, seen = iter([False, True]), []
    handlers = Handlers()

    @handlers.on("hook")
    def handler(context: Context):
        seen.extend([context.cancelled, context.cancelled])

    assert call(handlers, job(), lambda: next(answers)) is None
    assert call(handlers, job()) is None
    assert seen == [False, True, False, False]
