"""What the runner's own tables show, as a user sees it."""

from __future__ import annotations

import json
import signal

from support.waiting import until

DUE = 1_700_000_000
JOBS = """
import pathlib, time
from runner import Handlers, RetryPolicy

handlers = Handlers(retry=RetryPolicy.never())
here = pathlib.Path(__file__).parent

@handlers.on("boom")
def boom():
    raise LookupError("no such product")

@handlers.on("killed", on_crash="ask")
def killed():
    if not (here / "mended").exists():
        import os
        os.kill(os.getpid(), 9)

@handlers.on("gated")
def gated():
    (here / "begun").touch()
    while not (here / "go").exists():
        time.sleep(0.01)
"""


def test_every_try_is_shown(site, cli):
    """Outcome, error, time and memory of each try, as table and JSON."""
    cli.module("jobs", JOBS)
    site.migrate()
    action = site.add("boom", at=DUE)
    cli("run", "--handlers", "jobs:handlers")
    shown = cli("action", "attempts", str(action))
    heading, line = shown.stdout.splitlines()
    assert heading.split()[:3] == ["attempt", "outcome", "error"]
    assert line.split()[:3] == ["1", "failed", "LookupError"]
    (fact,) = json.loads(cli("action", "attempts", str(action), "--format", "json").stdout)
    assert fact["peak_memory"] > 1_000_000
    assert fact["elapsed_ms"] >= 0
    missing = cli("action", "attempts", "99")
    assert (missing.returncode, missing.stderr) == (1, "runner: there is no action 99\n")


def test_without_the_tables_they_say_so(site, cli):
    """One line with the way out."""
    action = site.add("boom", at=DUE)
    line = "runner: the runner's own tables are missing here: `runner migrate` makes them\n"
    for command in (["worker", "list"], ["action", "attempts", str(action)]):
        done = cli(*command)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", line)
    assert "own tables   missing: `runner migrate` makes them" in cli("status").stdout


def test_what_may_have_run_is_asked_about_and_run_again_by_hand(site, cli):
    """on_crash="ask": not tried again by itself; the log names the command that does."""
    cli.module("jobs", JOBS)
    site.migrate()
    action = site.add("killed", at=DUE)
    for _ in range(2):
        cli("run", "--handlers", "jobs:handlers")
    assert (site.row(action)["status"], site.row(action)["attempts"]) == ("failed", "1")
    assert f"run it again with `runner action retry {action}`" in site.logs(action)[-1]
    (cli.folder / "mended").touch()
    again = cli("action", "retry", str(action))
    assert (again.returncode, again.stdout) == (0, "pending again: 1 action\n")
    assert site.row(action)["status"] == "pending"
    cli("run", "--handlers", "jobs:handlers")
    assert site.row(action)["status"] == "complete"
    refused = cli("action", "retry", str(action), "99")
    assert refused.returncode == 1
    assert refused.stderr.splitlines() == [
        f"runner: action {action} is complete: only failed or canceled actions can be retried",
        "runner: there is no action 99",
    ]


def test_workers_are_listed_while_they_live(site, cli):
    """Each queue of a daemon is a worker; what it holds is counted; it leaves when it ends."""
    cli.module("jobs", JOBS)
    site.migrate()
    site.add("gated", at=DUE)
    daemon = cli.start("work", "--handlers", "jobs:handlers", "--queues", "*:1", "--sleep", "0.05")
    try:
        until((cli.folder / "begun").exists)
        (row,) = json.loads(cli("worker", "list", "--format", "json").stdout)
        assert (row["state"], row["queue"], row["claims"], row["pid"]) == (
            "alive",
            "*",
            1,
            daemon.pid,
        )
        assert row["executor"] == "processes:1"
        (cli.folder / "go").touch()
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(30) == 0
    finally:
        daemon.kill()
        daemon.communicate()
    assert cli("worker", "list", "--format", "count").stdout == "0\n"


def test_a_dead_worker_is_shown_as_silent(site, cli):
    """Killed, it stays in the list, and says nothing more."""
    site.migrate()
    site.run(
        "INSERT INTO wp_runner_workers (host, pid, queue, executor, version, started_at, seen_at)"
        " VALUES ('web1', 7, 'mail', 'processes:2', '0.1', '2026-11-01', '2026-11-01')"
    )
    assert cli("worker", "list", "--field", "state").stdout == "silent\n"


def test_cleaning_takes_the_attempts_too(site, cli):
    """With the actions, and what is left of those that PHP deleted."""
    cli.module("jobs", JOBS)
    site.migrate()
    action = site.add("boom", at=DUE)
    cli("run", "--handlers", "jobs:handlers")
    other = site.add("boom", at=DUE)
    cli("run", "--handlers", "jobs:handlers")
    site.run(f"DELETE FROM wp_actionscheduler_actions WHERE action_id = {other}")
    old = "UPDATE wp_{} = '2020-01-01 00:00:00'"
    site.run(old.format("runner_attempts SET ended_at") + f" WHERE action_id = {other}")
    site.run(old.format("actionscheduler_actions SET last_attempt_gmt"))
    done = cli("clean", "--handlers", "jobs:handlers", "--quiet")
    assert done.returncode == 0, done.stderr
    assert (site.rows(), site.own("attempts")) == ([], [])
    kept = site.add("boom", at=DUE)
    cli("run", "--handlers", "jobs:handlers")
    assert cli("action", "delete", str(kept)).returncode == 0
    assert (action, site.own("attempts")) == (action, [])
