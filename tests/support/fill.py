"""Many rows at once, shaped as Action Scheduler's."""

from __future__ import annotations

from compat import schedules
from compat.site_time import ZERO, sql_date


def fill(
    site, count: int, mix: str, *, hooks: tuple[str, ...], now: int, priority: int = 10
) -> None:
    """Adds rows that are all due, all future or all complete, spread over the hooks."""
    at = {"due": now - 86_400, "future": now + 86_400, "complete": now - 86_400}[mix]
    status = "complete" if mix == "complete" else "pending"
    claim = 9_000_000 if mix == "complete" else 0
    attempted = sql_date(at) if mix == "complete" else ZERO
    quoted = ", ".join(f"'{hook}'" for hook in hooks)
    names = f"ELT(1 + seq MOD {len(hooks)}, {quoted})"
    schedule = schedules.simple(at).to_bytes().decode()
    site.run(
        f"INSERT INTO {site.table('actions')} (hook, status, scheduled_date_gmt, scheduled_date_local,"
        " priority, args, schedule, group_id, attempts, last_attempt_gmt, last_attempt_local, claim_id)"
        f" SELECT {names}, %s, %s + INTERVAL seq MOD 80000 SECOND, %s + INTERVAL seq MOD 80000 SECOND,"
        f" %s, CONCAT('[', seq, ']'), %s, 0, %s, %s, %s, %s FROM {numbers(count)}",
        (status, sql_date(at), sql_date(at), priority, schedule, int(mix == "complete"), attempted,
         attempted, claim),
    )  # fmt: skip
    site.run(f"ANALYZE TABLE {site.table('actions')}")


def numbers(count: int) -> str:
    """A derived table of the numbers 0 to count - 1, on any server."""
    digits = " UNION ALL ".join(f"SELECT {n} AS d" for n in range(10))
    power = len(str(count - 1))
    parts = ", ".join(f"({digits}) AS t{i}" for i in range(power))
    value = " + ".join(f"t{i}.d * {10**i}" for i in range(power))
    return f"(SELECT {value} AS seq FROM {parts} HAVING seq < {count}) AS numbers"
