"""Computes expressions. What cannot be computed is Unknown, with what it would have changed."""

import re
from collections.abc import Callable
from typing import Any

from compat.wpconfig import nodes
from compat.wpconfig.effects import foreign_call, target_of, touch
from compat.wpconfig.functions import FILE_TESTS, HARMLESS, PURE, URL_PARTS
from compat.wpconfig.operators import BINARY, UNARY
from compat.wpconfig.state import SUPERGLOBALS, State
from compat.wpconfig.values import (
    Place,
    Unknown,
    Value,
    as_key,
    truthy,
)

# What PHP's web server puts into $_SERVER for each request, and getenv() finds there too.
_OF_REQUEST = re.compile(
    r"(?:HTTP|SSL|REDIRECT)_.*|HTTPS|PHP_SELF|PHP_AUTH_.*|AUTH_TYPE|GATEWAY_INTERFACE|(?:ORIG_)?PATH_"
    r"(?:INFO|TRANSLATED)|QUERY_STRING|CONTENT_(?:TYPE|LENGTH)|DOCUMENT_(?:ROOT|URI)|REMOTE_(?:ADDR"
    r"|HOST|PORT|USER)|REQUEST_(?:URI|METHOD|SCHEME|TIME|TIME_FLOAT)|SCRIPT_(?:NAME|FILENAME|URI|URL)"
    r"|SERVER_(?:NAME|PORT|ADDR|ADMIN|PROTOCOL|SOFTWARE|SIGNATURE)|CONTEXT_.*|argv|argc"
)
_HOST = {"HTTP_HOST", "SERVER_NAME"}

_PREDEFINED: dict[str, Value] = {
    "PHP_EOL": "\n",
    "DIRECTORY_SEPARATOR": "/",
    "MYSQLI_CLIENT_COMPRESS": 32,
    "MYSQLI_CLIENT_SSL_DONT_VERIFY_SERVER_CERT": 64,
    "MYSQLI_CLIENT_SSL": 2048,
    "MYSQLI_CLIENT_IGNORE_SPACE": 256,
    "MYSQLI_CLIENT_FOUND_ROWS": 2,
    "MYSQLI_CLIENT_INTERACTIVE": 1024,
    # The same bits of PHP's older and PDO's names.
    "MYSQL_CLIENT_COMPRESS": 32,
    "MYSQL_CLIENT_SSL": 2048,
    **{f"PHP_URL_{name.upper()}": number for number, name in enumerate(URL_PARTS)},
}
_WORDS: dict[str, Value] = {"true": True, "false": False, "null": None}


# Operators whose right side runs only for one truth of the left: that truth.
_LAZY = {"&&": True, "and": True, "||": False, "or": False}


