"""WP Action Runner: WordPress's own job queue, run by Python."""

from runner.core.errors import (
    Cancel,
    ConfigError,
    Fail,
    HandlerError,
    Retry,
    RunnerError,
    Snooze,
)
from runner.core.retry import RetryPolicy
from runner.handlers import Context, Handlers

__version__ = "0.1.0"

__all__ = [
    "Cancel",
    "ConfigError",
    "Context",
    "Fail",
    "HandlerError",
    "Handlers",
    "Retry",
    "RetryPolicy",
    "RunnerError",
    "Snooze",
]
