"""Handlers that loop, die, swallow, print and take what they can, in a daemon."""

from __future__ import annotations

import re

import pytest
from support.hostile import COMPLETE, DELETES, FAILED, FATES, SWARM, took
from support.scene import DUE, pick
from support.waiting import memory_peak, until

ROUNDS = pick(1, 5)

LARGEST = 150
"""Megabytes of the daemon itself, whatever its handlers print and take."""


@pytest.mark.timeout(pick(120, 600))
def test_hostile_handlers_harm_nobody(scenes, seen):
    """Each is settled within its deadline and 5 seconds, each neighbour within 5 seconds; the
    daemon works on, stays small, and ends well."""
    scene = scenes("")
    scene.cli.module("jobs", SWARM + DELETES)
    site, fates = scene.site, {**FATES, "deletes_itself": (0, None)}
    hostile, neighbours = [], []
    for number, hook in enumerate([*FATES] * ROUNDS + ["deletes_itself"]):
        args = (site.table("actions"),) if hook == "deletes_itself" else ()
        hostile.append((hook, site.add(hook, args, at=DUE + 2 * number)))
        neighbours += [site.add("neighbour", (n,), at=DUE + 2 * number + 1) for n in range(5)]
    process = scene.work("--queues", "*:3")
    until(scene.is_done, 100 * ROUNDS, every=0.1)
    peak = memory_peak(process.pid)
    scene.end()
    assert peak < LARGEST
    slowest = 0.0
    for hook, action in hostile:
        deadline, fate = fates[hook]
        last = site.logs(action)[-1]
        if hook == "deletes_itself":
            assert (site.row(action), last) == ({}, "action started via Python runner")
            continue
        assert last == COMPLETE if fate is None else re.fullmatch(FAILED + fate, last), last
        assert took(site, action) <= deadline + 5
        slowest = max(slowest, took(site, action) - deadline)
    for action in neighbours:
        assert site.logs(action)[1:] == ["action started via Python runner", COMPLETE]
        assert took(site, action) <= 5
    assert site.rows("claims") == []
    seen(
        len(hostile),
        f"{len(fates)} kinds, all settled, {slowest:.0f} s after their deadline at most;"
        f" {len(neighbours)} neighbours complete; the daemon's peak is {peak} MB",
    )
