"""One action that kills the process it runs in, among sixty."""

from __future__ import annotations

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest
from support.scene import DUE, pick
from support.waiting import until

JOBS = """
@handlers.on("py_hook", idempotent=IDEMPOTENT)
def note(context: Context, number):
    effect(context)
    if number == POISON:
        os.kill(os.getpid(), 9)
"""

INNOCENT, ATTEMPTS = 59, 3


@pytest.mark.timeout(pick(120, 600))
def test_one_poison_action_charges_no_other(scenes, seen):
    """It fails after its attempts; each of the others is complete after one, also where handlers
    that are idempotent have windows, and whatever the poison's place."""
    rounds = pick(1, 10)
    cases = [*product((False, True), (1, 2))] * rounds
    with ThreadPoolExecutor(4) as pool:
        [*pool.map(lambda number: poisoned(scenes, number, *cases[number]), range(len(cases)))]
    seen(len(cases), f"1 failed after {ATTEMPTS} attempts, {INNOCENT} complete after 1")


def poisoned(scenes, number: int, idempotent: bool, children: int) -> None:
    poison = random.randint(0, INNOCENT)
    jobs = JOBS.replace("IDEMPOTENT", str(idempotent)).replace("POISON", str(poison))
    scene = scenes(jobs, f"scene{number}")
    actions = [scene.site.add("py_hook", [n], at=DUE + n) for n in range(INNOCENT + 1)]
    scene.work("--queues", f"*:{children}")
    until(scene.is_done, 30, every=0.05)
    scene.end()
    fates = {int(row["action_id"]): (row["status"], row["attempts"]) for row in scene.site.rows()}
    dead = actions[poison]
    assert fates.pop(dead) == ("failed", str(ATTEMPTS))
    assert Counter(fates.values()) == {("complete", "1"): INNOCENT}
    assert scene.calls() == {action: ATTEMPTS if action == dead else 1 for action in actions}
