"""PHP text cut into tokens: every form of comment and string, nothing of grammar."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from compat.php import INT_MAX

MAX_TOKENS = 100_000
"""Most tokens in one file; a large real configuration has some thousand."""

_IDENT = r"[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*"
_OPEN = re.compile(r"<\?(?:php(?=[ \t\r\n]|\Z)|=)", re.IGNORECASE)
_BLANK = re.compile(r"[ \t\r\n\v\f]+|(?://|#(?!\[)).*?(?=[\r\n]|\?>|\Z)", re.DOTALL)
_TOKEN = re.compile(
    rf"(?P<var>\${_IDENT})|(?P<word>\\?{_IDENT}(?:\\{_IDENT})*)"
    r"|(?P<number>0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+"
    r"|(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<heredoc><<<[ \t]*(?P<q>[\"']?)(?P<label>[A-Za-z_\x80-\xff][\w\x80-\xff]*)(?P=q)"
    r"(?:\r\n|\r|\n))"
    r"|(?P<op><=>|\*\*=|\.\.\.|<<=|>>=|\?\?=|===|!==|\?->|\?\?|\?>|<<|>>|<=|>=|==|!=|<>|&&|\|\||->"
    r"|::|=>|\+\+|--|\+=|-=|\*=|/=|\.=|%=|&=|\|=|\^=|\*\*|\#\[|[-+*/%=<>!.,;:?()\[\]{}&|^~@$\\])",
    re.ASCII,
)
_SINGLE = re.compile(r"'((?:[^'\\]|\\.)*+)'", re.DOTALL)
_SINGLE_ESCAPE = re.compile(r"\\([\\'])")
# What is special in a double-quoted text, in the order in which PHP looks.
_SPECIAL = re.compile(
    r"\\u\{(?P<point>[0-9a-fA-F]+)\}|\\x(?P<hex>[0-9a-fA-F]{1,2})|\\(?P<octal>[0-7]{1,3})"
    rf"|\\(?P<escape>.)|(?P<braced>\{{(?=\$))|\$\{{(?P<named>{_IDENT})\}}|(?P<odd>\$\{{)"
    rf"|\$(?P<plain>{_IDENT})"
    rf"(?:\[(?:\$(?P<keyvar>{_IDENT})|(?P<key>-?[0-9]+|{_IDENT}))\]|(?P<arrow>\??->)(?P<prop>{_IDENT})|(?P<bad>\[))?",
    re.DOTALL | re.ASCII,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "v": "\v", "e": "\x1b", "f": "\f",
            "\\": "\\", "$": "$"}  # fmt: skip
_BASES = {"0x": 16, "0b": 2, "0o": 8}
_OCTAL, _DECIMAL = 8, 10
_HIGHEST = 0x10FFFF


class SyntaxProblem(Exception):
    """Text that PHP would refuse, or that this reader has no grammar for."""

    def __init__(self, what: str, line: int) -> None:
        super().__init__(what)
        self.what, self.line = what, line


@dataclass(frozen=True, slots=True)
class Hole:
    """A piece of a double-quoted text that is code: its tokens."""

    tokens: tuple["Token", ...]


Part: TypeAlias = str | Hole


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is word, var (name without $), int, float, string, template, op or end. `text` is the
    value of a string; a template has `parts`."""

    kind: str
    text: str
    line: int
    parts: tuple[Part, ...] = ()


def tokens(source: str) -> list[Token]:
    """The tokens of a file (text in latin-1), closed by one of kind `end`.

    Raises SyntaxProblem.
    """
    scanner = _Scanner(source)
    found = list(scanner.file())
    return [*found, Token("end", "the end of the file", scanner.line())]


