"""Reading files that settings name."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

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


def unsafe(path: Path) -> str | None:
    """Why the file must not decide what is run, in one line; None when it may."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return f"cannot read {path}: {error.strerror}"
    if mode & stat.S_IWOTH:
        return f"{path} can be written by everybody, so it is not trusted: chmod o-w {path}"
    return None
