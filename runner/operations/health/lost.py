"""A database out of reach, for which no alert can be written: a small file remembers since when,
and whom that was told."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from runner.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = "wp-action-runner"


@dataclass(slots=True)
class Memory:
    """`since` and the moments in `told` (by channel) are in epoch seconds of this machine, `since`
    0 while all is well; `site`, `url` and `to` are those of the last good look."""

    since: float = 0.0
    told: dict[str, float] = field(default_factory=dict)
    site: str = ""
    url: str = ""
    to: str = ""


class Lost:
    """The memory of one site's database, in a file of `folder`; where that cannot be written, as
    long as this process lives."""

    def __init__(self, folder: Path, place: str) -> None:
        self._kept: Memory | None = None
        self._path = folder / f"{hashlib.sha256(place.encode()).hexdigest()[:24]}.json"

    def read(self) -> Memory:
        """What is remembered; nothing where there is no file, or one that is none of ours."""
        if self._kept is not None:
            return self._kept
        try:
            found = json.loads(self._path.read_text("utf-8"))
            return Memory(
                float(found["since"]),
                {str(name): float(at) for name, at in found["told"].items()},
                str(found["site"]),
                str(found["url"]),
                str(found["to"]),
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return Memory()

    def write(self, memory: Memory) -> None:
        """In place of what was there, whole or not at all. Raises ConfigError."""
        self._kept = memory
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._path.parent)
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(asdict(memory), file)
                Path(name).replace(self._path)
            except BaseException:
                with contextlib.suppress(OSError):
                    Path(name).unlink()
                raise
            self._kept = None
        except OSError as error:
            raise ConfigError(
                f"cannot write to {self._path.parent}: {error.strerror}; an outage of the database"
                " cannot be remembered there: set state_dir to a folder of this account's"
            ) from error


def state_folder(setting: str, environ: Mapping[str, str]) -> Path:
    """Where to remember: the setting, what systemd made for the unit, or a folder at home."""
    if setting:
        return Path(setting)
    if given := environ.get("STATE_DIRECTORY", "").partition(":")[0]:
        return Path(given)
    if given := environ.get("XDG_STATE_HOME", ""):
        return Path(given) / FOLDER
    home = environ.get("HOME") or tempfile.gettempdir()
    return Path(home) / ".local" / "state" / FOLDER
