"""PHP text cut into tokens: every form of comment and string, nothing of grammar."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MAX_TOKENS = 100_000
"""Most tokens in one file; a large real configuration has some thousand."""

_IDENT = r"[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*"
_OPEN = re.compile(r"<\?(?:php(?=[ \t\r\n]|\Z)|=|)", re.IGNORECASE)
_BLANK = re.compile(r"[ \t\r\n\v\f]+|(?://|#(?!\[)).*?(?=[\r\n]|\?>|\Z)|/\*.*?\*/", re.DOTALL)
_TOKEN = re.compile(
    rf"(?P<var>\${_IDENT})|(?P<word>\\?{_IDENT}(?:\\{_IDENT})*)"
    r"|(?P<number>(?:\.[0-9]|[0-9])(?:[eE][+-]|[0-9A-Za-z_.])*)"
    rf"|(?P<heredoc><<<[ \t]*(?P<q>[\"']?)(?P<label>{_IDENT})(?P=q)(?:\r\n|\r|\n))"
    r"|(?P<op><=>|\*\*=|\.\.\.|<<=|>>=|\?\?=|===|!==|\?->|\?\?|\?>|<<|>>|<=|>=|==|!=|<>|&&|\|\||->"
    r"|::|=>|\+\+|--|\+=|-=|\*=|/=|\.=|%=|&=|\|=|\^=|\*\*|\#\[|[-+*/%=<>!.,;:?()\[\]{}&|^~@$\\])",
    re.ASCII,
)
_SINGLE = re.compile(r"'((?:[^'\\]|\\.)*+)'", re.DOTALL)
_SINGLE_ESCAPE = re.compile(r"\\([\\'])")
# What is special in a double-quoted text, in the order in which PHP looks.
_SPECIAL = re.compile(
    r"\\u\{0*(?P<point>[0-9a-fA-F]{1,6})\}|\\x(?P<hex>[0-9a-fA-F]{1,2})|\\(?P<octal>[0-7]{1,3})"
    r"|(?P<odd>\\u\{|\$\{)|\\(?P<escape>.)|(?P<braced>\{(?=\$))"
    rf"|\$(?P<plain>{_IDENT})"
    rf"(?:\[(?:\$(?P<keyvar>{_IDENT})|(?P<key>0|-?[1-9][0-9]*|{_IDENT}))\]|(?P<code>\[|\??->))?",
    re.DOTALL | re.ASCII,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "v": "\v", "e": "\x1b", "f": "\f",
            "\\": "\\", "$": "$"}  # fmt: skip
_HIGHEST = 0x10FFFF


class SyntaxProblem(Exception):
    """Text that PHP would refuse, or that this reader has no grammar for."""

    def __init__(self, what: str, line: int) -> None:
        super().__init__(what)
        self.what, self.line = what, line


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is word, var (name without $), number, string, template, op or end. `text` is the
    value of a string; a template has `parts`: text, or the tokens of code inside the text."""

    kind: str
    text: str
    line: int
    parts: tuple["str | tuple[Token, ...]", ...] = ()


def tokens(source: str) -> list[Token]:
    """The tokens of a file (text in latin-1), closed by one of kind `end`.

    Raises SyntaxProblem.
    """
    scanner = _Scanner(source)
    return [*scanner.file(), Token("end", "the end of the file", scanner.line())]


def flat(found: Iterable[Token]) -> Iterator[Token]:
    """Tokens with those inside texts."""
    for token in found:
        yield token
        for part in token.parts:
            if isinstance(part, tuple):
                yield from flat(part)


class _Scanner:
    def __init__(self, source: str, first_line: int = 1) -> None:
        self.source, self.at, self.first_line = source, 0, first_line
        self.count = self._counted = self._lines = 0

    def line(self) -> int:
        self._lines += self.source.count("\n", self._counted, self.at)
        self._counted = self.at
        return self._lines + self.first_line

    def problem(self, what: str) -> SyntaxProblem:
        return SyntaxProblem(what, self.line())

    def file(self) -> Iterator[Token]:
        """What lies between the marks of PHP; the text outside is no code."""
        while found := _OPEN.search(self.source, self.at):
            self.at = found.end()
            if found[0] == "<?":
                raise self.problem("<? without php, which some PHP takes for code")
            if found[0] == "<?=":
                yield Token("word", "echo", self.line())
            for token in self.code():
                if token.text.lower() == "__halt_compiler" and token.kind == "word":
                    return
                if token.text == "?>" and token.kind == "op":
                    yield Token("op", ";", token.line)
                    break
                yield token
            else:
                return

    def code(self) -> Iterator[Token]:
        while True:
            while found := _BLANK.match(self.source, self.at):
                self.at = found.end()
            if self.source.startswith("/*", self.at):
                raise self.problem("a comment without an end")
            if self.at >= len(self.source):
                return
            yield self.token()

    def token(self) -> Token:
        line, char = self.line(), self.source[self.at]
        self.count += 1
        if self.count > MAX_TOKENS:
            raise SyntaxProblem("more code than any configuration has", line)
        if char == "'":
            return Token("string", self.single(), line)
        if char == '"':
            self.at += 1
            return self.template(char, line)
        found = _TOKEN.match(self.source, self.at)
        if found is None:  # also a command in backticks
            raise self.problem(f"{char!r} where PHP code is expected")
        self.at = found.end()
        if found["heredoc"]:
            return self.heredoc(found["label"], found["q"], line)
        return Token(found.lastgroup or "", found[0].removeprefix("$") or "$", line)

    def single(self) -> str:
        found = _SINGLE.match(self.source, self.at)
        if found is None:
            raise self.problem("a text in single quotes without an end")
        self.at = found.end()
        return _SINGLE_ESCAPE.sub(r"\1", found[1])

    def template(self, quote: str, line: int) -> Token:
        """Read up to the closing quote; without one ("") up to the end of the text."""
        parts: list[str | tuple[Token, ...]] = []
        plain = re.compile(rf"[^\\${{{quote}]+")
        while self.at < len(self.source) and self.source[self.at] != quote:
            if found := plain.match(self.source, self.at):
                self.at = found.end()
                parts.append(found[0])
            else:
                parts.append(self.special(quote, line))
        if quote and self.at >= len(self.source):
            raise SyntaxProblem("a text in double quotes without an end", line)
        self.at += len(quote)
        texts = [part for part in parts if isinstance(part, str)]
        if len(texts) == len(parts):
            return Token("string", "".join(texts), line)
        return Token("template", "", line, tuple(parts))

    def special(self, quote: str, line: int) -> str | tuple[Token, ...]:
        found = _SPECIAL.match(self.source, self.at)
        if found is None:
            self.at += 1
            return self.source[self.at - 1]
        self.at = found.end()
        if found["braced"]:
            return tuple(self.hole())
        if found["odd"] or found["code"]:
            return (Token("op", "$", line), Token("end", "the text", line))
        return _simple(found, line) if found["plain"] else _escaped(found, quote, line)

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
        text = inner.template("", line)
        self.count = inner.count
        return text


def _simple(found: re.Match[str], line: int) -> tuple[Token, ...]:
    """The tokens of `$name` and `$name[key]` inside a text."""
    inner = [Token("var", found["plain"], line)]
    if key := found["keyvar"] or found["key"]:
        kind = "var" if found["keyvar"] else "string"
        inner += [Token("op", "[", line), Token(kind, key, line), Token("op", "]", line)]
    return (*inner, Token("end", "the text", line))


def _escaped(found: re.Match[str], quote: str, line: int) -> str:
    if found["point"]:
        point = int(found["point"], 16)
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
