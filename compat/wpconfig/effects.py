"""What code may do that is not run: because its condition is not known, or its grammar is not.

Nothing is computed here. Whatever the code could define or change becomes Unknown.
"""

from collections.abc import Callable
from typing import Any

from compat.wpconfig.functions import HARMLESS, PURE
from compat.wpconfig.nodes import (
    Assign,
    Binary,
    Break,
    Call,
    Const,
    Function,
    Include,
    Index,
    Literal,
    Node,
    Odd,
    Repeated,
    Return,
    Skipped,
    Switch,
    Template,
    Var,
    walk,
)
from compat.wpconfig.state import PREFIX, READ, SUPERGLOBALS, State
from compat.wpconfig.values import Unknown

_DEFINERS = {"define", "const"}
_LOADERS = {"include", "include_once", "require", "require_once", "eval", "extract", "$"}
_WITHOUT_EFFECT = HARMLESS | set(PURE) | {"isset", "empty", "defined", "getenv"}


def touch(state: State, tree: object, why: Unknown, running: frozenset[str] = frozenset()) -> None:
    """Make Unknown what this code would change if it ran. `running`: functions looked at."""
    for node in walk(tree):
        state.step()
        if isinstance(node, Call):
            _call(state, node, why, running)
        elif change := _CHANGES.get(type(node)):
            change(state, node, why)


def _include(state: State, node: Include, why: Unknown) -> None:
    if not (is_bootstrap(node) or is_class_loader(node)):
        state.cloud(why)


def _declare(state: State, node: Function, why: Unknown) -> None:
    state.functions.setdefault(node.name, why)


def _odd(state: State, node: Odd, why: Unknown) -> None:
    if node.calls:
        state.hide(why)
        _named_in(state, node.parts, why)


def skip(state: State, node: Skipped, why: Unknown) -> None:
    """What code may do of which only the words are known. Of a class or a function only what it
    does by name to constants and the prefix counts, as if it were called."""
    named = (node.texts | node.words) & READ
    if node.words & _DEFINERS:
        for name in named:
            state.may_define(name, why)
    if node.declares:
        if "global" in node.words or "GLOBALS" in node.variables:
            state.blur([PREFIX], why)
        return
    state.blur(node.variables - SUPERGLOBALS, why)
    if "GLOBALS" in node.variables:
        state.blur(node.texts, why)
    if node.words & _LOADERS or (node.words & _DEFINERS and not named):
        state.cloud(why)
    if node.words:
        state.hide(why)


def leaves(tree: object, *, returns: bool, breaks: bool) -> bool:
    """Whether the code may jump out of itself: by return, by break, or in an unknown way."""
    found: object = tree
    match tree:
        case Return():
            return returns
        case Break(levels=levels):
            return breaks or levels > 1
        case Skipped(words=words):
            return "goto" in words
        case Repeated(body=inner) | Switch(cases=inner):
            found, breaks = inner, False
        case Node() if not isinstance(tree, Function):
            found = tuple(getattr(tree, name) for name in tree.__slots__)
        case _:
            pass
    return isinstance(found, tuple) and any(
        leaves(item, returns=returns, breaks=breaks) for item in found
    )


def is_bootstrap(node: Include) -> bool:
    """Whether this loads WordPress itself, which happens when the configuration is complete."""
    return _tail(node.path).rpartition("/")[2] == "wp-settings.php"


def is_class_loader(node: Include) -> bool:
    """Whether this is Composer's loader of classes, which configures nothing."""
    return _tail(node.path).endswith("vendor/autoload.php")


def _tail(path: Node) -> str:
    """The literal text a path ends with."""
    match path:
        case Literal(value=str() as text):
            return text
        case Binary(op=".", right=right):
            return _tail(right)
        case Template(parts=(*_, last)):
            return _tail(last)
        case _:
            return ""


def _assign(state: State, node: Assign, why: Unknown) -> None:
    name, key = target_of(node.target)
    if name in SUPERGLOBALS:
        if isinstance(key, Literal):
            state.server[name, str(key.value)] = why
        else:
            state.forget_environment(why)
    elif name == "GLOBALS" and isinstance(key, Literal):
        state.blur([str(key.value)], why)
    elif name == "GLOBALS":
        state.blur([PREFIX, *state.main.variables], why)
    else:
        state.blur([name], why)


def target_of(target: Node) -> tuple[str, Node | None]:
    """The variable that an assignment changes, and the first key in it."""
    key: Node | None = None
    while isinstance(target, Index):
        key, target = target.key, target.base
    return (target.name if isinstance(target, Var) else ""), key


def _call(state: State, node: Call, why: Unknown, running: frozenset[str]) -> None:
    function = state.functions.get(node.name)
    if node.name == "define":
        name = node.args[0].value if node.args and isinstance(node.args[0], Literal) else None
        if isinstance(name, str):
            state.may_define(name, why)
        else:
            state.cloud(why)
    elif node.name in _LOADERS:
        state.cloud(why)
    elif node.name == "putenv":
        state.forget_environment(why)
    elif isinstance(function, Function):
        if node.name not in running:
            touch(state, function.body, why, running | {node.name})
    elif node.name not in _WITHOUT_EFFECT:
        foreign_call(state, node, why)


def foreign_call(state: State, node: Call, why: Unknown) -> None:
    """A function nobody knows: it may define things, and write to the variables it is given."""
    state.blur([arg.name for arg in node.args if isinstance(arg, Var)], why)
    if node.name == "extract":
        state.unread_code(why)
    elif node.name != "unset":
        state.hide(why)
        _named_in(state, node.args, why)


def _named_in(state: State, args: tuple[Node, ...], why: Unknown) -> None:
    """Foreign code that is handed the name of a constant probably defines it."""
    for part in walk(args):
        if isinstance(part, Literal) and part.value in READ:
            state.may_define(str(part.value), why)


_CHANGES: dict[type[Node], Callable[[State, Any, Unknown], None]] = {
    Assign: _assign,
    Const: lambda state, node, why: state.may_define(node.name, why),
    Include: _include,
    Odd: _odd,
    Skipped: skip,
    Function: _declare,
}
