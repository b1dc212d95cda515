"""What a PHP value is in Python, and how PHP writes it."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self, TypeAlias

INT_MIN, INT_MAX = -(2**63), 2**63 - 1

CLASS_NAME = re.compile(rb"[0-9A-Za-z_\x80-\xff][0-9A-Za-z_\x80-\xff\\]*+")
ENUM_CASE = re.compile(rb"[A-Za-z_\x80-\xff][0-9A-Za-z_\x80-\xff]*+")
_INTEGER_KEY = re.compile(rb"0|-?[1-9][0-9]{0,18}")

Key: TypeAlias = int | bytes
PhpValue: TypeAlias = (
    "bool | int | float | bytes | PhpArray | PhpObject | PhpCustom | PhpEnum | None"
)
Slot: TypeAlias = "PhpValue | PhpReference"


class PhpError(ValueError):
    """What cannot be read as, or written in, PHP's serialize format."""


def array_key(key: Key) -> Key:
    """The key PHP uses for this one: ``b"5"`` is 5, while ``b"05"`` and ``b"-0"`` stay text."""
    if isinstance(key, bytes) and _INTEGER_KEY.fullmatch(key) and INT_MIN <= int(key) <= INT_MAX:
        return int(key)
    return key


def float_text(value: float, exponent: str = "E") -> str:
    """A finite float as PHP 8 prints it with precision -1: 1.0 is ``1``, 1e25 is ``1.0E+25``.

    The shortest digits that read back the same, without exponent from 1e-4 up to below 1e17.
    PHP: serialize(), and json_encode() with exponent ``e``.
    """
    text = repr(value)
    digits, _, power = text.partition("e")
    if not power:
        return text.removesuffix(".0")
    if power == "+16":
        return format(Decimal(text), "f")
    fraction = "" if "." in digits else ".0"
    return f"{digits}{fraction}{exponent}{int(power):+d}"


@dataclass(eq=False, slots=True)
class PhpReference:
    """A variable that several slots share (PHP: ``&``); a new ``value`` is seen through all."""

    value: PhpValue


def follow(slot: Slot) -> PhpValue:
    """The value in a slot, be it shared or not."""
    return slot.value if isinstance(slot, PhpReference) else slot


class _Container(MutableMapping[Key, PhpValue]):
    """An ordered mapping that follows references; the dict ``slots`` shows them.

    Two are equal when PHP writes them alike, which stays linear for values that contain
    themselves or share parts. For the same reason ``repr`` is shallow.
    """

    __slots__ = ("slots",)

    def __init__(self, slots: Mapping[Key, Slot] | Iterable[tuple[Key, Slot]] = ()) -> None:
        self.slots: dict[Key, Slot] = {self.key(key): slot for key, slot in dict(slots).items()}

    @staticmethod
    def key(key: Key) -> Key:
        """The key under which a value is kept."""
        return key

    def __getitem__(self, key: Key) -> PhpValue:
        return follow(self.slots[self.key(key)])

    def __setitem__(self, key: Key, value: PhpValue) -> None:
        slot = self.slots.get(self.key(key))
        if isinstance(slot, PhpReference):
            slot.value = value
        else:
            self.slots[self.key(key)] = value

    def __delitem__(self, key: Key) -> None:
        del self.slots[self.key(key)]

    def __iter__(self) -> Iterator[Key]:
        return iter(self.slots)

    def __len__(self) -> int:
        return len(self.slots)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, PhpArray | PhpObject) and type(self) is type(other):
            return dumps(self) == dumps(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # the content may change


class PhpArray(_Container):
    """A PHP array: keys in order of insertion, normalised as PHP does (see ``array_key``)."""

    __slots__ = ()
    key = staticmethod(array_key)

    @classmethod
    def of(cls, values: Iterable[Slot]) -> Self:
        """The list of these values: keys 0, 1, 2 and so on."""
        return cls(enumerate(values))

    def __repr__(self) -> str:
        return f"PhpArray({len(self)} elements)"


class PhpObject(_Container):
    r"""An object as data: its class name, and its properties in order under their raw names.

    Raw means as PHP mangles them: ``name``, ``\0*\0name`` (protected), ``\0Class\0name`` (private).
    Keys stay as written: only the class could tell whether ``i:5`` means a property called "5".
    """

    __slots__ = ("class_name",)

    def __init__(
        self, class_name: bytes, properties: Mapping[Key, Slot] | Iterable[tuple[Key, Slot]] = ()
    ) -> None:
        super().__init__(properties)
        self.class_name = class_name

    def __bool__(self) -> bool:
        return True  # as in PHP, also without properties

    def __repr__(self) -> str:
        return f"PhpObject({self.class_name!r}, {len(self)} properties)"


@dataclass(frozen=True, slots=True)
class PhpCustom:
    """An object of a class with a format of its own (PHP: Serializable, ``C:``), opaque to us."""

    class_name: bytes
    payload: bytes


@dataclass(frozen=True, slots=True)
class PhpEnum:
    """One case of an enum (PHP 8.1, ``E:``)."""

    class_name: bytes
    case: bytes


HANDLES = (PhpObject, PhpCustom, PhpEnum)
"""What PHP passes by handle, so that ``r:`` may point at it."""


def dumps(value: PhpValue) -> bytes:
    """What PHP 8: serialize() writes for this value.

    Raises PhpError for what has no PHP form: other types, ints beyond 64 bit, bad class names.
    """
    return _Writer(value).write()


def _write_int(value: int) -> bytes:
    if not INT_MIN <= value <= INT_MAX:
        raise PhpError("PHP has no int beyond 64 bit")
    return b"i:%d;" % value


def _write_float(value: float) -> bytes:
    text = float_text(value) if math.isfinite(value) else repr(value).upper()
    return b"d:%s;" % text.encode()


def _write_string(value: bytes) -> bytes:
    return b's:%d:"%s";' % (len(value), value)


def _write_class(letter: bytes, name: bytes, count: int) -> bytes:
    if not CLASS_NAME.fullmatch(name):
        raise PhpError(f"{name[:80]!r} is no class name")
    return b'%s:%d:"%s":%d:{' % (letter, len(name), name, count)


def _write_custom(value: PhpCustom) -> bytes:
    return _write_class(b"C", value.class_name, len(value.payload)) + value.payload + b"}"


def _write_enum(value: PhpEnum) -> bytes:
    name = b"%s:%s" % (value.class_name, value.case)
    if not (CLASS_NAME.fullmatch(value.class_name) and ENUM_CASE.fullmatch(value.case)):
        raise PhpError(f"{name[:80]!r} is no enum case")
    return b'E:%d:"%s";' % (len(name), name)


_WRITE: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda _: b"N;",
    bool: lambda value: b"b:%d;" % value,
    int: _write_int,
    float: _write_float,
    bytes: _write_string,
    PhpArray: lambda value: b"a:%d:{" % len(value),
    PhpObject: lambda value: _write_class(b"O", value.class_name, len(value)),
    PhpCustom: _write_custom,
    PhpEnum: _write_enum,
}


