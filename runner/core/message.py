"""A message as every channel gets it: what is wrong, what is over, and where to look."""

from __future__ import annotations

import json
import string
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from runner.core.durations import duration

RAISED, WORSE, STILL, RESOLVED, TEST = "raised", "worse", "still", "resolved", "test"
"""What a line tells of its alert."""

LONGEST = 400
"""Characters of one text."""

TITLE = "[{site}] {state}: {text}"
KEYS = ("site", "url", "state", "severity", "rule", "subject", "text", "count")
"""What the title may name."""


class SendError(Exception):
    """It did not go out; the text says why, without secrets. `after` is how many seconds the other
    side wants to be left alone for, None where it said nothing. `partly` says that it went out to
    some, who must not get it again."""

    def __init__(self, text: str, after: float | None = None, *, partly: bool = False) -> None:
        super().__init__(one_line(text))
        self.after = after
        self.partly = partly


@dataclass(frozen=True, slots=True)
class Line:
    """One alert in a message. `since` is when it was raised (epoch seconds), 0 where nobody
    knows."""

    state: str
    rule: str
    severity: str
    subject: str
    text: str
    advice: str = ""
    since: int = 0
    until: int = 0

    @property
    def label(self) -> str:
        return {RESOLVED: "Resolved", STILL: "Still", TEST: "Test"}.get(
            self.state, self.severity.capitalize()
        )

    @property
    def lasted(self) -> str:
        """How long, in words; empty where nobody knows."""
        if not self.since or self.until <= self.since:
            return ""
        how = "lasted" if self.state == RESOLVED else "for"
        return f"{how} {duration(self.until - self.since)}"


@dataclass(frozen=True, slots=True)
class Message:
    """`site` is its name, `url` its address, `link` that of the page, empty where unknown; `more`
    is how many alerts there are besides the lines. `to` is the site's own mail address."""

    tag: str
    site: str
    url: str
    link: str
    lines: tuple[Line, ...]
    more: int = 0
    to: str = ""
    thread: str = ""

    @property
    def worst(self) -> Line:
        """The line that matters most."""
        order = {"critical": 0, "warning": 1}
        return min(
            self.lines, key=lambda line: (line.state == RESOLVED, order.get(line.severity, 2))
        )

    def title(self, template: str = TITLE) -> str:
        """One line, as the template says (its keys are KEYS)."""
        line, count = self.worst, len(self.lines) + self.more
        text = line.text if count == 1 else f"{count} alerts, first: {line.text}"
        values = {
            "site": self.site,
            "url": self.url,
            "state": (line.label if line.state in {RESOLVED, TEST} else line.severity).upper(),
            "severity": line.severity,
            "rule": line.rule,
            "subject": line.subject,
            "text": text,
            "count": count,
        }
        return one_line(template.format_map(values))[:LONGEST]

    def text(self) -> str:
        """All of it as plain text. Names of hooks may hold anything: none begins a line."""
        parts = []
        for line in self.lines:
            lasted = f" ({line.lasted})" if line.lasted else ""
            parts.append(f"{line.label}: {one_line(line.text)}{lasted}.")
            if line.advice and line.state != RESOLVED:
                parts.append(f"  {one_line(line.advice)}")
            parts.append("")
        if self.more:
            parts += [f"And {self.more} more: `runner alert list` shows them all.", ""]
        parts += [f"Site: {self.url or self.site}"]
        if self.link:
            parts += [f"Page: {self.link}"]
        return "\n".join(parts) + "\n"

    def as_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Message:
        found: dict[str, Any] = json.loads(text)
        found["lines"] = tuple(Line(**line) for line in found["lines"])
        return cls(**found)


class Channel(Protocol):
    """What sends a message, and is called again with the same one when it raises SendError."""

    @property
    def name(self) -> str: ...

    def send(self, message: Message) -> None:
        """Returns when the other side has taken it. Raises SendError."""
        ...


def one_line(text: object) -> str:
    """Without line ends and control characters: safe in a header, a log and a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())


def check_template(template: str) -> str:
    """The template, if all of its keys exist. Raises ValueError with what was expected."""
    expected = f"text with {{key}}s of {', '.join(KEYS)}"
    try:
        parts = [*string.Formatter().parse(template)]
    except ValueError as error:
        raise ValueError(f"{expected} ({error})") from None
    for _, key, form, conversion in parts:
        if key is None:
            continue
        if key not in KEYS:
            raise ValueError(f"{expected} (there is no {{{key}}})")
        if form or conversion:
            raise ValueError(f"{expected}, without a format")
    if not template.strip() or not template.isprintable():
        raise ValueError(f"{expected}, on one line")
    return template
