"""What is known while a configuration is read, and the one rule for code that is not understood:
whatever it mentions becomes unknown (`smear`), and if it could do more, so does everything that
is not yet defined (`cloud`)."""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from compat.wpconfig.functions import HARMLESS, PURE, URL_PARTS
from compat.wpconfig.tokens import Token, flat
from compat.wpconfig.values import Place, Unknown, Value

PREFIX = "table_prefix"
ENVIRONMENT = {"_SERVER", "_ENV"}
SUPERGLOBALS = ENVIRONMENT | {"_GET", "_POST", "_COOKIE", "_REQUEST", "_FILES", "_SESSION"}

MAX_STEPS = 300_000
"""Statements, calls and tokens looked at; a large configuration takes some thousand."""

MAX_CALLS = 20
"""Calls and included files inside one another."""

_PREDEFINED: dict[str, Value] = {
    "PHP_EOL": "\n",
    "DIRECTORY_SEPARATOR": "/",
    "MYSQLI_CLIENT_COMPRESS": 32,
    "MYSQLI_CLIENT_SSL_DONT_VERIFY_SERVER_CERT": 64,
    "MYSQLI_CLIENT_SSL": 2048,
    **{f"PHP_URL_{name.upper()}": number for number, name in enumerate(URL_PARTS)},
}
# Names that PHP itself may define, here or there.
_OF_PHP = re.compile(
    r"(?:PHP|E|M|LC|MYSQLI|CURL\w*|JSON|FILTER|ENT|SORT|LOCK|FILE|STREAM|PATHINFO|INI|DATE|OPENSSL"
    r"|SODIUM|LIBXML|XML|SQLITE3|SIG\w*|T)_.*|STD(?:IN|OUT|ERR)|NAN|INF|true|false|null",
    re.IGNORECASE,
)
# Words that may stand before a parenthesis without being a call of foreign code.
_LANGUAGE = frozenset(
    """
    if elseif while for foreach switch match catch declare function fn use array list isset empty
    unset exit die and or xor return echo print case define defined getenv
    """.split()  # noqa: SIM905  words, not a column of quotes
)
_FAMILIAR = _LANGUAGE | HARMLESS | set(PURE)
_LOADERS = {"include", "include_once", "require", "require_once", "new", "const", "yield"}
_EDGE = Token("end", "", 0)
# Objects, classes and computed names; what makes a parenthesis behind it a call of one.
_FOREIGN, _COMPUTED, _CLOSING = {"$", "->", "?->", "::"}, {"var", "string"}, {")", "]", "}"}
_ALIASES = {"&", "global", "static"}  # what is mentioned may change through another name

Step: TypeAlias = "Callable[[State], object]"


class TooMuch(Exception):
    """More work than any honest configuration asks for; the text says of what."""


class Finished(Exception):
    """PHP goes no further here: exit, or WordPress itself is loaded."""


class Leave(Exception):
    """break, continue."""


class Returned(Exception):
    def __init__(self, value: Value) -> None:
        super().__init__()
        self.value = value


class Abandoned(Exception):
    """Whether the code goes on is not known: the rest of its file or function is smeared."""

    def __init__(self, why: Unknown) -> None:
        super().__init__()
        self.why = why


@dataclass(frozen=True, slots=True)
class Code:
    """The body of a file or a function, and the tokens it was made from. `params` are pairs of
    name and default; None for a function whose kind is not understood."""

    steps: tuple[Step, ...]
    tokens: Sequence[Token]
    params: tuple[tuple[str, "Callable[[State], Value] | None"], ...] | None = ()


@dataclass(slots=True)
class Frame:
    """The variables of the main file or of one call. `fog` is what all others may be; an `aliased`
    one may change through another name; `writes` counts assignments."""

    variables: dict[str, Value] = field(default_factory=dict)
    aliased: dict[str, Unknown] = field(default_factory=dict)
    fog: Unknown | None = None
    writes: int = 0
    switches: int = 0


