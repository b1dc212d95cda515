"""`runner clean`: what goes, what stays, and how it is told."""

from __future__ import annotations

import json
import re

import pytest
from support.shell import Shell, complains
from support.site import ZERO
from support.terminal import on_terminal
from support.waiting import until

from compat.site_time import sql_date

NOW = 1_795_413_900  # 2026-11-23 06:05:00 UTC
DAY = 86_400
MONTH = 31 * DAY
OURS = ("--handlers", "runner.demo.handlers:handlers")
HOOK = "demo_send_mail"


@pytest.fixture
def shell(site, server, capsys, monkeypatch):
    """Commands in this process, at a moment that stands still."""
    with server.frozen(NOW):
        yield Shell(site, capsys, monkeypatch)


def old(site, at: int, status: str = "complete", hook: str = HOOK) -> int:
    return site.add(hook, at=at, status=status, last_attempt_gmt=sql_date(at))


@pytest.fixture
def queue(site):
    """Ours and PHP's rows, a second too young and just old enough, of each final status."""
    for hook in (HOOK, "php"):
        for status, age in (("complete", MONTH), ("canceled", MONTH), ("failed", 3 * MONTH)):
            old(site, NOW - age, status, hook)
            old(site, NOW - age + 1, status, hook)
    site.add(HOOK, at=NOW - 4 * MONTH, last_attempt_gmt=ZERO)
    return site


def left(site) -> list[tuple[str, str, int]]:
    """Hook, status and age in seconds of what is still there."""
    return [
        (row["hook"], row["status"], NOW - int(site.run("SELECT UNIX_TIMESTAMP(%s)", (row["last_attempt_gmt"],))[0][0]))
        for row in site.rows(where="status <> 'pending'")
    ]  # fmt: skip


YOUNG = [("complete", MONTH - 1), ("canceled", MONTH - 1), ("failed", 3 * MONTH - 1)]


def test_only_rows_with_a_python_handler_go(shell, queue):
    """31 days, 93 for failed ones, to the second; PHP's rows are PHP's."""
    shown = shell.out("clean", *OURS)
    assert re.fullmatch(
        r"deleted 3 actions \(complete 1, canceled 1, failed 1\) in \d+\.\d s \(nothing left\)\n",
        shown,
    )
    rows = left(queue)
    assert [row[1:] for row in rows if row[0] == HOOK] == YOUNG
    assert len([row for row in rows if row[0] == "php"]) == 6
    assert {row["action_id"] for row in queue.rows("logs")} == {
        row["action_id"] for row in queue.rows()
    }
    assert shell.out("clean", *OURS) == "nothing of the hooks with a Python handler is old enough\n"


def test_all_cleans_as_php_does(shell, queue):
    """Every hook, no handlers needed; what waits stays."""
    assert json.loads(shell.out("clean", "--all", "--json")).items() >= {
        "deleted": 6, "statuses": {"complete": 2, "canceled": 2, "failed": 2},
        "stopped": "nothing left", "dry_run": False,
    }.items()  # fmt: skip
    assert [row[1:] for row in left(queue)] == YOUNG * 2
    assert queue.statuses()["pending"] == 1
    assert shell.out("clean", "--all") == "nothing is old enough\n"
    assert shell.out("clean", "--all", "--quiet") == ""


def test_a_dry_run_tells_and_deletes_nothing(shell, queue):
    """The same sentence in another mood."""
    before = queue.rows(), queue.rows("logs")
    shown = shell.out("clean", "--all", "--dry-run", "--status", "failed")
    assert shown.startswith("would delete 2 actions (failed 2) in ")
    assert json.loads(shell.out("clean", "--all", "--dry-run", "--json"))["dry_run"] is True
    assert (queue.rows(), queue.rows("logs")) == before


