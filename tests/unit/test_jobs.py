"""Job types without a database: envelopes, payloads as calls, registrations."""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass

import pytest

from compat import schedules
from runner import Context, Handlers
from runner.core.errors import EnqueueError, HandlerError
from runner.core.jobs import HOOK, PHP_HOOK, Envelope
from runner.core.model import NO_RECEIPT, Action
from runner.executors.call import Job, call
from runner.handlers.binding import Unbound
from runner.handlers.jobs import PayloadSignature

ID = "5c1d9b2e-0000-4000-8000-000000000001"


@dataclass
class Order:
    id: int


def one(payload): ...
def whole(payload: dict): ...
def order(payload: Order): ...
def user(user_id): ...
def typed(user_id: int, template: str = "hello"): ...
def two(a, b): ...
def optional(payload=None): ...
def nothing(): ...
def anything(**facts): ...
def listed(items: list): ...


BATCH = {"_batch_id": "x", "_batch_index": 0, "_batch_total": 2}


@pytest.mark.parametrize(
    ("function", "payload", "called"),
    [
        pytest.param(one, {"a": 1}, {"payload": {"a": 1}}, id="whole, as PHP passes it"),
        pytest.param(one, [], {"payload": {}}, id="an empty one"),
        pytest.param(one, {"payload": 5}, {"payload": 5}, id="by name"),
        pytest.param(whole, {"payload": 5}, {"payload": {"payload": 5}}, id="dict takes it whole"),
        pytest.param(whole, [], {"payload": {}}, id="dict of nothing"),
        pytest.param(order, {"id": "7"}, {"payload": Order(7)}, id="dataclass"),
        pytest.param(user, {"user_id": 42}, {"user_id": 42}, id="one parameter by name"),
        pytest.param(user, {"user_id": 42} | BATCH, {"user_id": 42}, id="of a batch"),
        pytest.param(whole, {"a": 1} | BATCH, {"payload": {"a": 1} | BATCH}, id="whole of a batch"),
        pytest.param(anything, {"a": 1} | BATCH, {"facts": {"a": 1} | BATCH}, id="all names"),
        pytest.param(typed, {"template": "x", "user_id": "42"}, {"user_id": 42, "template": "x"}, id="names and types"),
        pytest.param(two, [1, 2], {"a": 1, "b": 2}, id="a list by position"),
        pytest.param(listed, [[1, 2]], {"items": [1, 2]}, id="a list of a list"),
        pytest.param(optional, [], {}, id="a default stays"),
        pytest.param(nothing, [], {}, id="no parameter"),
        pytest.param(one, "text", {"payload": "text"}, id="no array"),
    ],
)  # fmt: skip
def test_a_payload_as_a_call(function, payload, called):
    """By name where the keys are parameters; whole where the one parameter is none of them."""
    positional, named = PayloadSignature.of(function).bind([{"type": "x", "payload": payload}])
    assert inspect.signature(function).bind(*positional, **named).arguments == called


@pytest.mark.parametrize(
    ("function", "payload", "why"),
    [
        (two, {"a": 1, "c": 2}, "it has no parameter c"),
        (two, {"a": 1}, "missing a required argument: 'b'"),
        (two, [], "missing a required argument"),
        (typed, {"user_id": "x"}, "argument user_id does not fit"),
        (nothing, {"a": 1}, "it has no parameter a"),
        (user, [1, 2], "too many positional arguments"),
    ],
)
def test_a_payload_that_does_not_fit(function, payload, why):
    """It says how the handler is called."""
    with pytest.raises(Unbound, match=why) as caught:
        PayloadSignature.of(function).bind([{"type": "x", "payload": payload}])
    assert function.__name__ + "(" in str(caught.value)


