"""`runner purge` as an operator meets it."""

from __future__ import annotations

import json
import re
import signal

import pytest
from support.proxy import Proxy
from support.shell import Shell, complains
from support.terminal import on_terminal
from support.waiting import until

from compat.site_time import sql_date

NOW = 1_795_413_900  # 2026-11-23 06:05:00 UTC
DAY = 86_400


@pytest.fixture
def shell(site, server, capsys, monkeypatch):
    """Commands in this process, at a moment that stands still."""
    with server.frozen(NOW):
        yield Shell(site, capsys, monkeypatch)


def add(site, hook: str, status: str = "complete", *, days: float = 40, group: str = "") -> int:
    at = NOW - int(days * DAY)
    return site.add(hook, at=at, group=group, status=status, last_attempt_gmt=sql_date(at))


@pytest.fixture
def queue(site):
    """Finished rows of two hooks, old and young, and what must never go."""
    for _ in range(3):
        add(site, "sync", group="shop")
    add(site, "sync", "failed")
    add(site, "mail", days=20)
    add(site, "mail", "pending")
    add(site, "mail", "in-progress")
    site.run(  # so that sizes are told
        "ANALYZE TABLE wp_actionscheduler_actions, wp_actionscheduler_logs"
    )
    return site


def everything(site):
    return site.rows(), site.rows("logs"), site.rows("claims"), site.rows("groups")


def test_without_yes_it_says_what_would_go(shell, queue):
    """Rows, log lines and bytes, by status, hook and group; nothing is changed."""
    before = everything(queue)
    shown = shell.out("purge", "--older-than", "30d").splitlines()
    assert re.fullmatch(
        r"would delete 4 actions and 4 log lines, about [\d.]+ MB with their indexes", shown[0]
    )
    assert shown[1:] == [
        "actions  log lines  status    hook  group",
        "      3          3  complete  sync  shop",
        "      1          1  failed    sync",
        "nothing was deleted: --yes deletes",
    ]
    assert shell.out("purge", "--older-than", "30d", "--dry-run").splitlines() == shown
    told = json.loads(shell.out("purge", "--hook", "mail", "--json"))
    assert told.pop("bytes") > 0
    assert told == {
        "dry_run": True, "actions": 1, "log_lines": 1, "stopped": "nothing left",
        "parts": [
            {"status": "complete", "hook": "mail", "group": "", "actions": 1, "log_lines": 1}
        ],
    }  # fmt: skip
    assert shell.out("purge", "--older-than", "30d", "--quiet") == ""
    assert everything(queue) == before


def test_with_yes_it_goes(shell, queue):
    """And is told; the second time there is nothing to do."""
    shown = shell.out("purge", "--older-than", "30d", "--yes")
    assert re.fullmatch(r"deleted 4 actions and 4 log lines in \d+\.\d s \(nothing left\)\n", shown)
    assert {row["action_id"] for row in queue.rows("logs")} == {
        row["action_id"] for row in queue.rows()
    }
    assert queue.statuses() == {"complete": 1, "pending": 1, "in-progress": 1}
    assert (
        shell.out("purge", "--older-than", "30d", "--yes") == "no actions match: nothing to purge\n"
    )
    told = json.loads(shell.out("purge", "--status", "complete", "--yes", "--json"))
    assert told.pop("seconds") >= told.pop("waited") >= 0
    assert told == {
        "dry_run": False, "actions": 1, "log_lines": 1, "passed": 1, "left": 0,
        "stopped": "nothing left",
    }  # fmt: skip
    assert queue.statuses() == {"pending": 1, "in-progress": 1}


FILTERS = {
    ("--hook", "sync"): 4, ("--hook", "sync", "--hook", "mail"): 5, ("--hook", "SYNC"): 0,
    ("--group", "shop"): 3, ("--group", ""): 2, ("--group", "shop", "--group", ""): 5,
    ("--status", "failed"): 1, ("--status", "failed,complete"): 5, ("--keep", "2"): 3,
    ("--hook", "sync", "--keep", "3"): 1, ("--older-than", "20d"): 5, ("--older-than", "21d"): 4,
    ("--older-than", "2 weeks"): 5, ("--older-than", "41d"): 0,
    ("--hook", "sync", "--status", "complete", "--group", "shop", "--older-than", "40d", "--keep", "1"): 2,
    ("--hook", "mail", "--status", "pending"): 1,
    ("--hook", "mail", "--status", "pending", "--older-than", "40d"): 1,
    ("--hook", "mail", "--status", "pending", "--older-than", "41d"): 0,
}  # fmt: skip


