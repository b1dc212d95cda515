"""Reading files that settings name."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from runner.core.errors import ConfigError

ROOT = 0
"""The user who may do anything anyway."""

LONGEST = 1_000_000
"""Bytes read of a file at most: a setting is short."""


def read_text(path: Path) -> str:
    """The file's text. Raises ValueError with the reason."""
    try:
        with path.open("rb") as file:
            data = file.read(LONGEST + 1)
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from error
    if len(data) > LONGEST:
        raise ValueError(f"it is longer than {LONGEST:,} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ValueError("it is no UTF-8 text") from None


def unsafe(path: Path, *, found: bool = False) -> str | None:
    """Why the file must not decide what is run, in one line; None when it may. One that was
    `found`, not asked for, must not lie where everybody may put files, unless it is our own."""
    try:
        file, folder = path.stat(), path.absolute().parent.stat()
    except OSError as error:
        return f"cannot read {path}: {error.strerror}"
    if file.st_mode & stat.S_IWOTH:
        return f"{path} can be written by everybody, so it is not trusted: chmod o-w {path}"
    if found and folder.st_mode & stat.S_IWOTH and file.st_uid not in {ROOT, os.geteuid()}:
        return (
            f"{path} is another user's, in a folder where everybody may put files, so it is not"
            f" trusted: say --config {path} if it is meant"
        )
    return None


def working_folder() -> Path:
    """Raises ConfigError when it was deleted."""
    try:
        return Path.cwd()
    except OSError:
        raise ConfigError("the working folder is gone: change to another one") from None
