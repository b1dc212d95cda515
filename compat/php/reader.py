"""Reads PHP's serialize format strictly, within limits."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from compat.php.values import (
    CLASS_NAME,
    ENUM_CASE,
    HANDLES,
    INT_MAX,
    INT_MIN,
    Key,
    PhpArray,
    PhpCustom,
    PhpEnum,
    PhpError,
    PhpObject,
    PhpReference,
    PhpValue,
    Slot,
    follow,
)

_Container = TypeVar("_Container", PhpArray, PhpObject)

# What opens a value; one group in each branch, so that lastgroup tells which branch it was.
_VALUE = re.compile(
    rb"(?P<N>N);|b:(?P<b>[01]);|i:(?P<i>[+-]?[0-9]++);"
    rb"|d:(?P<d>NAN|-?INF|[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?);"
    rb"|s:(?P<s>[0-9]++):\"|S:(?P<S>[0-9]++):\"|a:(?P<a>[0-9]++):\{"
    rb"|O:(?P<O>[0-9]++):\"|C:(?P<C>[0-9]++):\"|E:(?P<E>[0-9]++):\""
    rb"|r:(?P<r>[0-9]++);|R:(?P<R>[0-9]++);"
)
_KEY = re.compile(rb"i:(?P<i>[+-]?[0-9]++);|s:(?P<s>[0-9]++):\"|S:(?P<S>[0-9]++):\"")
_COUNT = re.compile(rb"\":(?P<n>[0-9]++):\{")
_INT_DIGITS = len(str(INT_MAX))
_PLAIN = re.compile(rb"[^\\]++")
_ESCAPED = re.compile(rb"(?:\\[0-9A-Fa-f]{2})++")


class PhpSyntaxError(PhpError):
    """Malformed input; ``offset`` is the byte at which reading stopped.

    Stricter than PHP in two points: nothing may follow the value, and the element count of an
    object is plain digits (PHP takes ``+1`` and nothing at all for a count).
    """

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(f"{message} at byte {offset}")
        self.offset = offset


class PhpLimitError(PhpError):
    """Input larger, deeper or with more elements than its reader allows."""


class PhpClassError(PhpError):
    """A class that is not on the reader's allow-list."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the input may hold: bytes, levels of containers, elements of all of them together.

    ``classes`` are the class names allowed, None allows all. Case does not matter, as in PHP, and
    records carry the spelling given here, because PHP writes the name as declared.
    """

    max_bytes: int = 1_048_576
    max_depth: int = 32
    max_elements: int = 10_000
    classes: frozenset[bytes] | None = None


_DEFAULT = Limits()


def loads(data: bytes, *, limits: Limits = _DEFAULT) -> PhpValue:
    """The value PHP: unserialize() would read, but as inert records, and nothing may follow it.

    Raises PhpSyntaxError, PhpLimitError or PhpClassError and nothing else. Takes linear time, and
    memory for what is there, not for what is announced.
    """
    if len(data) > limits.max_bytes:
        raise PhpLimitError(f"{len(data)} bytes exceed the limit of {limits.max_bytes}")
    return _Reader(data, limits).read()


def _integer(text: bytes) -> int:
    """The number, or the nearest one of 64 bit (PHP: strtol)."""
    digits = text.lstrip(b"+-0")
    # Python refuses to convert thousands of digits.
    size = INT_MAX + 1 if len(digits) > _INT_DIGITS else int(digits or b"0")
    return max(INT_MIN, -size) if text.startswith(b"-") else min(INT_MAX, size)


def _unescape(text: bytes) -> bytes:
    return bytes.fromhex(text.replace(b"\\", b"").decode())


@dataclass(slots=True)
class _Open:
    """A container being read, and how many of its elements are still to come."""

    container: PhpArray | PhpObject
    left: int


class _Reader:
    """One pass over the bytes; ``places[n - 1]`` is the slot that ``r:n;`` and ``R:n;`` mean."""

    def __init__(self, data: bytes, limits: Limits) -> None:
        self.data, self.limits = data, limits
        self.pos = self.elements = 0
        self.open: list[_Open] = []
        self.places: list[tuple[dict[Key, Slot], Key]] = []
        known = (b"stdClass",) if limits.classes is None else limits.classes
        self.declared = {name.lower(): name for name in known}

    def read(self) -> PhpValue:
        root: dict[Key, Slot] = {}
        self.value(root, 0)
        while self.open:
            inner = self.open[-1]
            if inner.left:
                inner.left -= 1
                self.value(inner.container.slots, inner.container.key(self.key()))
            else:
                self.skip(b"}")
                self.open.pop()
        if self.pos != len(self.data):
            raise self.error("more bytes than one value")
        return follow(root[0])

    def error(self, message: str) -> PhpSyntaxError:
        return PhpSyntaxError(message, self.pos)

    def match(self, pattern: re.Pattern[bytes], expected: str) -> tuple[str, bytes]:
        """Step over what the pattern describes; the name and the text of its group."""
        match = pattern.match(self.data, self.pos)
        if match is None:
            raise self.error(f"no {expected}")
        self.pos = match.end()
        kind = match.lastgroup or ""
        return kind, match[kind]

    def skip(self, text: bytes) -> None:
        if not self.data.startswith(text, self.pos):
            raise self.error(f"no {text.decode()}")
        self.pos += len(text)

    def value(self, slots: dict[Key, Slot], key: Key) -> None:
        """Read one value into a slot. ``R:`` alone gets no number: it is the slot it points at."""
        kind, text = self.match(_VALUE, "value")
        if kind == "R":
            self.share(text, slots, key)
        else:
            self.places.append((slots, key))
            slots[key] = None  # PHP forgets the value of a repeated key before it reads the next
            slots[key] = _READ[kind](self, text)

    def share(self, number: bytes, slots: dict[Key, Slot], key: Key) -> None:
        """Make two slots one variable."""
        other, name = self.place(number)
        if other is slots and name == key:
            raise self.error("a reference to itself")
        shared = other[name]
        if not isinstance(shared, PhpReference):
            shared = other[name] = PhpReference(shared)
        slots[key] = shared

    def handle(self, number: bytes) -> PhpValue:
        slots, key = self.place(number)
        value = follow(slots[key])
        if not isinstance(value, HANDLES):
            raise self.error("r: does not point at an object")
        return value

    def place(self, number: bytes) -> tuple[dict[Key, Slot], Key]:
        index = _integer(number)
        if not 1 <= index <= len(self.places):
            raise self.error("no value of this number")
        return self.places[index - 1]

    def key(self) -> Key:
        kind, text = self.match(_KEY, "key")
        if kind == "i":
            return _integer(text)
        return self.string(text) if kind == "s" else self.escaped(text)

    def room(self, size: bytes) -> int:
        """The announced number of bytes, if as many are left."""
        wanted = _integer(size)
        if wanted > len(self.data) - self.pos:
            raise self.error("fewer bytes than announced")
        return wanted

    def take(self, size: bytes) -> bytes:
        start = self.pos
        self.pos += self.room(size)
        return self.data[start : self.pos]

    def string(self, size: bytes) -> bytes:
        text = self.take(size)
        self.skip(b'";')
        return text

    def escaped(self, size: bytes) -> bytes:
        r"""Read an ``S:`` string: ``\61`` is one byte. PHP 6 wrote them, PHP 8 still reads them."""
        text, wanted = bytearray(), self.room(size)
        while left := wanted - len(text):
            plain = _PLAIN.match(self.data, self.pos, self.pos + left)
            match = plain or _ESCAPED.match(self.data, self.pos, self.pos + 3 * left)
            if match is None:
                raise self.error("no escaped text")
            text += match[0] if plain else _unescape(match[0])
            self.pos = match.end()
        self.skip(b'";')
        return bytes(text)

    def allowed(self, name: bytes) -> bytes:
        if not CLASS_NAME.fullmatch(name):
            raise self.error("bad class name")
        declared = self.declared.get(name.lower())
        if declared is None and self.limits.classes is not None:
            raise PhpClassError(f"class {name[:80]!r} is not allowed")
        return declared or name

    def count(self) -> bytes:
        return self.match(_COUNT, "count")[1]

    def array(self, count: bytes) -> PhpArray:
        return self.enter(PhpArray(), count)

    def object(self, size: bytes) -> PhpObject:
        record = PhpObject(self.allowed(self.take(size)))
        return self.enter(record, self.count())

    def enter(self, container: _Container, count: bytes) -> _Container:
        """Check the limits, then let the elements be read into the container."""
        left = _integer(count)
        self.elements += left
        if self.elements > self.limits.max_elements:
            raise PhpLimitError(f"more than {self.limits.max_elements} elements")
        if len(self.open) >= self.limits.max_depth:
            raise PhpLimitError(f"more than {self.limits.max_depth} levels")
        self.open.append(_Open(container, left))
        return container

    def custom(self, size: bytes) -> PhpCustom:
        name = self.allowed(self.take(size))
        payload = self.take(self.count())
        self.skip(b"}")
        return PhpCustom(name, payload)

    def enum(self, size: bytes) -> PhpEnum:
        name, _, case = self.string(size).partition(b":")
        if not ENUM_CASE.fullmatch(case):
            raise self.error("bad enum case")
        return PhpEnum(self.allowed(name), case)


_READ: dict[str, Callable[[_Reader, bytes], PhpValue]] = {
    "N": lambda _reader, _text: None,
    "b": lambda _reader, text: text == b"1",
    "i": lambda _reader, text: _integer(text),
    "d": lambda _reader, text: float(text),
    "s": _Reader.string,
    "S": _Reader.escaped,
    "a": _Reader.array,
    "O": _Reader.object,
    "C": _Reader.custom,
    "E": _Reader.enum,
    "r": _Reader.handle,
}
