"""`runner dead-letter`, as a user sees it."""

from __future__ import annotations

import csv
import io
import json
import signal

import pytest
from support.waiting import until

DUE = 1_700_000_000
JOBS = """
from runner import Handlers, RetryPolicy

handlers = Handlers(retry=RetryPolicy.never())

@handlers.on("sync")
def sync(product: int):
    if product < 1000:
        raise LookupError(f"no product {product}")
"""


@pytest.fixture
def shop(site, cli):
    """Three dead letters; handlers are known from the environment."""
    cli.module("jobs", JOBS)
    cli.environ["RUNNER_HANDLERS"] = "jobs:handlers"
    site.migrate()
    for product in (1, 2, 3):
        site.add("sync", [product], at=DUE, group="shop")
    assert cli("run").returncode == 0
    return site


def test_they_are_listed_and_shown(shop, cli):
    """Newest first, with what failed; one of them whole, with its traceback; as data."""
    lines = cli("dead-letter", "list").stdout.splitlines()
    assert lines[0].split() == [
        "id", "action_id", "hook", "group", "attempts", "status", "created_at", "message",
    ]  # fmt: skip
    assert [line.split()[0] for line in lines[1:]] == ["3", "2", "1"]
    assert "LookupError: no product 3" in lines[1]
    assert cli("dead-letter", "list", "--format", "count").stdout == "3\n"
    assert cli("dead-letter", "list", "--error", "product 2", "--format", "ids").stdout == "2\n"
    cut = cli("dead-letter", "list", "--per-page", "1")
    assert cut.stderr == "the newest 1 of 3 (--per_page 0 shows all)\n"
    shown = cli("dead-letter", "get", "2").stdout
    assert "raise LookupError(f" in shown
    fact = json.loads(cli("dead-letter", "get", "2", "--format", "json").stdout)
    assert (fact["args"], fact["group"], fact["error_class"]) == ([2], "shop", "LookupError")
    rows = list(csv.DictReader(io.StringIO(cli("dead-letter", "list", "--format", "csv").stdout)))
    assert [row["action_id"] for row in rows] == ["3", "2", "1"]


def test_export_writes_all_of_each(shop, cli):
    """One JSON object a line, the oldest first."""
    letters = [json.loads(line) for line in cli("dead-letter", "export").stdout.splitlines()]
    assert [letter["id"] for letter in letters] == [1, 2, 3]
    assert all("Traceback" in letter["traceback"] for letter in letters)
    assert letters[0]["args"] == [1]


def test_a_replay_and_a_second_one(shop, cli):
    """The first names the new action, the second what the first became."""
    done = cli("dead-letter", "replay", "2", "--by", "anna")
    assert (done.returncode, done.stdout) == (0, "dead letter 2 is now action 4\n")
    again = cli("dead-letter", "replay", "2")
    assert again.returncode == 1
    assert again.stderr.startswith("runner: dead letter 2 was replayed before, as action 4, at 2")
    assert again.stderr.endswith(" UTC by anna\n")
    assert shop.logs(4) == ["action created", "replay of dead letter 2 (action 2) by anna"]


def test_replay_by_filter_asks_first(shop, cli):
    """Many are named before they are changed; --yes does it."""
    dry = cli("dead-letter", "replay", "--hook", "sync", "--dry-run")
    assert dry.stdout.splitlines()[0] == "dead letter 1 (sync) would be replayed"
    assert dry.stdout.endswith("3 dead letters; nothing was changed\n")
    asked = cli("dead-letter", "replay", "--hook", "sync")
    assert (asked.returncode, asked.stdout) == (2, "")
    assert "3 dead letters match, nothing was changed" in asked.stderr
    assert len(shop.rows()) == 3
    done = cli("dead-letter", "replay", "--hook", "sync", "--yes", "--rate", "100/s")
    assert (done.returncode, done.stdout) == (0, "replayed 3 dead letters\n")
    again = cli("dead-letter", "replay", "--all", "--yes")
    assert (again.returncode, again.stdout) == (0, "replayed 0 dead letters\n")
    assert len(shop.rows()) == 6


