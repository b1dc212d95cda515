"""PHP's values, and the operators that this reader computes on them.

PHP's text is bytes. Here it is a ``str`` with one character a byte (latin-1), which keeps every
byte while regular expressions and ``str`` methods stay at hand; :func:`outside` gives real text.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from compat.php import INT_MAX, INT_MIN

MAX_TEXT = 1_048_576
"""Longest text that is made, in bytes."""


@dataclass(frozen=True, slots=True)
class Place:
    """A line of a file."""

    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """A value that cannot be told without running PHP. `why` completes "it depends on …"."""

    why: str
    place: Place


Array: TypeAlias = dict["int | str", "Value"]
Value: TypeAlias = str | int | bool | Array | Unknown | None

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}", re.ASCII)
_PERHAPS_NUMERIC = re.compile(r"[ \t\n\r\v\f]*[+-]?\.?[0-9]")


def inside(text: str) -> str:
    """Real text (of an environment variable, of a path) as PHP holds it."""
    return os.fsencode(text).decode("latin-1")


def outside(text: str) -> str:
    """The text that PHP's bytes spell in UTF-8. Raises UnicodeDecodeError."""
    return text.encode("latin-1").decode("utf-8")


def path_of(text: str) -> str:
    """The name of a file, whatever bytes it has."""
    return os.fsdecode(text.encode("latin-1"))


def truthy(value: Value) -> bool:
    """PHP: (bool). Not for Unknown."""
    return bool(value) and value != "0"


def as_text(value: Value) -> str | None:
    """PHP: (string). None for what has no plain text: arrays, Unknown."""
    if value is None or value is False:
        return ""
    if value is True:
        return "1"
    return str(value) if isinstance(value, str | int) else None


def as_key(value: Value) -> int | str | None:
    """The key of an array that this value means; None for what cannot be one."""
    if isinstance(value, str):
        if _INTEGER.fullmatch(value) and INT_MIN <= int(value) <= INT_MAX:
            return int(value)
        return value
    if isinstance(value, bool | int):
        return int(value)
    return "" if value is None else None


def identical(left: Value, right: Value) -> bool | None:
    """PHP: ===. None, here and below, where this reader does not know: of two arrays."""
    if isinstance(left, dict) and isinstance(right, dict):
        return None
    return type(left) is type(right) and left == right


def equal(left: Value, right: Value) -> bool | None:
    """PHP 8: ==. Not known of arrays, and of numbers in texts unless they are plain integers."""
    if isinstance(left, dict) or isinstance(right, dict):
        return None
    if isinstance(left, bool) or isinstance(right, bool):
        return truthy(left) == truthy(right)
    if left is None or right is None:
        other = right if left is None else left
        return not truthy(other) and other != "0"
    numbers = as_key(left), as_key(right)
    if all(isinstance(number, int) for number in numbers):
        return numbers[0] == numbers[1]
    if left != right and all(_PERHAPS_NUMERIC.match(str(side)) for side in (left, right)):
        return None
    return str(left) == str(right)


def _flip(found: bool | None) -> bool | None:
    return None if found is None else not found


def _concatenate(left: Value, right: Value) -> str | None:
    texts = as_text(left), as_text(right)
    if texts[0] is None or texts[1] is None or len(texts[0]) + len(texts[1]) > MAX_TEXT:
        return None
    return texts[0] + texts[1]


OPERATORS: dict[str, Callable[[Value, Value], Value]] = {
    ".": _concatenate,
    "==": equal,
    "!=": lambda left, right: _flip(equal(left, right)),
    "<>": lambda left, right: _flip(equal(left, right)),
    "===": identical,
    "!==": lambda left, right: _flip(identical(left, right)),
    "|": lambda left, right: left | right if type(left) is int and type(right) is int else None,
}
"""On values that are known."""
