"""The queue of a real WooCommerce site, drained by the command line."""

from __future__ import annotations

import json

import pytest
from support.site import real_site

from compat import args as argtexts
from compat import schedules
from compat.site_time import SiteZone, epoch_of, sql_date

NOW = epoch_of("2026-11-23 06:05:00")
OURS = ("process_image_description", "wch_", "wpkite_")

JOBS = """
import json
from runner import Context, Handlers

handlers = Handlers()

@handlers.on(*{hooks!r})
def record(context: Context, *args):
    with open("calls.jsonl", "a") as calls:
        calls.write(json.dumps([context.action_id, context.hook, args]) + "\\n")
"""


@pytest.fixture
def realsite(server):
    with real_site(server) as site:
        yield site


def as_json(value: object) -> object:
    return json.loads(json.dumps(value))


def is_ours(row: dict) -> bool:
    return row["hook"].startswith(OURS)


def test_all_actions_of_a_real_site_run_once_with_the_right_arguments(realsite, server, cli):
    """172 actions run once each; the rest of the table stays as it was, to the byte."""
    before = {row["action_id"]: row for row in realsite.rows()}
    logs_before = realsite.rows("logs")
    due = {i: r for i, r in before.items() if is_ours(r) and r["status"] == "pending"}
    assert len(due) == 172
    cli.module("jobs", JOBS.format(hooks=sorted({row["hook"] for row in due.values()})))

    with server.frozen(NOW):
        done = cli("run", "--batch-size", "25", "--mode", "native", "--json",
                   "--handlers", "jobs:handlers", RUNNER_DSN=realsite.url)  # fmt: skip

    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["claimed"], summary["completed"]) == (172, 172)
    calls = [json.loads(line) for line in (cli.folder / "calls.jsonl").read_text().splitlines()]
    expected = {
        int(i): as_json(argtexts.positional(argtexts.decode(row["args"], row["extended_args"])))
        for i, row in due.items()
    }
    assert {i: args for i, _, args in calls} == expected
    assert len(calls) == 172
    after = {row["action_id"]: row for row in realsite.rows()}
    untouched = before.keys() - due.keys()
    assert {i: after[i] for i in untouched} == {i: before[i] for i in untouched}
    assert sum(before[i]["status"] == "pending" for i in untouched) == 68
    for i in due:
        assert (after[i]["status"], after[i]["attempts"]) == ("complete", "1")
        assert after[i]["last_attempt_gmt"] == sql_date(NOW)
        assert after[i]["last_attempt_local"] == "2026-11-23 07:05:00"
        assert realsite.logs(int(i))[-2:] == [
            "action started via Python runner", "action complete via Python runner",
        ]  # fmt: skip
    assert realsite.rows("logs")[: len(logs_before)] == logs_before
    assert realsite.rows("claims") == []


def test_chains_of_a_real_site_have_the_next_row_that_php_would_give(realsite, server, cli):
    """Two intervals from now on, two cron expressions at their next match; same chain otherwise."""
    chains = {
        "wch_cleanup_expired_carts": NOW + 3600,
        "wpkite_job_health_check": NOW + 900,
        "wpkite_generate_reports": epoch_of("2026-11-24 03:00:00"),
        "wpkite_pull_inventory": epoch_of("2026-11-23 06:10:00"),
    }
    before = {row["hook"]: row for row in realsite.rows() if row["hook"] in chains}
    highest = max(int(row["action_id"]) for row in realsite.rows())
    cli.module("jobs", JOBS.format(hooks=sorted(chains)))
    with server.frozen(NOW):
        done = cli(
            "run", "--handlers", "jobs:handlers", "--mode", "native", RUNNER_DSN=realsite.url
        )
    assert done.returncode == 0, done.stderr

    new = {row["hook"]: row for row in realsite.rows("actions", f"action_id > {highest}")}
    assert new.keys() == chains.keys()
    for hook, at in chains.items():
        old, row = before[hook], new[hook]
        schedule = schedules.read(row["schedule"].encode())
        # An interval counts from the end of the run: on a busy machine some seconds later.
        late = schedule.at - at
        assert 0 <= late <= (20 if schedule.kind == "interval" else 0), hook
        assert row["scheduled_date_gmt"] == sql_date(schedule.at)
        assert row["scheduled_date_local"] == SiteZone("Europe/Budapest").local(schedule.at)
        assert schedule.first == schedules.read(old["schedule"].encode()).first
        same = ("hook", "args", "extended_args", "group_id", "priority")
        assert {k: row[k] for k in same} == {k: old[k] for k in same}
        assert (row["status"], row["attempts"], row["claim_id"]) == ("pending", "0", "0")
        assert realsite.logs(int(row["action_id"])) == ["action created"]
