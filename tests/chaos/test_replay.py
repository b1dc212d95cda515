"""Dead letters, replayed by commands that are killed."""

from __future__ import annotations

import signal

import pytest
from support.scene import DUE, pick
from support.waiting import until

from compat.action_scheduler import COMPLETE

JOBS = """
@handlers.on("py_hook", retry=RetryPolicy.never())
def note(context: Context, number):
    if (here / "broken").exists():
        raise LookupError(number)
    effect(context)
"""

LETTERS, RATE, KILLS = pick((100, "100/s", 2), (1000, "10/s", 3))


@pytest.mark.timeout(pick(120, 400))
@pytest.mark.parametrize("mode", ["native", "parked"])
def test_a_replay_that_is_killed_and_repeated(scenes, seen, mode):
    """Each letter becomes one action, which runs once, beside a daemon that takes them at once."""
    scene = scenes(JOBS, mode=mode)
    scene.touch("broken")
    for number in range(LETTERS):
        scene.site.add("py_hook", [number], at=DUE + number)
    assert scene.start("run", "--executor", "inline").wait(120) == 0
    assert scene.site.statuses() == {"failed": LETTERS}
    (scene.folder / "broken").unlink()
    scene.work("--queues", "*:2")
    replay = ("dead-letter", "replay", "--all", "--yes", "--rate", RATE)
    for number in range(KILLS):
        process = scene.start(*replay)
        wanted = LETTERS + LETTERS * (number + 1) // (KILLS + 1)
        until(lambda: len(scene.site.rows()) >= wanted, 200)  # noqa: B023  awaited here
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert scene.start(*replay).wait(200) == 0
    until(scene.is_done, 60)
    scene.end()
    letters = scene.site.own("dead_letters")
    replayed = [letter["replayed_as"] for letter in letters]
    assert {letter["status"] for letter in letters} == {"replayed"}
    assert len(set(replayed)) == len(replayed) == LETTERS
    assert scene.site.statuses() == {"failed": LETTERS, "complete": LETTERS}
    assert set(scene.calls()) == set(replayed)
    assert set(scene.calls().values()) == {1}
    logs = scene.logs()
    assert all(logs[action].count(COMPLETE) == 1 for action in replayed)
    scene.check()
    seen(KILLS, f"{LETTERS:,} letters at {RATE}, killed {KILLS} times: each became one action")
