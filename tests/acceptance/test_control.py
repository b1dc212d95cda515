"""Changes of single actions: put off, sooner, and canceled while they run."""

from __future__ import annotations

import json

import pytest
from support.waiting import until

from compat.action_scheduler import true_date

DUE = 1_700_000_000
JOBS = """
import pathlib, time
from runner import Context, Handlers

handlers = Handlers(timeout=60)
here = pathlib.Path(__file__).parent

@handlers.on("long")
def long(context: Context):
    (here / "begun").touch()
    while not context.cancelled:
        time.sleep(0.05)
    (here / "noticed").touch()
"""


@pytest.fixture
def shop(site, cli):
    cli.module("jobs", JOBS)
    cli.environ["RUNNER_HANDLERS"] = "jobs:handlers"
    site.migrate()
    return site


def due(site, action: int) -> str:
    row = site.row(action)
    return true_date(str(row["scheduled_date_gmt"]), str(row["scheduled_date_local"]))


@pytest.mark.parametrize("parked", [False, True])
def test_snooze(shop, cli, parked):
    """A later date for row and schedule, no attempt, a line that says who and why; parked rows stay
    parked. What is claimed is left alone."""
    first, second, third = (shop.add("long", at=DUE) for _ in range(3))
    if parked:
        shop.run(
            "UPDATE wp_actionscheduler_actions SET scheduled_date_gmt = scheduled_date_gmt"
            " + INTERVAL 800 YEAR"
        )
    shop.run(f"UPDATE wp_actionscheduler_actions SET claim_id = 9 WHERE action_id = {second}")
    shop.run(f"INSERT INTO wp_runner_held (action_id, claim_id) VALUES ({third}, 9)")
    done = cli(
        "action", "snooze", "1", "2", "3", "77", "--until", "2099-12-24 18:00", "--why", "holidays",
        "--by", "ann",
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "put off 1 action\n")
    assert done.stderr.splitlines() == [
        "runner: action 2 is claimed: only pending actions that nobody has claimed can be put off",
        "runner: action 3 is pending: only pending actions that nobody has claimed can be put off",
        "runner: there is no action 77",
    ]
    assert due(shop, first) == "2099-12-24 18:00:00"
    assert str(shop.row(first)["scheduled_date_gmt"]).startswith("2899" if parked else "2099")
    assert {due(shop, id_)[:4] for id_ in (second, third)} == {"2023"}
    assert shop.row(first)["attempts"] == "0"
    shown = json.loads(cli("action", "get", "1", "--format", "json").stdout)
    assert "2099-12-24 18:00:00" in json.dumps(shown)
    assert shop.logs(first)[-1] == (
        "action put off via Python runner until 2099-12-24 18:00:00 UTC: holidays (by ann)"
    )


def test_priority(shop, cli):
    """Of what waits; others are named."""
    first, second = shop.add("long", at=DUE), shop.add("long", at=DUE)
    shop.run(f"UPDATE wp_actionscheduler_actions SET status = 'failed' WHERE action_id = {second}")
    done = cli("action", "priority", "1", "2", "--to", "0", "--by", "ann")
    assert (done.returncode, done.stdout) == (1, "gave priority 0 to 1 action\n")
    assert done.stderr == "runner: action 2 is failed: only pending actions have a turn to come\n"
    assert [shop.row(id_)["priority"] for id_ in (first, second)] == ["0", "10"]
    assert shop.logs(first)[-1] == "action given priority 0 via Python runner: by ann"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("snooze", "1"), "say how long"),
        (("snooze", "1", "--for", "1h", "--until", "now"), "say how long"),
        (("snooze", "1", "--until", "2020-01-01"), "not later than now"),
        (("snooze", "1", "--for", "9999999d"), "the year 9999"),
        (("snooze", "x", "--for", "1h"), "'x'"),
        (("priority", "1"), "--to"),
        (("priority", "1", "--to", "256"), "256"),
        (("cancel", "long", "--running"), "--running is for ids"),
    ],
)
def test_what_makes_no_sense_is_said(shop, cli, arguments, why):
    """One line, nothing changed."""
    shop.add("long", at=DUE)
    before = shop.rows()
    done = cli("action", *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert why in done.stderr
    assert shop.rows() == before


@pytest.mark.parametrize("mode", ["native", "parked"])
def test_cancel_what_runs(shop, cli, mode):
    """The handler is told, and what comes of it is not recorded; what PHP runs is left alone."""
    action = shop.add("long", at=DUE)
    php = shop.add("php", at=DUE)
    shop.run(
        "UPDATE wp_actionscheduler_actions SET status = 'in-progress', claim_id = 5 WHERE action_id"
        f" = {php}"
    )
    process = cli.start("work", "--sleep", "0.05", "--mode", mode, RUNNER_HEARTBEAT="1")
    try:
        until((cli.folder / "begun").exists)
        done = cli("action", "cancel", str(action), str(php), "--running", "--by", "ann")
        assert (done.returncode, done.stdout) == (1, "canceled 1 action\n")
        assert done.stderr == (
            f"runner: action {php} is in-progress: only pending actions can be canceled, and those"
            " that Python's runner runs\n"
        )
        until((cli.folder / "noticed").exists)
    finally:
        process.terminate()
        process.communicate(timeout=30)
    row = shop.row(action)
    assert (row["status"], due(shop, action)[:4]) == ("canceled", "2023")
    assert str(row["scheduled_date_gmt"]).startswith("2023")
    assert shop.logs(action)[-1] == "action canceled via Python runner: by ann"
    assert shop.row(php)["status"] == "in-progress"
    assert shop.own("held") == []
