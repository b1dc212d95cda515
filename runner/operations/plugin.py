"""The must-use plugin: one file, put into WordPress's folder for such plugins and taken away."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from runner.core.errors import RunnerError

NAME = "wp-action-runner.php"

_HERE = Path(__file__).resolve().parents[1]
_PLACES = (_HERE.parent / "docker" / NAME, _HERE / "_plugin" / NAME)  # a checkout comes first
_OURS = re.compile(r"^ \* Plugin Name: WP Action Runner$", re.MULTILINE)
_VERSION = re.compile(r"^ \* Version: (\d+)$", re.MULTILINE)


def by_hand() -> str:
    """What somebody must do where the site's files are not known."""
    return f"copy {source()} into wp-content/mu-plugins of the site"


class PluginError(RunnerError):
    """The file cannot be put in place or taken away; the text says what to do by hand."""


def source() -> Path:
    """The file that comes with the runner."""
    return next(place for place in _PLACES if place.is_file())


class Plugin:
    """The file in one site's folder of must-use plugins."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME

    def state(self) -> str:
        """What putting it in place would do: `there`, `copy` or `update`. Raises PluginError where
        it must not."""
        there, ours = self._text(), source().read_text("utf-8")
        if there is None:
            return "copy"
        if not _OURS.search(there):
            raise PluginError(f"{self.path} is not the runner's plugin: rename it, then try again")
        if _version(there) > _version(ours):
            raise PluginError(
                f"{self.path} is of a newer runner (version {_version(there)}, here"
                f" {_version(ours)}): update the runner here"
            )
        return "there" if there == ours else "update"

    def put(self) -> None:
        """Written beside and renamed, so that PHP never loads half a file. Raises PluginError."""
        draft = self.path.with_name(f".{NAME}.{os.getpid()}")
        try:
            if not self.path.parent.is_dir():
                self.path.parent.mkdir(exist_ok=True)
                self.path.parent.chmod(0o755)  # as for the file
            draft.write_bytes(source().read_bytes())
            draft.chmod(0o644)  # the web server reads it, whoever installs
            draft.replace(self.path)
        except OSError as error:
            with suppress(OSError):
                draft.unlink()
            raise PluginError(
                f"cannot write {self.path} ({error.strerror}): copy {source()} there as somebody"
                " who may"
            ) from error

    def remove(self) -> bool:
        """Whether there was one. A file that is not ours stays. Raises PluginError."""
        text = self._text()
        if text is None or not _OURS.search(text):
            return False
        try:
            self.path.unlink()
        except OSError as error:
            raise PluginError(
                f"cannot remove {self.path} ({error.strerror}): delete it as somebody who may"
            ) from error
        return True

    def _text(self) -> str | None:
        try:
            return self.path.read_text("utf-8", "replace")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise PluginError(
                f"cannot read {self.path} ({error.strerror}): see to it that it is {source()}, or"
                " not there"
            ) from error


def _version(text: str) -> int:
    found = _VERSION.search(text)
    return int(found[1]) if found else 0
