"""How far a child stands back for the children of other queues.

On Linux with autogroups each session is scheduled as a group, and a process's own nice value only
counts inside its session. A child has a session of its own, so the group's has to be set as well.
"""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

_ENABLED = Path("/proc/sys/kernel/sched_autogroup_enabled")
_GROUP = Path("/proc/self/autogroup")

PAUSE = 0.02
"""Seconds between tries: the kernel lets all unprivileged processes together set one group's value
in a tenth of a second."""

PATIENCE = 30.0
"""Seconds of trying: as long as it takes some hundreds of children that start together."""


def stand_back(nice: int) -> None:
    """Lowers this process's priority, and that of what it starts from now on, by a nice value.
    Raises OSError where the system does not let it."""
    os.nice(nice)
    if _ENABLED.exists() and _ENABLED.read_bytes().strip() == b"1":
        _set_group(nice)


def _set_group(nice: int) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            _GROUP.write_bytes(b"%d" % nice)
        except OSError as error:
            if error.errno != errno.EAGAIN or time.monotonic() >= until:
                raise
            time.sleep(PAUSE)
        else:
            return
