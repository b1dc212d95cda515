"""`on_dead_letter`: in a place of its own, after the death is recorded, once, and not for ever."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from support.executors import action
from support.waiting import gone, until

from compat.site_time import sql_date
from runner.core.clock import SystemClock
from runner.core.events import Settled
from runner.core.model import Completed, Dead, Settlement
from runner.core.signals import Stop
from runner.executors import dead_letters, processes
from runner.executors.dead_letters import DeadLetters
from runner.executors.processes import Processes
from runner.executors.threads import Threads
from runner.handlers import loading

DUE = 1_700_000_000

JOBS = """
import json, os, pathlib, time
from runner import Cancel, Context, Fail, Handlers, RetryPolicy, Snooze

handlers = Handlers(retry=RetryPolicy.never(), timeout=50)
here = pathlib.Path(__file__).parent

@handlers.on("raises", "silent")
def raises(): raise LookupError("gone")

@handlers.on("says")
def says(): raise Fail("not wanted")

@handlers.on("cancels")
def cancels(): raise Cancel("not wanted")

@handlers.on("needs")
def needs(number: int): pass

@handlers.on("dies")
def dies():
    (here / "handler").write_text(str(os.getpid()))
    os._exit(3)

@handlers.on("hangs", timeout=0.5)
def hangs(): time.sleep(600)

@handlers.on("retried", retry=RetryPolicy(attempts=3))
def retried(): raise LookupError("gone")

@handlers.on("ok")
def ok(): pass

@handlers.on("gated_grave", "hanging_grave", "dying_grave")
def to_the_grave(): raise LookupError("gone")

EVERY = [hook for hook in handlers.hooks if not hook.endswith("grave") and hook != "silent"]

@handlers.on_dead_letter(*EVERY)
def note(context: Context, why):
    with open(here / "told", "a") as told:
        told.write(json.dumps([context.action_id, context.attempt, why, os.getpid()]) + "\\n")

@handlers.on_dead_letter("gated_grave")
def gated(context, why):
    (here / "begun").touch()
    while not (here / "go").exists():
        time.sleep(0.01)
    (here / "ended").touch()

@handlers.on_dead_letter("hanging_grave")
def hanging(context, why):
    (here / "pid").write_text(str(os.getpid()))
    (here / "pid").rename(here / "hanging")
    time.sleep(600)

@handlers.on_dead_letter("dying_grave")
def dying(context, why):
    os._exit(4)
"""


def told(folder) -> list[list]:
    if not (folder / "told").exists():
        return []
    return [json.loads(line) for line in (folder / "told").read_text().splitlines()]


RUN = ("run", "--handlers", "jobs:handlers")


@pytest.mark.parametrize("executor", ["processes:2", "threads:2", "inline"])
def test_every_death_is_told_once(cli, site, executor):
    """However it came about, and no other outcome; the run waits for the last one."""
    hooks = ["raises", "says", "needs", "retried", "cancels", "ok", "silent", "raises"]
    if executor.startswith("processes"):
        hooks += ["dies", "hangs"]
    cli.module("jobs", JOBS)
    actions = [site.add(hook, at=DUE) for hook in hooks]
    done = cli(*RUN, "--executor", executor)
    assert done.returncode == 0
    whys = {number: why for number, _, why, _ in told(cli.folder)}
    dead = [a for a, h in zip(actions, hooks, strict=True) if h not in {"retried", "cancels", "ok", "silent"}]  # fmt: skip
    assert sorted(number for number, *_ in told(cli.folder)) == dead
    for number in dead:
        assert whys[number] in site.logs(number)[-1]
    assert {attempt for _, attempt, *_ in told(cli.folder)} == {1}


def test_the_death_of_a_whole_worker_is_told(cli, site):
    """Of an action that it had begun: whoever takes it back tells of it."""
    cli.module("jobs", JOBS)
    claim = site.insert("claims", {"date_created_gmt": sql_date(DUE)})
    began = {"status": "in-progress", "attempts": 1, "claim_id": claim}
    action = site.add("ok", at=DUE, last_attempt_gmt=sql_date(DUE), **began)
    assert cli(*RUN).returncode == 0
    ((number, _, why, _),) = told(cli.folder)
    assert (number, site.row(action)["status"]) == (action, "failed")
    assert why.startswith("its worker died")


def test_it_is_called_in_a_child_of_its_own(cli, site):
    """Not in the runner, nor where the handler was."""
    cli.module("jobs", JOBS)
    site.add("dies", at=DUE)
    runner = cli.start(*RUN)
    runner.communicate(timeout=30)
    ((_, _, why, pid),) = told(cli.folder)
    assert "the handler process" in why
    assert pid not in {runner.pid, int((cli.folder / "handler").read_text())}


@pytest.mark.parametrize("executor", ["processes:1", "threads:1", "inline"])
def test_the_death_is_recorded_first_and_nobody_waits(cli, site, executor):
    """While it is told, the row is failed, and actions that become due are done; then the end
    waits for it."""
    cli.module("jobs", JOBS)
    dead = site.add("gated_grave", at=DUE)
    daemon = cli.start("work", *RUN[1:], "--executor", executor, "--sleep", "0.05")
    try:
        until((cli.folder / "begun").exists)
        assert site.row(dead)["status"] == "failed"
        later = site.add("ok", at=DUE)
        until(lambda: site.row(later)["status"] == "complete")
        assert not (cli.folder / "ended").exists()
        daemon.send_signal(signal.SIGTERM)
        until(lambda: not site.rows("claims"))
        (cli.folder / "go").touch()
        out, _ = daemon.communicate(timeout=30)
        assert (daemon.returncode, "failed 1" in out) == (0, True)
        assert (cli.folder / "ended").exists()
    finally:
        daemon.kill()
        daemon.communicate()


def test_a_second_signal_waits_for_nothing(cli, site):
    """What hangs in it is killed at once, and what was not told is counted."""
    cli.module("jobs", JOBS)
    for _ in range(3):
        site.add("hanging_grave", at=DUE)
    daemon = cli.start("work", *RUN[1:], "--sleep", "0.05")
    try:
        until(lambda: (cli.folder / "hanging").exists() and site.statuses() == {"failed": 3})
        child = int((cli.folder / "hanging").read_text())
        daemon.send_signal(signal.SIGTERM)
        until(lambda: not pending(daemon.pid))
        daemon.send_signal(signal.SIGTERM)
        _, err = daemon.communicate(timeout=20)
        assert daemon.returncode == 128 + signal.SIGTERM
        assert "the end came before on_dead_letter was done (" in err
        assert gone(child)
    finally:
        daemon.kill()
        daemon.communicate()


def pending(pid: int) -> bool:
    """Whether a signal was sent that the process has not taken yet."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return any(line.startswith("ShdPnd") and int(line.split()[1], 16) for line in lines)