def _holders(root: PhpValue) -> Counter[int]:
    """How many slots hold each reference, by identity."""
    holders: Counter[int] = Counter()
    seen: set[int] = set()
    todo: list[Slot] = [root]
    while todo:
        slot = todo.pop()
        if isinstance(slot, PhpReference):
            holders[id(slot)] += 1
        value = follow(slot)
        if isinstance(value, _Container) and id(value) not in seen:
            seen.add(id(value))
            todo.extend(value.slots.values())
    return holders


def _identity(slot: Slot, value: PhpValue) -> object:
    """What makes two slots one for PHP: the object (of an enum: the case), else the reference."""
    if isinstance(value, PhpEnum):
        return value.class_name.lower(), value.case
    return id(value if isinstance(value, HANDLES) else slot)


class _Writer:
    """Keeps PHP's own books: the number of each value, the arrays that are being written.

    Not imitated are two effects of PHP's memory management: it writes an object twice that lies in
    a list containing itself, and takes what is no longer reachable for a holder of a reference.
    """

    def __init__(self, root: PhpValue) -> None:
        self.root = root
        self.holders = _holders(root)
        self.out: list[bytes] = []
        self.count = 0
        self.numbers: dict[object, int] = {}
        self.open: list[tuple[_Container, Iterator[tuple[Key, Slot]]]] = []
        self.inside: set[int] = set()

    def write(self) -> bytes:
        self.slot(self.root, None)
        self.inside.clear()  # PHP writes the outermost array once more where it contains itself
        while self.open:
            owner, slots = self.open[-1]
            entry = next(slots, None)
            if entry is not None:
                self.entry(owner, *entry)
                continue
            self.out.append(b"}")
            self.open.pop()
            self.inside.discard(id(owner))
        return b"".join(self.out)

    def entry(self, owner: _Container, key: Key, slot: Slot) -> None:
        self.out.append(_write_int(key) if isinstance(key, int) else _write_string(key))
        self.slot(slot, owner)

    def slot(self, slot: Slot, owner: _Container | None) -> None:
        """Write a slot of ``owner``; of a container only the head, the loop does the rest."""
        self.count += 1
        value = follow(slot)
        # A reference with one holder is for PHP no reference any more.
        shared = isinstance(slot, PhpReference) and self.holders[id(slot)] > 1
        if (shared or isinstance(value, HANDLES)) and self.repeated(slot, value, shared=shared):
            return
        if not shared and (value is owner or id(value) in self.inside) and type(value) is PhpArray:
            self.out.append(b"N;")  # an array inside itself: PHP cuts the circle here
            return
        self.begin(value)

    def repeated(self, slot: Slot, value: PhpValue, *, shared: bool) -> bool:
        """Write the number of what was written before."""
        number = self.numbers.setdefault(_identity(slot, value), self.count)
        if number == self.count:
            return False
        self.out.append(b"%s:%d;" % (b"R" if shared else b"r", number))
        self.count -= shared  # R: takes no number, r: does
        return True

    def begin(self, value: PhpValue) -> None:
        write = _WRITE.get(type(value))
        if write is None:
            raise PhpError(f"{type(value).__name__} has no PHP form")
        self.out.append(write(value))
        if isinstance(value, _Container):
            self.open.append((value, iter(value.slots.items())))
            self.inside.add(id(value))
