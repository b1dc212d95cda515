"""The census, read once for all viewers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.operations.figures import Figures
from web.gate import database, desk, site

if TYPE_CHECKING:
    from runner.operations.figures import Census

FRESH = 15.0
"""Seconds."""


def census() -> Census | None:
    """None where none was taken yet."""
    counted = desk().kept("census", FRESH, lambda: Figures(database(), site()).census())
    if counted is None:  # the first one is awaited by somebody
        desk().forget("census")
    return counted
