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
from compat.wpconfig.values import Place, Unknown, Unsure, Value

PREFIX = "table_prefix"
ENVIRONMENT = {"_SERVER", "_ENV"}

MAX_STEPS = 300_000
"""Statements, calls and tokens looked at; a large configuration takes some thousand."""

MAX_CALLS = 20
"""Calls and included files inside one another."""

_PREDEFINED: dict[str, Value | Unknown] = {
    "PHP_EOL": "\n",
    "DIRECTORY_SEPARATOR": "/",
    "MYSQLI_CLIENT_COMPRESS": 32,
    "MYSQLI_CLIENT_SSL_DONT_VERIFY_SERVER_CERT": 64,
    "MYSQLI_CLIENT_SSL": 2048,
    **{f"PHP_URL_{name.upper()}": number for number, name in enumerate(URL_PARTS)},
}
# Names that PHP itself may define, here or there, and those of classes and namespaces.
_OF_PHP = re.compile(
    r"(?:PHP|E|M|LC|MYSQLI|CURL\w*|JSON|FILTER|ENT|SORT|LOCK|FILE|STREAM|PATHINFO|INI|DATE|OPENSSL"
    r"|SODIUM|LIBXML|XML|SQLITE3|SIG\w*|T|PREG|SEEK|COUNT|CRYPT|DNS|EXTR|IMAGETYPE|IMG|LOG|MB|AF|SO"
    r"|PASSWORD|PCNTL|POSIX|UPLOAD|ZLIB|SOAP|STR|DOM|FTP|GD|INTL|LDAP|MSG|TIDY|X509)_.*|STD(?:IN|OUT|ERR)|NAN|INF|true|false|null"
    r"|__COMPILER_HALT_OFFSET__|.*(?:\\|::).*",
    re.IGNORECASE | re.DOTALL,
)
# What PHP's web server puts into $_SERVER for each request, and getenv() finds there too.
_OF_REQUEST = re.compile(
    r"(?:HTTP|SSL|REDIRECT|PHP_AUTH|CONTENT|DOCUMENT|REMOTE|REQUEST|SCRIPT|SERVER|CONTEXT|PATH_INFO"
    r"|PATH_TRANSLATED|ORIG_PATH)(?:_.*)?|HTTPS|PHP_SELF|AUTH_TYPE|GATEWAY_INTERFACE|QUERY_STRING"
    r"|UNIQUE_ID|FCGI_ROLE|argv|argc"
)
# Words before a parenthesis that run no foreign code, code that changes variables, and code that
# runs foreign code: files, objects, classes and computed names.
_LANGUAGE = frozenset(
    """
    if elseif while for foreach switch match catch declare function fn use array list isset empty
    unset exit die and or xor return echo print case define defined getenv
    """.split()  # noqa: SIM905  words, not a column of quotes
)
_FAMILIAR = _LANGUAGE | HARMLESS | set(PURE)
_ALIASES = {"&", "global", "static"}  # what is changed may change again through another name
_CHANGES = _ALIASES | set(
    "= .= += -= *= /= %= |= &= ^= **= <<= >>= ??= ++ -- as unset catch preg_match".split()  # noqa: SIM905
)
_FOREIGN = set("$ -> ?-> :: new const yield include include_once require require_once".split())  # noqa: SIM905
_BEFORE_COMPUTED = {")", "]", "}"}
_EDGE = Token("end", "", 0)

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
    one may change through another name; `writes` counts assignments, `switches` those around the
    present statement."""

    variables: dict[str, Value | Unknown] = field(default_factory=dict)
    aliased: dict[str, Unknown] = field(default_factory=dict)
    fog: Unknown | None = None
    writes: int = 0
    switches: int = 0


@dataclass(slots=True)
class State:
    """`constants` that are Unknown may be undefined. `missed` are the variables of the environment
    not found on the way to the present statement, `blame` those that shaped a constant or variable.
    Files are read inside `roots` (resolved folders) only. `place` is that of the statement."""

    environ: dict[str, Value | Unknown]
    roots: Sequence[Path]
    place: Place
    loaded: list[Path]
    main: Frame = field(default_factory=Frame)
    constants: dict[str, Value | Unknown] = field(default_factory=_PREDEFINED.copy)
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

    def unknown(self, why: str | Unknown) -> Unknown:
        return why if isinstance(why, Unknown) else Unknown(why, self.place)

    def constant(self, name: str) -> Value:
        self.missed |= self.blame.get(name, frozenset())
        if name in self.constants:
            return _sure(self.constants[name])
        raise Unsure(self.fog or f"the constant {name}")

    def defined(self, name: str) -> bool:
        if name in self.constants:
            _sure(self.constants[name])
            return True
        if self.fog or _OF_PHP.fullmatch(name):
            raise Unsure(self.fog or f"whether there is a constant {name}")
        return False

    def define(self, name: str, value: Value) -> bool:
        """As PHP does, the first one wins; the answer says whether this was it."""
        if self.defined(name):
            return False
        self.constants[name] = value
        self.places[name] = self.place
        self.blame[name] = frozenset(self.missed)
        return True

    def variable(self, name: str) -> Value:
        if name in {"GLOBALS", "this"}:
            raise Unsure(f"${name}")
        self.missed |= self.blame.get("$" + name, frozenset())
        return _sure(self.frame.variables.get(name, self.frame.fog))

    def assign(self, name: str, value: Value) -> Value:
        if name in {"GLOBALS", "this"}:
            raise Unsure(f"${name}")
        self.frame.writes += 1
        self.frame.variables[name] = self.frame.aliased.get(name, value)
        self.blame["$" + name] = frozenset(self.missed)
        if name == PREFIX and self.frame is self.main:
            self.places["$" + name] = self.place
        return value

    def environment(self, name: Value, where: str) -> Value:
        """A variable of the environment as getenv() gives it: False when there is none. `where` is
        the code that asks for it, with {} for the name."""
        if not isinstance(name, str) or _OF_REQUEST.fullmatch(name):
            raise Unsure(f"the web request ({where.format(repr(name))})")
        if name in self.environ or self.fog:
            return _sure(self.environ.get(name, self.fog))
        self.missed.add(name)
        return False

    def run(self, steps: Sequence[Step]) -> None:
        for step in steps:
            missed = set(self.missed)
            step(self)
            self.missed = missed

    def execute(self, code: Code, otherwise: Value = None) -> Value:
        """The value that a file or a function returns; `otherwise` if it ends without return."""
        if self.depth >= MAX_CALLS:
            raise TooMuch("calls or files inside one another")
        place = self.place
        self.depth += 1
        try:
            with suppress(Leave):
                self.run(code.steps)
        except Returned as result:
            return result.value
        except Abandoned as stopped:
            self.smear(code.tokens, stopped.why)
            raise Unsure(stopped.why) from None
        finally:
            self.depth -= 1
            self.place = place
        return otherwise

    def call(self, function: Code, values: Sequence[Value]) -> Value:
        outer, self.frame = self.frame, Frame()
        try:
            for number, (name, default) in enumerate(function.params or ()):
                given = number < len(values)
                self.assign(name, values[number] if given else default and default(self))
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
        """Make unknown whatever this code could change if it ran: the variables it mentions if it
        changes any, the constants it names. `seen`: functions looked at."""
        found = [_EDGE, *flat(tokens), _EDGE, _EDGE, _EDGE]
        self.step(len(found))
        signs = {token.text.lower() for token in found if token.kind in {"word", "op"}}
        if signs & _FOREIGN:
            self.cloud(why)
        if signs & _CHANGES:
            names = {token.text for token in found if token.kind == "var"}
            self._change(names, why, aliases=bool(signs & _ALIASES))
        around = zip(found, found[1:], found[2:], found[3:], found[4:], strict=False)
        for before, token, *after in around:
            if token.kind == "string":
                self.constants.setdefault(token.text, why)
            elif token.kind == "var" and token.text in ENVIRONMENT and signs & _CHANGES:
                self._environment(after, why)
            elif token.kind == "word":
                self._word(token.text.lower().removeprefix("\\"), before, after, why, seen)
            elif (token.kind, token.text) == ("op", "(") and (
                before.kind in {"var", "string", "end"} or before.text in _BEFORE_COMPUTED
            ):
                self.cloud(why)

    def _change(self, names: set[str], why: Unknown, *, aliases: bool) -> None:
        if "GLOBALS" in names:
            self.cloud(why)
            names = names | {PREFIX}
        for frame in (self.frame, self.main):
            frame.variables |= dict.fromkeys(names, why)
            if aliases:
                frame.aliased |= dict.fromkeys(names, why)

    def _environment(self, after: Sequence[Token], why: Unknown) -> None:
        bracket, key, close = after
        if (bracket.text, key.kind, close.text) == ("[", "string", "]"):
            self.environ[key.text] = why
        else:
            self.cloud(why)

    def _word(
        self, word: str, before: Token, after: Sequence[Token], why: Unknown, seen: frozenset[str]
    ) -> None:
        bracket, name, comma = after
        if before.text.lower() == "function" or (before.text, bracket.text) == ("&", "("):
            self.functions.setdefault(word, Code((), (), None))
        elif word == "define":
            if (bracket.text, name.kind, comma.text) != ("(", "string", ","):
                self.cloud(why)
        elif (bracket.kind, bracket.text) == ("op", "(") and word not in _FAMILIAR | seen:
            function = self.functions.get(word)
            if function is None or function.params is None:
                self.cloud(why)
            if function:
                self.smear(function.tokens, why, seen | {word})

    def cloud(self, why: Unknown) -> None:
        """Code that could define or change anything: what is not yet defined is unknown."""
        self.fog = self.fog or why
        self.environ.clear()
        for frame in (self.frame, self.main):
            frame.variables.clear()
            frame.fog = why


def _sure(value: Value | Unknown) -> Value:
    if isinstance(value, Unknown):
        raise Unsure(value)
    return value
