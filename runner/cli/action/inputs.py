"""What several commands read from their arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from compat.action_scheduler import LONGEST_HOOK, LONGEST_SLUG
from compat.args import ArgsError, decode, store
from runner.core.errors import RunnerError, UsageError
from runner.core.new_action import check_text

if TYPE_CHECKING:
    from runner.operations.actions import Actions, StoredAction

Args = list[Any] | dict[Any, Any]

_LAST = 2**64 - 1  # bigint unsigned
_DIGITS = len(str(_LAST))


def number_of(text: str, what: str = "action id") -> int:
    """An id. Raises UsageError for what is none."""
    if not (
        text.isascii() and text.isdecimal() and len(text) <= _DIGITS and 0 < int(text) <= _LAST
    ):
        raise UsageError(f"{text!r} is no {what}: ids are whole numbers")
    return int(text)


def args_of(text: str) -> Args:
    """--args, read as PHP reads JSON. Raises UsageError for what cannot be stored."""
    try:
        args = decode(text, None)
        store(args)
    except ArgsError as error:
        raise UsageError(f"--args: {error} (give JSON such as '[42]')") from error
    return args


def checked(hook: str | None, group: str | None) -> None:
    """Raises EnqueueError for texts that no action can have."""
    check_text("hook", hook or "", LONGEST_HOOK)
    check_text("group", group or "", LONGEST_SLUG)
    if hook == "":
        raise UsageError("the hook has no name")


def args_column(text: str | None) -> str | None:
    """--args as the column `args` holds it: what a filter compares."""
    return None if text is None else store(args_of(text)).args


def one(actions: Actions, id_: int) -> StoredAction:
    """Reads one action. Raises RunnerError when there is none."""
    found = next(actions.read([id_]), None)
    if found is None:
        raise RunnerError(f"there is no action {id_}")
    return found
