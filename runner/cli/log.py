"""The daemon's log: lines for people, or one JSON object a line."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from runner.cli import complain
from runner.cli.outcomes import facts, say, sentence
from runner.cli.run import report
from runner.core.json_lines import json_line

if TYPE_CHECKING:
    from runner.core.errors import RunnerError
    from runner.core.events import Event
    from runner.core.summary import Summary


class Log:
    """What becomes of actions goes to stdout, all else to stderr: those of the moment when this
    is made, since executors in this process send elsewhere what handlers print."""

    def __init__(self, *, as_json: bool, quiet: bool) -> None:
        self._out, self._err = sys.stdout, sys.stderr
        self._json = as_json
        self._quiet = quiet

    def event(self, event: Event) -> None:
        if not self._quiet:
            say(json_line(**facts(event)) if self._json else sentence(event), self._out)

    def tell(self, text: str, level: str = "warning") -> None:
        if self._json:
            say(json_line("message", level=level, text=text), self._err)
        else:
            complain(text)

    def ended(self, summary: Summary) -> None:
        """The last line, once nothing works any more: handlers print nothing from here on."""
        sys.stdout, sys.stderr = self._out, self._err
        if not self._json:
            report(summary, quiet=self._quiet, as_json=False)
        elif not self._quiet:
            say(json_line("ended", **asdict(summary)), self._out)

    def failed(self, error: RunnerError) -> int:
        """Says what ended it, each problem in a line. The exit code."""
        sys.stdout, sys.stderr = self._out, self._err
        for problem in error.problems:
            self.tell(problem, "error")
        return error.exit_code
