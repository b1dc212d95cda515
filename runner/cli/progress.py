"""A progress bar on stderr, when that is a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Self

import click

from runner.core.events import Settled

if TYPE_CHECKING:
    from runner.core.events import Event


class Bar:
    """Nothing is drawn before `begin`, and nothing at all unless `shown`."""

    def __init__(self, *, shown: bool) -> None:
        self.shown = shown and sys.stderr.isatty()
        self._bar: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.render_finish()

    def begin(self, length: int, label: str = "actions") -> None:
        if self.shown and length:
            self._bar = click.progressbar(
                length=length, label=label, file=sys.stderr, show_pos=True, update_min_steps=1
            )
            self._bar.render_progress()

    def update(self, steps: int = 1) -> None:
        if self._bar:
            self._bar.update(steps)

    def event(self, event: Event) -> None:
        if isinstance(event, Settled):
            self.update()
