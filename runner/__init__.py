"""WP Action Runner: WordPress's own job queue, run by Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner.core.errors import (
    Cancel,
    ConfigError,
    EnqueueError,
    Fail,
    HandlerError,
    Retry,
    RunnerError,
    SettlingError,
    Snooze,
    SoftTimeout,
)
from runner.core.retry import RetryPolicy
from runner.handlers import Context, Handlers

if TYPE_CHECKING:
    from runner.core.new_action import NewAction
    from runner.core.transient import transient
    from runner.operations.lookup import QueuedAction
    from runner.queue import Queue

__version__ = "0.1.0"

__all__ = [
    "Cancel",
    "ConfigError",
    "Context",
    "EnqueueError",
    "Fail",
    "HandlerError",
    "Handlers",
    "NewAction",
    "Queue",
    "QueuedAction",
    "Retry",
    "RetryPolicy",
    "RunnerError",
    "SettlingError",
    "Snooze",
    "SoftTimeout",
    "transient",
]

_ON_DEMAND = {
    "NewAction": "runner.core.new_action",
    "Queue": "runner.queue",
    "QueuedAction": "runner.operations.lookup",
    "transient": "runner.core.transient",
}


def __getattr__(name: str) -> Any:
    """Imported at first use: a run and the children that call handlers seldom need them."""
    if name not in _ON_DEMAND:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(_ON_DEMAND[name]), name)