@dataclass(slots=True)
class State:
    """`constants` that are Unknown may be undefined, except those with a place. `missed` are the
    variables of the environment not found on the way to the present statement, `blame` those that
    shaped a constant or variable. Files are read inside `roots` (resolved folders) only."""

    environ: dict[str, Value]
    roots: tuple[Path, ...]
    loaded: list[Path]
    main: Frame = field(default_factory=Frame)
    constants: dict[str, Value] = field(default_factory=_PREDEFINED.copy)
    places: dict[str, Place] = field(default_factory=dict)
    functions: dict[str, Code] = field(default_factory=dict)
    declared: set[str] = field(default_factory=set)
    fog: Unknown | None = None
    missed: set[str] = field(default_factory=set)
    blame: dict[str, frozenset[str]] = field(default_factory=dict)
    frame: Frame = field(init=False)
    depth: int = 0
    steps: int = 0

    def __post_init__(self) -> None:
        self.frame = self.main

    def step(self, count: int = 1) -> None:
        self.steps += count
        if self.steps > MAX_STEPS:
            raise TooMuch("steps")

    def constant(self, name: str, place: Place) -> Value:
        self.missed |= self.blame.get(name, frozenset())
        if name in self.constants:
            return self.constants[name]
        return self.fog or Unknown(f"the constant {name}", place)

    def defined(self, name: str) -> bool | Unknown:
        value = self.constants.get(name)
        if name in self.places or (name in self.constants and not isinstance(value, Unknown)):
            return True
        if isinstance(value, Unknown):
            return value
        if _OF_PHP.fullmatch(name) or "\\" in name or "::" in name:
            return Unknown(f"whether there is a constant {name}", Place("PHP", 0))
        return self.fog or False

    def define(self, name: str, value: Value, place: Place) -> bool | Unknown:
        """As PHP does, the first one wins; the answer says whether this was it."""
        known = self.defined(name)
        if known is True:
            return False
        self.places[name] = known.place if known else place
        self.constants[name] = known or value
        self.blame[name] = frozenset(self.missed)
        return known or True

    def variable(self, name: str) -> Value:
        self.missed |= self.blame.get("$" + name, frozenset())
        return self.frame.variables.get(name, self.frame.fog)

    def assign(self, name: str, value: Value, place: Place) -> None:
        frame = self.frame
        frame.writes += 1
        frame.variables[name] = frame.aliased.get(name, value)
        self.blame["$" + name] = frozenset(self.missed)
        if name == PREFIX and frame is self.main:
            self.places["$" + name] = place

    def getenv(self, name: str) -> Value:
        """An environment variable as PHP gives it: False when there is none."""
        if name in self.environ or self.fog:
            return self.environ.get(name, self.fog)
        self.missed.add(name)
        return False

    def run(self, steps: Sequence[Step]) -> None:
        for step in steps:
            missed = set(self.missed)
            self.step()
            step(self)
            self.missed = missed

    def execute(self, code: Code) -> Value:
        """The value that a file or a function returns."""
        if self.depth >= MAX_CALLS:
            raise TooMuch("calls or files inside one another")
        self.depth += 1
        try:
            with suppress(Leave):
                self.run(code.steps)
        except Returned as result:
            return result.value
        except Abandoned as stopped:
            self.smear(code.tokens, stopped.why)
            return stopped.why
        finally:
            self.depth -= 1
        return None

    def call(self, function: Code, values: Sequence[Value]) -> Value:
        """Run a function; None in `params` is not for here."""
        outer, self.frame = self.frame, Frame()
        blame = frozenset(self.missed)
        try:
            for number, (name, default) in enumerate(function.params or ()):
                value = values[number] if number < len(values) else default and default(self)
                self.frame.variables[name], self.blame["$" + name] = value, blame
            return self.execute(function)
        finally:
            self.frame = outer

    def undecided(self, tokens: Sequence[Token], why: Unknown) -> None:
        """Code of which it is not known whether it runs, or how often."""
        self.smear(tokens, why)
        leaving = {"return", "goto", *(("break", "continue") if self.frame.switches else ())}
        if any(token.kind == "word" and token.text.lower() in leaving for token in flat(tokens)):
            raise Abandoned(why)

    def smear(
        self, tokens: Sequence[Token], why: Unknown, seen: frozenset[str] = frozenset()
    ) -> None:
        """Make unknown whatever this code could change if it ran: the variables it mentions, the
        constants it names. `seen`: functions looked at."""
        found = [_EDGE, *flat(tokens), _EDGE, _EDGE, _EDGE]
        self.step(len(found))
        aliases = any(token.text.lower() in _ALIASES for token in found if token.kind != "string")
        for before, token, *after in zip(
            found, found[1:], found[2:], found[3:], found[4:], strict=False
        ):
            if token.kind == "var":
                self._smear_variable(token.text, after, why, aliases=aliases)
            elif token.kind == "string":
                self.constants.setdefault(token.text, why)
            elif token.kind == "op":
                opens = before.kind in _COMPUTED or before.text in _CLOSING
                if token.text in _FOREIGN or (token.text == "(" and opens):
                    self.cloud(why)
            elif token.kind == "word":
                word = token.text.lower().removeprefix("\\")
                if before.text.lower() == "function" or (before.text, after[0].text) == ("&", "("):
                    self.functions.setdefault(word, Code((), tokens, None))
                else:
                    self._smear_word(word, after, why, seen)

    def _smear_variable(
        self, name: str, after: Sequence[Token], why: Unknown, *, aliases: bool
    ) -> None:
        if name in ENVIRONMENT:
            bracket, key, close = after
            if (bracket.text, key.kind, close.text) == ("[", "string", "]"):
                self.environ[key.text] = why
            else:
                self.cloud(why)
        elif name == "GLOBALS":
            self.main.variables.clear()
            self.main.fog = why
        for frame in (self.frame, self.main):
            frame.variables[name] = why
            if aliases:
                frame.aliased[name] = why

    def _smear_word(
        self, word: str, after: Sequence[Token], why: Unknown, seen: frozenset[str]
    ) -> None:
        bracket, name, comma = after
        if word in _LOADERS:
            self.cloud(why)
        elif word == "define":
            if (bracket.text, name.kind, comma.text) != ("(", "string", ","):
                self.cloud(why)
        elif (bracket.kind, bracket.text) == ("op", "(") and word not in _FAMILIAR | seen:
            if word in self.functions:
                self.smear(self.functions[word].tokens, why, seen | {word})
            else:
                self.cloud(why)

    def cloud(self, why: Unknown) -> None:
        """Code that could define or change anything: what is not yet defined is unknown."""
        self.fog = self.fog or why
        self.environ.clear()
        for frame in (self.frame, self.main):
            frame.variables.clear()
            frame.fog = why
