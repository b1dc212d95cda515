"""The grammar of PHP's expressions."""

from collections.abc import Callable, Sequence

from compat.wpconfig.nodes import (
    ArrayOf,
    Assign,
    Binary,
    Call,
    Include,
    Index,
    Item,
    Literal,
    Name,
    Node,
    Odd,
    Stop,
    Template,
    Ternary,
    Unary,
    Var,
)
from compat.wpconfig.tokens import Hole, SyntaxProblem, Token

# Binary operators from the loosest to the tightest (PHP 8), `?` being the ternary.
_LEVELS = (
    ("or",),
    ("xor",),
    ("and",),
    ("?",),
    ("??",),
    ("||",),
    ("&&",),
    ("|",),
    ("^",),
    ("&",),
    ("==", "!=", "===", "!==", "<>", "<=>"),
    ("<", "<=", ">", ">="),
    (".",),
    ("<<", ">>"),
    ("+", "-"),
    ("*", "/", "%"),
    ("instanceof",),
    ("**",),
)
_STRENGTH = {op: level for level, ops in enumerate(_LEVELS) for op in ops}
_TERNARY = _STRENGTH["?"]
_PREFIX = {"!", "-", "+", "~", "@"}
_CASTS = {"bool", "boolean", "string", "int", "integer", "float", "double", "array", "object"}
_ASSIGN = {"=": "", ".=": ".", "??=": "??", "|=": "|", "&=": "&", "^=": "^", "+=": "+", "-=": "-"}
_ODD_ASSIGN = {"*=", "/=", "%=", "**=", "<<=", ">>=", "++", "--"}
_INCLUDES = {"include", "include_once", "require", "require_once"}
# Words that open something of which not even the shape is known here.
_UNKNOWN_FORMS = {"function", "fn", "match", "static", "yield", "clone", "list", "class"}