@pytest.mark.parametrize(
    ("args", "envelope"),
    [
        ([{"type": "a", "payload": {"x": 1}, "attempt": 2, "dispatched": "d", "job_id": ID}], Envelope("a", {"x": 1}, 2, "d", ID)),
        ([{"type": "a"}], Envelope("a", [])),
        ({"type": "a", "payload": [1]}, Envelope("a", [1])),
        ({"job": {"type": "a", "attempt": "3"}}, Envelope("a", [], 3)),
        ([{"type": "a", "attempt": -1, "job_id": 5, "dispatched": None}], Envelope("a", [])),
        ([{"type": "a", "attempt": "9" * 5000}], Envelope("a", [])),
        ([{"type": "a", "attempt": 9_999_999}], Envelope("a", [], 1_000_000)),
        ([{"type": "a", "attempt": True}], Envelope("a", [])),
        ([{"type": ["a"]}], Envelope("", [])),
        (["a", {"type": "a"}], Envelope("")),
        ([], Envelope("")),
        ({}, Envelope("")),
    ],
)  # fmt: skip
def test_an_envelope_is_read_leniently(args, envelope):
    """Whatever PHP stored; without a type it has none."""
    assert Envelope.of(args) == envelope


def test_a_new_envelope():
    """PHP's keys in PHP's order, and an id of its own."""
    made = Envelope.new("a", {"x": 1}, "2026-11-23 07:05:00")
    assert [*made.facts()] == ["type", "payload", "attempt", "dispatched", "job_id"]
    assert made.job_id != Envelope.new("a", {}, "").job_id
    with pytest.raises(EnqueueError, match="a job's type is a name"):
        Envelope.new(" ", {}, "")


def action(type_: str | None, attempts: int = 0, **facts) -> Action:
    args = json.dumps([{"type": type_, "payload": facts}])
    job = None if type_ is None else Envelope(type_, facts, job_id=ID)
    return Action(7, HOOK, args, schedules.asynchronous(), 0, "", 10, attempts, job)


@pytest.mark.parametrize(
    ("options", "attempts", "delays"),
    [
        ({}, 4, [60, 120, 240]),
        ({"max_retries": 2, "base_delay": 30}, 3, [30, 60]),
        ({"max_retries": 5, "timeout": 120}, 6, [60, 120, 240, 480, 960]),
        ({"max_retries": 1, "timeout": 600}, 2, [60]),
        ({"max_retries": 0}, 1, []),
        ({"retryable": False}, 1, []),
        ({"max_retries": 3, "base_delay": 86_400}, 4, [86_400, 172_800, 345_600]),
    ],
)
def test_php_s_numbers(options, attempts, delays):
    """As many tries more as max_retries, each delay twice the last, not cut at a day."""
    handlers = Handlers(retry_on=(KeyError,))
    handlers.job("a", **options)(one)
    (found,) = handlers.jobs
    assert found.retry.attempts == attempts
    assert [found.retry.delay(n) for n in range(1, attempts)] == delays
    assert found.timeout == options.get("timeout", 300)
    assert found.retry.retry_on == (KeyError,)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"max_retries": -1}, "job type a: max_retries is the number of tries after the first"),
        ({"max_retries": 1.5}, "max_retries is the number of tries"),
        ({"max_retries": True}, "max_retries is the number of tries"),
        ({"base_delay": -1}, "base_delay must not be negative"),
        ({"base_delay": float("nan")}, "base_delay must not be negative"),
        ({"base_delay": "60"}, "base_delay is a number of seconds"),
        ({"retryable": "no"}, "retryable is True or False"),
        ({"timeout": 0}, "job type a: the timeout must be more than 0"),
        ({"soft_timeout": 400}, "job type a: the soft_timeout must be"),
        ({"on_crash": "x"}, "job type a: on_crash must be one of"),
        ({"retry": None}, "give max_retries, base_delay and retryable"),
        ({"queue": "mail"}, "all jobs share the hook's queue, wpkite-jobs"),
        ({"group": "mail"}, "all jobs share the group wpkite-jobs"),
    ],
)
def test_a_registration_that_makes_no_sense(options, why):
    """One line, and nothing is registered."""
    handlers = Handlers()
    with pytest.raises(HandlerError, match=why) as caught:
        handlers.job("a", **options)(one)
    assert "\n" not in str(caught.value)
    assert handlers.jobs == ()


@pytest.mark.parametrize("types", [(), ("",), (5,), ("t" * 101,)])
def test_a_type_that_is_no_name(types):
    with pytest.raises(HandlerError, match="type"):
        Handlers().job(*types)(one)


