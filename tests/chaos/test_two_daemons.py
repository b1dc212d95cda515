"""Two daemons on one long queue."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from support.fill import fill
from support.scene import pick
from support.waiting import until

JOBS = """
@handlers.on("py_hook_0", "py_hook_1", "py_hook_2")
def note(context: Context, number):
    effect(context)
"""

ROWS, SECONDS = pick((20_000, 5), (1_000_000, 60))
HOOKS = tuple(f"py_hook_{n}" for n in range(3))

LONGEST_REST = 5.0
"""Seconds: less than a lock wait or a look for abandoned work takes, far more than a turn."""


@pytest.mark.timeout(pick(120, 900))
def test_two_daemons_share_a_queue(server, scenes, seen):
    """Neither complains, leaves or rests while work is due; no action runs twice."""
    scene = scenes(JOBS)
    fill(scene.site, ROWS, "due", hooks=HOOKS, now=int(time.time()))
    before = server.deadlocks()
    daemons = [scene.work() for _ in range(2)]
    until(lambda: len({effect.runner for effect in scene.effects()}) == 2)
    began = scene.effects()[-1].at
    until(lambda: time.monotonic() > began + SECONDS, SECONDS + 5, every=0.2)
    assert [daemon.poll() for daemon in daemons] == [None, None]
    scene.end()
    assert [scene.complaints(daemon) for daemon in daemons] == ["", ""]
    effects = scene.effects()
    assert len({effect.action for effect in effects}) == len(effects) < ROWS
    assert scene.site.statuses() == {"complete": len(effects), "pending": ROWS - len(effects)}
    scene.check()
    shares, rests = zip(*(share(effects, daemon.pid) for daemon in daemons), strict=True)
    assert max(rests) < LONGEST_REST
    met = server.deadlocks() - before
    seen(
        1,
        f"{ROWS:,} due rows, {SECONDS} s: {shares[0]:,} + {shares[1]:,} complete, none twice,"
        f" longest rest {max(rests):.2f} s, {met} deadlocks met and none shown",
    )


def share(effects, runner: int) -> tuple[int, float]:
    """How many calls this runner made, and the longest time between two of them in seconds."""
    moments = sorted(effect.at for effect in effects if effect.runner == runner)
    return len(moments), max(b - a for a, b in pairwise(moments))