def test_each_filter_by_its_flag(shell, queue, subtests):
    """All that are given must hold."""
    for words, actions in FILTERS.items():
        with subtests.test(words=words):
            assert json.loads(shell.out("purge", *words, "--json"))["actions"] == actions


def test_orphaned_lines_go_by_themselves(shell, queue):
    """Lines of actions that are there stay, and so do the actions."""
    for days in (1, 50):
        line = {"action_id": 999, "message": "lost", "log_date_gmt": sql_date(NOW - days * DAY)}
        queue.insert("logs", line)
    shown = shell.out("purge", "--orphan-logs")
    assert re.match(r"would delete 2 log lines, about [\d.]+ MB with their indexes\n", shown)
    assert shell.out("purge", "--orphan-logs", "--older-than", "30d", "--yes").startswith(
        "deleted 1 log line in "
    )
    assert shell.out("purge", "--orphan-logs", "--yes").startswith("deleted 1 log line in ")
    assert shell.out("purge", "--orphan-logs", "--yes") == "no log lines match: nothing to purge\n"
    assert len(queue.rows()) == len(queue.rows("logs")) == 7


BAD = {
    "no filter": (["purge"], 2, ["say what to purge", "--older-than", "nothing was deleted"]),
    "yes alone": (["purge", "--yes"], 2, ["say what to purge"]),
    "batch size is no filter": (["purge", "--yes", "--batch-size", "9"], 2, ["say what to purge"]),
    "both": (["purge", "--hook", "a", "--yes", "--dry-run"], 2, ["--yes and --dry-run"]),
    "running": (["purge", "--status", "in-progress", "--yes"], 2, ["never purged"]),
    "unknown status": (["purge", "--status", "cancelled", "--yes"], 2, ["'cancelled'", "canceled"]),
    "no status": (["purge", "--status", "", "--yes"], 2, ["--status names nothing"]),
    "all that waits": (["purge", "--status", "pending", "--yes"], 2, ["--hook or --group"]),
    "waiting and done": (["purge", "--status", "pending,failed", "--hook", "a", "--yes"], 2, ["alone"]),
    "keep of what waits": (["purge", "--status", "pending", "--hook", "a", "--keep", "1", "--yes"], 2, ["--keep"]),
    "keep none": (["purge", "--keep", "0", "--yes"], 2, ["--keep"]),
    "no hook": (["purge", "--hook", "", "--yes"], 2, ["the hook has no name"]),
    "long hook": (["purge", "--hook", "x" * 192, "--yes"], 2, ["191"]),
    "no such group": (["purge", "--group", "shpo", "--yes"], 2, ["no group 'shpo'"]),
    "age": (["purge", "--older-than", "a month", "--yes"], 2, ["--older-than 'a month'", "3d"]),
    "age is empty": (["purge", "--older-than", "", "--yes"], 2, ["--older-than ''"]),
    "age is a date": (["purge", "--older-than", "2026-01-01", "--yes"], 2, ["--older-than"]),
    "age is negative": (["purge", "--older-than", "-3d", "--yes"], 2, ["--older-than"]),
    "orphans of a hook": (["purge", "--orphan-logs", "--hook", "a", "--yes"], 2, ["leave out --hook"]),
    "latency": (["purge", "--hook", "a", "--max-latency", "fast", "--yes"], 2, ["--max-latency 'fast'", "50ms"]),
    "no latency": (["purge", "--hook", "a", "--max-latency", "0ms", "--yes"], 2, ["--max-latency '0ms'"]),
    "lag": (["purge", "--hook", "a", "--max-lag", "none", "--yes"], 2, ["--max-lag 'none'"]),
    "pause": (["purge", "--hook", "a", "--pause", "-1", "--yes"], 2, ["--pause"]),
    "batch size": (["purge", "--hook", "a", "--batch-size", "0", "--yes"], 2, ["--batch-size"]),
    "a replica with a password": (["purge", "--hook", "a", "--replica", "mysql://a:b@c/d", "--yes"], 2, ["password"]),
    "a file as replica": (["purge", "--hook", "a", "--replica", "sqlite:///x", "--yes"], 2, ["--replica wants"]),
    "no replica": (["purge", "--hook", "a", "--replica", "replica.example", "--yes"], 78, ["mysql://"]),
}  # fmt: skip


