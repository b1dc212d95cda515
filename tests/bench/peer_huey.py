"""huey on a SQLite file with fsync: the strongest durable queue that needs no server."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

GUARANTEE = "at most once"
"""A task leaves the file, synced, before it is run: a crash loses it, and nothing is recorded."""


def installed() -> bool:
    try:
        import huey  # noqa: F401, PLC0415  no dependency: compared with where it is at hand
    except ImportError:
        return False
    return True


def drain(count: int) -> float:
    """Tasks a second of one worker, with a task that does nothing."""
    from huey import SqliteHuey  # noqa: PLC0415  as above

    with TemporaryDirectory() as folder:
        queue = SqliteHuey(
            filename=str(Path(folder) / "huey.sqlite"), fsync=True, results=False, utc=True
        )
        left, done = [count], threading.Event()

        @queue.task()
        def nothing(_number):
            left[0] -= 1
            if not left[0]:
                done.set()

        for number in range(count):
            nothing(number)
        consumer = queue.create_consumer(workers=1, periodic=False, initial_delay=0.001, backoff=1)
        began = time.perf_counter()
        consumer.start()
        assert done.wait(120), "huey did not finish"
        seconds = time.perf_counter() - began
        consumer.stop(graceful=True)
        assert len(queue) == 0, "a wrong count voids the figure"
    return count / seconds
