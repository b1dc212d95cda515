"""`runner handlers`: a policy in words."""

import json

import pytest
from click.testing import CliRunner

from runner import Handlers, RetryPolicy, transient
from runner.cli import handlers as cli

FIXED = RetryPolicy.fixed(60)


def own(error):
    return None


def shown(monkeypatch, *options, **given):
    """What the command prints for one hook that is registered so."""
    loaded = Handlers()
    loaded.on("py_hook", **given)(print)
    monkeypatch.setattr(cli, "load_handlers", lambda *_, **__: (loaded, ()))
    result = CliRunner().invoke(cli.command, ["--handlers", "jobs:handlers", *options])
    assert result.exit_code == 0
    return result.stdout


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, ["3 attempts, retried after 60, 120 s; killed after 300 s"], id="default"),
        pytest.param(
            {"retry": RetryPolicy.exponential(30, 4, attempts=5, jitter=0.1)},
            ["5 attempts, retried after 30, 120, 480, 1920 s (±10%); killed after 300 s"],
            id="jitter",
        ),
        pytest.param({"give_up_on": (LookupError, "shop.Gone")}, ["gives up on LookupError, shop.Gone"], id="give_up_on"),
        pytest.param({"retry_on": (TimeoutError,)}, ["retries only TimeoutError"], id="retry_on"),
        pytest.param({"classify": transient}, ["transient decides which errors are retried"], id="classify"),
        pytest.param(
            {"classify": own, "retry_on": (KeyError,), "give_up_on": (OSError, ValueError)},
            ["gives up on OSError, ValueError; retries KeyError; own decides the rest"],
            id="all",
        ),
        pytest.param({"classify": own, "retry": RetryPolicy.never()}, ["1 attempt, no retry; killed after 300 s"], id="never"),
        pytest.param({"give_up_on": ("shop.\x1b[2J",)}, ["gives up on shop.\\x1b[2J"], id="control characters"),
    ],
)  # fmt: skip
def test_a_policy_in_words(monkeypatch, given, expected):
    """Retries with their jitter, and which errors are retried, in the order in which it is decided."""
    assert [line.strip() for line in shown(monkeypatch, **given).splitlines()][-1:] == expected


def test_a_policy_as_json(monkeypatch):
    """The same as facts: names of errors and of the classifier."""
    text = shown(monkeypatch, "--json", classify=own, retry_on=(KeyError,), give_up_on=("a.B",))
    (facts,) = json.loads(text)
    assert (facts["retry_on"], facts["give_up_on"], facts["classify"]) == (
        ["KeyError"],
        ["a.B"],
        "own",
    )


def test_what_is_around_a_handler(monkeypatch):
    """Its queue and the functions of each moment, in words and as facts."""
    loaded = Handlers()
    loaded.on("py_hook", queue="mail")(print)
    loaded.before(own)
    loaded.on_dead_letter(two)
    monkeypatch.setattr(cli, "load_handlers", lambda *_, **__: (loaded, ()))
    words = CliRunner().invoke(cli.command, []).stdout.splitlines()[-1].strip()
    assert words == "queue mail; before own; on_dead_letter two"
    (facts,) = json.loads(CliRunner().invoke(cli.command, ["--json"]).stdout)
    found = {name: facts[name] for name in ("queue", "before", "after", "on_dead_letter")}
    assert found == {"queue": "mail", "before": ["own"], "after": [], "on_dead_letter": ["two"]}


def two(context, why):
    pass
