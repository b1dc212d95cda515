"""What is typed into the search of actions: qualifiers, an id, or the beginning of a hook.

`status:failed hook:shop_* group:mail args:[42] older:1h`. Words stand side by side, all must hold.
A value with spaces stands in double quotes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from compat.action_scheduler import LONGEST_HOOK, LONGEST_SLUG
from compat.args import ArgsError, decode, part, store
from runner.core.model import Status
from runner.operations.listing import Wanted

LONGEST = 512
"""Characters of a search."""

MOST_ID = 2**63 - 1

_WORD = re.compile(r'([A-Za-z]+):"([^"]*)"|([A-Za-z]+):(\S*)|"([^"]*)"|(\S+)')
_SPAN = re.compile(r"(\d{1,6})(s|m|h|d|w)")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_QUALIFIERS = ("status", "hook", "group", "args", "older", "id")
_MOST_DIGITS = len(str(MOST_ID))


class SearchError(ValueError):
    """The text cannot be understood; the message says which word and what is expected."""


@dataclass(frozen=True, slots=True)
class Search:
    """A search that was understood. `text` is what was typed."""

    text: str
    wanted: Wanted


def number(text: str) -> int | None:
    """An id that somebody typed, or the address names, None for what is none."""
    # The length first: Python refuses to read a number of thousands of digits.
    plain = len(text) <= _MOST_DIGITS and text.isascii() and text.isdecimal()
    return int(text) if plain and int(text) <= MOST_ID else None


def parse(text: str) -> Search:
    """Raises SearchError."""
    text = " ".join(text.split())
    if len(text) > LONGEST:
        raise SearchError(f"a search has {LONGEST} characters at most")
    facts: dict[str, Any] = {}
    for match in _WORD.finditer(text):
        name = (match[1] or match[3] or "").lower() or None
        value = match[2] if match[1] else match[4] if match[3] else match[5] or match[6] or ""
        if name is None:
            name = "id" if value.isdecimal() and value.isascii() else "hook"
            value = value if name == "id" or "*" in value else f"{value}*"
        _add(facts, name, value)
    _check_together(facts)
    return Search(text, Wanted(**facts))


def _add(facts: dict[str, Any], name: str, value: str) -> None:
    if name not in _READERS:
        known = ", ".join(f"{qualifier}:" for qualifier in _QUALIFIERS)
        raise SearchError(f"there is no {name}: (there are {known})")
    if not value and name != "group":
        raise SearchError(f"{name}: wants a value")
    for key, read in _READERS[name](value).items():
        if key in facts:
            raise SearchError(f"{name}: is there twice")
        facts[key] = read


def _status(value: str) -> dict[str, object]:
    names = tuple(dict.fromkeys(name for name in value.lower().split(",") if name))
    for name in names:
        if name not in [*Status]:
            raise SearchError(f"status:{name} is none (there are {', '.join(Status)})")
    return {"statuses": names}


def _hook(value: str) -> dict[str, object]:
    return _text("hook", value, LONGEST_HOOK)


def _group(value: str) -> dict[str, object]:
    return _text("group", value, LONGEST_SLUG)


def _text(name: str, value: str, longest: int) -> dict[str, object]:
    """Exactly that, or what begins so where a * ends it."""
    begin = value.removesuffix("*")
    if "*" in begin:
        raise SearchError(f"{name}: takes a * at its end only")
    if len(begin) > longest:
        raise SearchError(f"no {name} has more than {longest} characters")
    if not begin and value:
        raise SearchError(f"{name}:* is every {name}: leave it out")
    return {f"{name}_prefix" if value.endswith("*") else name: begin}


def _args(value: str) -> dict[str, object]:
    """JSON of all the args, or a part of their text (within a hook)."""
    try:
        if not value.startswith(("[", "{")):
            return {"args_part": part(value)}
        return {"args": store(decode(value, None)).args}
    except ArgsError as error:
        raise SearchError(f"args:{value} is no JSON of args ({error})") from None


def _older(value: str) -> dict[str, object]:
    match = _SPAN.fullmatch(value)
    if not match:
        raise SearchError(f"older:{value} is no span of time (30s, 10m, 2h, 7d, 4w)")
    return {"older": int(match[1]) * _UNITS[match[2]]}


def _id(value: str) -> dict[str, object]:
    id_ = number(value)
    if id_ is None:
        raise SearchError(f"id:{value} is no number")
    return {"id": id_}


_READERS = {
    "status": _status,
    "hook": _hook,
    "group": _group,
    "args": _args,
    "older": _older,
    "id": _id,
}


def _check_together(facts: dict[str, Any]) -> None:
    if "hook" in facts and "hook_prefix" in facts:
        raise SearchError("hook: is there twice")
    if "args_part" in facts and not {"hook", "hook_prefix"} & {*facts}:
        raise SearchError(
            "a part of args is looked for within a hook: add hook:NAME (or give all: args:[42])"
        )
