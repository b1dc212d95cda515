"""A pause: what must not begin, until a moment or until somebody resumes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

EVERYTHING, HOOK, GROUP = "all", "hook", "group"
"""Kinds of pauses."""


def target_text(kind: str, name: str) -> str:
    """What is paused, in words."""
    return "everything" if kind == EVERYTHING else f"{kind} {name}"


@dataclass(frozen=True, slots=True)
class Pause:
    """Dates are texts in UTC; `until` is None where somebody must resume it. Everything has no
    name."""

    kind: str
    name: str
    until: str | None
    reason: str
    actor: str
    created_at: str

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Pause:
        """From a row of the table."""
        until = row["until"] and str(row["until"])
        texts = (str(row[name]) for name in ("kind", "name", "reason", "actor", "created_at"))
        kind, name, reason, actor, created_at = texts
        return cls(kind, name, until, reason, actor, created_at)

    def __str__(self) -> str:
        return f"{target_text(self.kind, self.name)}, {self._rest}"

    def told(self) -> str:
        """The same as a sentence."""
        return f"{target_text(self.kind, self.name)} is paused {self._rest}"

    @property
    def _rest(self) -> str:
        until = f" until {self.until} UTC" if self.until else ""
        return f"by {self.actor}{until}{f': {self.reason}' if self.reason else ''}"
