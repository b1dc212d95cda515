"""`context.settling()` under `runner run` and `runner work`: whoever is killed, whenever, each effect
is there exactly once. RUNNER_TEST_KILLS=1000 kills so often (default 30)."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import time
from pathlib import Path

import pytest
from support.fill import fill
from support.server import ACCOUNT, PASSWORD
from support.waiting import gone, until

from runner.demo import shop

DUE = 1_700_000_000
KILLS = int(os.environ.get("RUNNER_TEST_KILLS", "30"))
RUN = ("run", "--json", "--handlers", "jobs:handlers")
WORK = ("work", "--handlers", "jobs:handlers", "--queues", "*:1", "--sleep", "0.05", "--quiet")
STARTED, COMPLETE = "action started via Python runner", "action complete via Python runner"

JOBS = f"""
import os, pathlib, random, signal, time
import pymysql
from runner import Context, Handlers, RetryPolicy

handlers = Handlers(retry=RetryPolicy.fixed(1, attempts=10_000))
here = pathlib.Path(__file__).parent
EFFECT = "INSERT INTO wp_effects (action, pid) VALUES (%s, %s)"
own = []

def once(name):
    try:
        (here / name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True

@handlers.on("settles")
def settles(context: Context, number: int):
    with context.settling() as connection:
        connection.cursor().execute(EFFECT, [context.action_id, os.getpid()])
        time.sleep(random.uniform(0, 0.003))
    time.sleep(random.uniform(0, 0.001))

@handlers.on("windows", idempotent=True)
def windows(context: Context, number: int):
    settles(context, number)

@handlers.on("doubles")
def doubles(context: Context, number: int):
    if not own:
        own.append(pymysql.connect(
            host=os.environ["SITE_HOST"], port=int(os.environ["SITE_PORT"]), user={ACCOUNT!r},
            password={PASSWORD!r}, database=os.environ["SITE_NAME"], autocommit=True))
    own[0].cursor().execute(EFFECT, [context.action_id, os.getpid()])
    time.sleep(0.02)

@handlers.on("dies")
def dies(context: Context, who: str, when: str):
    with context.settling() as connection:
        connection.cursor().execute(EFFECT, [context.action_id, os.getpid()])
        if when == "inside" and once("died"):
            end(who)
    if when == "after" and once("died"):
        end(who)

def end(who):
    if who == "runner":
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    os.kill(os.getpid(), signal.SIGKILL)

@handlers.on("stays", timeout=1)
def stays(context: Context):
    with context.settling() as connection:
        connection.cursor().execute(EFFECT, [context.action_id, os.getpid()])
    time.sleep(60)

@handlers.on("shows")
def shows(context: Context):
    (here / "pid.new").write_text(str(os.getpid()))
    (here / "pid.new").rename(here / "pid")
    with context.settling() as connection:
        connection.cursor().execute(EFFECT, [context.action_id, os.getpid()])
    while not (here / "go").exists():
        time.sleep(0.01)
"""


@pytest.fixture
def effects(cli, site):
    """The handlers above, and a table that gets a row for each of their effects."""
    cli.module("jobs", JOBS)
    site.run(
        "CREATE TABLE wp_effects (id INT AUTO_INCREMENT PRIMARY KEY, action INT, pid INT) ENGINE=InnoDB"
    )
    cli.environ |= {
        "SITE_HOST": site.server.host,
        "SITE_PORT": str(site.server.port),
        "SITE_NAME": site.name,
    }
    return lambda: dict(site.run("SELECT action, COUNT(*) FROM wp_effects GROUP BY action"))


def summary(done) -> dict:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("executor", ["processes:1", "processes:2", "threads:2", "inline"])
def test_it_works_wherever_handlers_run(cli, site, effects, executor):
    """Effects and the usual log, each once; the summary counts what handlers have settled."""
    fill(site, 40, "due", hooks=("settles", "windows"), now=DUE)
    before = site.server.status("Com_rollback")
    done = summary(cli(*RUN, "--executor", executor))
    assert (done["claimed"], done["completed"], done["lost"]) == (40, 40, 0)
    assert site.server.status("Com_rollback") == before  # the loop did not try to settle them too
    assert effects() == dict.fromkeys(range(1, 41), 1)
    assert all(site.logs(n) == [STARTED, COMPLETE] for n in range(1, 41))
    assert {row["attempts"] for row in site.rows()} == {"1"}


@pytest.mark.parametrize("who", ["child", "runner"])
def test_killed_inside_the_block(cli, site, effects, who):
    """Nothing of it is there; the action is tried again by its policy, and has its effect once."""
    action = site.add("dies", (who, "inside"), at=DUE)
    done = cli(*RUN, "--expiry", "1")
    assert effects() == {}
    if who == "child":
        assert (summary(done)["retried"], site.row(action)["status"]) == (1, "pending")
        assert "killed by SIGKILL" in site.logs(action)[-1]
    else:
        assert (done.returncode, site.row(action)["status"]) == (-signal.SIGKILL, "in-progress")
    until(lambda: cli(*RUN, "--expiry", "1").returncode == 0 and effects())
    assert (effects(), site.row(action)["attempts"]) == ({action: 1}, "2")
    assert site.logs(action).count(COMPLETE) == 1


@pytest.mark.parametrize("who", ["child", "runner"])
def test_killed_after_the_block(cli, site, effects, who):
    """Complete it is and complete it stays, whoever could not say so; a living runner counts it."""
    action = site.add("dies", (who, "after"), at=DUE)
    other = site.add("settles", (1,), at=DUE + 1)
    done = cli(*RUN, "--expiry", "1")
    if who == "child":
        assert {k: summary(done)[k] for k in ("completed", "retried", "failed", "lost")} == {
            "completed": 2, "retried": 0, "failed": 0, "lost": 0,
        }  # fmt: skip
    else:
        assert done.returncode == -signal.SIGKILL
    until(lambda: cli(*RUN, "--expiry", "1").returncode == 0 and len(effects()) == 2)
    assert effects() == {action: 1, other: 1}
    assert site.logs(action) == ["action created", STARTED, COMPLETE]
    assert site.row(action)["attempts"] == "1"


def test_killed_for_its_time_after_the_block(cli, site, effects):
    """A time limit that ends the rest of the handler does not undo what was completed."""
    action = site.add("stays", at=DUE)
    done = summary(cli(*RUN))
    assert (done["completed"], done["retried"], done["lost"]) == (1, 0, 0)
    assert (effects(), site.logs(action)[-1]) == ({action: 1}, COMPLETE)


def test_the_password_reaches_the_child_unseen(cli, site, effects):
    """It is in neither its arguments nor its environment, where others could read it."""
    host = f"{site.server.host}:{site.server.port}"
    (cli.folder / "wp-load.php").touch()
    (cli.folder / "wp-config.php").write_text(
        f"<?php define('DB_NAME', '{site.name}'); define('DB_USER', '{ACCOUNT}'); define('DB_PASSWORD',"
        f" '{PASSWORD}'); define('DB_HOST', '{host}'); $table_prefix = 'wp_';\n"
    )
    action = site.add("shows", at=DUE)
    del cli.environ["RUNNER_DSN"]
    process = cli.start(*RUN, "--wp-path", str(cli.folder))
    try:
        until(lambda: (cli.folder / "pid").exists() and effects())
        child = Path("/proc") / (cli.folder / "pid").read_text()
        seen = (child / "cmdline").read_bytes() + (child / "environ").read_bytes()
        assert b"child_main" in seen
        assert PASSWORD.encode() not in seen
        assert site.row(action)["status"] == "complete"
    finally:
        (cli.folder / "go").touch()
        process.communicate(timeout=30)
    assert process.returncode == 0


def test_on_sqlite(cli, tmp_path):
    """The same on the embedded default, with the standard library's connection."""
    file = tmp_path / "shop.sqlite"
    shop.build(file, DUE)
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE wp_effects (id INTEGER PRIMARY KEY, action INT, pid INT)")
        connection.execute("DELETE FROM wp_actionscheduler_actions WHERE action_id > 3")
        connection.execute("UPDATE wp_actionscheduler_actions SET hook = 'settles', args = '[1]'")
    connection.close()
    cli.module("jobs", JOBS.replace("(%s, %s)", "(?, ?)"))
    done = summary(cli(*RUN, RUNNER_DSN=f"sqlite:///{file}"))
    assert done["completed"] == 3
    connection = sqlite3.connect(file)
    assert connection.execute("SELECT action, COUNT(*) FROM wp_effects GROUP BY 1").fetchall() == [
        (1, 1),
        (2, 1),
        (3, 1),
    ]
    assert connection.execute(
        "SELECT COUNT(*) FROM wp_actionscheduler_logs WHERE message = ?", [COMPLETE]
    ).fetchone() == (3,)
    connection.close()


class Assassin:
    """A daemon that always has work, and is killed again and again, or its children are."""

    def __init__(self, cli, site, hooks: tuple[str, ...]) -> None:
        self.cli, self.site, self.hooks = cli, site, hooks
        self.process = None
        self.kills = 0

    def feed(self) -> None:
        ((waiting,),) = self.site.run(
            "SELECT COUNT(*) FROM wp_actionscheduler_actions WHERE status = 'pending'"
        )
        if waiting < 100:
            fill(self.site, 500, "due", hooks=self.hooks, now=DUE)

    def start(self) -> None:
        if self.process is None:
            self.process = self.cli.start(*WORK, "--expiry", "2")
            until(self.children)

    def children(self) -> list[int]:
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        return [int(pid) for task in tasks for pid in task.read_text().split()]

    def kill_child(self) -> None:
        """Kills a child that has worked: one that is still starting would prove nothing."""
        self.start()
        self.feed()
        victims = []
        until(lambda: victims.extend(self.at_work()) or victims)
        time.sleep(random.uniform(0, 0.05))
        os.kill(victims[0], signal.SIGKILL)
        until(lambda: gone(victims[0]))
        self.kills += 1

    def at_work(self) -> list[int]:
        assert self.process.poll() is None, self.process.stderr.read()
        seen = self.site.run("SELECT pid FROM wp_effects ORDER BY id DESC LIMIT 50")
        children = self.children()
        return [pid for (pid,) in seen if pid in children and not gone(pid)]

    def kill_runner(self) -> None:
        self.start()
        self.feed()
        children = self.children()
        time.sleep(random.uniform(0.05, 0.4))
        self.process.kill()
        self.process.communicate(timeout=30)
        until(lambda: all(gone(child) for child in children))
        self.process = None
        self.kills += 1

    def end(self) -> None:
        """Lets the daemon finish what is left, and ends it."""
        self.start()
        until(lambda: set(self.site.statuses()) == {"complete"}, 90)
        self.process.terminate()
        self.process.communicate(timeout=30)


@pytest.fixture
def assassin(cli, site, effects):
    made = []

    def make(*hooks: str) -> Assassin:
        made.append(Assassin(cli, site, hooks))
        return made[0]

    yield make
    for one in made:
        if one.process and one.process.poll() is None:
            one.process.kill()
            one.process.communicate(timeout=30)


@pytest.mark.timeout(120 + 3 * KILLS)
@pytest.mark.parametrize("victim", ["child", "runner"])
def test_killed_at_any_moment_each_effect_is_there_once(
    assassin, site, effects, victim, record_property
):
    """Every action ends complete, with one effect and one line that says so."""
    daemon = assassin("settles", "windows")
    while daemon.kills < KILLS // 2:
        daemon.kill_child() if victim == "child" else daemon.kill_runner()
    daemon.end()
    counts = effects()
    rows = site.rows()
    retried = sum(row["attempts"] != "1" for row in rows)
    print(f"{daemon.kills} kills of a {victim}: {len(rows)} actions, {retried} tried again")  # noqa: T201
    assert sorted(counts) == [int(row["action_id"]) for row in rows]
    assert set(counts.values()) == {1}
    lines = site.run(
        "SELECT COUNT(*), COUNT(DISTINCT action_id) FROM wp_actionscheduler_logs WHERE message = %s",
        (COMPLETE,),
    )
    assert lines == [(len(rows), len(rows))]
    assert retried  # the kills have hit something


def test_without_settling_effects_double(assassin, effects):
    """The control: the same kills, and handlers that write over a connection of their own."""
    daemon = assassin("doubles")
    while daemon.kills < 15:
        daemon.kill_child()
    daemon.end()
    assert max(effects().values()) > 1
