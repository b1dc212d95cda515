"""Functions of the site's own around its handlers: before and after a call, at an error, and when
an action has failed for good. What goes wrong in one is logged and changes no outcome."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.core.errors import HandlerError
from runner.handlers.binding import is_generator, name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

BEFORE, AFTER, ON_ERROR, ON_DEAD_LETTER = "before", "after", "on_error", "on_dead_letter"

MOMENTS = {
    BEFORE: ("context",),
    AFTER: ("context",),
    ON_ERROR: ("context", "error"),
    ON_DEAD_LETTER: ("context", "why"),
}
"""Each moment, and what a function is called with then."""


@dataclass(frozen=True, slots=True)
class Callback:
    """A function to call at a moment for these hooks; None is every hook of its registry."""

    moment: str
    function: Callable[..., Any]
    hooks: frozenset[str] | None

    @property
    def name(self) -> str:
        return name_of(self.function)


def callback(moment: str, function: Any, hooks: Sequence[Any]) -> Callback:
    """Raises HandlerError for what could not be called then."""
    if not all(isinstance(hook, str) and hook for hook in hooks):
        raise HandlerError(f"{moment} wants names of hooks: @handlers.{moment}('my_hook')")
    if not callable(function):
        raise HandlerError(f"{moment} wants a function, not {function!r}")
    wanted = MOMENTS[moment]
    try:
        inspect.signature(function).bind(*wanted)
    except (TypeError, ValueError) as error:
        raise HandlerError(
            f"{moment} {name_of(function)}: it is called with ({', '.join(wanted)}): {error}"
        ) from error
    if is_generator(function):
        raise HandlerError(f"{moment} {name_of(function)}: a generator would not run")
    return Callback(moment, function, frozenset(hooks) or None)
