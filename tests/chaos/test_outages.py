"""The database goes away in every way it can, and so does a worker that is not dead."""

from __future__ import annotations

import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pymysql
import pytest
from support.proxy import Proxy
from support.scene import DUE, LEASE, SETTLE, pick
from support.server import ACCOUNT
from support.waiting import catches, children, until

JOBS = """
@handlers.on("quick")
def quick(context: Context):
    effect(context)
    time.sleep(0.02)

@handlers.on("gated")
def gated(context: Context):
    effect(context)
    wait_for(f"go{context.attempt}")
"""

OUTAGE = pick(3, 90)
ACTIONS = 100
LOST, BACK = "runner: the database is lost and waited for: ", "runner: the database is back after "


def begun(scene, **environ: str):
    """Actions, and a daemon that has them to do."""
    actions = [scene.site.add("quick", at=DUE + n) for n in range(ACTIONS)]
    return actions, scene.work("--queues", "*:2", **environ)


def working(scene):
    """The same in the middle of its work."""
    actions, process = begun(scene)
    until(lambda: len(scene.effects()) > ACTIONS // 10)
    return actions, process


def all_ran_once(scene, actions) -> None:
    assert scene.site.statuses() == {"complete": len(actions)}
    assert scene.calls() == dict.fromkeys(actions, 1)
    assert {row["attempts"] for row in scene.site.rows()} == {"1"}
    scene.check()


def lines_of(scene, process) -> list[str]:
    """What it complained of, each line as its known beginning."""
    lines = scene.complaints(process).splitlines()
    return [next((head for head in (LOST, BACK) if line.startswith(head)), line) for line in lines]


def rest(seconds: float) -> None:
    """An outage lasts: nothing can be awaited meanwhile."""
    time.sleep(seconds)


@pytest.mark.timeout(pick(120, 300))
def test_a_server_that_is_stopped(scenes, mortal, seen):
    """Shut down and started again: no result is lost, nothing runs twice, two lines tell of it."""
    scene = scenes(JOBS, on=mortal)
    actions, process = working(scene)
    mortal.process.terminate()
    mortal.process.wait()
    rest(OUTAGE)
    assert process.poll() is None
    mortal.restart()
    scene.site.reconnect()
    until(scene.is_done, 60, every=0.1)
    scene.end()
    assert lines_of(scene, process) == [LOST, BACK]
    all_ran_once(scene, actions)
    seen(1, f"down for {OUTAGE} s: {ACTIONS} complete, none twice, one line and one for its end")


@pytest.mark.timeout(pick(120, 600))
def test_a_server_that_is_killed_while_a_result_is_written(scenes, mortal, seen):
    """kill -9 between the writes and COMMIT of one site, before COMMIT's answer arrives at another,
    and down for longer than a claim lives: each result is recorded once, and no action is charged
    with an attempt that it did not have."""
    rounds = pick(1, 10)
    for number in range(rounds):
        found = [scenes(JOBS, f"{number} {when}", on=mortal) for when in ("before", "after")]
        with Proxy(mortal.port, alone=True) as before, Proxy(mortal.port) as after:
            holds = before.hold(SETTLE, "COMMIT"), after.hold(SETTLE, "COMMIT", answered=True)
            work = [
                begun(scene, RUNNER_DSN=proxy.url(scene.site))
                for scene, proxy in zip(found, (before, after), strict=True)
            ]
            for hold in holds:
                hold.reached()
            mortal.kill()
            for hold in holds:
                hold.cut()
            rest(2 * LEASE)
            mortal.restart()
            for scene, (actions, process) in zip(found, work, strict=True):
                scene.site.reconnect()
                until(scene.is_done, 60, every=0.1)
                scene.end()
                assert lines_of(scene, process) == [LOST, BACK]
                all_ran_once(scene, actions)
    seen(2 * rounds, f"{ACTIONS} complete in each, none twice, none charged")


@pytest.mark.timeout(pick(120, 300))
def test_connections_that_are_killed(scenes, server, seen):
    """KILL at random moments, also in the middle of a write: nothing is lost, nothing runs twice,
    and each loss that was noticed has one line, and one for its end."""
    kills = pick(10, 200)
    scene = scenes(JOBS.replace("0.02", "0.01"))
    actions = []
    process = scene.work("--queues", "*:2")
    for _ in range(kills):
        actions += [scene.site.add("quick", at=DUE) for _ in range(5)]
        until(lambda: len(scene.effects()) >= len(actions) - 4)  # noqa: B023  awaited here
        rest(random.uniform(0, 0.05))
        kill_connections(scene.site)
    until(scene.is_done, 60, every=0.1)
    scene.end()
    lines = lines_of(scene, process)
    assert lines == [LOST, BACK] * (len(lines) // 2)
    assert 0 < len(lines) // 2 <= kills
    all_ran_once(scene, actions)
    seen(kills, f"{len(actions)} complete, none twice, {len(lines) // 2} losses told of")


def kill_connections(site) -> None:
    """Those of runners on this site."""
    processes = "SELECT id FROM information_schema.processlist WHERE db = %s AND user = %s"
    for (thread,) in site.run(processes, (site.name, ACCOUNT)):
        with suppress(pymysql.err.OperationalError):  # it has gone meanwhile
            site.run(f"KILL {thread}")


@pytest.mark.timeout(pick(120, 600))
def test_a_server_that_is_frozen(scenes, mortal, seen):
    """Longer than a claim lives: the worker keeps what it holds, and a second one that comes at
    the thaw may take it for dead, but says so in the log."""
    scene = scenes(JOBS, on=mortal)
    actions, process = working(scene)
    mortal.freeze_process()
    rest(max(OUTAGE, 2 * LEASE))
    second = scene.work("--queues", "*:2")
    until(lambda: catches(second.pid, signal.SIGTERM))
    mortal.process.send_signal(signal.SIGCONT)
    until(scene.is_done, 60, every=0.1)
    scene.end()
    assert lines_of(scene, process) == ([LOST, BACK] if OUTAGE > 60 else [])
    assert scene.complaints(second) == ""
    assert scene.site.statuses() == {"complete": len(actions)}
    assert set(scene.calls()) == set(actions)
    scene.check()
    again = scene.calls().total() - len(actions)
    seen(1, f"frozen for {max(OUTAGE, 2 * LEASE)} s: {ACTIONS} complete, {again} taken over")


@pytest.mark.timeout(pick(120, 300))
def test_a_worker_that_is_frozen(scenes, seen):
    """Past the lease, in the middle of an action, its handler with it or not: another takes the
    work over, and what the worker then has to say of the action is not written."""
    with ThreadPoolExecutor(2) as pool:
        for done in [
            pool.submit(frozen, scenes(JOBS, "worker"), 25),
            pool.submit(frozen, scenes(JOBS, "with its child"), 1, child=True),
        ]:
            done.result()
    seen(2, "its action was run again and explained, 9 that waited ran once, it works on")


def frozen(scene, batch: int, *, child: bool = False) -> None:
    gated = scene.site.add("gated", at=DUE)
    others = [scene.site.add("quick", at=DUE + n) for n in range(1, 10)]
    process = scene.work("--queues", "*:1", "--batch-size", str(batch))
    until(lambda: scene.calls()[gated])
    frozen = [process.pid, *(children(process.pid) if child else [])]
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    scene.touch("go1")
    until(scene.is_abandoned, every=0.1)
    second = scene.work("--queues", "*:1")
    until(lambda: scene.calls()[gated] == 2)
    for pid in reversed(frozen):
        os.kill(pid, signal.SIGCONT)
    later = scene.site.add("quick", at=DUE)  # the second has no place for it
    until(lambda: scene.site.row(later)["status"] == "complete")
    assert scene.site.row(gated)["status"] == "in-progress"
    scene.touch("go2")
    until(scene.is_done)
    scene.end()
    assert scene.complaints(process) + scene.complaints(second) == ""
    assert scene.calls() == {gated: 2} | dict.fromkeys([*others, later], 1)
    assert scene.site.statuses() == {"complete": len(others) + 2}
    assert scene.site.row(gated)["attempts"] == "2"
    scene.check()