class _Scanner:
    def __init__(self, source: str, first_line: int = 1) -> None:
        self.source, self.at, self.first_line = source, 0, first_line
        self.count = self._counted = self._lines = 0

    def line(self) -> int:
        if self.at < self._counted:  # only after a look ahead
            self._counted = self._lines = 0
        self._lines += self.source.count("\n", self._counted, self.at)
        self._counted = self.at
        return self._lines + self.first_line

    def problem(self, what: str) -> SyntaxProblem:
        return SyntaxProblem(what, self.line())

    def file(self) -> Iterator[Token]:
        """What lies between the marks of PHP; the text outside is no code."""
        while found := _OPEN.search(self.source, self.at):
            self.at = found.end()
            if found[0].endswith("="):
                yield Token("word", "echo", self.line())
            for token in self.code():
                if token.text == "__halt_compiler" and token.kind == "word":
                    return
                if token.kind == "op" and token.text == "?>":
                    yield Token("op", ";", token.line)
                    break
                yield token
            else:
                return

    def code(self) -> Iterator[Token]:
        while self.skip_blank():
            yield self.token()

    def skip_blank(self) -> bool:
        """Step over blanks and comments; False at the end of the text."""
        while True:
            if found := _BLANK.match(self.source, self.at):
                self.at = found.end()
            elif self.source.startswith("/*", self.at):
                end = self.source.find("*/", self.at + 2)
                if end < 0:
                    raise self.problem("a comment without an end")
                self.at = end + 2
            else:
                return self.at < len(self.source)

    def token(self) -> Token:
        line, char = self.line(), self.source[self.at]
        self.count += 1
        if self.count > MAX_TOKENS:
            raise SyntaxProblem("more code than any configuration has", line)
        if char == "'":
            return Token("string", self.single(), line)
        if char in '"`':
            self.at += 1
            return self.template(char, line)
        found = _TOKEN.match(self.source, self.at)
        if found is None:
            raise self.problem(f"{char!r} where PHP code is expected")
        self.at = found.end()
        if found["heredoc"]:
            return self.heredoc(found["label"], found["q"], line)
        kind = found.lastgroup or "op"
        if kind == "var":
            return Token("var", found[0][1:], line)
        if kind == "number":
            return _number(found[0], line)
        return Token(kind, found[0], line)

    def single(self) -> str:
        found = _SINGLE.match(self.source, self.at)
        if found is None:
            raise self.problem("a text in single quotes without an end")
        self.at = found.end()
        return _SINGLE_ESCAPE.sub(r"\1", found[1])

    def template(self, quote: str, line: int) -> Token:
        """Read up to the closing quote; without one ("") up to the end of the text."""
        parts: list[Part] = []
        stop = re.compile(rf"[^\\${{{quote}]+") if quote else re.compile(r"[^\\${]+")
        while self.at < len(self.source):
            if plain := stop.match(self.source, self.at):
                self.at = plain.end()
                parts.append(plain[0])
            elif quote and self.source[self.at] == quote:
                self.at += 1
                return _text(parts, line, command=quote == "`")
            else:
                parts.append(self.special(quote, line))
        if quote:
            raise SyntaxProblem("a text in double quotes without an end", line)
        return _text(parts, line, command=False)

    def special(self, quote: str, line: int) -> Part:
        found = _SPECIAL.match(self.source, self.at)
        if found is None:
            self.at += 1
            return self.source[self.at - 1]
        self.at = found.end()
        if found["braced"]:
            return Hole(tuple(self.hole()))
        if found["odd"] or found["bad"]:  # no code that the grammar knows
            return Hole((Token("op", "$", line), Token("end", "the text", line)))
        if found["named"] or found["plain"]:
            return Hole(_simple(found, line))
        return _escaped(found, quote, line)

    def hole(self) -> Iterator[Token]:
        depth = 1
        for token in self.code():
            if token.kind == "op":
                depth += {"{": 1, "}": -1}.get(token.text, 0)
            if depth == 0:
                yield Token("end", "}", token.line)
                return
            yield token
        raise self.problem("a { inside a text without an end")

    def heredoc(self, label: str, quote: str, line: int) -> Token:
        mark = rf"([ \t]*){label}(?![A-Za-z0-9_\x80-\xff])"
        at_once = re.compile(mark).match(self.source, self.at)
        found = at_once or re.compile(rf"(?:\r\n|\r|\n){mark}").search(self.source, self.at)
        if found is None:
            raise SyntaxProblem(f"a text that begins with <<<{label} without an end", line)
        body = self.source[self.at : found.start()]
        self.at = found.end()
        if found[1]:
            body = re.sub(rf"(^|[\r\n]){found[1]}", r"\1", body)
        if quote == "'" or at_once:
            return Token("string", body, line)
        inner = _Scanner(body, line)
        inner.count = self.count
        found_text = inner.template("", line)
        self.count = inner.count
        return found_text


def _text(parts: list[Part], line: int, *, command: bool) -> Token:
    if command:
        return Token("op", "`", line)
    if all(isinstance(part, str) for part in parts):
        return Token("string", "".join(part for part in parts if isinstance(part, str)), line)
    return Token("template", "", line, tuple(parts))


def _simple(found: re.Match[str], line: int) -> tuple[Token, ...]:
    """The tokens of `$name`, `$name[key]` and `${name}` inside a text."""
    inner = [Token("var", found["named"] or found["plain"], line)]
    if key := found["keyvar"] or found["key"]:
        kind = "var" if found["keyvar"] else "string"
        inner += [Token("op", "[", line), Token(kind, key, line), Token("op", "]", line)]
    if found["prop"]:
        inner += [Token("op", found["arrow"], line), Token("word", found["prop"], line)]
    return (*inner, Token("end", "the text", line))


def _escaped(found: re.Match[str], quote: str, line: int) -> str:
    if found["point"]:
        digits = found["point"].lstrip("0")
        point = int(digits or "0", 16) if len(digits) <= len("10FFFF") else _HIGHEST + 1
        if point > _HIGHEST:
            raise SyntaxProblem("a character beyond Unicode in a text", line)
        return chr(point).encode("utf-8", "surrogatepass").decode("latin-1")
    if found["hex"]:
        return chr(int(found["hex"], 16))
    if found["octal"]:
        return chr(int(found["octal"], 8) & 0xFF)
    char = found["escape"]
    if char == quote:
        return char
    return _ESCAPES.get(char) or "\\" + char


def _number(text: str, line: int) -> Token:
    digits = text.replace("_", "").lower()
    base = _BASES.get(digits[:2], _DECIMAL)
    if base == _DECIMAL and not digits.isdecimal():
        return Token("float", digits, line)
    if base == _DECIMAL and len(digits) > 1 and digits[0] == "0":
        base = _OCTAL
    try:
        value = int(digits, base)
    except ValueError:  # 09, or thousands of digits
        raise SyntaxProblem("a number that PHP has no form for", line) from None
    if value > INT_MAX:
        raise SyntaxProblem("a number beyond 64 bit", line)
    return Token("int", str(value), line)
