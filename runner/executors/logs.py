"""What handlers log goes to stderr, each line with its action's id."""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from runner.core.json_lines import json_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runner.core.model import HandlerFailure

LABEL = "[action {}] "
"""Before each line that an action printed or logged."""

current: ContextVar[int | None] = ContextVar("action_id", default=None)
"""The action whose handler this thread calls, where that is this very process."""

_log = logging.getLogger("runner.handler")

_TEXT = "%(levelname)s %(name)s: %(message)s"


def configure(level: str, *, labelled: bool = False, as_json: bool = False) -> None:
    """Shows what handlers log from `level` on. `labelled`: whoever reads stderr adds the id.
    `as_json`: what is printed in this process becomes JSON as well."""
    if as_json:
        sys.stderr = _Printed(sys.stderr)
    lines = logging.StreamHandler()
    text = _TEXT if labelled or as_json else LABEL.format("%(action_id)s") + _TEXT
    lines.setFormatter(logging.Formatter(text, defaults={"action_id": "-"}))
    logging.basicConfig(level=level, handlers=[lines], force=as_json)


def traceback(failure: HandlerFailure | None, action_id: int) -> None:
    """Logs where a handler failed, for --debug."""
    if failure and failure.traceback:
        _log.debug("%s", failure.traceback, extra={"action_id": action_id})


def as_objects(lines: Iterable[str], action_id: int | None) -> str:
    """Printed lines as JSON objects, each on a line."""
    return "".join(json_line("output", action_id=action_id, text=line) + "\n" for line in lines)


class _Printed:
    """A stream that passes on whole lines as JSON objects, with the id of the action whose thread
    wrote them."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self._unfinished: dict[int | None, str] = {}

    def write(self, text: str) -> int:
        action = current.get()
        *lines, rest = (self._unfinished.pop(action, "") + text).split("\n")
        if rest:
            self._unfinished[action] = rest
        self._real.write(as_objects(lines, action))
        return len(text)

    def flush(self) -> None:
        if rest := self._unfinished.pop(current.get(), ""):
            self._real.write(as_objects([rest], current.get()))
        self._real.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)
