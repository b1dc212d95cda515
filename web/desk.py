"""What the whole page shares: the site's connections, the settings, and what was read a moment
ago."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

from web.gate import Rates, form_token, new_key
from web.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.app import App
    from runner.config import Settings

T = TypeVar("T")

THREADS = 8
"""Requests that are answered at a time, each with a connection of its own."""


@dataclass
class Desk:
    """`is_open` lets everybody in with all rights (`--insecure-dev`). `examination` is the
    doctor's."""

    app: App
    settings: Settings
    is_open: bool = False
    examination: Any = None
    pool: Pool = field(init=False)
    rates: Rates = field(default_factory=Rates)
    _key: bytes = field(default_factory=new_key)
    _kept: dict[str, tuple[float, Any]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.pool = Pool(self.app.connection, THREADS)

    def token_for(self, name: str) -> str:
        """What a visitor without a session of ours must send with a form."""
        return form_token(self._key, name)

    def kept(self, name: str, seconds: float, make: Callable[[], T]) -> T:
        """What was made within so many seconds; many viewers cost no more than one."""
        with self._lock:
            at, value = self._kept.get(name, (-1e9, None))
        if time.monotonic() < at + seconds:
            return cast("T", value)  # made by the same call
        made = make()
        with self._lock:
            self._kept[name] = (time.monotonic(), made)
        return made

    def forget(self, name: str | None = None) -> None:
        """All of it, after a change; or one thing."""
        with self._lock:
            if name is None:
                self._kept.clear()
            else:
                self._kept.pop(name, None)
