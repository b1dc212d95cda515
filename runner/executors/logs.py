"""What handlers log goes to stderr, each line with its action's id."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runner.core.model import HandlerFailure

LABEL = "[action {}] "
"""Before each line that an action printed or logged."""

_log = logging.getLogger("runner.handler")

_TEXT = "%(levelname)s %(name)s: %(message)s"


def configure(level: str, *, labelled: bool = False) -> None:
    """Shows what handlers log from `level` on. `labelled`: whoever reads stderr adds the id."""
    lines = logging.StreamHandler()
    text = _TEXT if labelled else LABEL.format("%(action_id)s") + _TEXT
    lines.setFormatter(logging.Formatter(text, defaults={"action_id": "-"}))
    logging.basicConfig(level=level, handlers=[lines])


def traceback(failure: HandlerFailure | None, action_id: int) -> None:
    """Logs where a handler failed, for --debug."""
    if failure and failure.traceback:
        _log.debug("%s", failure.traceback, extra={"action_id": action_id})
