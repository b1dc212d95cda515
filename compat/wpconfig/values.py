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
    """What is known of a value that cannot be told without running PHP. `why` completes "it depends
    on …"."""

    why: str
    place: Place


class Unsure(Exception):
    """The statement cannot be followed further: a value in it is unknown, or its grammar."""

    def __init__(self, why: str | Unknown) -> None:
        super().__init__(why)
        self.why = why


Array: TypeAlias = dict["int | str", "Value"]
Value: TypeAlias = str | int | bool | Array | None

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}", re.ASCII)
_NUMERIC = re.compile(r"[ \t\n\r\v\f]*[+-]?\.?[0-9]")


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
    """PHP: (bool)."""
    return bool(value) and value != "0"


def as_text(value: Value) -> str:
    """PHP: (string). Raises Unsure for arrays."""
    if isinstance(value, dict):
        raise Unsure("an array in place of a text")
    if isinstance(value, bool) or value is None:
        return "1" if value else ""
    return str(value)


def as_key(value: Value) -> int | str:
    """The key of an array that this value means. Raises Unsure for arrays."""
    if isinstance(value, bool | int):
        return int(value)
    text = as_text(value)
    return int(text) if _INTEGER.fullmatch(text) and INT_MIN <= int(text) <= INT_MAX else text


def identical(left: Value, right: Value) -> bool:
    """PHP: ===. Raises Unsure for two arrays."""
    if isinstance(left, dict) and isinstance(right, dict):
        raise Unsure("a comparison of arrays")
    return type(left) is type(right) and left == right


def equal(left: Value, right: Value) -> bool:
    """PHP 8: ==. Raises Unsure for arrays, and numbers in texts that are no plain integers."""
    if isinstance(left, dict) or isinstance(right, dict):
        raise Unsure("a comparison of arrays")
    if isinstance(left, bool) or isinstance(right, bool):
        return truthy(left) == truthy(right)
    if left is None or right is None:
        other = right if left is None else left
        return not truthy(other) and other != "0"
    keys = as_key(left), as_key(right)
    plain = all(isinstance(key, int) for key in keys)
    if keys[0] != keys[1] and not plain and all(_NUMERIC.match(str(key)) for key in keys):
        raise Unsure("a comparison of numbers in texts")
    return keys[0] == keys[1]


def _join(left: Value, right: Value) -> str:
    text = as_text(left) + as_text(right)
    if len(text) > MAX_TEXT:
        raise Unsure("a text that is too long")
    return text


def _either(left: Value, right: Value) -> int:
    if type(left) is int and type(right) is int:
        return left | right
    raise Unsure("the operator |")


OPERATORS: dict[str, Callable[[Value, Value], Value]] = {
    ".": _join,
    "==": equal,
    "!=": lambda left, right: not equal(left, right),
    "<>": lambda left, right: not equal(left, right),
    "===": identical,
    "!==": lambda left, right: not identical(left, right),
    "|": _either,
}
