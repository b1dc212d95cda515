"""Several sites in one settings' file: a process for each, and none holds up another."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest
from support.shell import Shell, complains
from support.site import SiteDatabase
from support.waiting import gone, until

from runner import Queue, fleet
from runner.core.errors import RunnerError

DUE = 1_700_000_000
JOBS = """
import os, pathlib, time
from runner import Handlers

handlers = Handlers(timeout=50)
here = pathlib.Path(__file__).parent

@handlers.on("quick")
def quick(number=0):
    pass

@handlers.on("slow")
def slow(number=0):
    time.sleep(0.1)

@handlers.on("gated")
def gated(number=0):
    (here / "begun").touch()
    while not (here / "go").exists():
        time.sleep(0.01)
"""


@pytest.fixture
def sites(server, tmp_path, monkeypatch):
    """Two sites, and the settings' file that names them, in the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    made = {name: SiteDatabase.create(server) for name in ("shop", "blog")}
    for site in made.values():
        site.migrate()
    (tmp_path / "jobs.py").write_text(JOBS)
    write(tmp_path, made)
    yield made
    for site in made.values():
        site.drop()


def write(folder, sites, **ports: int) -> None:
    """runner.toml, where a site's port may be another than it has."""
    text = 'mode = "native"\nhandlers = "jobs:handlers"\n'
    for name, site in sites.items():
        dsn = site.dsn
        (folder / f"{name}.secret").write_text(dsn.password)
        port = ports.get(name, dsn.port)
        text += (
            f'[sites.{name}]\ndsn = "mysql://{dsn.user}@{dsn.host}:{port}/{dsn.database}"\n'
            f'db_password_file = "{name}.secret"\n'
        )
    (folder / "runner.toml").write_text(text)


@pytest.fixture
def shell(sites, capsys, monkeypatch):
    made = Shell(sites["shop"], capsys, monkeypatch)
    for name in ("RUNNER_DSN", "RUNNER_MODE"):
        monkeypatch.delenv(name)
    return made


def test_the_health_of_all_sites(sites, shell, cli, tmp_path):
    """One whose database is away, one that is late; each by its name, the worst exit code."""
    for number in range(3):
        sites["shop"].add("quick", [number], at=DUE)
    write(tmp_path, sites, blog=1)
    done = shell("health", "--threshold", "late=2")
    assert (done.returncode, done.stderr) == (1, "")
    assert "shop: warning overdue 3 actions are overdue by more than 5 min" in done.stdout
    assert "blog: critical database the database is out of reach" in done.stdout
    done = shell("health", "--json", "--threshold", "late=2")
    found = {row["site"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 1
    assert {name: row["state"] for name, row in found.items()} == {"shop": "critical", "blog": "critical"}  # fmt: skip
    fine = ("--threshold", "late=off,overdue=off,workers=off")
    assert shell("health", "--site", "shop", "--quiet", *fine).returncode == 0


@pytest.fixture
def daemon(sites, cli):
    """Starts `runner work` on all sites; kills what is left of it."""
    started = []
    for name in ("RUNNER_DSN", "RUNNER_MODE"):
        del cli.environ[name]

    def start(*arguments: str):
        process = cli.start("work", "--sleep", "0.05", *arguments)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=30)


def test_a_run_works_all_sites(shell, sites):
    """A line for each; with --json an object for each, that says whose it is."""
    for number, site in enumerate(sites.values(), 1):
        for _ in range(number):
            site.add("quick", at=DUE)
    lines = sorted(shell.out("run").splitlines())
    assert [line.rpartition(" in ")[0] for line in lines] == [
        "blog: claimed 2: completed 2",
        "shop: claimed 1: completed 1",
    ]
    assert [site.statuses() for site in sites.values()] == [{"complete": 1}, {"complete": 2}]
    told = [json.loads(line) for line in shell.out("run", "--json").splitlines()]
    assert [(one["site"], one["exit_code"], one["claimed"]) for one in told] == [
        ("shop", 0, 0), ("blog", 0, 0)
    ]  # fmt: skip


def test_one_site_is_chosen_by_name(shell, sites):
    """By flag or environment; the other one is not touched."""
    for site in sites.values():
        site.add("quick", at=DUE)
    assert shell.out("run", "--site", "blog").startswith("claimed 1")
    assert [site.statuses() for site in sites.values()] == [{"pending": 1}, {"complete": 1}]
    shell.environ.setenv("RUNNER_SITE", "shop")
    assert "due now              1" in shell.out("status")


@pytest.mark.parametrize(
    "command", [["status"], ["doctor"], ["action", "list"], ["migrate"], ["run", "--shadow"]]
)
def test_a_command_for_one_site_asks_which(shell, command):
    complains(shell(*command), 2, "several sites", "--site NAME", "shop, blog")


def test_a_site_that_is_not_there(shell):
    complains(shell("run", "--site", "shp"), 2, "no site 'shp'", "shop, blog")


def test_the_only_site_needs_no_name(shell, sites, tmp_path):
    """Its table counts before the environment does not: a database said outright does."""
    write(tmp_path, {"blog": sites["blog"]})
    sites["blog"].add("quick", at=DUE)
    assert shell.out("run").startswith("claimed 1")
    shell.environ.setenv("RUNNER_DSN", sites["shop"].url)
    assert shell.out("run") == "nothing is due\n"


def test_an_outage_of_one_site_holds_up_no_other(shell, sites, tmp_path):
    """Its line says what is wrong, under its name."""
    write(tmp_path, sites, shop=1)
    sites["blog"].add("quick", at=DUE)
    done = shell("run")
    assert done.returncode == 1
    assert sites["blog"].statuses() == {"complete": 1}
    assert done.stdout.startswith("blog: claimed 1")
    assert done.stderr.startswith("runner: shop: ")
    assert done.stderr.count("\n") == 1


def test_a_flood_on_one_site_holds_up_no_other(shell, sites, monkeypatch):
    """With one place for two sites, a flood gets turns like everybody: the other's action does not
    wait until all of it is done."""
    monkeypatch.setattr(fleet, "TURN", 0.5)
    for number in range(25):
        sites["shop"].add("slow", [number], at=DUE)
    sites["blog"].add("quick", at=DUE)
    shell.out("run", "--sites-at-once", "1", "--batch-size", "1")
    assert [site.statuses() for site in sites.values()] == [{"complete": 25}, {"complete": 1}]
    [quick] = sites["blog"].own("attempts")
    last = max(row["ended_at"] for row in sites["shop"].own("attempts"))
    assert str(quick["ended_at"]) < str(last)


def test_the_time_limit_is_that_of_all_together(shell, sites):
    """What is left when it is over is left for the next run."""
    for number in range(100):
        sites["shop"].add("slow", [number], at=DUE)
    began = time.monotonic()
    shell.out("run", "--time-limit", "1", "--batch-size", "1")
    assert time.monotonic() - began < 8  # 10 s of work, were there no limit
    assert 0 < sites["shop"].statuses()["pending"] < 100


def test_a_daemon_works_all_sites_and_drains(daemon, sites):
    """Each in a process of its own; SIGTERM goes to all, and what runs is finished."""
    process = daemon()
    for site in sites.values():
        site.add("quick", at=DUE)
    until(lambda: all(site.statuses() == {"complete": 1} for site in sites.values()), 30)
    assert [len(site.own("workers")) for site in sites.values()] == [1, 1]
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert {line.partition(":")[0] for line in out.splitlines()} == {"shop", "blog"}


def test_a_daemon_that_dies_is_started_again(daemon, sites):
    """The other site's goes on meanwhile."""
    daemon()
    until(lambda: all(site.own("workers") for site in sites.values()), 30)
    [first] = sites["shop"].own("workers")
    [other] = sites["blog"].own("workers")
    os.kill(int(first["pid"]), signal.SIGKILL)
    until(lambda: {row["pid"] for row in sites["shop"].own("workers")} - {first["pid"]}, 30)
    sites["shop"].add("quick", at=DUE)
    until(lambda: sites["shop"].statuses() == {"complete": 1}, 30)
    assert [row["pid"] for row in sites["blog"].own("workers")] == [other["pid"]]


def test_daemons_end_with_the_process_that_started_them(daemon, sites):
    """Killed outright, it leaves nobody at work."""
    process = daemon()
    until(lambda: all(site.own("workers") for site in sites.values()), 30)
    pids = [int(site.own("workers")[0]["pid"]) for site in sites.values()]
    process.kill()
    for pid in pids:
        until(lambda pid=pid: gone(pid), 30)


def test_json_lines_say_whose_they_are(daemon, sites):
    process = daemon("--log-format", "json")
    sites["shop"].add("quick", at=DUE)
    until(lambda: sites["shop"].statuses() == {"complete": 1}, 30)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=30)
    told = [json.loads(line) for line in out.splitlines()]
    assert {one["site"] for one in told} == {"shop", "blog"}
    assert [one["site"] for one in told if one.get("hook") == "quick"][:1] == ["shop"]


