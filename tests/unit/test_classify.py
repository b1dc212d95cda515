"""What a call tells of an error beside its text: its classifier's answer, and a Retry-After."""

import json
import sys
from dataclasses import asdict
from datetime import timedelta
from email.message import Message
from urllib.error import HTTPError

import pytest

from runner import Cancel, Fail, Handlers, Retry, Snooze
from runner.core.http_errors import LONGEST_HEADER
from runner.core.model import HandlerFailure
from runner.executors.call import Job, call


class OwnError(LookupError):
    pass


def call_with(classify, error):
    """What a call comes to whose handler raises this error."""
    handlers = Handlers(classify=classify)

    @handlers.on("hook")
    def handler():
        raise error

    return call(handlers, Job(7, "hook", "[]", "", 1, None))


def rate_limited(wait="120"):
    headers = Message()
    headers["Retry-After"] = wait
    return HTTPError("https://shop.example/", 429, "Too Many Requests", headers, None)


def raised_from(cause, error=None):
    error = error or OwnError("x")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(rate_limited(), "120", id="error"),
        pytest.param(rate_limited("x" * 9999), "x" * LONGEST_HEADER, id="cut"),
        pytest.param(raised_from(rate_limited()), "120", id="raised from it"),
        pytest.param(raised_from(rate_limited(), Retry("busy")), "", id="its own word"),
        pytest.param(ValueError("x"), "", id="another error"),
    ],
)
def test_a_retry_after_crosses_as_text(error, expected):
    """The header travels as it was sent; whoever judges knows what time it is."""
    result = call_with(None, error)
    assert result.retry_after == expected
    assert HandlerFailure(**json.loads(json.dumps(asdict(result)))).retry_after == expected


@pytest.mark.parametrize(
    ("answer", "verdict", "seconds"),
    [
        pytest.param("retry", "retry", None, id="retry"),
        pytest.param("permanent", "permanent", None, id="permanent"),
        pytest.param(None, "", None, id="no answer"),
        pytest.param(45, "retry", 45.0, id="seconds"),
        pytest.param(0, "retry", 0.0, id="at once"),
        pytest.param(timedelta(minutes=2), "retry", 120.0, id="timedelta"),
    ],
)
def test_a_classifier_s_answer_is_told(answer, verdict, seconds, caplog):
    """The classifier sees the error itself; what it answers crosses as plain data."""
    seen, error = [], OwnError("x")
    result = call_with(lambda error: seen.append(error) or answer, error)
    assert seen == [error]
    assert (result.kind, result.verdict, result.seconds) == ("error", verdict, seconds)
    assert json.loads(json.dumps(asdict(result)))["verdict"] == verdict
    assert not caplog.records


def answers(value):
    return lambda _: value


@pytest.mark.parametrize(
    ("classify", "why"),
    [
        pytest.param(answers("maybe"), "ValueError: 'maybe' is no answer", id="another word"),
        pytest.param(answers("7"), "ValueError: '7' is no answer", id="number as text"),
        pytest.param(answers(True), "ValueError: True is no answer", id="yes"),
        pytest.param(answers(float("nan")), "ValueError: nan is no answer", id="no number"),
        pytest.param(answers([]), "ValueError: [] is no answer", id="list"),
        pytest.param(lambda _: 1 / 0, "ZeroDivisionError: division by zero", id="raises"),
        pytest.param(lambda _: sys.exit(4), "SystemExit: 4", id="exits"),
        pytest.param(lambda: None, "TypeError: ", id="takes no error"),
    ],
)
def test_a_classifier_that_fails_has_said_nothing(classify, why, caplog):
    """Its mistake is logged under the action's id; the failure is the handler's own error."""
    result = call_with(classify, OwnError("x"))
    assert (result.error_class, result.message) == ("OwnError", "x")
    assert (result.verdict, result.seconds) == ("", None)
    (record,) = caplog.records
    assert (record.name, record.action_id) == ("runner.handler.hook", 7)
    assert why in record.getMessage()


@pytest.mark.parametrize("word", [Retry("a", after=5), Snooze(5), Fail("a"), Cancel("a")], ids=repr)
def test_a_handlers_own_word_is_not_call_with(word):
    """Who says what happened is not asked again."""
    asked = []
    result = call_with(asked.append, word)
    assert (asked, result.verdict) == ([], "")
