"""`python -m runner`, and the command `runner`."""

from __future__ import annotations

import atexit
import gc
import sys
from typing import NoReturn


def start() -> NoReturn:
    """The command line, quick to start and to end: cron calls it every minute.

    By default Python looks for garbage dozens of times while modules load, and thrice at the end:
    a fifth of the time of a run that finds nothing to do.
    """
    gc.set_threshold(100_000, 50, 50)
    atexit.register(gc.freeze)
    try:
        from runner.cli import main  # noqa: PLC0415  loaded under the new threshold

        main()
    except KeyboardInterrupt:  # while modules load
        sys.exit(130)


if __name__ == "__main__":
    start()
