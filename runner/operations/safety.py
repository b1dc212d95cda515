"""Whether it is safe to work here: two runners of one queue destroy each other's work.

PHP's runner fails every action whose hook has no PHP callback, and one claim of ours stops PHP's
whole queue. So the native mode is for sites whose PHP runner is off, and only the operator knows
that: an old WP-Cron event never proves it. Beside a live one rows are parked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runner.core.errors import SafetyRefusal

if TYPE_CHECKING:
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
    be parked."""
    if parks(mode, site):
        _check_parking(site, dialect)
        return
    if mode == "native" or dialect == "sqlite" or not site.php_scheduled:
        return
    many = f"the {hooks} hooks" if hooks != 1 else "the hook"
    raise SafetyRefusal(
        f"nothing was touched: PHP's own queue runner may be alive on this site. It would fail"
        f" every action of {many} handled here that it meets, and each claim of ours would stop"
        " its whole queue. To work beside it: --mode parked. If it is switched off, say so:"
        " --mode native (or RUNNER_MODE=native)"
    )


def _check_parking(site: Site, dialect: str) -> None:
    if dialect == "sqlite":
        raise SafetyRefusal("no PHP runner works on a SQLite file: --mode native is for there")
    if not site.migrated:
        raise SafetyRefusal(
            "nothing was touched: beside PHP's runner what is held is noted in the runner's own"
            " tables, and they are missing or old: `runner migrate` makes them"
        )
