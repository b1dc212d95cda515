"""Functions of the site's own around handlers: which are called, when, and that they harm nothing."""

from __future__ import annotations

import json
import logging

import pytest

from runner import Cancel, Context, Fail, HandlerError, Handlers, Retry, Snooze
from runner.executors.call import DEAD_LETTER_TIMEOUT, Job, call
from runner.handlers import loading
from runner.handlers.callbacks import MOMENTS


def job(hook: str = "hook", args=(), why=None) -> Job:
    return Job(7, hook, json.dumps(args), "shop", 2, None, why)


def watched(function) -> tuple[Handlers, list]:
    """A handler with one callback for each moment, and what was called, in order."""
    handlers, called = Handlers(), []
    handlers.on("hook")(lambda *args: called.append("handler") or function(*args))
    handlers.before(lambda context: called.append(("before", context.action_id)))
    handlers.after(lambda context: called.append(("after", context.action_id)))
    handlers.on_error(lambda context, error: called.append(("on_error", error)))
    handlers.on_dead_letter(lambda context, why: called.append(("on_dead_letter", why, context)))
    return handlers, called


def raising(error):
    def function():
        raise error

    return function


def test_a_call_that_returns():
    """`before`, the handler, `after`, in that order."""
    handlers, called = watched(lambda: None)
    assert call(handlers, job()) is None
    assert called == [("before", 7), "handler", ("after", 7)]


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(2)], ids=repr)
def test_a_call_that_raises(error):
    """`on_error` gets the error itself, and `after` is not called."""
    handlers, called = watched(raising(error))
    assert call(handlers, job()).error_class == type(error).__name__
    assert called == [("before", 7), "handler", ("on_error", error)]


@pytest.mark.parametrize("word", [Retry("x"), Snooze(5), Fail("x"), Cancel("x")], ids=repr)
def test_what_a_handler_says_is_no_error(word):
    """A control word is neither an error nor a return."""
    handlers, called = watched(raising(word))
    assert call(handlers, job()).kind == type(word).__name__.lower()
    assert called == [("before", 7), "handler"]


def test_a_handler_that_is_not_called_has_nothing_around_it():
    """Args that do not fit are told before anything is called."""
    handlers, called = watched(lambda: None)
    handlers.on("other")(lambda needed: None)
    assert call(handlers, job("other")).kind == "unbound"
    assert called == []


def test_a_dead_letter_calls_no_handler():
    """Only `on_dead_letter`, with the reason, and a context that knows its own time limit."""
    handlers, called = watched(lambda: None)
    assert call(handlers, job(why="no more")) is None
    ((moment, why, context),) = called
    assert (moment, why) == ("on_dead_letter", "no more")
    assert isinstance(context, Context)
    assert (context.hook, context.attempt, context.timeout) == ("hook", 2, DEAD_LETTER_TIMEOUT)


@pytest.mark.parametrize("mistake", [ValueError("oops"), SystemExit(3), Snooze(5)], ids=repr)
def test_a_mistake_is_logged_and_changes_nothing(mistake, caplog):
    """Whatever a callback raises: the handler runs, its outcome stands, the others are called."""
    handlers, called = Handlers(), []

    def wrong(*_args):
        raise mistake

    handlers.on("hook")(lambda: called.append("handler"))
    handlers.on("fails")(raising(LookupError("its own")))
    for moment in MOMENTS:
        getattr(handlers, moment)(wrong)
        getattr(handlers, moment)(lambda *_args, moment=moment: called.append(moment))
    with caplog.at_level(logging.WARNING):
        assert call(handlers, job()) is None
        assert call(handlers, job("fails")).message == "its own"
        assert call(handlers, job(why="no more")) is None
    assert called == ["before", "handler", "after", "before", "on_error", "on_dead_letter"]
    assert [record.action_id for record in caplog.records] == [7] * 5
    text = caplog.records[0].getMessage()
    assert text.startswith("its before test_a_mistake_is_logged_and_changes_nothing.<locals>.wrong")
    assert f"failed: {type(mistake).__name__}" in text


def test_async_functions_are_run():
    """As handlers are."""
    handlers, called = Handlers(), []

    async def note(context):
        called.append(context.hook)

    handlers.on("hook")(lambda: None)
    handlers.before(note)
    assert call(handlers, job()) is None
    assert called == ["hook"]


def names(handlers: Handlers, hook: str, moment: str = "before") -> list[str]:
    return [found.name for found in handlers.callbacks(moment, hook)]


def first(_context):
    pass


def second(_context):
    pass


def test_names_narrow_a_callback():
    """With names it is for those hooks, without for all; several are called in order."""
    handlers = Handlers()
    handlers.on("a", "b", "c")(print)
    assert handlers.before("a", "b")(second) is second
    assert handlers.before(first) is first
    assert names(handlers, "a") == names(handlers, "b") == ["second", "first"]
    assert names(handlers, "c") == ["first"]
    assert names(handlers, "a", "after") == []


def test_included_callbacks_stay_with_their_own_hooks():
    """What a registry includes is the registry's too; the other way round nothing spreads."""
    ours, theirs, empty = Handlers(), Handlers(), Handlers()
    ours.on("a")(print)
    ours.before(first)
    theirs.on("b")(print)
    theirs.before(second)
    empty.before(second)
    ours.include(theirs)
    ours.include(empty)
    assert names(ours, "a") == ["first"]
    assert names(ours, "b") == ["first", "second"]
    assert names(theirs, "b") == ["second"]


def test_chosen_hooks_keep_their_callbacks():
    """And what is registered later on the choice is not the whole's."""
    handlers = Handlers()
    handlers.on("a", "b")(print)
    handlers.before(first)
    chosen = handlers.only(["a"])
    chosen.before(second)
    assert names(chosen, "a") == ["first", "second"]
    assert names(handlers, "a") == ["first"]


@pytest.mark.parametrize(
    ("register", "why"),
    [
        pytest.param(lambda h: h.before(), r"before\(\) names no hook", id="nothing"),
        pytest.param(lambda h: h.before("a")(5), "before wants a function", id="no function"),
        pytest.param(lambda h: h.after("")(first), "after wants names of hooks", id="empty name"),
        pytest.param(lambda h: h.after(5, "a")(first), "after wants names of hooks", id="no name"),
        pytest.param(lambda h: h.on_error(first), r"on_error first: it is called with \(context, error\)", id="too few"),
        pytest.param(lambda h: h.after(lambda: 0), r"it is called with \(context\)", id="none"),
        pytest.param(lambda h: h.on_dead_letter(generator), "a generator would not run", id="generator"),
    ],
)  # fmt: skip
def test_what_could_not_be_called_is_refused(register, why):
    """Where it is written, in one line."""
    with pytest.raises(HandlerError, match=why):
        register(Handlers())


def generator(context, why):
    yield


def test_a_name_without_a_handler_is_refused_when_loaded(tmp_path, monkeypatch):
    """A slip of the pen would never be called; names of another loaded registry are no slip."""
    text = "from runner import Handlers\nh = Handlers()\nh.on('{0}')(print)\n"
    (tmp_path / "cb_one.py").write_text(text.format("a") + "h.before('b')(lambda context: None)\n")
    (tmp_path / "cb_two.py").write_text(text.format("b"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(HandlerError, match=r"before <lambda>: there is no handler for hook b"):
        loading.load(["cb_one:h"])
    loaded = loading.load(["cb_one:h", "cb_two:h"])
    assert names(loaded, "b") == ["<lambda>"]
