"""Slack, by an incoming webhook. What comes from the site is text there: nothing in it calls
anybody."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runner.alerts.https import request
from runner.core.message import RESOLVED, TEST, TITLE

if TYPE_CHECKING:
    from runner.core.message import Line, Message

HEADING, TEXT = 150, 2900
"""Characters that Slack takes in a heading, and in a section."""

_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_SIGNS = {"critical": ":red_circle:", "warning": ":large_yellow_circle:"}


@dataclass(frozen=True, slots=True)
class Slack:
    """`url` is a secret. `private` lets it be an address of this network."""

    url: str = field(repr=False)
    title: str = TITLE
    private: bool = False
    name: str = "slack"

    def send(self, message: Message) -> None:
        request(self.url, json.dumps(payload(message, self.title)).encode(), private=self.private)


def payload(message: Message, title: str = TITLE) -> dict[str, Any]:
    """Blocks, and one line for where blocks are not shown."""
    heading = message.title(title)
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": _escaped(heading, HEADING)}}
    ]
    blocks += [_section(_line(line)) for line in message.lines]
    if message.more:
        blocks.append(_section(f"And {message.more} more: `runner alert list` shows them all."))
    where = _escaped(message.url or message.site, TEXT)
    if message.link:
        where += f"  ·  <{_escaped(message.link, TEXT)}|Open the page>"
    blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": where}]})
    return {"text": _escaped(heading, TEXT), "blocks": blocks}


def _line(line: Line) -> str:
    sign = {RESOLVED: ":large_green_circle:", TEST: ":wave:"}.get(line.state)
    lasted = f" ({line.lasted})" if line.lasted else ""
    sign = sign or _SIGNS.get(line.severity, "")
    text = f"{sign} *{line.label}*  {_escaped(line.text, 800)}{lasted}"
    if line.advice and line.state != RESOLVED:
        text += f"\n{_escaped(line.advice, 800)}"
    return text


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:TEXT]}}


def _escaped(text: str, most: int) -> str:
    """As Slack wants it, and not cut within an escape."""
    found = ""
    for char in text:
        sign = _ESCAPES.get(char, char)
        if len(found) + len(sign) > most:
            break
        found += sign
    return found