def test_the_sites_are_listed(shell):
    """Without a name, with what stands above their tables."""
    assert shell.out("config").startswith("sites     shop, blog (--site NAME shows one)\n\n")
    assert json.loads(shell.out("config", "--json"))["sites"] == ["shop", "blog"]


WRONG = {
    "sites = 3": "sites must be tables",
    "[sites]\nshop = 3": "sites must be tables",
    '[sites."a b"]': "is no name of a site",
    "[sites.shop]\nbatch_sise = 3": "sites.shop.batch_sise is no setting: did you mean batch_size",
    '[sites.shop]\ndsn = "mysql://u:secret@h/d"': "must not hold a password",
    "[sites.shop]\nblog = 0": "sites.shop.blog is '0'",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_table_is_named(shell, tmp_path, text):
    (tmp_path / "runner.toml").write_text('handlers = "jobs:handlers"\n' + text)
    done = shell("run")
    assert (done.returncode, done.stdout) == (78, "")
    assert WRONG[text] in done.stderr
    assert "secret" not in done.stderr


def test_a_site_counts_before_what_stands_above_it(shell, sites, tmp_path):
    """And before the environment; a flag counts before it. A network's site has its number in its
    tables' names."""
    (tmp_path / "runner.toml").write_text(
        'wp_path = "elsewhere"\nbatch_size = 7\n[sites.two]\ndsn = "mysql://u@h/d"\n'
        "blog = 2\nbatch_size = 8\n"
    )
    shell.environ.setenv("RUNNER_BATCH_SIZE", "9")
    found = json.loads(shell.out("config", "--json", "--site", "two"))
    assert found["database"]["prefix"] == "wp_2_"
    assert found["settings"]["batch_size"] == {
        "value": "8", "from": "runner.toml: sites.two.batch_size"
    }  # fmt: skip
    found = json.loads(
        shell.out("config", "--json", "--site", "two", "--batch-size", "5", "--blog", "1")
    )
    assert (found["database"]["prefix"], found["settings"]["batch_size"]["value"]) == ("wp_", "5")


def test_a_queue_of_one_of_them(shell, sites):
    """From Python, by name; without one it is asked for."""
    with Queue.open(site="blog") as queue:
        assert queue.enqueue("quick") == 1
    assert [site.statuses() for site in sites.values()] == [{}, {"pending": 1}]
    with pytest.raises(RunnerError, match="--site NAME"):
        Queue.open()
