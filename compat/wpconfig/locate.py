"""Where a site's wp-config.php lies."""

import stat
from pathlib import Path

NAME = "wp-config.php"


def find(start: Path) -> Path | None:
    """The configuration of the WordPress in this folder: beside wp-load.php, or one folder up
    unless that is another WordPress (it has a wp-settings.php). Of a Bedrock project it is the one
    in `web`."""
    start = start.absolute()
    beside, above, web = start / NAME, start.parent / NAME, start / "web" / NAME
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
