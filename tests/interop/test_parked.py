"""Beside PHP's own runner, which works the same queue at the same time."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from interop.wordpress import GROUP, Enqueued, until

from compat.action_scheduler import PARKED_FROM, true_date
from compat.site_time import epoch_of, sql_date

OURS, THEIRS = "py_interop_parked", "php_interop_parked"

JOBS = f"""
from runner import Context, Handlers

handlers = Handlers()

@handlers.on({OURS!r})
def note(context: Context, number):
    with open("calls.jsonl", "a") as calls:
        calls.write(f"{{number}}\\n")
"""

WORK = ("work", "--handlers", "jobs:handlers", "--mode", "parked", "--queues", "*:2")
RUN = ("run", "--handlers", "jobs:handlers", "--mode", "parked", "--quiet")


@pytest.fixture
def beside(site, cli):
    """The site with the runner's own tables, and handlers."""
    cli.module("jobs", JOBS)
    assert cli("migrate").returncode == 0
    yield site
    tables = [
        row[0] for row in site.run("SHOW TABLES LIKE %s", (f"{site.facts['prefix']}runner\\_%",))
    ]
    site.run("DROP TABLE " + ", ".join(f"`{table}`" for table in tables))


def calls(cli) -> list[int]:
    file = cli.folder / "calls.jsonl"
    return [int(line) for line in file.read_text().splitlines()] if file.exists() else []


def statuses(site, hook: str) -> Counter:
    return Counter(row["status"] for row in site.rows(f"hook = '{hook}'").values())


def test_both_runners_do_their_own_and_nothing_else(beside, cli):
    """PHP enqueues for both, its runner works again and again while ours does: each action runs
    once where it belongs, none fails, no claim of ours is ever seen, and none is left."""
    daemon = cli.start(*WORK)
    try:
        seen = set()
        for batch in range(4):
            soon = beside.now() + 2  # the sweep comes before that
            beside.enqueue(
                [
                    Enqueued("single", OURS, [batch * 10 + n], soon, None, f"{GROUP}p")
                    for n in range(10)
                ]
                + [
                    Enqueued("single", THEIRS, [n], beside.now() - 1, None, f"{GROUP}p")
                    for n in range(5)
                ]
            )
            until(
                "the sweep",
                lambda: (
                    not beside.rows(
                        f"hook = '{OURS}' AND status = 'pending' AND scheduled_date_gmt < '{PARKED_FROM}'"
                    )
                ),
            )
            end = soon + 1
            while beside.now() < end or len(calls(cli)) < batch * 10 + 10:
                beside.php("run_queue", hooks=[THEIRS])
                seen |= {row["claim_id"] for row in beside.rows(f"hook = '{OURS}'").values()}
                assert beside.now() < end + 30
        until("the end", lambda: statuses(beside, OURS) == {"complete": 40})
    finally:
        daemon.terminate()
        said = daemon.communicate(timeout=60)
    assert daemon.returncode == 0, said
    assert sorted(calls(cli)) == list(range(40))
    assert statuses(beside, THEIRS) == {"complete": 20}
    assert seen == {"0"}
    assert beside.rows(f"claim_id > {beside.first_claim}", "claims") == {}
    for id_, row in beside.rows(f"hook = '{OURS}'").items():
        assert row["attempts"] == "1"
        assert row["scheduled_date_gmt"] < PARKED_FROM
        assert beside.logs(id_) == [
            "action created",
            "action started via Python runner",
            "action complete via Python runner",
        ]


def test_php_sees_parked_actions_as_they_are(beside, cli):
    """unique, has, next and unschedule answer as if nothing had been parked; and the next one of a
    recurring action is parked, with a date that PHP reads rightly."""
    when = beside.now() + 3600
    group = f"{GROUP}p"
    [first, recurring] = beside.enqueue(
        [
            Enqueued("single", OURS, [1], when, None, group),
            Enqueued("recurring", OURS, [2], beside.now() - 5, 7200, group),
        ]
    )
    assert cli(*RUN).returncode == 0
    assert beside.row(first)["scheduled_date_gmt"] == "28" + sql_date(when)[2:]
    assert calls(cli) == [2]

    def ask(function, *arguments):
        return beside.php("ask", function=function, arguments=arguments)

    assert ask("as_next_scheduled_action", OURS, [1], group) == when
    assert ask("as_has_scheduled_action", OURS, [1], group) is True
    assert beside.enqueue([Enqueued("single", OURS, [1], when, None, group, unique=True)]) == [0]
    [following] = beside.rows(f"hook = '{OURS}' AND action_id > {recurring}").values()
    assert following["scheduled_date_gmt"] >= PARKED_FROM
    told = beside.php("read", ids=[int(following["action_id"])])[0]
    assert told["date"] == epoch_of(true_date(following["scheduled_date_gmt"]))
    assert ask("as_next_scheduled_action", OURS, [2], group) > beside.now() + 7000
    assert int(ask("as_unschedule_action", OURS, [1], group)) == first
    assert beside.row(first)["status"] == "canceled"
    for _ in range(3):
        beside.php("run_queue", hooks=[THEIRS])
    found = statuses(beside, OURS)
    # Up to Action Scheduler 3.9 PHP's cleaner deletes at once what was canceled unattempted.
    assert found.pop("canceled", 1) == 1
    assert found == {"complete": 1, "pending": 1}


def test_php_leaves_what_a_dead_worker_held(beside, cli):
    """Killed in the middle: PHP's runner and its cleaner pass by, whatever time has gone by, and
    the next run of ours takes it back."""
    cli.module(
        "jobs",
        JOBS.replace(
            "def note(context: Context, number):",
            "def note(context: Context, number):\n    import os, time\n    if not os.environ.get('GO'):\n        open('begun', 'w').close()\n        time.sleep(60)",
        ),
    )
    beside.enqueue(
        [Enqueued("single", OURS, [n], beside.now() - 5, None, f"{GROUP}p") for n in range(3)]
    )
    runner = cli.start(*RUN, RUNNER_LEASE="3")
    until("the first call", (cli.folder / "begun").exists)
    runner.kill()
    runner.communicate()
    before = beside.rows(f"hook = '{OURS}'")
    assert sorted(row["status"] for row in before.values()) == ["in-progress", "pending", "pending"]
    for _ in range(3):
        beside.php("run_queue", hooks=[THEIRS], period=1)
    assert beside.rows(f"hook = '{OURS}'") == before
    until(
        "the lease's end",
        lambda: json.loads(cli(*RUN[:-1], "--json", GO="1").stdout)["taken_back"] or None,
    )
    assert statuses(beside, OURS) == {"complete": 2, "pending": 1}
    assert len(calls(cli)) == 2  # the one that was begun is tried again later