class World:
    """Deaths told to a place, without a database."""

    def __init__(self, folder, make, stop: Stop, handlers) -> None:
        self.folder = folder
        self.said: list[str] = []
        self.made = []
        self.stop = stop
        self.letters = DeadLetters(
            lambda: self.made.append(make()) or self.made[-1],
            handlers, stop, SystemClock(), self.said.append,
        )  # fmt: skip
        self.number = 0

    def die(self, hook: str, why: str = "no more") -> None:
        self.number += 1
        self.letters.event(Settled(Settlement(action(hook, self.number), Dead(why))))


@pytest.fixture(params=["processes", "threads"])
def world(request, tmp_path, monkeypatch):
    (tmp_path / "jobs.py").write_text(JOBS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    loading.sys.modules.pop("jobs", None)
    handlers, stop = loading.load(["jobs:handlers"]), Stop()
    makers = {
        "processes": lambda: Processes(handlers, ["jobs:handlers"], stop, SystemClock()),
        "threads": lambda: Threads(handlers, stop, SystemClock(), count=1),
    }
    made = World(tmp_path, makers[request.param], stop, handlers)
    yield made
    (tmp_path / "go").touch()
    stop.hurry()
    made.letters.close()
    stop.close()
    loading.sys.modules.pop("jobs", None)


PROCESSES = pytest.mark.parametrize("world", ["processes"], indirect=True)
"""A thread that hangs is never free again, and one that crashes takes the runner along."""


def test_without_a_death_there_is_no_place(world):
    """Nothing is started for other outcomes, nor for hooks that nobody wants to hear of."""
    world.die("silent")
    world.letters.event(Settled(Settlement(action("raises"), Completed())))
    world.letters.close()
    assert (world.made, world.said) == ([], [])


@PROCESSES
def test_one_that_hangs_is_given_up(world, monkeypatch):
    """Its time over, the next one has its turn; that is told, and nothing else."""
    monkeypatch.setattr(processes, "DEAD_LETTER_TIMEOUT", 0.5)
    world.die("hanging_grave")
    world.die("raises")
    world.letters.close()
    assert [number for number, *_ in told(world.folder)] == [2]
    (line,) = world.said
    assert line == "action 1: on_dead_letter timed out after 0.5 seconds and was killed"


@PROCESSES
def test_one_that_crashes_harms_nobody(world):
    """The next one gets another child."""
    world.die("dying_grave")
    world.die("raises")
    world.letters.close()
    assert [number for number, *_ in told(world.folder)] == [2]
    (line,) = world.said
    assert line.startswith("action 1: on_dead_letter the handler process ")
    assert "exit code 4" in line


def test_the_end_waits_only_so_long(world, monkeypatch):
    """Once its limit is over, what has not been told is counted."""
    monkeypatch.setattr(dead_letters, "DEAD_LETTER_TIMEOUT", 0.5)
    world.die("gated_grave")
    world.die("raises")
    until((world.folder / "begun").exists)
    world.letters.close()
    assert told(world.folder) == []
    assert world.said == ["the end came before on_dead_letter was done (2 left)"]


@PROCESSES
def test_a_place_that_cannot_be_had_is_told(world, monkeypatch):
    """Half a deploy, say: the death is named, and nobody waits."""
    (world.folder / "jobs.py").write_text("raise ValueError('half a deploy')")
    world.die("raises")
    world.letters.close()
    (line,) = world.said
    assert line.startswith("action 1: on_dead_letter was not called: cannot import handlers")
