"""How children stand back for others: their own nice value and, on Linux, their session's."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from runner.executors import priority, serve

ROOT = Path(__file__).parents[2]
AUTOGROUP = Path("/proc/self/autogroup")

STANDS_BACK = """
import ctypes, os, sys
from runner.executors.priority import stand_back
os.setsid()
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
    ctypes.CDLL(None).prctl(4, 1)  # its files in /proc are its own again
before = os.getpriority(os.PRIO_PROCESS, 0)
stand_back(6)
print(os.getpriority(os.PRIO_PROCESS, 0) - before, open("/proc/self/autogroup").read().split()[-1])
"""


@pytest.mark.skipif(not AUTOGROUP.exists(), reason="a kernel without autogroups")
def test_many_unprivileged_children_get_theirs_together():
    """The kernel lets all of them together set one a tenth of a second: they wait for their turn."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", STANDS_BACK], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    assert [process.communicate(timeout=30)[0] for process in started] == ["6 6\n"] * 4


def test_a_system_that_does_not_let_it_is_told(monkeypatch, caplog):
    """The child works all the same."""

    def refuses(nice):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(priority, "stand_back", refuses)
    with caplog.at_level(logging.WARNING):
        serve._stand_back(6)
    assert caplog.messages == ["the queue's weight has no effect: [Errno 13] Permission denied"]


def test_the_heaviest_asks_for_nothing(monkeypatch):
    """Nor does a queue without a weight: nothing is read or written for it."""
    monkeypatch.setattr(priority, "stand_back", lambda nice: pytest.fail("it stood back"))
    serve._stand_back(0)
