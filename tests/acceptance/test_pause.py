"""`runner pause`, `runner resume` and limits, as a user sees them."""

from __future__ import annotations

import json
import time

import pytest
from support.waiting import until

DUE = 1_700_000_000
JOBS = """
import os, pathlib
from runner import Handlers

handlers = Handlers()
here = pathlib.Path(__file__).parent

@handlers.on("sync", rate="4/s", group="shop")
def sync(number: int):
    with (here / "effects").open("a") as file:
        file.write(f"{number}\\n")

@handlers.on("mail")
def mail(): ...
"""


@pytest.fixture
def shop(site, cli):
    """A site with its own tables; handlers are known from the environment."""
    cli.module("jobs", JOBS)
    cli.environ["RUNNER_HANDLERS"] = "jobs:handlers"
    site.migrate()
    return site


def test_pause_show_and_resume(shop, cli):
    """Each says what it did; status shows it, and a run says why it does nothing."""
    shop.add("mail", at=DUE)
    done = cli("pause", "--hook", "mail", "--why", "the  server is moved", "--by", "ann")
    assert (done.stdout, done.stderr) == ("paused hook mail, by ann: the server is moved\n", "")
    done = cli("pause", "--group", "crm", "--for", "2h", "--by", "ben")
    assert done.stdout.startswith("paused group crm, by ben until 20")
    assert done.stderr == "runner: there is no group crm yet: it is paused when it comes\n"
    shown = cli("pause").stdout.splitlines()
    assert [line.split(",")[0] for line in shown] == ["group crm", "hook mail"]
    assert "paused       hook mail, by ann: the server is moved\n" in cli("status").stdout
    paused = json.loads(cli("status", "--json").stdout)["paused"]
    assert [(p["kind"], p["name"]) for p in paused] == [("group", "crm"), ("hook", "mail")]
    done = cli("run")
    assert done.stdout == "nothing is due\n"
    assert done.stderr.splitlines()[1:] == [
        "runner: hook mail is paused by ann: the server is moved"
    ]
    done = cli("resume", "--hook", "mail")
    assert done.stdout.splitlines()[0] == "resumed hook mail"
    assert done.stdout.splitlines()[1].startswith("still paused: group crm, by ben until 20")
    assert cli("run").stdout.startswith("claimed 1: completed 1 in")
    done = cli("resume", "--hook", "mail")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "runner: hook mail is not paused (`runner pause` shows what is)\n"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("pause", "--hook", "a", "--all"), "name one"),
        (("pause", "--for", "2h"), "say what to pause"),
        (("pause", "--hook", "a", "--for", "2h", "--until", "now"), "not both"),
        (("pause", "--hook", "a", "--until", "2020-01-01"), "ends before it begins"),
        (("pause", "--hook", "a", "--for", "soon"), "no span of time"),
        (("pause", "--hook", "a", "--for", "9999999d"), "the year 9999"),
        (("pause", "--hook", ""), "a hook has a name"),
        (("resume",), "say what to resume"),
    ],
)
def test_what_makes_no_sense_is_said(shop, cli, arguments, why):
    """One line, nothing changed."""
    done = cli(*arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert why in done.stderr
    assert cli("pause").stdout == "nothing is paused\n"


def test_a_run_waits_for_its_rate(shop, cli):
    """What is due comes through one by one; a run waits as long as that is soon."""
    for number in range(5):
        shop.add("sync", [number], at=DUE, group="shop")
    began = time.monotonic()
    done = cli("run")
    assert done.stdout.startswith("claimed 5: completed 5 in"), done.stderr
    assert time.monotonic() - began > 1.0  # four times a quarter of a second
    assert shop.own("locks") == []


def test_a_daemon_sees_a_pause_at_work(shop, cli):
    """Within a second or so, and its end as well."""
    process = cli.start("work", "--sleep", "0.05")
    try:
        first = shop.add("mail", at=DUE)
        until(lambda: shop.row(first)["status"] == "complete")
        cli("pause", "--all", "--by", "ann")
        time.sleep(0.3)
        second = shop.add("mail", at=DUE)
        time.sleep(0.5)
        assert shop.row(second)["status"] == "pending"
        cli("resume", "--all")
        until(lambda: shop.row(second)["status"] == "complete")
    finally:
        process.terminate()
        out, err = process.communicate(timeout=30)
    assert err.splitlines() == ["runner: queue *: everything is paused by ann"], (out, err)


def test_limits_are_shown_and_wrong_ones_refused(shop, cli):
    """With the handlers; when they are loaded."""
    assert "queue shop; rate 4/s\n" in cli("handlers").stdout
    cli.module("wrong", JOBS.replace("4/s", "fast"))
    done = cli("run", "--handlers", "wrong:handlers")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "hook sync: rate 'fast' is no rate: write it as 50/m" in done.stderr
