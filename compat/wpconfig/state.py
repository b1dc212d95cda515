"""What is known while a configuration is read: constants, variables, and what may be hidden."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from compat.wpconfig.nodes import Body, Function
from compat.wpconfig.values import Place, Unknown, Value

NEEDED = ("DB_NAME", "DB_USER", "DB_PASSWORD", "DB_HOST")
PREFIX = "table_prefix"
ALSO_READ = (
    "DB_ENGINE",
    "DB_DIR",
    "DB_FILE",
    "DB_CHARSET",
    "MYSQL_CLIENT_FLAGS",
    "MYSQL_SSL_CA",
    "MULTISITE",
    "CUSTOM_USER_TABLE",
    "WP_CONTENT_DIR",
)
READ = frozenset((*NEEDED, *ALSO_READ))

MAX_STEPS = 300_000
"""Nodes looked at in one reading; a large real configuration takes some thousand."""

SUPERGLOBALS = {"_SERVER", "_ENV", "_GET", "_POST", "_COOKIE", "_REQUEST", "_FILES", "_SESSION"}


class TooMuch(Exception):
    """More work than any honest configuration asks for; the text says of what."""


@dataclass(slots=True)
class Frame:
    """What belongs to one file or one call: its variables, for each the environment variables
    that were missing when it got its value, and the code that may still run in it."""

    file: str
    body: Body
    variables: dict[str, Value] = field(default_factory=dict)
    blame: dict[str, frozenset[str]] = field(default_factory=dict)


@dataclass(slots=True)
class State:
    """`maybe` are constants that code which is not understood may have defined; `hidden` is such
    code that may have defined anything. `missed` are the environment variables not found on the
    way to the present statement."""

    environ: dict[str, str]
    frame: Frame
    main: Frame
    constants: dict[str, Value] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    maybe: dict[str, Unknown] = field(default_factory=dict)
    functions: dict[str, Function | Unknown] = field(default_factory=dict)
    declared: set[str] = field(default_factory=set)
    hidden: Unknown | None = None
    missed: set[str] = field(default_factory=set)
    blame: dict[str, frozenset[str]] = field(default_factory=dict)
    unread: list[Unknown] = field(default_factory=list)
    server: dict[tuple[str, str], Value] = field(default_factory=dict)  # set in $_SERVER and $_ENV
    steps: int = 0

    def step(self, count: int = 1) -> None:
        self.steps += count
        if self.steps > MAX_STEPS:
            raise TooMuch("steps")

    def define(self, name: str, value: Value, place: Place) -> Value:
        """As PHP does, the first one wins; the answer says whether this was it."""
        if name in self.constants:
            return False
        if name in self.maybe:
            return self.maybe[name]
        self.constants[name] = value
        self.places[name] = place
        self.blame[name] = frozenset(self.missed)
        return True

    def defined(self, name: str) -> Value:
        if name in self.constants:
            return True
        return self.maybe.get(name) or self.hidden or False

    def may_define(self, name: str, why: Unknown) -> None:
        if name not in self.constants:
            self.maybe.setdefault(name, why)

    def assign(self, name: str, value: Value, place: Place) -> None:
        self.frame.variables[name] = value
        self.frame.blame[name] = frozenset(self.missed)
        if name == PREFIX and self.in_main():
            self.places[PREFIX] = place
            self.blame[PREFIX] = frozenset(self.missed)

    def in_main(self) -> bool:
        """Whether the variables are those of the file itself: an included file shares them."""
        return self.frame.variables is self.main.variables

    def variable(self, name: str) -> Value:
        self.missed |= self.frame.blame.get(name, frozenset())
        return self.frame.variables.get(name)

    def blur(self, names: Iterable[str], why: Unknown) -> None:
        """Forget variables: code that is not understood may have changed them."""
        for name in names:
            self.step()
            for frame in (self.frame, self.main):
                frame.variables[name] = why

    def hide(self, why: Unknown) -> None:
        """Foreign code ran. A `defined()` from here on cannot be answered with no; a plain
        `define()` still can be believed, for nobody writes one that does not win."""
        self.hidden = self.hidden or why

    def unread_code(self, why: Unknown) -> None:
        """Code of the site that was not read: it may also have changed every variable."""
        self.hide(why)
        self.unread.append(why)
        self.blur({PREFIX, *self.frame.variables}, why)

    def cloud(self, why: Unknown) -> None:
        """Code that defines constants nobody can name."""
        self.unread_code(why)
        for name in READ:
            self.may_define(name, why)

    def getenv(self, name: str) -> Value:
        """An environment variable as PHP gives it: False when there is none."""
        if name in self.environ:
            return self.environ[name]
        if self.hidden:
            return self.hidden
        self.missed.add(name)
        return False

    def setenv(self, assignment: str) -> None:
        name, equals, value = assignment.partition("=")
        if equals:
            self.environ[name] = value
        else:
            self.environ.pop(name, None)

    def forget_environment(self, why: Unknown) -> None:
        self.hide(why)
        self.environ.clear()
        self.server.clear()