class ExpressionParser:
    """Reads expressions from tokens, the last of which is of kind `end`."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens, self.at = tokens, 0

    @property
    def next(self) -> Token:
        return self.tokens[self.at]

    def take(self) -> Token:
        token = self.tokens[self.at]
        self.at = min(self.at + 1, len(self.tokens) - 1)
        return token

    def is_op(self, *texts: str) -> bool:
        return self.next.kind == "op" and self.next.text in texts

    def is_word(self, *texts: str) -> bool:
        return self.next.kind == "word" and self.next.text.lower() in texts

    def accept(self, *ops: str) -> bool:
        found = self.is_op(*ops)
        if found:
            self.take()
        return found

    def expect(self, op: str) -> None:
        if not self.accept(op):
            raise self.unexpected()

    def unexpected(self) -> SyntaxProblem:
        token = self.next
        text = "a text" if token.kind in {"string", "template"} else repr(token.text)
        return SyntaxProblem(f"{text} in a place that this reader does not know", token.line)

    def expression(self, loosest: int = 0) -> Node:
        left = self.unary()
        while (op := self.operator()) and _STRENGTH[op] >= loosest:
            line, strength = self.take().line, _STRENGTH[op]
            if op == "?":
                left = self.ternary(left, line)
            else:
                # ?? is the only one that groups to the right.
                right = self.expression(strength if op == "??" else strength + 1)
                left = Binary(line, op, left, right)
        return left

    def operator(self) -> str:
        """The binary operator that comes next, or nothing."""
        text = self.next.text.lower() if self.next.kind in {"op", "word"} else ""
        return text if text in _STRENGTH else ""

    def ternary(self, test: Node, line: int) -> Node:
        then = None if self.is_op(":") else self.expression(_TERNARY)
        self.expect(":")
        return Ternary(line, test, then, self.expression(_TERNARY + 1))

    def unary(self) -> Node:
        token = self.next
        if self.is_op(*_PREFIX):
            self.take()
            return Unary(token.line, token.text, self.unary())
        if self.is_op("++", "--"):
            self.take()
            return self.changed(token.line, self.unary())
        if cast := self.cast():
            return Unary(token.line, cast, self.unary())
        return self.assignment(self.postfix(self.primary()))

    def cast(self) -> str:
        ahead = self.tokens[self.at : self.at + 3]
        if [t.text for t in ahead[::2]] == ["(", ")"] and ahead[1].text.lower() in _CASTS:
            self.at += 3
            return f"({ahead[1].text.lower()})"
        return ""

    def assignment(self, target: Node) -> Node:
        if not isinstance(target, Var | Index) or self.next.kind != "op":
            return target
        line, op = self.next.line, self.next.text
        if op in _ASSIGN:
            self.take()
            value = self.expression(_TERNARY)
            if binary := _ASSIGN[op]:
                value = Binary(line, binary, target, value)
            return Assign(line, target, value)
        if op in _ODD_ASSIGN:
            self.take()
            if op not in {"++", "--"}:
                self.expression(_TERNARY)
            return self.changed(line, target)
        return target

    @staticmethod
    def changed(line: int, target: Node) -> Node:
        """A variable that gets a value which is not computed here."""
        odd = Odd(line, "an operator that this reader does not know", (), calls=False)
        return Assign(line, target, odd) if isinstance(target, Var | Index) else odd

    def postfix(self, node: Node) -> Node:
        while True:
            line = self.next.line
            if self.accept("["):
                key = None if self.is_op("]") else self.expression()
                self.expect("]")
                node = Index(line, node, key)
            elif self.accept("->", "?->", "::"):
                node = Odd(line, "code of an object or a class", (node, *self.member()), calls=True)
            elif self.is_op("("):
                node = Odd(line, "a call of a computed name", (node, *self.arguments()), calls=True)
            else:
                return node

    def member(self) -> tuple[Node, ...]:
        if self.next.kind not in {"word", "var"}:
            raise self.unexpected()
        self.take()
        return self.arguments() if self.is_op("(") else ()

    def arguments(self) -> tuple[Node, ...]:
        self.expect("(")
        found = []
        while not self.accept(")"):
            found.append(self.expression())
            if not self.is_op(")"):
                self.expect(",")
        return tuple(found)

    def primary(self) -> Node:
        token = self.next
        read = _PRIMARY.get(token.kind)
        if read:
            self.take()
            return read(token)
        if token.kind == "word":
            return self.word()
        if self.accept("("):
            inner = self.expression()
            self.expect(")")
            return inner
        if self.accept("["):
            return self.array("]", token.line)
        raise self.unexpected()

    def array(self, close: str, line: int) -> Node:
        items = []
        while not self.accept(close):
            at, first = self.next.line, self.expression()
            items.append(
                Item(at, first, self.expression()) if self.accept("=>") else Item(at, None, first)
            )
            if not self.is_op(close):
                self.expect(",")
        return ArrayOf(line, tuple(items))

    def word(self) -> Node:
        line, name = self.next.line, self.next.text.removeprefix("\\")
        word = name.lower()
        if word in _UNKNOWN_FORMS:
            raise SyntaxProblem(f"{word!r}, which this reader does not know", line)
        self.take()
        if form := _WORDS.get(word):
            return form(self, word, line)
        return Call(line, word, self.arguments()) if self.is_op("(") else Name(line, name)

    def array_word(self, _word: str, line: int) -> Node:
        self.expect("(")
        return self.array(")", line)

    def include(self, word: str, line: int) -> Node:
        once, required = word.endswith("_once"), word.startswith("require")
        return Include(line, self.expression(_TERNARY), required, once)

    def print_(self, word: str, line: int) -> Node:
        return Odd(line, word, (self.expression(_TERNARY),), calls=False)

    def stop(self, word: str, line: int) -> Node:
        if word == "throw":
            self.expression()
        elif self.is_op("("):
            self.arguments()
        return Stop(line)

    def new(self, _word: str, line: int) -> Node:
        if self.next.kind not in {"word", "var"} or self.is_word("class"):
            raise self.unexpected()
        self.take()
        args = self.arguments() if self.is_op("(") else ()
        return Odd(line, "code of an object or a class", args, calls=True)


def _template(token: Token) -> Node:
    return Template(
        token.line,
        tuple(
            _hole(part) if isinstance(part, Hole) else Literal(token.line, part)
            for part in token.parts
        ),
    )


def _hole(hole: Hole) -> Node:
    inner = ExpressionParser(hole.tokens)
    found = inner.expression()
    if inner.next.kind != "end":
        raise inner.unexpected()
    return found


_PRIMARY: dict[str, Callable[[Token], Node]] = {
    "var": lambda token: Var(token.line, token.text),
    "string": lambda token: Literal(token.line, token.text),
    "int": lambda token: Literal(token.line, int(token.text)),
    "float": lambda token: Literal(token.line, float(token.text)),
    "template": _template,
}
_WORDS: dict[str, Callable[[ExpressionParser, str, int], Node]] = {
    "array": ExpressionParser.array_word,
    **dict.fromkeys(_INCLUDES, ExpressionParser.include),
    **dict.fromkeys(("exit", "die", "throw"), ExpressionParser.stop),
    "new": ExpressionParser.new,
    "print": ExpressionParser.print_,
}
