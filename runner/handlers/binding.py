"""How an action's args become a call.

A list binds by position. A map binds by name when every key is a parameter of the handler, else
by position in stored order, as PHP would pass it. One map, alone or as a one-item list, is taken
whole by a handler whose one parameter is annotated `dict`, a dataclass or a msgspec Struct.
Annotated parameters are converted leniently ("42" fits an int: PHP often stores numbers as text).
"""

from __future__ import annotations

import functools
import inspect
import types
import typing
from dataclasses import dataclass, is_dataclass
from typing import TYPE_CHECKING, Any

from runner.core.errors import HandlerError
from runner.handlers.context import Context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class Unbound(ValueError):
    """The args do not fit the handler; the text shows the signature."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A handler's parameters, resolved once. `types` holds what is to be converted."""

    text: str
    signature: inspect.Signature
    takes_context: bool
    types: Mapping[str, Any]
    whole: str | None
    """Name of the one parameter that takes a map as a whole."""
    hidden: frozenset[str] = frozenset()
    """Names that no key may have: the context's."""

    @classmethod
    def of(cls, function: Callable[..., Any]) -> Signature:
        """Raises HandlerError for an annotation that is unknown or cannot be converted to."""
        name = name_of(function)
        try:
            full = inspect.signature(function)
            hints = typing.get_type_hints(_annotated(function))
        except (NameError, AttributeError, SyntaxError) as error:
            raise HandlerError(f"handler {name}: unknown annotation: {error}") from error
        except (TypeError, ValueError) as error:
            raise HandlerError(f"handler {name}: its signature cannot be read: {error}") from error
        if any(is_generator(part) for part in (function, _annotated(function))):
            raise HandlerError(f"handler {name}: a generator would not run; use a plain function")
        parameters = list(full.parameters.values())
        context = bool(parameters) and hints.get(parameters[0].name) is Context
        if context and parameters[0].kind not in _POSITIONAL:
            raise HandlerError(f"handler {name}: the context must be its first parameter")
        hidden = {parameters[0].name} if context else set()
        parameters = parameters[1:] if context else parameters
        wanted = {p.name: hints[p.name] for p in parameters if p.name in hints}
        for parameter, type_ in wanted.items():
            _check(name, parameter, type_)
        return cls(
            text=f"{name}{full}",
            signature=full.replace(parameters=parameters),
            takes_context=context,
            types={n: t for n, t in wanted.items() if t not in (Any, object)},
            whole=_whole(parameters, hints),
            hidden=frozenset(hidden),
        )

    def bind(self, args: list[Any] | dict[Any, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Positional and keyword values for the call. Raises Unbound."""
        positional, named = self._place(args)
        if taken := self.hidden & named.keys():
            raise Unbound(f"the args do not fit {self.text}: {min(taken)} is the context")
        try:
            bound = self.signature.bind(*positional, **named)
        except TypeError as error:
            raise Unbound(f"the args do not fit {self.text}: {error}") from error
        for name in self.types.keys() & bound.arguments.keys():
            bound.arguments[name] = self._convert(name, bound.arguments[name])
        return list(bound.args), dict(bound.kwargs)

    def names(self) -> frozenset[str] | None:
        """Names that values of a call can have: its parameters, and the fields of a map that is
        taken whole. None where there may be any."""
        parameters = self.signature.parameters
        fields: tuple[str, ...] = ()
        if self.whole:
            fields = fields_of(self.types.get(self.whole))
            if not fields:
                return None
        if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
            return None
        return frozenset({*parameters, *fields})

    def _place(self, args: list[Any] | dict[Any, Any]) -> tuple[list[Any], dict[str, Any]]:
        if self.whole and (whole := self._map_in(args)) is not None:
            return [whole], {}
        if isinstance(args, list):
            return args, {}
        if args and all(self._is_name(key) for key in args):
            return [], args
        return list(args.values()), {}

    def _map_in(self, args: list[Any] | dict[Any, Any]) -> dict[Any, Any] | None:
        """The map that a handler of one map takes whole: alone, or as a one-item list.

        PHP stores an empty map as `[]`. A map whose only key is the parameter's name, with a map
        under it, is meant by name.
        """
        if isinstance(args, list):
            if not args:
                default = self.signature.parameters[self.whole or ""].default
                return {} if default is inspect.Parameter.empty else None
            return args[0] if len(args) == 1 and isinstance(args[0], dict) else None
        by_name = list(args) == [self.whole] and isinstance(args[self.whole], dict)
        return None if by_name else args

    def _is_name(self, key: object) -> bool:
        parameters = self.signature.parameters.values()
        return isinstance(key, str) and any(
            p.kind is inspect.Parameter.VAR_KEYWORD or (p.name == key and p.kind in _BY_NAME)
            for p in parameters
        )

    def _convert(self, name: str, value: Any) -> Any:
        import msgspec  # noqa: PLC0415  only where a handler has annotations

        parameter = self.signature.parameters[name]
        type_ = self.types[name]
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            type_ = types.GenericAlias(tuple, (type_, ...))
        elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
            type_ = types.GenericAlias(dict, (str, type_))
        try:
            try:
                return msgspec.convert(value, type_, strict=False)
            except msgspec.ValidationError:
                return msgspec.convert(_text_keys(value), type_, strict=False)
        except Exception as error:
            raise Unbound(f"argument {name} does not fit {self.text}: {error}") from error


def name_of(function: Any) -> str:
    """How a handler is called in messages, whatever kind of callable it is."""
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "__qualname__", "") or type(function).__qualname__


def is_generator(function: Any) -> bool:
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def _text_keys(value: Any) -> Any:
    """PHP makes numbers of keys like "17"; for types that want text they are text again."""
    if isinstance(value, dict):
        return {str(k) if isinstance(k, int) else k: _text_keys(v) for k, v in value.items()}
    return [_text_keys(item) for item in value] if isinstance(value, list) else value


def _annotated(function: Callable[..., Any]) -> Any:
    """What carries the annotations: the function, or a callable object's own method."""
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.isroutine(function) or inspect.isclass(function):
        return function
    return getattr(type(function), "__call__", function)  # noqa: B004


def _whole(parameters: list[inspect.Parameter], hints: Mapping[str, Any]) -> str | None:
    if len(parameters) != 1 or parameters[0].kind not in _POSITIONAL:
        return None
    hint = hints.get(parameters[0].name)
    origin = typing.get_origin(hint) or hint
    takes_map = origin is dict or (isinstance(hint, type) and (is_dataclass(hint) or _struct(hint)))
    return parameters[0].name if takes_map else None


def fields_of(type_: Any) -> tuple[str, ...]:
    """Of a dataclass or a msgspec Struct; nothing else has any."""
    found: Iterable[str] = getattr(type_, "__dataclass_fields__", ())
    return tuple(found or getattr(type_, "__struct_fields__", ()))


def _struct(hint: type) -> bool:
    return hasattr(hint, "__struct_fields__")


def _check(handler: str, parameter: str, type_: Any) -> None:
    """Refuses, when the handlers are loaded, a type that no JSON value converts to."""
    if type_ in (Any, object, int, str, float, bool, list, dict):
        return
    import msgspec.inspect  # noqa: PLC0415  only where a handler has such annotations

    try:
        info = msgspec.inspect.type_info(type_)
        known = not _has_custom(info)
    except (TypeError, NameError):
        known = False
    if not known:
        shown = getattr(type_, "__name__", str(type_))
        raise HandlerError(
            f"handler {handler}: unknown annotation {shown} of parameter {parameter}: use plain"
            " types, a dataclass, a msgspec Struct, or none"
        )


def _has_custom(info: Any, seen: frozenset[int] = frozenset()) -> bool:
    import msgspec.inspect  # noqa: PLC0415

    if isinstance(info, msgspec.inspect.CustomType):
        return True
    if id(info) in seen:
        return False
    parts = [getattr(info, name, None) for name in ("item_type", "key_type", "value_type")]
    parts += [*getattr(info, "types", ()), *getattr(info, "item_types", ())]
    parts += [field.type for field in getattr(info, "fields", ())]
    return any(_has_custom(part, seen | {id(info)}) for part in parts if part is not None)
