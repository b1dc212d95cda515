"""A channel of the site's own: a function that takes a message."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runner.core.errors import ConfigError
from runner.core.message import SendError

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.core.message import Message


@dataclass(frozen=True, slots=True)
class Own:
    """`function` is called with each message; whatever it raises is taken for a failure, and it is
    called again later."""

    name: str
    function: Callable[[Message], object]

    def send(self, message: Message) -> None:
        try:
            self.function(message)
        except SendError:
            raise
        except Exception as error:
            raise SendError(f"{type(error).__name__}: {error}") from error


def load(name: str) -> Own:
    """`module:function`. Raises ConfigError."""
    module, colon, attribute = name.partition(":")
    if not (module and colon and attribute):
        raise ConfigError(
            f"there is no channel {name!r}: expected MODULE:NAME of a function (email and slack are"
            " there where smtp_host and slack_webhook are set)"
        )
    try:
        found = getattr(importlib.import_module(module), attribute)
    except Exception as error:
        raise ConfigError(f"channel {name} cannot be loaded: {error}") from error
    if not callable(found):
        raise ConfigError(f"channel {name} cannot be called: it takes a message")
    return Own(name, found)
