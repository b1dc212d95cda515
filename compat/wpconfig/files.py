"""Reads the files of a site's configuration, and refuses those that anybody may have written."""

import stat
from pathlib import Path

from compat.wpconfig.errors import WpConfigError, shown
from compat.wpconfig.functions import read_bytes


def load(path: Path) -> str:
    """The content, one character a byte (latin-1). Raises WpConfigError."""
    name = shown(str(path))
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise WpConfigError(f"{name} is a folder: give the file")
        if mode & stat.S_IWOTH:
            raise WpConfigError(
                f"{name} is writable for everybody, so its content proves nothing: chmod o-w {name}"
            )
        return read_bytes(path).decode("latin-1")
    except FileNotFoundError:
        raise WpConfigError(f"{name} is not there: check the path") from None
    except PermissionError:
        raise WpConfigError(
            f"{name} cannot be read by this user: run as the site's user, or give it the right"
        ) from None
    except OSError as error:
        raise WpConfigError(f"{name} cannot be read: {error.strerror}") from None
    except WpConfigError:
        raise
    except ValueError as error:
        raise WpConfigError(f"{name} cannot be read: it {error}") from None