def test_replay_with_other_args(shop, cli):
    """They are checked against the handler before anything is changed."""
    for text, why in (
        ("[1", "--edit-args: arguments are not JSON that PHP reads"),
        ('"x"', "--edit-args: arguments are neither a JSON array nor a JSON object"),
        ("[1,2]", "--edit-args: the args do not fit sync(product: int)"),
        ('["x"]', "--edit-args: argument product does not fit"),
    ):
        done = cli("dead-letter", "replay", "2", "--edit-args", text)
        assert (done.returncode, done.stdout) == (2, ""), text
        assert why in done.stderr
        assert done.stderr.count("\n") == 1
    assert "for one letter" in cli("dead-letter", "replay", "1", "2", "--edit-args", "[1]").stderr
    assert len(shop.rows()) == 3
    assert cli("dead-letter", "replay", "2", "--edit-args", "[2000]").returncode == 0
    assert (shop.row(4)["args"], cli("run").returncode) == ("[2000]", 0)
    assert shop.row(4)["status"] == "complete"


def test_discard(shop, cli):
    """Closed for good; what cannot be named is refused."""
    done = cli("dead-letter", "discard", "1", "--why", "gone", "--by", "anna")
    assert (done.returncode, done.stdout) == (0, "discarded 1 dead letter\n")
    refused = cli("dead-letter", "replay", "1")
    assert refused.returncode == 1
    assert "dead letter 1 was discarded at" in refused.stderr
    for words, code, text in (
        (["replay"], 2, "say what to replay: ids, a filter such as --hook NAME, or --all"),
        (["discard"], 2, "say what to discard"),
        (["replay", "1", "--hook", "sync"], 2, "ids stand alone"),
        (["replay", "x"], 2, "'x' is no dead letter's id"),
        (["replay", "--all", "--rate", "fast"], 2, "--rate: 'fast' is no rate: write it as 50/m"),
        (["replay", "99"], 1, "there is no dead letter 99"),
        (["get", "99"], 1, "there is no dead letter 99"),
        (["list", "--since", "soon"], 2, "--since 'soon' is no moment"),
    ):
        done = cli("dead-letter", *words)
        assert (done.returncode, done.stdout) == (code, ""), words
        assert text in done.stderr
        assert done.stderr.count("\n") == 1


def test_without_the_tables_it_says_so(site, cli):
    """One line with the way out."""
    done = cli("dead-letter", "list")
    line = "runner: the runner's own tables are missing here: `runner migrate` makes them\n"
    assert (done.returncode, done.stderr) == (1, line)


def test_status_counts_them(shop, cli):
    """What somebody has to look at is seen at a glance."""
    assert "dead letters   3 (`runner dead-letter list`)" in cli("status").stdout
    assert json.loads(cli("status", "--json").stdout)["dead_letters"] == 3


def test_a_replay_that_is_killed_goes_on(shop, cli):
    """Killed in the middle and run again: each letter became one action."""
    letter = (
        "('sync', 'sync', 'e', 1, 'dead', UTC_TIMESTAMP(), 9, 0, 'shop', 10, '[1000]', 'error', '',"
        " '', 0, '', '')"
    )
    shop.run("DELETE FROM wp_runner_dead_letters")
    shop.run(
        "INSERT INTO wp_runner_dead_letters (job_type, hook, error_message, attempts, status,"
        " created_at, action_id, group_id, group_slug, priority, args, kind, error_class,"
        f" traceback, claim_id, worker, site) VALUES {', '.join([letter] * 200)}"
    )
    replay = ("dead-letter", "replay", "--hook", "sync", "--yes", "--rate", "200/s")
    first = cli.start(*replay)
    until(lambda: len(shop.rows()) > 20)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert 20 < len(shop.rows()) < 203
    second = cli.start(*replay)
    until(lambda: len(shop.rows()) > 60)
    second.send_signal(signal.SIGTERM)
    told, _ = second.communicate()
    assert second.returncode == 128 + signal.SIGTERM
    assert "left: run it again to go on" in told
    assert cli(*replay).returncode == 0
    assert len(shop.rows()) == 203
    letters = shop.own("dead_letters")
    assert len({letter["replayed_as"] for letter in letters}) == 200
    assert {letter["status"] for letter in letters} == {"replayed"}
