"""What a health rule says: how bad it is, of what, and what to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Severity(StrEnum):
    """Critical is what stops the queue, or lets actions come to harm."""

    WARNING = "warning"
    CRITICAL = "critical"


class State(StrEnum):
    """What a rule comes to. Unknown is neither good nor bad: nothing could be told."""

    OK = "ok"
    OFF = "off"
    UNKNOWN = "unknown"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something is wrong. `subject` is what it is about: `hook x`, `group y`, or empty for the
    site; with the rule it tells two alerts apart. `number` is what was compared with the threshold;
    `facts` are what the next look needs to know of this one."""

    rule: str
    severity: Severity
    text: str
    advice: str = ""
    subject: str = ""
    number: float = 0
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        return self.rule, self.subject


@dataclass(frozen=True, slots=True)
class Judged:
    """One rule's answer: `text` says in a few words what was seen."""

    rule: str
    state: State
    text: str
    findings: tuple[Finding, ...] = ()
