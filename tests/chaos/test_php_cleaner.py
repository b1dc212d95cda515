"""What Action Scheduler's own cleaner does to rows that nobody has touched for a while, beside us."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Self

import pytest
from support.scene import DUE, pick
from support.waiting import until

JOBS = """
@handlers.on("long", timeout=120)
def long(context: Context):
    effect(context)
    wait_for("go")

@handlers.on("next")
def next_one(context: Context):
    effect(context)
"""

COMMANDS = ("run", "work")

PERIOD = 3
"""Seconds that PHP's cleaner is patient: 300 on a site."""

PASSES = pick(8, 60)
"""Its passes while the handler runs, one a second."""

SILENT = "60"
"""A lease with which the heartbeat comes too late for this cleaner: each 15 seconds."""


class Cleaner(threading.Thread):
    """Each second it frees claimed rows and fails running ones that are untouched for a period."""

    def __init__(self, site) -> None:
        super().__init__()
        self.passes = self.touched = 0
        self._connection = site.server.admin(site.name)
        self._actions = site.table("actions")
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()
        self._connection.close()

    def run(self) -> None:
        while not self._ended.wait(1):
            self._clean("claim_id = 0", "status = 'pending' AND claim_id <> 0")
            self._clean("status = 'failed'", "status = 'in-progress'")
            self.passes += 1

    def _clean(self, change: str, rows: str) -> None:
        """Looks first and then writes row by row, by key alone, as PHP does."""
        with self._connection.cursor() as cursor:
            cursor.execute(
                f"SELECT action_id FROM {self._actions} WHERE {rows}"
                f" AND last_attempt_gmt <= UTC_TIMESTAMP() - INTERVAL {PERIOD} SECOND LIMIT 20"
            )
            for (action,) in cursor.fetchall():
                where = f"WHERE action_id = {action}"
                self.touched += cursor.execute(f"UPDATE {self._actions} SET {change} {where}")


@pytest.mark.timeout(pick(120, 300))
def test_a_long_handler_is_not_taken_for_dead(scenes, seen):
    """It takes several periods, with others claimed behind it: with heartbeats the cleaner finds
    nothing; without them (the control) it fails the running row and frees the waiting ones. The
    worker is alive, so its own outcome is written over the failure."""
    with ThreadPoolExecutor(4) as pool:
        beating = [pool.submit(cleaned, scenes(JOBS, f"{c} beats"), c) for c in COMMANDS]
        silent = [
            pool.submit(cleaned, scenes(JOBS, f"{c} is silent"), c, RUNNER_LEASE=SILENT)
            for c in COMMANDS
        ]
    assert [found.result() for found in beating] == [(["complete"] * 3, 0)] * 2
    assert [found.result() for found in silent] == [(["complete"] * 3, 3)] * 2
    seen(4, f"{PASSES} passes: nothing touched; without heartbeats: 1 failed, 2 freed")


def cleaned(scene, command: str, **environ: str) -> tuple[list[str], int]:
    """Runs the long action and two that wait under its claim. What became of them, and how many
    rows the cleaner changed."""
    actions = [scene.site.add(hook, at=DUE + n) for n, hook in enumerate(("long", "next", "next"))]
    queues = ["--queues", "*:1"] if command == "work" else []
    with Cleaner(scene.site) as cleaner:
        process = scene.start(command, *queues, **environ)
        until(lambda: scene.calls()[actions[0]])
        begun = cleaner.passes
        until(lambda: cleaner.passes >= begun + PASSES, PASSES + 30, every=0.1)
        scene.touch("go")
        until(lambda: process.poll() is not None or scene.is_done(), every=0.1)
        scene.finish()
    assert scene.complaints(process) == ""
    assert scene.calls() == dict.fromkeys(actions, 1)
    return [scene.site.row(action)["status"] for action in actions], cleaner.touched
