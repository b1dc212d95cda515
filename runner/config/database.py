"""Where the database is, by the order that WP-CLI's users expect: what is said outright, then the
variables of the official image, then the site's own wp-config.php."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from compat.db_host import parse_db_host
from compat.tables import PREFIX
from runner.config.layers import Rank, Resolved, variable
from runner.core.errors import ConfigError, UsageError
from runner.storage.dsn import Dsn, parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from compat.wpconfig import WpConfig

_IMAGE = "WORDPRESS_DB_"

_WAYS = (
    "no database is configured. Give --wp-path DIR of a WordPress (or work inside its folder), or"
    " --dsn mysql://user@host/database (password in RUNNER_DB_PASSWORD or RUNNER_DB_PASSWORD_FILE),"
    " or RUNNER_DSN, or WORDPRESS_DB_HOST, WORDPRESS_DB_USER, WORDPRESS_DB_PASSWORD and"
    " WORDPRESS_DB_NAME"
)


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the tables are. `origin` says in words where that was found; `warnings` are what a
    user should know about it; `mu_plugins` is the folder of the site's must-use plugins, where its
    files are known."""

    dsn: Dsn
    prefix: str
    origin: str = ""
    warnings: tuple[str, ...] = ()
    mu_plugins: Path | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    """A database and how loudly its prefix was said; an empty prefix says nothing."""

    dsn: Dsn
    origin: str
    prefix: str
    rank: Rank
    warnings: tuple[str, ...] = ()
    mu_plugins: Path | None = None


def find(resolved: Resolved, environ: Mapping[str, str], here: Path) -> Connection:
    """Finds the database. `here` is the working folder.

    Raises ConfigError or UsageError with what to do.
    """
    settings = resolved.settings
    if resolved.several:
        names = ", ".join(resolved.sites)
        raise UsageError(f"there are several sites: say which one with --site NAME ({names})")
    said = min(resolved.rank("dsn"), resolved.rank("wp_path"))
    if said > Rank.ENVIRONMENT and any(name.startswith(_IMAGE) for name in environ):
        found = _official_image(environ)
    elif settings.dsn:
        found = _from_dsn(resolved)
    else:
        found = _from_wordpress(settings.wp_path, environ, here)
    return Connection(
        _with_settings(found.dsn, resolved),
        _of_blog(_prefix(found, resolved, environ), settings.blog),
        found.origin,
        found.warnings,
        found.mu_plugins,
    )


def _of_blog(prefix: str, blog: int) -> str:
    """In a network of sites each but the first has its number in its tables' names."""
    return prefix if blog == 1 else f"{prefix}{blog}_"


def _with_settings(dsn: Dsn, resolved: Resolved) -> Dsn:
    """What settings say of password and TLS counts before what came with the database."""
    settings = resolved.settings
    if resolved.rank("db_password") < Rank.DEFAULT and not (settings.dsn and dsn.password_given):
        dsn = replace(dsn, password=settings.db_password)
    if resolved.rank("db_tls") < Rank.DEFAULT:
        dsn = replace(dsn, tls=settings.db_tls)
    return replace(dsn, ssl_ca=settings.db_ssl_ca or dsn.ssl_ca)


def _prefix(found: _Found, resolved: Resolved, environ: Mapping[str, str]) -> str:
    setting = resolved.given["table_prefix"]
    if found.prefix and setting.value and setting.rank == found.rank:
        if found.prefix != setting.value:
            raise ConfigError(
                f"there are two table prefixes, {setting.value} in {setting.origin} and"
                f" {found.prefix} in {found.origin}: take one of them out"
            )
    elif found.prefix and found.rank <= setting.rank:
        return found.prefix
    return setting.value or found.prefix or environ.get("WORDPRESS_TABLE_PREFIX") or "wp_"


def _from_dsn(resolved: Resolved) -> _Found:
    given = resolved.given["dsn"]
    dsn = parse(resolved.settings.dsn)
    if dsn.password_given:
        _check_password(resolved, given.rank)
    return _Found(dsn, given.origin, dsn.prefix or "", given.rank)