def test_one_owner():
    """A type has one handler, and so has a hook."""
    handlers = Handlers()
    handlers.job("a", "b")(one)
    with pytest.raises(HandlerError, match="job type a has two handlers"):
        handlers.job("a")(two)
    other = Handlers()
    other.job("b")(two)
    with pytest.raises(HandlerError, match="job type b has two handlers"):
        handlers.include(other)
    handlers.on(PHP_HOOK)(one)
    with pytest.raises(HandlerError, match=f"hook {PHP_HOOK} runs jobs"):
        handlers.own_jobs([HOOK, PHP_HOOK])


def test_the_hook_of_jobs():
    """It is there where types are: in hooks, in worker queues, with the longest time limit."""
    handlers = Handlers()
    handlers.own_jobs([HOOK])
    assert handlers.hooks == ()
    handlers.job("a", timeout=100)(one)
    handlers.job("b", timeout=700)(one)
    handlers.on("plain")(one)
    handlers.own_jobs([HOOK, PHP_HOOK])
    assert handlers.hooks == ("plain", HOOK, PHP_HOOK)
    assert (handlers[HOOK].timeout, handlers[HOOK].queue) == (700, "wpkite-jobs")
    assert [h.timeout for h in map(handlers.find, [action("a"), action("b")])] == [100, 700]
    chosen = handlers.only([HOOK])
    assert (chosen.hooks, chosen.job_hooks) == ((HOOK,), (HOOK, PHP_HOOK))
    assert chosen.find(action("b")).timeout == 700
    assert handlers.only(["plain"]).hooks == ("plain",)


def test_tries_before_the_row_count():
    """An action's number goes on from its envelope's."""
    job = Envelope("a", attempt=2)
    assert Action(1, HOOK, "[]", schedules.asynchronous(), 0, "", 10, 1, job).attempt == 4
    assert action(None).attempt == 1
    assert {action("a").key, action("b").key, action(None).key} == {f"{HOOK}/a", f"{HOOK}/b", HOOK}


def run(handlers: Handlers, type_: str | None, why: str | None = None, **payload):
    job = Job.of(action(type_, **payload), NO_RECEIPT, why)
    return call(handlers, Job(**json.loads(json.dumps(job.message()))))


def test_a_job_is_called_by_its_type():
    """With its context, and what is around its type alone."""
    handlers, seen = Handlers(), []
    handlers.job("a")(lambda x: seen.append(("a", x)))

    @handlers.job("b", max_retries=5)
    def b(context: Context, x: int) -> None:
        seen.append((context.hook, context.job_type, context.job_id, context.max_attempts, x))

    handlers.before("a")(lambda context: seen.append(f"before {context.job_type}"))
    handlers.on_dead_letter(lambda context, why: seen.append((context.job_type, why)))
    joined = Handlers()
    joined.include(handlers)
    joined.check_callbacks()
    assert [run(joined, "a", x=1), run(joined, "b", x="2")] == [None, None]
    assert seen == ["before a", ("a", 1), (HOOK, "b", ID, 6, 2)]
    seen.clear()
    told = run(joined, "c")
    assert (told.kind, seen) == ("unbound", [])
    assert "no handler here for job type c" in told.message
    assert run(joined, "", x=1).message.startswith("its envelope names no type")
    run(joined, "a", why="x")
    run(joined, "c", why="y")
    assert seen == [("a", "x"), ("c", "y")]


def test_a_callback_of_a_type_that_nobody_has():
    handlers = Handlers()
    handlers.job("a")(one)
    handlers.before("b")(lambda context: None)
    with pytest.raises(HandlerError, match="there is no handler for hook b"):
        handlers.check_callbacks()


def test_what_is_limited_has_no_windows():
    """It is to begin on time: also a job, whose limit is that of all jobs' group."""

    def may(*limit, **lock) -> bool:
        handlers = Handlers()
        handlers.job("often", idempotent=True, **lock)(lambda n: None)
        handlers.own_jobs([HOOK])
        if limit:
            handlers.limit(*limit, rate="1/s")
        return handlers.may_run_ahead(Job(1, HOOK, "[]", "", 1, None, type="often"))

    assert may()
    assert not may("wpkite-jobs")
    assert not may(lock="crm:{n}")
    assert may("else")
