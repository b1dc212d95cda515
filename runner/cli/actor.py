"""Who asks for a change, for the audit line that it leaves."""

from __future__ import annotations

import getpass
import os
import socket
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")


def actor_option(function: F) -> F:
    """--by NAME."""
    return click.option(
        "--by",
        "actor",
        metavar="NAME",
        help="Who asks for it, for the log.  [default: you, at this host]",
    )(function)


def actor_name(given: str | None) -> str:
    """The name given, or the account and host that the command runs under."""
    if given and given.strip():
        return " ".join(given.split())
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in many containers
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"
