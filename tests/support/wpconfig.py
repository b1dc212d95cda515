"""A site's folder whose wp-config.php a test writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from compat.wpconfig import WpConfig, WpConfigError, read

if TYPE_CHECKING:
    from pathlib import Path

START = "$table_prefix = 'wp_';\n"
END = """
define('DB_NAME', 'n'); define('DB_USER', 'u'); define('DB_PASSWORD', 'p');
define('DB_HOST', 'h'); require_once ABSPATH . 'wp-settings.php';
"""
WAYS = ". Give --dsn"


def folder(path: Path) -> Path:
    """A folder that looks like WordPress, with files to include."""
    (path / "inc").mkdir(parents=True)
    (path / "wp-load.php").write_text("<?php")
    (path / "wp-settings.php").write_text("<?php define('DB_NAME', 'never read');")
    (path / "vendor").mkdir()
    (path / "vendor/autoload.php").write_text("<?php")
    (path / "inc/a.php").write_text(
        "<?php if (!defined('DB_USER')) define('DB_USER', 'inc'); $table_prefix = 'inc_'; return;"
        " define('DB_HOST', 'not reached');"
    )
    (path / "inc/b.php").write_text("<?php return ['n' => 'bee', 'k' => ['p' => 'q']];")
    (path / "inc/c.php").write_text("<?php namespace X; const DB_NAME = 'no'; return __DIR__;")
    return path


def write(path: Path, code: str) -> Path:
    """The wp-config.php: the code, with what it leaves undefined set to n, u, p, h and wp_."""
    whole = code if code.startswith(("<?php", "\ufeff")) else f"<?php\n{START}{code}{END}"
    file = path / "wp-config.php"
    file.write_bytes(whole.encode("utf-8", "surrogateescape"))
    return file


def facts(config: WpConfig) -> dict[str, object]:
    """The four constants and the prefix under short names."""
    short = {"n": "DB_NAME", "u": "DB_USER", "p": "DB_PASSWORD", "h": "DB_HOST"}
    found = {letter: config.constants.get(name) for letter, name in short.items()}
    return found | {"t": config.table_prefix}


def outcome(path: Path, environ: dict[str, str] | None = None) -> dict[str, object] | str:
    """The facts, or why not: what the error says between the file's name and the ways out."""
    try:
        return facts(read(path, environ or {}))
    except WpConfigError as error:
        return str(error).partition(WAYS)[0].replace(f"{path.parent}/", "")
