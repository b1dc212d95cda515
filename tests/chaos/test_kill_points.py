"""SIGKILL at each point of an action's life, of the runner and of the process that runs handlers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import product

import pytest
from support.proxy import Proxy
from support.scene import DUE, FULL, SETTLE, kill, kill_runner, pick
from support.waiting import children, until

from compat import schedules
from compat.action_scheduler import NOT_CALLED

JOBS = """
@handlers.on("single", "recurring")
def note(context: Context):
    effect(context)
    (here / f"inside{context.action_id}").touch()
    wait_for("go")
"""

MARK = "SET claim_id = [1-9]|INSERT IGNORE INTO .*held"
BEGIN = r"THEN 'in-progress' ELSE .*'in-progress' AND action_id IN \(NULL\)"
RELEASE = r"DELETE FROM [^ ]*(actionscheduler_claims|runner_leases)"


LINES = {"run": 0, "work": 1}
"""On stderr without the runner's own tables: the daemon says that they are missing."""


@dataclass(frozen=True)
class Point:
    """Where a connection stands still, and whose death there makes the handler run again. Without
    patterns the handler itself waits; with `alone` each statement is a packet of its own."""

    patterns: tuple[str, ...] = ()
    answered: bool = False
    alone: bool = False
    again: tuple[str, ...] = field(default=())


POINTS = {
    "before the claim's COMMIT": Point((MARK, "COMMIT"), alone=True),
    "claimed, not begun": Point((BEGIN,)),
    "begun, handler not called": Point((BEGIN, "COMMIT"), answered=True),
    "inside the handler": Point(again=("runner", "child")),
    "returned, not settled": Point((SETTLE,), again=("runner",)),
    "settling, before COMMIT": Point((SETTLE, "COMMIT"), alone=True, again=("runner",)),
    "COMMIT not answered": Point((SETTLE, "COMMIT"), answered=True),
    "after COMMIT, before release": Point((RELEASE,)),
}

WAYS = (
    ("run", "work"),
    ("runner", "child"),
    ("single", "recurring"),
    ("leases", "silence", "parked"),
)
CASES = [
    case
    for case in product(POINTS, *WAYS)
    if case[:3] != ("before the claim's COMMIT", "run", "child")  # there is none yet
    and (
        FULL
        or case[1:]
        in {
            ("run", "runner", "single", "leases"),
            ("work", "child", "recurring", "leases"),
            ("work", "runner", "recurring", "parked"),
        }
    )
]


@pytest.mark.timeout(pick(120, 900))
def test_every_action_ends_and_every_second_start_is_explained(server, scenes, subtests, seen):
    """Another runner finishes, by the lease of the dead one or by its silence: all complete, no handler called more often than the death accounts
    for, no row or claim left over, one next instance."""
    with ThreadPoolExecutor(8) as pool:
        cases = [(case, pool.submit(killed_at, server, scenes, case)) for case in CASES]
        calls = []
        for case, result in cases:
            with subtests.test(", ".join(case)):
                calls.append(result.result())
    twice = calls.count(2)
    assert len(calls) == len(CASES)
    seen(
        len(CASES), f"all complete; {len(calls) - twice} called once, {twice} twice, all explained"
    )


def killed_at(server, scenes, case: tuple[str, str, str, str, str]) -> int:
    """Runs one case; returns how often the victim's handler was called."""
    place, command, who, kind, sign = case
    point = POINTS[place]
    mode = "parked" if sign == "parked" else "native"
    scene = scenes(JOBS, "-".join(case), tables=sign != "silence", mode=mode)
    victim, *others = actions(scene, kind)
    with Proxy(server.port, alone=point.alone) as proxy:
        hold = proxy.hold(*point.patterns, answered=point.answered) if point.patterns else None
        if hold:
            scene.touch("go")
        arguments = ["--queues", "*:1"] if command == "work" else []
        process = scene.start(command, *arguments, RUNNER_DSN=proxy.url(scene.site))
        if hold:
            hold.reached()
        else:
            until(lambda: scene.has(f"inside{victim}"))
        strike(process, who, hold)
        scene.touch("go")
        scene.finish()
    if who == "child":
        assert process.wait(30) == 0
        assert len(scene.complaints(process).splitlines()) == (
            0 if scene.tables else LINES[command]
        )
    calls = scene.calls()
    assert calls[victim] == (2 if who in point.again else 1)
    assert {calls[other] for other in others} == {1}
    for action in (victim, *others):
        assert scene.site.row(action)["status"] == "complete"
    following = scene.site.rows("actions", "hook = 'recurring' AND status = 'pending'")
    assert (len(following), len(scene.site.rows())) == (1, 1 + len(others) + 1)
    scene.check()
    scene.site.drop()  # a server has so many connections, and this is one of many sites
    return calls[victim]


def actions(scene, kind: str) -> list[int]:
    """The victim, which comes first, and others of both kinds."""
    hourly = schedules.interval(DUE, 3600)
    kinds = [kind, "single", "single", *(["recurring"] if kind == "single" else [])]
    return [
        scene.site.add(hook, at=DUE + n, schedule=hourly if hook == "recurring" else None)
        for n, hook in enumerate(kinds)
    ]


def strike(process, who: str, hold) -> None:
    if who == "runner":
        kill_runner(process)
        if hold:
            hold.cut()
        return
    (child,) = children(process.pid)
    kill(child)
    if hold:
        hold.go()


def test_a_child_that_dies_before_it_has_its_action(server, scenes, seen):
    """Two actions have begun and one of two idle children is killed: the one without a place is not
    called twice, is charged nothing, and its log says why it starts again."""
    scene = scenes(JOBS.replace('wait_for("go")', "time.sleep(0.1)"))
    first, second = (scene.site.add("single", at=DUE + n) for n in range(2))
    with Proxy(server.port) as proxy:
        hold = proxy.hold(BEGIN, "COMMIT", answered=True)
        process = scene.work("--queues", "*:2", RUNNER_DSN=proxy.url(scene.site))
        hold.reached()
        kill(min(children(process.pid)))  # the one that is asked first
        hold.go()
        until(scene.is_done)
        scene.end()
    assert scene.complaints(process) == ""
    assert scene.calls() == {first: 1, second: 1}
    assert {row["attempts"] for row in scene.site.rows()} == {"1"}
    assert scene.logs()[second].count(NOT_CALLED) == 1
    scene.check()
    seen(1, "each called once; the start that was taken back is told")
