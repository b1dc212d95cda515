"""The syntax tree: what the parser makes and the evaluator reads."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Node:
    line: int


@dataclass(frozen=True, slots=True)
class Literal(Node):
    value: str | int | float


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A constant."""

    name: str


@dataclass(frozen=True, slots=True)
class Var(Node):
    name: str


@dataclass(frozen=True, slots=True)
class Template(Node):
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Item(Node):
    """An element of an array; `key` is None in a list."""

    key: Node | None
    value: Node


@dataclass(frozen=True, slots=True)
class ArrayOf(Node):
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Index(Node):
    """`base[key]`; `key` is None in `base[]`."""

    base: Node
    key: Node | None


@dataclass(frozen=True, slots=True)
class Unary(Node):
    op: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Binary(Node):
    op: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Ternary(Node):
    """`then` is None in `a ?: b`."""

    test: Node
    then: Node | None
    other: Node


@dataclass(frozen=True, slots=True)
class Assign(Node):
    target: Var | Index
    value: Node


@dataclass(frozen=True, slots=True)
class Call(Node):
    """`name` is in small letters, without a leading backslash. isset, empty and eval too."""

    name: str
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Include(Node):
    """`required`: PHP stops when the file is missing. `once`: it is loaded no second time."""

    path: Node
    required: bool
    once: bool


@dataclass(frozen=True, slots=True)
class Stop(Node):
    """exit, die, throw."""


@dataclass(frozen=True, slots=True)
class Odd(Node):
    """An expression that is understood in shape alone. `calls`: foreign code runs."""

    what: str
    parts: tuple[Node, ...]
    calls: bool


@dataclass(frozen=True, slots=True)
class Skipped(Node):
    """Code that is not understood, and what it mentions. `declares`: a class or a function, which
    does nothing until it is called. The word `$` stands for a variable with a computed name."""

    what: str
    declares: bool
    variables: frozenset[str]
    texts: frozenset[str]
    words: frozenset[str]


@dataclass(frozen=True, slots=True)
class If(Node):
    """Pairs of test and body; the test of `else` is None."""

    branches: tuple[tuple[Node | None, "Body"], ...]


@dataclass(frozen=True, slots=True)
class Switch(Node):
    """`cases` are pairs of value and body; the value of `default` is None."""

    subject: Node
    cases: tuple[tuple[Node | None, "Body"], ...]


@dataclass(frozen=True, slots=True)
class Repeated(Node):
    """A loop, or `try`: runs never, once or many times. `head` is the code in its parentheses."""

    what: str
    head: Skipped
    body: "Body"


@dataclass(frozen=True, slots=True)
class Block(Node):
    body: "Body"


@dataclass(frozen=True, slots=True)
class Return(Node):
    value: Node | None


@dataclass(frozen=True, slots=True)
class Break(Node):
    """break or continue."""

    levels: int


@dataclass(frozen=True, slots=True)
class Const(Node):
    name: str
    value: Node


@dataclass(frozen=True, slots=True)
class Function(Node):
    """`params` are pairs of name and default."""

    name: str
    params: tuple[tuple[str, Node | None], ...]
    body: "Body"


Body: TypeAlias = tuple[Node, ...]


def walk(tree: object) -> Iterator[Node]:
    """Every node that may run when the tree does: not the bodies of functions declared in it."""
    if isinstance(tree, tuple):
        for item in tree:
            yield from walk(item)
    elif isinstance(tree, Node):
        yield tree
        if not isinstance(tree, Function):
            for field in fields(tree):
                yield from walk(getattr(tree, field.name))
