"""Several children: nobody waits for a slow neighbour, and no place stays idle while work is due."""

from __future__ import annotations

import threading

import pytest
from support.engine import Engine
from support.waiting import until

from runner.core.clock import SystemClock
from runner.core.limits import Limits
from runner.core.signals import Stop
from runner.executors.processes import Processes
from runner.handlers.loading import load
from runner.operations.worker import Worker

NOW = 1_795_413_900
JOBS = """
import time
from pathlib import Path
from runner import Handlers

handlers = Handlers()
idempotent = Handlers()

@handlers.on("slow")
def slow(gate):
    while not Path(gate).exists():
        time.sleep(0.01)

@handlers.on("quick")
def quick(number):
    pass

handlers.on("poison")(lambda *args: None)
"""


@pytest.fixture
def pool(site, server, tmp_path, monkeypatch):
    """Makes a worker with so many children; its thread ends with the test."""
    (tmp_path / "jobs_of_many.py").write_text(JOBS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    handlers = load(["jobs_of_many:handlers"])
    engine, stop = Engine(site, handlers, SystemClock()), Stop()
    made = []

    def make(children: int, **options) -> Worker:
        executor = Processes(
            handlers, ["jobs_of_many:handlers"], stop, engine.clock, count=children
        )
        made.append(executor)
        return Worker(
            engine.source(), executor, handlers, Limits(engine.clock, stop), engine.clock, **options
        )

    with server.frozen(NOW):
        yield make
    for executor in made:
        executor.close()
    engine.close()
    stop.close()


def test_a_slow_action_holds_up_nobody(pool, site, tmp_path):
    """While one child is busy with the first action of a batch, the other one works through all
    that is due, batch after batch; the slow one's result comes when it comes."""
    gate = tmp_path / "gate"
    site.add("slow", [str(gate)], at=NOW - 100)
    for number in range(9):
        site.add("quick", [number], at=NOW - 50 + number)
    worker = pool(2, batch_size=2)
    thread = threading.Thread(target=worker.run)
    thread.start()
    until(lambda: site.statuses() == {"in-progress": 1, "complete": 9})
    gate.touch()
    thread.join(20)
    assert site.statuses() == {"complete": 10}
    assert (worker.summary.completed, worker.summary.stopped) == (10, "nothing left")
    assert site.rows("claims") == []


def test_what_begins_in_several_children_says_so(pool, site):
    """Strict handlers that begin together each have their line before they run."""
    for number in range(8):
        site.add("quick", [number], at=NOW - 50 + number)
    pool(4).run()
    lines = [
        "action created",
        "action started via Python runner",
        "action complete via Python runner",
    ]
    assert [site.logs(number) for number in range(1, 9)] == [lines] * 8


def test_no_more_is_claimed_than_places_are_idle_for(pool, site, tmp_path):
    """A worker whose children are all busy leaves what is due to others."""
    gate = tmp_path / "gate"
    for number in range(6):
        site.add("slow", [str(gate)], at=NOW - 100 + number)
    worker = pool(2, batch_size=2)
    thread = threading.Thread(target=worker.run)
    thread.start()
    until(lambda: site.statuses() == {"in-progress": 2, "pending": 4})
    assert [row["claim_id"] for row in site.rows("actions", "status = 'pending'")] == ["0"] * 4
    gate.touch()
    thread.join(20)
    assert site.statuses() == {"complete": 6}
