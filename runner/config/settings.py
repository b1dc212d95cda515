"""Every setting, defined once: the flags, the environment's names, the keys of runner.toml and the
tables of `runner config` are derived from here."""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass, field, fields
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

from compat.action_scheduler import TIMEOUT
from runner.storage.dsn import TLS

if TYPE_CHECKING:
    from collections.abc import Callable

MODES = ("auto", "native")

MOST_PLACES = 100
"""Children or threads of one runner at most: more than that is a slip of the pen."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Setting:
    """What is known of one setting besides its value.

    `read` makes the value from text and raises ValueError with what was expected. `secret` values
    are never shown and never stand on a command line or in runner.toml; `file` allows the form
    `…_FILE`. A setting with `flag_only` belongs to one call: it has no other form.
    """

    name: str
    default: Any
    section: str
    help: str
    read: Callable[[str], Any]
    flag: str
    metavar: str = "TEXT"
    choices: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    secret: bool = False
    file: bool = False
    flag_only: bool = False
    switch: bool = False
    repeated: bool = False

    @property
    def env(self) -> str:
        return f"RUNNER_{self.name.upper()}"


def _text(text: str) -> str:
    if not text:
        raise ValueError("a value, or leave it out")
    return text


def _names(text: str) -> tuple[str, ...]:
    """`a, b` as a tuple."""
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    if not names:
        raise ValueError("names, with commas between")
    return names


def _choice(text: str, choices: tuple[str, ...]) -> str:
    if text not in choices:
        raise ValueError(f"one of {', '.join(choices)}")
    return text


def _whole(text: str, minimum: int, maximum: int | None) -> int:
    number = int(text) if text.isascii() and text.isdecimal() else -1
    if number < minimum or (maximum is not None and number > maximum):
        most = "or more" if maximum is None else f"to {maximum}"
        raise ValueError(f"a whole number, {minimum} {most}")
    return number


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not (math.isfinite(number) and number >= 0):
        raise ValueError("a number of seconds, 0 or more")
    return number


def _executor(text: str) -> str:
    """`processes:N`, `threads:N` or `inline`."""
    kind, _, count = text.partition(":")
    if kind in {"processes", "threads"}:
        with contextlib.suppress(ValueError):
            return f"{kind}:{_whole(count, 1, MOST_PLACES)}"
    if text != "inline":
        raise ValueError(f"processes:N or threads:N, N from 1 to {MOST_PLACES}, or inline")
    return text


def _define(default: T, section: str, help_: str, read: Callable[[str], Any], **facts: Any) -> T:
    made = {"default": default, "section": section, "help": help_, "read": read, **facts}
    return field(default=default, metadata={"setting": made})


def _count(
    default: int, help_: str, *, least: int = 0, most: int | None = None, **facts: Any
) -> int:
    read = partial(_whole, minimum=least, maximum=most)
    facts = {"metavar": "N", "minimum": least, "maximum": most, **facts}
    return _define(default, "run", help_, read, **facts)


def _duration(help_: str) -> float:
    return _define(0.0, "run", help_, _seconds, metavar="SECONDS")


def _list(section: str, help_: str, **facts: Any) -> tuple[str, ...]:
    return _define((), section, help_, _names, **({"metavar": "A,B"} | facts))


def _chosen(default: str, section: str, choices: tuple[str, ...], help_: str, **facts: Any) -> str:
    return _define(
        default, section, help_, partial(_choice, choices=choices), choices=choices, **facts
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the runner can be told. Durations are in seconds, 0 is no limit; `memory_limit` and
    `recycle_memory` are in megabytes. Empty texts and tuples mean that nothing was said."""

    dsn: str = _define(
        "", "database", "mysql://user@host:port/database, without password.", _text,
        metavar="URL", file=True,
    )  # fmt: skip
    wp_path: str = _define(
        "", "database", "Folder of a WordPress: its wp-config.php tells the database.", _text,
        metavar="DIR",
    )  # fmt: skip
    table_prefix: str = _define(
        "", "database", "Table prefix of the site (default: the site's own, or wp_).", _text,
        flag="--prefix",
    )  # fmt: skip
    db_password: str = _define(
        "", "database", "Password of the database account.", str, secret=True, file=True, flag="",
    )  # fmt: skip
    db_tls: str = _chosen(
        "auto", "database", TLS, "TLS to the database: auto takes what the server offers, required"
        " refuses without, verify also checks the certificate.", flag="",
    )  # fmt: skip
    db_ssl_ca: str = _define(
        "", "database", "File with the authority's certificate; the server's is checked with it.",
        _text, metavar="FILE", flag="",
    )  # fmt: skip
    handlers: tuple[str, ...] = _list(
        "handlers", "Where your Handlers object is; may be repeated (default: what installed"
        " packages offer).", metavar="MODULE:NAME", repeated=True,
    )  # fmt: skip
    mode: str = _chosen(
        "auto", "run", MODES,
        "auto refuses where PHP's runner may be alive; native says that it is off.",
    )  # fmt: skip
    batch_size: int = _count(25, "Actions claimed at a time.", least=1, most=1000)
    batches: int = _count(0, "Batches to run; 0 is all.")
    hooks: tuple[str, ...] = _list("run", "Only these hooks.")
    groups: tuple[str, ...] = _list("run", "Only actions of these groups.", flag="--group")
    exclude_groups: tuple[str, ...] = _list("run", "No actions of these groups.")
    time_limit: float = _duration("Begin nothing after this time; 0 is no limit.")
    max_jobs: int = _count(0, "Begin at most this many actions; 0 is no limit.")
    memory_limit: int = _count(
        0, "Begin nothing once the runner or a child used more than this; 0 is no limit.",
        metavar="MB",
    )  # fmt: skip
    executor: str = _define(
        "processes:1", "run", "Where handlers are called: in N processes, which can be killed, in N"
        " threads, which cannot, or inline.", _executor, metavar="processes:N|threads:N|inline",
    )  # fmt: skip
    recycle_after: int = _count(5000, "Replace a child after this many calls; 0 is never.")
    recycle_memory: int = _count(
        0, "Replace a child that holds more than this after a call; 0 is no limit.", metavar="MB",
    )  # fmt: skip
    pause: float = _duration("Rest between batches.")
    expiry: int = _count(
        TIMEOUT, "Seconds without a sign of life after which work counts as abandoned.", least=1,
        metavar="SECONDS",
    )  # fmt: skip
    force: bool = _define(
        False, "run", "Run although another run is at work on this site.", bool,
        flag_only=True, switch=True,
    )  # fmt: skip


@cache
def definitions() -> dict[str, Setting]:
    """Every setting by name, in order."""
    return {f.name: _setting(f.name, f.metadata["setting"]) for f in fields(Settings)}


def _setting(name: str, facts: dict[str, Any]) -> Setting:
    return Setting(**{"name": name, "flag": f"--{name.replace('_', '-')}", **facts})
