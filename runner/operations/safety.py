"""Whether it is safe to work here: two runners of one queue destroy each other's work.

PHP's runner fails every action whose hook has no PHP callback, and one claim of ours stops PHP's
whole queue. So the native mode is for sites whose PHP runner is off, and only the operator knows
that: an old WP-Cron event never proves it. Beside a live one rows are parked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compat.action_scheduler import INSTALLED
from runner.core.errors import ConfigError, SafetyRefusal

if TYPE_CHECKING:
    from runner.core.installed import Installed
    from runner.site import Site


WITHOUT_TABLES = (
    "the runner's own tables are missing: what a dead worker held is taken back after 300 seconds"
    " instead of 60, and attempts are not recorded. `runner migrate` makes them"
)


def parks(mode: str, site: Site) -> bool:
    """Whether rows are parked in this mode; in `auto` where the runner was installed for it."""
    return mode == "parked" or (mode == "auto" and site.installed is not None)


def check_mode(mode: str, site: Site, dialect: str, hooks: int) -> None:
    """Raises SafetyRefusal where `auto` finds that PHP's runner may be alive, and where rows cannot
    be parked; ConfigError on a copy of the site, and where `native` would miss what is parked."""
    check_installed(site)
    if parks(mode, site):
        _check_parking(site, dialect)
        return
    _check_not_parked(site)
    _check_left(site)
    if mode == "native" or dialect == "sqlite" or not site.php_scheduled:
        return
    many = f"the {hooks} hooks" if hooks != 1 else "the hook"
    raise SafetyRefusal(
        f"nothing was touched: PHP's own queue runner may be alive on this site. It would fail"
        f" every action of {many} handled here that it meets, and each claim of ours would stop"
        " its whole queue. To work beside it: `runner install` (or --mode parked). If it is"
        " switched off, say so: --mode native (or RUNNER_MODE=native)"
    )


def check_readable(site: Site) -> None:
    """Raises ConfigError where nobody knows which hooks are Python's."""
    if site.installed and site.installed.problem:
        raise ConfigError(
            f"option {INSTALLED}, which names the hooks of Python, {site.installed.problem}:"
            " `runner install` writes it anew"
        )


def check_installed(site: Site) -> None:
    """Raises ConfigError for an option that cannot be read, and where the runner was installed for
    another address: a copy of a shop would charge its customers again."""
    check_readable(site)
    found = site.installed
    if found and not found.is_for(site.url, site.database):
        raise ConfigError(
            f"nothing was touched: this is a copy of a site. {other_site(found, site)} If it is to"
            " do its own work: `runner install --confirm-site`"
        )


def other_site(found: Installed, site: Site) -> str:
    """For which site the runner was installed, in a sentence. Tools that copy sites have replaced
    the address in it, so that it may say nothing."""
    there, here = found.siteurl, site.url
    if found.database not in {"", site.database}:
        there, here = f"{there} in database {found.database}", f"{here} in {site.database}"
    elif there == here:
        there = "another address"
    return f"The runner was installed for {there}, and this is {here}."


def _check_not_parked(site: Site) -> None:
    """Raises ConfigError where the native mode, left over from the time before, would see none of
    the actions that are parked here: nobody would run them."""
    if site.installed is not None:
        raise ConfigError(
            "nothing was touched: the runner is installed beside PHP's here, and the native mode"
            " sees no parked action. Leave the mode out (--mode, RUNNER_MODE, mode in runner.toml);"
            " or `runner uninstall`, if PHP's runner is switched off"
        )


def _check_left(site: Site) -> None:
    """Raises ConfigError for parked actions of an installation that is gone: PHP never runs them,
    and in the native mode nobody would."""
    if site.parked and site.installed is None:
        raise ConfigError(
            f"nothing was touched: actions are parked here, but option {INSTALLED} is gone (a copy,"
            " or an old backup?). `runner install` parks again what is Python's; `runner uninstall`"
            " gives every action its true date back"
        )


def _check_parking(site: Site, dialect: str) -> None:
    if dialect == "sqlite":
        raise SafetyRefusal("no PHP runner works on a SQLite file: --mode native is for there")
    if not site.migrated:
        raise SafetyRefusal(
            "nothing was touched: beside PHP's runner what is held is noted in the runner's own"
            " tables, and they are missing or old: `runner migrate` makes them"
        )
    if not site.null_dates:
        raise SafetyRefusal(
            "nothing was touched: PHP's cleaner would fail what runs here, since last_attempt_gmt"
            " cannot be NULL in this Action Scheduler's table. Update Action Scheduler to 3.3 or"
            " newer"
        )
