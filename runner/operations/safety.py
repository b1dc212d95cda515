"""Whether it is safe to work here: two runners of one queue destroy each other's work.

PHP's runner fails every action whose hook has no PHP callback, and one claim of ours stops PHP's
whole queue. So the native mode is for sites whose PHP runner is off, and only the operator knows
that: an old WP-Cron event never proves it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compat.action_scheduler import INSTALLED
from runner.core.errors import ConfigError, SafetyRefusal

if TYPE_CHECKING:
    from runner.site import Site


WITHOUT_TABLES = (
    "the runner's own tables are missing: what a dead worker held is taken back after 300 seconds"
    " instead of 60, and attempts are not recorded. `runner migrate` makes them"
)


def check_mode(mode: str, site: Site, dialect: str, hooks: int) -> None:
    """Raises SafetyRefusal where `auto` finds that PHP's runner may be alive, ConfigError on a copy
    of the site."""
    check_copy(site)
    if mode == "native" or dialect == "sqlite" or not site.php_scheduled:
        return
    many = f"the {hooks} hooks" if hooks != 1 else "the hook"
    raise SafetyRefusal(
        f"nothing was touched: PHP's own queue runner may be alive on this site. It would fail"
        f" every action of {many} handled here that it meets, and each claim of ours would stop"
        " its whole queue. If PHP's runner is switched off, say so: --mode native (or"
        " RUNNER_MODE=native)"
    )


def check_copy(site: Site) -> None:
    """Raises ConfigError where the runner was installed for another address: a copy of a shop would
    charge its customers again."""
    found = site.installed
    if found is None:
        return
    if found.problem:
        raise ConfigError(
            f"option {INSTALLED}, which names the hooks of Python, {found.problem}:"
            " `runner install` writes it anew"
        )
    if not found.is_for(site.url):
        raise ConfigError(
            f"nothing was touched: this is a copy of a site. The runner was installed for"
            f" {found.siteurl}, and this is {site.url}. If it is to do its own work:"
            " `runner install --confirm-site`"
        )
