"""Finds handlers by name: `package.module:attribute`, or the entry points of installed packages."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from runner.core.errors import HandlerError
from runner.handlers.registry import Handlers

if TYPE_CHECKING:
    from collections.abc import Sequence

ENTRY_POINTS = "wp_action_runner.handlers"


def load(names: Sequence[str], job_hooks: Sequence[str] = ()) -> Handlers:
    """Imports every named registry and joins them. The working folder is importable. Actions of
    `job_hooks` are jobs, where types of them are registered.

    Raises HandlerError, in one line, for whatever goes wrong while importing.
    """
    try:
        here = str(Path.cwd())
    except OSError:
        raise HandlerError("the working folder is gone: change to another one") from None
    if here not in sys.path:
        sys.path.insert(0, here)
    joined = Handlers()
    for name in names:
        joined.include(_one(name))
    joined.check_callbacks()
    joined.own_jobs(job_hooks)
    joined.check_limits()
    return joined


def entry_points() -> list[str]:
    """Names that installed packages offer."""
    from importlib.metadata import entry_points as installed  # noqa: PLC0415  slow to import

    return [point.value for point in installed(group=ENTRY_POINTS)]


def _one(name: str) -> Handlers:
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise HandlerError(f"handlers {name!r}: expected MODULE:NAME, as in shop.jobs:handlers")
    try:
        module = importlib.import_module(module_name)
    except (HandlerError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise HandlerError(
            f"cannot import handlers from {module_name}: {type(error).__name__}: {error}"
        ) from error
    found = getattr(module, attribute, None)
    if not isinstance(found, Handlers):
        kind = "is not there" if found is None else f"is a {type(found).__name__}"
        raise HandlerError(f"{module_name}:{attribute} {kind}, not a runner.Handlers object")
    return found
