"""Handlers: the Python callables registered for hooks, and how they are called."""

from runner.handlers.context import Context
from runner.handlers.registry import Handler, Handlers

__all__ = ["Context", "Handler", "Handlers"]
