"""Reads the files of a site's configuration, and refuses those that anybody may have written."""

import stat
from pathlib import Path

from compat.wpconfig.errors import WpConfigError, shown
from compat.wpconfig.functions import NotReadable, read_bytes


def load(path: Path) -> str:
    """The content, one character a byte (latin-1). Raises WpConfigError."""
    name = shown(str(path))
    try:
        if problem := _unsafe(path.stat().st_mode, name):
            raise WpConfigError(problem)
        return read_bytes(path).decode("latin-1")
    except FileNotFoundError:
        raise WpConfigError(f"{name} is not there: check the path") from None
    except PermissionError:
        raise WpConfigError(
            f"{name} cannot be read by this user: run as the site's user, or give it the right"
        ) from None
    except OSError as error:
        raise WpConfigError(f"{name} cannot be read: {error.strerror}") from None
    except NotReadable as error:
        raise WpConfigError(f"{name} {error}: check the path") from None


def _unsafe(mode: int, name: str) -> str:
    if stat.S_ISDIR(mode):
        return f"{name} is a folder: give the file"
    if mode & stat.S_IWOTH:
        return f"{name} is writable for everybody, who may have put in anything: chmod o-w {name}"
    return ""
