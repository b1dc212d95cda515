"""SIGKILL at moments that nobody chose."""

from __future__ import annotations

import random
import time

import pytest
from support.scene import DUE, kill, kill_runner, pick
from support.waiting import children, until

JOBS = """
import random

@handlers.on("py_hook", retry=RetryPolicy.fixed(1, attempts=20))
def note(context: Context, number):
    effect(context)
    time.sleep(random.uniform(0, 0.05))
"""

ACTIONS, KILLS = pick((300, 10), (5000, 200))
WORKERS = 3


@pytest.mark.timeout(pick(120, 1200))
@pytest.mark.parametrize("mode", ["native", "parked"])
def test_random_kills_lose_nothing(scenes, seen, mode):
    """Three daemons, killed and started again all along the work, now the runner, now one of its
    children: all is complete, and each further call of a handler is explained by its log."""
    scene = scenes(JOBS, mode=mode)
    for number in range(ACTIONS):
        scene.site.add("py_hook", [number], at=DUE + number)
    workers = [work(scene) for _ in range(WORKERS)]
    killed = {"runner": 0, "child": 0}
    for number in range(KILLS):
        wanted = ACTIONS * number // (KILLS + 1)
        until(lambda: len(scene.effects()) >= wanted, 60)  # noqa: B023  awaited here
        time.sleep(random.uniform(0, 0.1))
        killed[strike(scene, workers)] += 1
    assert not scene.is_done(), "the work was over before the killing was"
    scene.end()
    scene.finish()
    assert scene.site.statuses() == {"complete": ACTIONS}
    scene.check()
    calls = scene.calls()
    again = sum(calls.values()) - ACTIONS
    assert set(calls) == {int(row["action_id"]) for row in scene.site.rows()}
    assert again <= killed["runner"] * 2 + killed["child"]  # two children each
    seen(
        KILLS,
        f"{killed['runner']} runners and {killed['child']} children killed in {ACTIONS} actions:"
        f" all complete, {again} calls again, all explained",
    )


def strike(scene, workers) -> str:
    """Kills a runner, which is started again, or a child of one."""
    number = random.randrange(WORKERS)
    left = children(workers[number].pid)
    if left and random.random() < 0.5:
        kill(random.choice(left))
        return "child"
    if workers[number].poll() is None:
        kill_runner(workers[number])
    else:  # its last child was killed before it was ready: it said so and left, to be started anew
        assert "did not start: killed by SIGKILL" in scene.complaints(workers[number])
    workers[number] = work(scene)
    return "runner"


def work(scene):
    return scene.work("--queues", "*:2", "--batch-size", "5")
