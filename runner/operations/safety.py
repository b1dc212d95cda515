"""Whether it is safe to work here: two runners of one queue destroy each other's work.

PHP's runner fails every action whose hook has no PHP callback, and one claim of ours stops PHP's
whole queue. So the native mode is for sites whose PHP runner is off, and only the operator knows
that: an old WP-Cron event never proves it.
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


def check_mode(mode: str, site: Site, dialect: str, hooks: int) -> None:
    """Raises SafetyRefusal where `auto` finds that PHP's runner may be alive."""
    if mode == "native" or dialect == "sqlite" or not site.php_scheduled:
        return
    many = f"the {hooks} hooks" if hooks != 1 else "the hook"
    raise SafetyRefusal(
        f"nothing was touched: PHP's own queue runner may be alive on this site. It would fail"
        f" every action of {many} handled here that it meets, and each claim of ours would stop"
        " its whole queue. If PHP's runner is switched off, say so: --mode native (or"
        " RUNNER_MODE=native)"
    )