def test_bad_input_is_named_and_nothing_is_deleted(shell, queue, subtests):
    """One line, the right exit code, every row as it was."""
    before = everything(queue)
    for name, (words, code, parts) in BAD.items():
        with subtests.test(name):
            complains(shell(*words), code, *parts)
            assert everything(queue) == before


def test_a_replica_that_cannot_be_asked_is_no_brake(shell, queue, server):
    """Whoever wanted one is not purged for without it: the right is lacking, it is no replica, or
    it is not there."""
    before = everything(queue)
    words = ("purge", "--hook", "sync", "--yes", "--replica")
    replica = server.url(queue.name, password=False)
    complains(shell(*words, replica), 1, "REPLICATION CLIENT")
    gone = replica.replace(f":{server.port}/", ":1/")
    complains(shell(*words, gone), 1, "cannot reach")
    right = "SLAVE MONITOR" if server.is_mariadb else "REPLICATION CLIENT"
    server.execute(f"GRANT {right} ON *.* TO 'runner_test'@'%', 'runner_test'@'127.0.0.1'")
    try:
        complains(shell(*words, replica), 2, "is no replica")
    finally:
        server.execute(f"REVOKE {right} ON *.* FROM 'runner_test'@'%', 'runner_test'@'127.0.0.1'")
    assert everything(queue) == before


def test_a_signal_ends_it_after_the_batch(cli, site):
    """What is left is told, with what to do; run again it ends with exactly the expected rows."""
    kept = add(site, "mail")
    for _ in range(3):
        add(site, "sync")
    words = ("purge", "--hook", "sync", "--yes")
    process = cli.start(*words, "--batch-size", "1", "--pause", "60")
    until(lambda: len(site.rows()) < 4 or process.poll() is not None)
    process.terminate()
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert re.fullmatch(
        r"deleted 1 action and 1 log line in \d\.\d s \(signal SIGTERM\); about 2 actions are left:"
        r" run it again to go on\n",
        out,
    )
    assert len(site.rows()) == 3
    assert cli(*words).stdout.startswith("deleted 2 actions and 2 log lines in ")
    assert [int(row["action_id"]) for row in site.rows()] == [kept]
    assert [int(row["action_id"]) for row in site.rows("logs")] == [kept]


@pytest.mark.parametrize("moment", ["before the rows go", "before the commit", "after the commit"])
def test_killed_and_run_again_it_ends_with_the_expected_rows(cli, site, server, moment):
    """SIGKILL in the middle of a batch: either all of it is gone or nothing is, logs included."""
    kept = {
        add(site, hook, status) for hook in ("mail", "sync") for status in ("pending", "failed")
    }
    for number in range(60):
        add(site, "sync")
        if number % 2:
            kept.add(add(site, "mail"))
    words = ("purge", "--hook", "sync", "--status", "complete", "--batch-size", "10", "--yes")
    place, answered = {
        "before the rows go": ([], True),
        "before the commit": (["DELETE FROM `wp_actionscheduler_actions`"], False),
        "after the commit": (["DELETE FROM `wp_actionscheduler_actions`.*COMMIT(;\nEND)?$"], True),
    }[moment]
    with Proxy(server.port) as proxy:
        hold = proxy.hold(
            "DELETE FROM `wp_actionscheduler_actions`",
            "^START TRANSACTION",
            *place,
            answered=answered,
        )  # the second batch
        process = cli.start(*words, RUNNER_DSN=proxy.url(site))
        hold.reached()
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
    gone = 60 + len(kept) - len(site.rows())
    assert (
        gone == {"before the rows go": 10, "before the commit": 10, "after the commit": 20}[moment]
    )
    assert len(site.rows("logs")) == len(site.rows())
    assert cli(*words).returncode == 0
    assert {int(row["action_id"]) for row in site.rows()} == kept
    assert {int(row["action_id"]) for row in site.rows("logs")} == kept


def test_a_terminal_gets_a_progress_bar(cli, site):
    """It counts up to what the plan found; --quiet has none, and neither has a dry run."""
    for flags, shows in ((["--yes"], True), (["--yes", "--quiet"], False), ([], False)):
        for _ in range(3):
            add(site, "sync")
        code, shown = on_terminal(cli, "purge", "--hook", "sync", *flags)
        assert code == 0
        assert ("3/3" in shown) == shows, shown


def test_help_shows_an_example(shell):
    """What it is for, and a line to copy."""
    shown = shell.out("purge", "--help")
    assert shown.startswith("Usage: runner purge")
    assert "runner purge --older-than 30d" in shown