def _check_password(resolved: Resolved, rank: Rank) -> None:
    ways = "Put it into RUNNER_DB_PASSWORD or a file named by RUNNER_DB_PASSWORD_FILE"
    origin = resolved.given["dsn"].origin
    if rank == Rank.FLAG and origin.startswith("--"):
        raise UsageError(
            "--dsn must not hold a password: everybody can read a command line."
            f" {ways}, or use RUNNER_DSN"
        )
    if rank in {Rank.FILE, Rank.SITE}:
        raise ConfigError(f"{resolved.given['dsn'].origin} must not hold a password. {ways}")
    if resolved.rank("db_password") == rank:
        names = f"{resolved.given['dsn'].origin} and {resolved.given['db_password'].origin}"
        raise ConfigError(f"there are two passwords, in {names}: take one of them out")


def _official_image(environ: Mapping[str, str]) -> _Found:
    """The variables of the official WordPress image, each also as a file."""
    wrong: list[str] = []
    names = ("DB_HOST", "DB_USER", "DB_PASSWORD", "DB_NAME", "TABLE_PREFIX")
    values = {n: variable(f"WORDPRESS_{n}", environ, wrong, file=True)[0] or "" for n in names}
    missing = [f"WORDPRESS_{n}" for n in ("DB_HOST", "DB_USER", "DB_NAME") if not values[n]]
    if missing and not wrong:
        wrong.append(f"not set: {', '.join(missing)} (or the same with _FILE)")
    if wrong:
        raise ConfigError(*wrong)
    dsn = _dsn(values["DB_NAME"], values["DB_HOST"], values["DB_USER"], values["DB_PASSWORD"])
    return _Found(dsn, f"{_IMAGE}*", values["TABLE_PREFIX"], Rank.IMAGE)


def _from_wordpress(wp_path: str, environ: Mapping[str, str], here: Path) -> _Found:
    """The site's wp-config.php: of the folder given, or of the one that we are in."""
    from compat import wpconfig  # noqa: PLC0415  most runs are told where the database is

    try:
        given = Path(wp_path)
        if wp_path and given.is_file():
            path: Path | None = given
        else:
            path = wpconfig.find(given) if wp_path else wpconfig.walk_up(here)
        if path is None:
            raise ConfigError(_nothing_at(wp_path))
        return _from_config(wpconfig.read(path, environ))
    except wpconfig.WpConfigError as error:
        leave = ", and leave --wp-path (RUNNER_WP_PATH, wp_path) out" if wp_path else ""
        raise ConfigError(f"{error}{leave}") from error


def _from_config(config: WpConfig) -> _Found:
    from compat.wpconfig import mu_plugins, tls_of  # noqa: PLC0415  as above

    facts = config.constants
    if str(facts.get("DB_ENGINE", "")).lower() == "sqlite":
        raise ConfigError(
            f"{config.path}: this site keeps its data in SQLite, not in MySQL or MariaDB. Working"
            " beside it is not supported"
        )
    tls = tls_of(facts)
    dsn = replace(
        _dsn(*(str(facts[f"DB_{name}"]) for name in ("NAME", "HOST", "USER", "PASSWORD"))),
        tls=("verify" if tls.verify else "required") if tls.wanted else "auto",
        ssl_ca=tls.ca,
    )
    if config.table_prefix and not PREFIX.fullmatch(config.table_prefix):
        raise ConfigError(f"{config.path}: the table prefix {config.table_prefix!r} cannot be one")
    return _Found(
        dsn,
        str(config.path),
        config.table_prefix or "",
        Rank.DEFAULT,
        config.warnings,
        mu_plugins(config),
    )


def _dsn(database: str, db_host: str, user: str, password: str) -> Dsn:
    """From WordPress's four facts; no host is PHP's default, the local server."""
    place = parse_db_host(db_host)
    return Dsn(
        dialect="mysql",
        database=database,
        host=place.host or "localhost",
        port=place.port or 0,
        socket=place.socket or "",
        user=user,
        password=password,
        password_given=True,
    )


def _nothing_at(wp_path: str) -> str:
    if not wp_path:
        return _WAYS
    return (
        f"there is no wp-config.php in {wp_path} or above it: --wp-path wants a WordPress's folder"
    )
