"""The functions by which plugins look for their actions, after Python has worked."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime

from interop.wordpress import GROUP, Enqueued, until

from compat.site_time import epoch_of

HOUR = 3600
LONG = ["ü" * 100, "key"]

JOBS = """
import time
from pathlib import Path
from runner import Cancel, Context, Fail, Handlers, RetryPolicy, Snooze

handlers = Handlers(retry=RetryPolicy.fixed(900))

OUTCOMES = {{
    "fine": None,
    "retried": OSError("no answer"),
    "snoozed": Snooze(1800, "the other side rests"),
    "failed": Fail("never"),
    "canceled": Cancel("not wanted"),
}}

@handlers.on(*{hooks!r})
def end_as_named(context: Context, *args):
    if outcome := OUTCOMES[context.hook.rsplit("_", 1)[1]]:
        raise outcome

@handlers.on("py_interop_running")
def running(*args):
    Path("running").touch()
    time.sleep(3600)
"""
OUTCOMES = ("fine", "retried", "snoozed", "failed", "canceled")
RECURRING = {"recurring", "cron"}
WAITS = {"retried": 900, "snoozed": 1800}
KINDS = ("async", "single", "recurring", "cron")


def hook(kind: str, outcome: str) -> str:
    """One for each kind: the failures of one chain must not end another."""
    return f"py_interop_{kind}_{outcome}"


HOOKS = tuple(hook(kind, outcome) for kind in KINDS for outcome in OUTCOMES)


def every_kind(now: int) -> list[Enqueued]:
    """Each outcome for each kind of action, with short and long args; all are due."""
    yearly = f"0 0 15 {(datetime.fromtimestamp(now, UTC).month + 5) % 12 + 1} *"
    kinds = {
        "async": (0, None),
        "single": (now - 60, None),
        "recurring": (now - 60, 6 * HOUR),
        "cron": (now - 400 * 24 * HOUR, yearly),
    }
    return [
        Enqueued(kind, hook(kind, outcome), args, *kinds[kind], f"{GROUP}{kind}")
        for outcome in OUTCOMES
        for kind in KINDS
        for args in ([], ["a/b", {"ö": 1}], LONG)
    ]


def lookups(site, actions: list[Enqueued]) -> list[dict]:
    return site.php("lookups", lookups=[(a.hook, a.args, a.group) for a in actions])


def by_identity(site) -> dict[tuple, list[dict]]:
    """Rows by what a look-up asks for: hook, args, group."""
    slugs = dict(site.run(f"SELECT group_id, slug FROM {site.table('groups')}"))
    found = defaultdict(list)
    for row in site.rows().values():
        args = json.loads(row["extended_args"] or row["args"])
        found[row["hook"], json.dumps(args), slugs[row["group_id"]]].append(row)
    return found


def test_lookups_agree_with_the_rows_after_every_outcome(site, cli):
    """next is the retry's, the snooze's or the next instance's time, has is true just for live
    rows, and every row is found under its status."""
    actions = every_kind(site.now())
    site.enqueue(actions)
    cli.module("jobs", JOBS.format(hooks=HOOKS))
    before = site.now()
    done = cli("run", "--handlers", "jobs:handlers", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["claimed"] == len(actions)
    after = site.now()

    rows = by_identity(site)
    for action, told in zip(actions, lookups(site, actions), strict=True):
        mine = rows[action.hook, json.dumps(action.args), action.group]
        statuses = defaultdict(list)
        for row in mine:
            statuses[row["status"]].append(int(row["action_id"]))
        assert told["ids"] == statuses, action
        pending = [
            epoch_of(row["scheduled_date_gmt"]) for row in mine if row["status"] == "pending"
        ]
        assert told["next"] == (pending[0] if pending else False), action
        assert told["has"] is bool(pending), action
        outcome = action.hook.rsplit("_", 1)[1]
        assert len(mine) == (2 if action.kind in RECURRING and outcome not in WAITS else 1)
        if action.kind != "cron" or outcome in WAITS:
            wait = WAITS.get(outcome, 6 * HOUR)
            assert all(before + wait <= at <= after + wait + 1 for at in pending), action


def test_a_retried_row_blocks_a_unique_action(site, cli):
    """WordPress refuses a second unique action while Python's retry waits, as it does while an
    action of its own waits."""
    action = Enqueued("async", hook("async", "retried"), ["a"], group=f"{GROUP}unique", unique=True)
    [first] = site.enqueue([action])
    cli.module("jobs", JOBS.format(hooks=HOOKS))
    assert cli("run", "--handlers", "jobs:handlers").returncode == 0
    assert site.row(first)["attempts"] == "1"
    assert site.enqueue([action]) == [0]


def test_lookups_see_what_python_is_running(site, cli):
    """While the handler runs, next and has are true, as for an action that PHP runs."""
    action = Enqueued("single", "py_interop_running", [1], site.now() - 60)
    [id_] = site.enqueue([action])
    cli.module("jobs", JOBS.format(hooks=HOOKS))
    process = cli.start("run", "--handlers", "jobs:handlers", "--quiet")
    try:
        until("the handler to run", (cli.folder / "running").exists)
        assert lookups(site, [action]) == [
            {"next": True, "has": True, "ids": {"in-progress": [id_]}}
        ]
    finally:
        process.kill()
        process.communicate()