BEFORE = {
    "31 days ago": {MONTH}, "744h": {MONTH}, "-744h": {MONTH}, "2026-10-23 06:05": {MONTH},
    "2026-10-23T08:05:00+02:00": {MONTH}, str(NOW - MONTH): {MONTH}, "743 hours ago": {MONTH, MONTH - 1},
    "now": {MONTH, MONTH - 1}, "2026-10-23": set(), "1000 days ago": set(),
}  # fmt: skip


def test_before_replaces_the_age(shell, site, subtests):
    """Up to that moment, to the second: of complete and canceled rows, or of those named."""
    for text, ages in BEFORE.items():
        with subtests.test(text):
            for status in ("complete", "canceled", "failed"):
                for age in (MONTH, MONTH - 1):
                    old(site, NOW - age, status)
            shell.out("clean", "--all", "--before", text)
            gone = {MONTH, MONTH - 1} - {
                age for _, status, age in left(site) if status == "complete"
            }
            assert gone == ages
            assert len([row for row in left(site) if row[1] == "failed"]) == 2
            shell.out("clean", "--all", "--before", text, "--status", "failed,complete")
            assert {age for _, status, age in left(site) if status == "failed"} == (
                {MONTH, MONTH - 1} - ages
            )
        site.run("DELETE FROM wp_actionscheduler_actions")


def test_batches_are_counted(shell, site):
    """So many transactions of so many rows, then the rest waits for the next time."""
    for number in range(5):
        old(site, NOW - MONTH - number)
    shown = shell.out("clean", "--all", "--batch-size", "2", "--batches", "2")
    assert re.search(r"deleted 4 actions \(complete 4\) in .* \(batches done\)", shown)
    assert len(site.rows()) == 1
    assert shell.out("clean", "--all").startswith("deleted 1 action (complete 1) in ")


BAD = {
    "no handlers": (["clean"], 78, ["--handlers"]),
    "status that is not final": (["clean", "--all", "--status", "pending"], 2, ["'pending'", "canceled"]),
    "no status": (["clean", "--all", "--status", " "], 2, ["--status"]),
    "before": (["clean", "--all", "--before", "last month"], 2, ["--before 'last month'", "12h"]),
    "before is empty": (["clean", "--all", "--before", ""], 2, ["--before ''"]),
    "no such day": (["clean", "--all", "--before", "2026-06-31"], 2, ["--before"]),
    "batch size": (["clean", "--all", "--batch-size", "0"], 2, ["--batch-size"]),
    "batches": (["clean", "--all", "--batches", "-1"], 2, ["--batches"]),
    "pause": (["clean", "--all", "--pause", "-1"], 2, ["--pause"]),
}  # fmt: skip


def test_bad_input_is_named_and_nothing_is_deleted(shell, queue, subtests):
    """One line, the right exit code, every row as it was."""
    before = queue.rows(), queue.rows("logs")
    for name, (words, code, parts) in BAD.items():
        with subtests.test(name):
            complains(shell(*words), code, *parts)
            assert (queue.rows(), queue.rows("logs")) == before


def test_a_signal_ends_it_after_the_batch(cli, site):
    """SIGTERM while it rests: what is deleted is told, the rest stays, exit 0."""
    for number in range(3):
        old(site, NOW - 10 * MONTH - number)
    process = cli.start("clean", "--all", "--batch-size", "1", "--pause", "60")
    until(lambda: len(site.rows()) < 3 or process.poll() is not None)
    process.terminate()
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert re.fullmatch(r"deleted 1 action \(complete 1\) in \d\.\d s \(signal SIGTERM\)\n", out)
    assert len(site.rows()) == 2


def test_a_terminal_gets_a_progress_bar(cli, site):
    """It counts up to what was old, with ours and others', and --quiet has none."""
    for flags in ([], ["--quiet"]):
        for number in range(3):
            old(site, NOW - 10 * MONTH - number)
        code, shown = on_terminal(cli, "clean", "--all", *flags)
        assert code == 0
        assert ("3/3" in shown) == (not flags)
        assert site.rows() == []
