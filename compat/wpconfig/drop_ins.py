"""Files that put another database layer under WordPress."""

from pathlib import Path

from compat.wpconfig.errors import shown

_HEAD = 65_536
_ELSEWHERE = "the site may have several database servers; what wp-config.php names is used"
# What the text of wp-content/db.php tells, and what follows.
_LAYERS = {
    "LudicrousDB": _ELSEWHERE,
    "HyperDB": _ELSEWHERE,
    "hyperdb": _ELSEWHERE,
    "SQLITE_DB_DROPIN_VERSION": "the site may keep its data in SQLite, not on a server",
}


def drop_in_warnings(folder: Path, content: Path) -> tuple[str, ...]:
    """One line for each sign of such a layer. `content` is the site's wp-content."""
    warnings = []
    settings = folder / "db-config.php"
    if settings.exists():
        warnings.append(f"{shown(str(settings))} is there (HyperDB or LudicrousDB): {_ELSEWHERE}")
    layer = content / "db.php"
    text = _head(layer)
    for sign, consequence in _LAYERS.items():
        if sign in text:
            warnings.append(f"{shown(str(layer))} is a database layer ({sign}): {consequence}")
            break
    return tuple(warnings)


def _head(path: Path) -> str:
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return file.read(_HEAD).decode("latin-1")
    except OSError:
        return ""