class Evaluator:
    """Expressions over a state. `http_host` is the host to pretend in a request, if any."""

    def __init__(self, state: State, http_host: str | None) -> None:
        self.state, self.http_host = state, http_host

    def value(self, node: nodes.Node) -> Value:
        self.state.step()
        found = EVALUATE.get(type(node))
        if found is None:
            raise TypeError(type(node))
        result: Value = found(self, node)
        return result

    def place(self, node: nodes.Node) -> Place:
        return Place(self.state.frame.file, node.line)

    def unknown(self, why: str, node: nodes.Node) -> Unknown:
        return Unknown(why, self.place(node))

    def literal(self, node: nodes.Literal) -> Value:
        return node.value

    def name(self, node: nodes.Name) -> Value:
        name = node.name
        if name.lower() in _WORDS:
            return _WORDS[name.lower()]
        file = self.state.frame.file
        special: dict[str, Value] = {
            "__FILE__": file,
            "__DIR__": file.rpartition("/")[0] or "/",
            "__LINE__": node.line,
        }
        tables = (special, self.state.constants, dict[str, Value](self.state.maybe), _PREDEFINED)
        for table in tables:
            if name in table:
                self.state.missed |= self.state.blame.get(name, frozenset())
                return table[name]
        return self.state.hidden or self.unknown(f"the constant {name}", node)

    def var(self, node: nodes.Var) -> Value:
        if node.name in SUPERGLOBALS or node.name == "GLOBALS":
            return self.unknown(f"${node.name} as a whole", node)
        return self.state.variable(node.name)

    def template(self, node: nodes.Template) -> Value:
        text: Value = ""
        for part in node.parts:
            text = self.combine(".", text, self.value(part), node)
        return text

    def array(self, node: nodes.ArrayOf) -> Value:
        made: dict[int | str, Value] = {}
        for item in node.items:
            key = self.value(item.key) if item.key else _next_key(made)
            value = self.value(item.value)
            plain = as_key(key)
            if plain is None:
                return key if isinstance(key, Unknown) else self.unknown("an odd key", node)
            made[plain] = value
        return made

    def index(self, node: nodes.Index) -> Value:
        if node.key is None:
            return self.unknown("an array without a key", node)
        key = self.value(node.key)
        if isinstance(node.base, nodes.Var) and node.base.name in SUPERGLOBALS:
            return self.superglobal(node.base.name, key, node)
        base = self.value(node.base)
        plain = as_key(key)
        if base is None:
            return None
        if isinstance(base, dict) and plain is not None:
            return base.get(plain)
        unknown = next((v for v in (base, key) if isinstance(v, Unknown)), None)
        return unknown or self.unknown("a part of a text", node)

    def superglobal(self, name: str, key: Value, node: nodes.Node) -> Value:
        if not isinstance(key, str):
            return self.unknown(f"${name}", node)
        if (name, key) in self.state.server:
            return self.state.server[name, key]
        if name not in {"_ENV", "_SERVER"}:
            return self.unknown(f"the web request (${name}[{key!r}])", node)
        found = self.environment(key, f"${name}[{key!r}]", node)
        return None if found is False else found

    def environment(self, key: str, written: str, node: nodes.Node) -> Value:
        """A variable of the environment or the request; False when there is none."""
        if key in _HOST and self.http_host is not None:
            return self.http_host
        if _OF_REQUEST.fullmatch(key):
            return self.unknown(f"the web request ({written})", node)
        return self.state.getenv(key)

    def unary(self, node: nodes.Unary) -> Value:
        value = self.value(node.operand)
        if node.op == "@" or isinstance(value, Unknown):
            return value
        change = UNARY.get(node.op)
        result = change(value) if change else None
        return self.unknown(f"the operator {node.op}", node) if result is None else result

    def binary(self, node: nodes.Binary) -> Value:
        if node.op in _LAZY:
            return self.lazy(node)
        if node.op == "??":
            return self.coalesce(node)
        return self.combine(node.op, self.value(node.left), self.value(node.right), node)

    def combine(self, op: str, left: Value, right: Value, node: nodes.Node) -> Value:
        for side in (left, right):
            if isinstance(side, Unknown):
                return side
        change = BINARY.get(op)
        result = change(left, right) if change else None
        return self.unknown(f"the operator {op}", node) if result is None else result

    def lazy(self, node: nodes.Binary) -> Value:
        left = self.value(node.left)
        if isinstance(left, Unknown):
            touch(self.state, node.right, left)
            return left
        if truthy(left) is not _LAZY[node.op]:
            return truthy(left)
        right = self.value(node.right)
        return right if isinstance(right, Unknown) else truthy(right)

    def coalesce(self, node: nodes.Binary) -> Value:
        left = self.value(node.left)
        if isinstance(left, Unknown):
            touch(self.state, node.right, left)
        return self.value(node.right) if left is None else left

    def ternary(self, node: nodes.Ternary) -> Value:
        test = self.value(node.test)
        if isinstance(test, Unknown):
            touch(self.state, (node.then, node.other), test)
            return test
        if not truthy(test):
            return self.value(node.other)
        return self.value(node.then) if node.then else test

    def assign(self, node: nodes.Assign) -> Value:
        value = self.value(node.value)
        target, place = node.target, self.place(node)
        name, key = target_of(target)
        if isinstance(target, nodes.Var):
            self.state.assign(name, value, place)
        elif name in SUPERGLOBALS and isinstance(target.base, nodes.Var) and key:
            self.set_server(name, self.value(key), value)
        else:
            changed = None if name in SUPERGLOBALS else self.changed(target, value)
            if not name or name == "GLOBALS" or changed is None:
                touch(self.state, node, self.unknown("an odd assignment", node))
            else:
                self.state.assign(name, changed, place)
        return value

    def set_server(self, name: str, key: Value, value: Value) -> None:
        if isinstance(key, str):
            self.state.server[name, key] = value
        elif isinstance(key, Unknown):
            self.state.forget_environment(key)

    def changed(self, target: nodes.Node, value: Value) -> Value:
        """The variable's new value when an element of it is set; None when it is not known."""
        while isinstance(target, nodes.Index):
            base = (
                self.value(target.base) if isinstance(target.base, nodes.Var | nodes.Index) else 0
            )
            if base is not None and not isinstance(base, dict):
                return None
            copy = dict(base or {})
            key = as_key(self.value(target.key)) if target.key else _next_key(copy)
            if key is None:
                return None
            self.state.step(len(copy))
            copy[key] = value
            target, value = target.base, copy
        return value

    def call(self, node: nodes.Call) -> Value:
        if form := _FORMS.get(node.name):
            result: Value = form(self, node)
            return result
        args = [self.value(arg) for arg in node.args]
        for arg in args:
            if isinstance(arg, Unknown) and node.name in PURE:
                return arg
        if node.name in PURE:
            return self.pure(node, args)
        why = self.unknown(f"a call of {node.name}()", node)
        if node.name not in HARMLESS:
            foreign_call(self.state, node, why)
        return why

    def pure(self, node: nodes.Call, args: list[Value]) -> Value:
        try:
            result = PURE[node.name](*args)
        except (TypeError, ValueError, OSError):
            return self.unknown(f"what {node.name}() gives", node)
        folder = self.state.frame.file.rpartition("/")[0]
        if node.name in FILE_TESTS and not result and not str(args[0]).startswith(folder):
            self.state.missed.add(str(args[0]))  # a secret, say, that only PHP's machine has
        return result

    def define(self, node: nodes.Call) -> Value:
        args = [self.value(arg) for arg in node.args]
        if len(args) < 2:  # noqa: PLR2004  name and value
            return self.unknown("a define() without a value", node)
        if isinstance(args[0], str):
            return self.state.define(args[0], args[1], self.place(node))
        why = args[0] if isinstance(args[0], Unknown) else self.unknown("an odd define()", node)
        self.state.cloud(why)
        return why

    def defined(self, node: nodes.Call) -> Value:
        name = self.value(node.args[0]) if node.args else None
        if not isinstance(name, str):
            return name if isinstance(name, Unknown) else self.unknown("an odd defined()", node)
        return True if name in _PREDEFINED else self.state.defined(name)

    def isset(self, node: nodes.Call) -> Value:
        for arg in node.args:
            value = self.value(arg)
            if value is None or isinstance(value, Unknown):
                return value or False
        return True

    def empty(self, node: nodes.Call) -> Value:
        value = self.value(node.args[0]) if node.args else None
        return value if isinstance(value, Unknown) else not truthy(value)

    def getenv(self, node: nodes.Call) -> Value:
        name = self.value(node.args[0]) if node.args else None
        if isinstance(name, str):
            return self.environment(name, f"getenv({name!r})", node)
        return name if isinstance(name, Unknown) else self.unknown("the whole environment", node)

    def putenv(self, node: nodes.Call) -> Value:
        text = self.value(node.args[0]) if node.args else None
        if isinstance(text, str):
            self.state.setenv(text)
            return True
        why = text if isinstance(text, Unknown) else self.unknown("an odd putenv()", node)
        self.state.forget_environment(why)
        return why

    def function_exists(self, node: nodes.Call) -> Value:
        name = self.value(node.args[0]) if node.args else None
        if not isinstance(name, str):
            return name if isinstance(name, Unknown) else self.unknown("function_exists()", node)
        known = self.state.functions.get(name.lower())
        if isinstance(known, Unknown):
            return known
        if known or name.lower() in PURE or name.lower() in HARMLESS:
            return True
        if name.lower() in self.state.declared:  # further down, or in the code this guards
            return False
        return self.unknown(f"whether there is a function {name}()", node)

    def odd(self, node: nodes.Odd) -> Value:
        why = self.unknown(node.what, node)
        touch(self.state, node, why)
        return why


def _next_key(array: dict[int | str, Value]) -> int:
    return max((key for key in array if isinstance(key, int)), default=-1) + 1


_FORMS: dict[str, Callable[[Any, nodes.Call], Value]] = {
    "define": Evaluator.define,
    "defined": Evaluator.defined,
    "isset": Evaluator.isset,
    "empty": Evaluator.empty,
    "getenv": Evaluator.getenv,
    "putenv": Evaluator.putenv,
    "function_exists": Evaluator.function_exists,
}
EVALUATE: dict[type[nodes.Node], Callable[[Any, Any], Value]] = {
    nodes.Literal: Evaluator.literal,
    nodes.Name: Evaluator.name,
    nodes.Var: Evaluator.var,
    nodes.Template: Evaluator.template,
    nodes.ArrayOf: Evaluator.array,
    nodes.Index: Evaluator.index,
    nodes.Unary: Evaluator.unary,
    nodes.Binary: Evaluator.binary,
    nodes.Ternary: Evaluator.ternary,
    nodes.Assign: Evaluator.assign,
    nodes.Call: lambda self, node: self.call(node),
    nodes.Odd: Evaluator.odd,
}
