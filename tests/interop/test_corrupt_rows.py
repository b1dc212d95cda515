"""Rows that cannot be read: Action Scheduler 4.0.0 and we end them alike."""

from __future__ import annotations

from interop.wordpress import GROUP, Enqueued

JOBS = """
from runner import Handlers

handlers = Handlers()

@handlers.on("py_interop_single")
def single(*args): raise AssertionError("a row that cannot be read was run")
"""

CANCELED_SINCE = (4, 0, 0)
"""Before, PHP called such a row complete without running anything: there we differ, knowingly."""

# What is written into the row after it was enqueued, as SQL.
CORRUPTIONS = {
    "args cut short": "args = '[1,'",
    "args empty": "args = ''",
    "args NULL": "args = NULL",
    "args not JSON": "args = 'a:1:{i:0;i:1;}'",
    "args a number": "args = '5'",
    "args a text": "args = '\"x\"'",
    "args null": "args = 'null'",
    "args with NaN": "args = '[NaN]'",
    "args with a trailing comma": "args = '[1,]'",
    "args with single quotes": "args = \"['x']\"",
    "args with half a surrogate": "args = '[\"\\\\ud800\"]'",
    "args with a line break in a text": "args = '[\"a\\nb\"]'",
    "args with a leading zero": "args = '[01]'",
    "args 600 deep": "args = '', extended_args = CONCAT(REPEAT('[', 600), REPEAT(']', 600))",
    "long args cut short": "extended_args = '[\"long'",
    "schedule empty": "schedule = ''",
    "schedule NULL": "schedule = NULL",
    "schedule cut short": "schedule = LEFT(schedule, 60)",
    "schedule no PHP": "schedule = 'tomorrow'",
    "schedule a number": "schedule = 'i:5;'",
    "schedule an array": "schedule = 'a:0:{}'",
    "schedule false": "schedule = 'b:0;'",
    "schedule of another class": "schedule = 'O:8:\"stdClass\":0:{}'",
    "schedule of an unknown class": "schedule = 'O:11:\"No_Schedule\":0:{}'",
    "schedule with wrong lengths": "schedule = REPLACE(schedule, 's:22:', 's:23:')",
}


def test_corrupt_rows_end_as_with_php(site, cli):
    """The same broken rows, half with PHP's hook and half with ours: all canceled, none run, and
    a line of ours says why."""
    now = site.now()
    ids = {}
    for side in ("py", "php"):
        actions = [
            Enqueued("single", f"{side}_interop_single", [name], now - 60, group=f"{GROUP}broken")
            for name in CORRUPTIONS
        ]
        ids[side] = dict(zip(CORRUPTIONS, site.enqueue(actions), strict=True))
        for name, id_ in ids[side].items():
            change = (
                f"UPDATE {site.table('actions')} SET {CORRUPTIONS[name]} WHERE action_id = {id_}"
            )
            site.run(change)
    cli.module("jobs", JOBS)
    done = cli("run", "--handlers", "jobs:handlers")
    assert done.returncode == 0, done.stderr
    assert site.php("run_queue", hooks=["php_interop_single"])["calls"] == []

    rows = site.rows()
    by_php = "canceled" if site.version >= CANCELED_SINCE else "complete"
    assert {n: rows[i]["status"] for n, i in ids["php"].items()} == dict.fromkeys(
        CORRUPTIONS, by_php
    )
    assert {n: rows[i]["status"] for n, i in ids["py"].items()} == dict.fromkeys(
        CORRUPTIONS, "canceled"
    )
    for id_ in ids["py"].values():
        created, why = site.logs(id_)
        assert created == "action created"
        assert "the row cannot be read" in why
