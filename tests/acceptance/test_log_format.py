"""The daemon's log as JSON: every line of both streams is one object."""

from __future__ import annotations

import json
import signal

import pytest
from support.site import PHP_CRON
from support.waiting import until

DUE = 1_700_000_000

JOBS = """
import pathlib, sys, time
from runner import Context, Handlers, RetryPolicy

handlers = Handlers(retry=RetryPolicy.never(), timeout=50)
here = pathlib.Path(__file__).parent
print("imported", flush=True)

@handlers.on("talks")
def talks(context: Context, text):
    print(text, flush=True)
    print("also here", file=sys.stderr, flush=True)
    context.log.warning("careful")

@handlers.on("fails", queue="mail")
def fails():
    raise LookupError("no such product")

@handlers.on("gated")
def gated():
    (here / "begun").touch()
    while not (here / "go").exists():
        time.sleep(0.01)
"""


@pytest.fixture
def work(cli, site):
    """Starts `runner work`; kills what is left of it."""
    cli.module("jobs", JOBS)
    site.migrate()
    started = []

    def start(*arguments: str, **environ: str):
        words = ("work", "--handlers", "jobs:handlers", "--sleep", "0.05")
        started.append(cli.start(*words, *arguments, **environ))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=30)


def ended(process) -> tuple[int, list[dict], list[dict]]:
    """Exit code, and the objects of both streams."""
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    return (
        process.returncode,
        [json.loads(line) for line in out.splitlines()],
        [json.loads(line) for line in err.splitlines()],
    )


def test_settled_actions_are_objects_with_stable_keys(work, site):
    """One for each, with its queue, and a last one with the summary."""
    talks = site.add("talks", ["hello"], at=DUE, group="shop")
    fails = site.add("fails", at=DUE)
    process = work("--log-format", "json", "--queues", "mail:1,*:1")
    until(lambda: site.statuses() == {"complete": 1, "failed": 1})
    code, out, _ = ended(process)
    *settled, end = out
    assert (code, end["event"], end["completed"], end["failed"]) == (0, "ended", 1, 1)
    one, other = sorted(settled, key=lambda line: line["action_id"])
    assert (one["action_id"], one["group"], one["queue"]) == (talks, "shop", "*")
    assert (one["outcome"], one["why"], one["error_class"]) == ("completed", None, None)
    assert 0 < one["seconds"] < 20
    assert one["memory"] > 1_000_000
    assert (other["action_id"], other["queue"], other["level"]) == (fails, "mail", "error")
    assert (other["outcome"], other["error_class"]) == ("failed", "LookupError")
    assert other["why"] == "LookupError: no such product"
    assert list(one) == list(other)


@pytest.mark.parametrize("executor", ["processes:1", "threads:1", "inline"])
def test_what_handlers_print_becomes_objects(work, site, executor):
    """Printed or logged, in a child or in the daemon itself, with the action's id."""
    action = site.add("talks", ['a "quoted"\nline'], at=DUE)
    process = work(RUNNER_LOG_FORMAT="json", RUNNER_EXECUTOR=executor)
    until(lambda: site.statuses() == {"complete": 1})
    code, _, err = ended(process)
    said = [line for line in err if line["action_id"] is not None]
    assert (code, {line["event"] for line in err}) == (0, {"output"})
    assert {line["action_id"] for line in said} == {action}
    texts = ['a "quoted"', "line", "also here", "WARNING runner.handler.talks: careful"]
    assert [line["text"] for line in said] == texts


def test_what_the_daemon_tells_is_objects(work, cli, site):
    """The loss of the database, its return, and the error that ends it."""
    action = site.add("gated", at=DUE)
    process = work("--log-format", "json")
    until((cli.folder / "begun").exists)
    for (thread,) in site.run(
        "SELECT id FROM information_schema.processlist WHERE user = 'runner_test'"
    ):
        site.server.execute(f"KILL {thread}")
    (cli.folder / "go").touch()
    until(lambda: site.row(action)["status"] == "complete")
    later = site.add("talks", ["hello"], at=DUE)
    until(lambda: site.row(later)["status"] == "complete")
    _, _, err = ended(process)
    told = [line for line in err if line["event"] == "message"]
    assert told[0]["text"].startswith("the database is lost and waited for")
    assert told[-1]["text"].startswith("the database is back after ")
    assert {line["level"] for line in told} == {"warning"}


def test_the_error_that_ends_it_is_an_object(work, site):
    """With the exit code that it has in text."""
    site.set_option("cron", PHP_CRON)
    process = work("--log-format", "json", RUNNER_MODE="auto")
    process.wait(30)
    out, err = process.communicate()
    line = json.loads(err.splitlines()[-1])
    assert (process.returncode, out) == (1, "")
    assert (line["event"], line["level"]) == ("message", "error")
    assert "PHP's own queue runner may be alive" in line["text"]


def test_runs_from_cron_are_not_changed_by_it(cli, site):
    """The setting is the daemon's: a run prints its sentence, and handlers their labelled lines."""
    cli.module("jobs", JOBS)
    action = site.add("talks", ["hello"], at=DUE)
    done = cli("run", "--handlers", "jobs:handlers", RUNNER_LOG_FORMAT="json")
    assert done.stdout.startswith("claimed 1: completed 1 in ")
    assert f"[action {action}] hello" in done.stderr.splitlines()


def test_another_format_is_refused(cli):
    """One line, with those there are."""
    done = cli("work", "--log-format", "xml")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "--log-format is 'xml': expected one of text, json" in done.stderr
