"""The files of a site's configuration: where they lie, and which are safe to read."""

import stat
from contextlib import suppress
from pathlib import Path

from compat.wpconfig.config import WpConfig, WpConfigError, shown

MAX_BYTES = 1_048_576
"""Largest file that is read."""

_NAME = "wp-config.php"


class NotReadable(ValueError):
    """A device, a folder, or more than MAX_BYTES."""


def find(start: Path) -> Path | None:
    """The configuration of the WordPress in this folder: beside wp-load.php, or one folder up
    unless that is another WordPress (it has a wp-settings.php). Of a Bedrock project it is the one
    in `web`."""
    start = start.absolute()
    beside, above, web = start / _NAME, start.parent / _NAME, start / "web" / _NAME
    if beside.is_file():
        return beside
    is_wordpress = (start / "wp-load.php").is_file()
    if is_wordpress and above.is_file() and not (start.parent / "wp-settings.php").exists():
        return above
    if web.is_file() and (start / "config" / "application.php").is_file():
        return web
    return None


def walk_up(start: Path) -> Path | None:
    """The first configuration found from a folder up to the root. Folders that everybody may write
    to, such as /tmp, are passed over: anyone could have put a file there."""
    start = start.resolve()
    for folder in (start, *start.parents):
        try:
            if folder.stat().st_mode & stat.S_IWOTH:
                continue
            found = find(folder)
        except OSError:
            continue
        if found:
            return found
    return None


def wordpress_of(folder: Path) -> Path:
    """Where WordPress lies, which loads the configuration: here, or in the one folder below."""
    if (folder / "wp-load.php").exists():
        return folder
    below = [found.parent for found in folder.glob("*/wp-load.php")]
    return below[0] if len(below) == 1 else folder


def mu_plugins(config: WpConfig) -> Path:
    """The folder of plugins that WordPress always loads."""
    said, content = config.constants.get("WPMU_PLUGIN_DIR"), config.constants.get("WP_CONTENT_DIR")
    if said:
        return Path(str(said))
    folder = wordpress_of(config.path.absolute().parent)
    return Path(str(content or folder / "wp-content")) / "mu-plugins"


def load(path: Path) -> str:
    """The content, one character a byte (latin-1). Raises WpConfigError."""
    name = shown(str(path))
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise WpConfigError(f"{name} is a folder: give the file")
        if mode & stat.S_IWOTH:
            raise WpConfigError(
                f"{name} is writable for everybody, who may have put in anything: chmod o-w {name}"
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
    except NotReadable as error:
        raise WpConfigError(f"{name} {error}: check the path") from None


def read_bytes(path: Path) -> bytes:
    """The content of a plain file. Raises OSError or NotReadable."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise NotReadable("is no plain file")
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise NotReadable(f"is larger than {MAX_BYTES} bytes")
    return data


def database_layer(settings: Path, drop_in: Path) -> list[str]:
    """One line for each sign of another database layer under WordPress: HyperDB's and LudicrousDB's
    settings (db-config.php), or a drop-in (db.php) of theirs or of SQLite."""
    found = [settings] if settings.exists() else []
    with suppress(OSError, NotReadable):
        if any(sign in read_bytes(drop_in) for sign in (b"LudicrousDB", b"HyperDB", b"SQLITE_DB")):
            found.append(drop_in)
    consequence = "the site's data may lie elsewhere; what wp-config.php names is used"
    return [f"{shown(str(file))} is of another database layer: {consequence}" for file in found]
