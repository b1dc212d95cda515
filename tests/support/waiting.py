"""Waiting for a condition instead of sleeping, and what the kernel tells of a process."""

from __future__ import annotations

import re
import time
from pathlib import Path


def until(condition, seconds: float = 20, every: float = 0.01) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(every)


def gone(pid: int) -> bool:
    """Whether the process has ended, reaped or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def catches(pid: int, number: int) -> bool:
    """Whether the process handles this signal by now, or has ended."""
    status = Path(f"/proc/{pid}/status")
    if gone(pid):
        return True
    caught = re.search(r"SigCgt:\s*(\w+)", status.read_text())
    return bool(caught and int(caught[1], 16) >> (number - 1) & 1)


def children(pid: int) -> list[int]:
    """Processes that this one has started and that live."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(child) for child in task.read_text().split()]
        except (FileNotFoundError, ProcessLookupError):  # the thread has ended meanwhile
            continue
    return [child for child in found if not gone(child)]


def memory_peak(pid: int) -> int:
    """Megabytes that the process has held at most."""
    found = re.search(r"VmHWM:\s*(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) // 1024
