"""Recurring actions: the next row of a chain, written once, with the final outcome.

Action Scheduler inserts the next instance after the run, also after a failure, dated from now and
not from the date that was due. It ends a chain when the five oldest rows of the hook, args and
group ignored, are all failed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compat.action_scheduler import CREATED, FAILURE_THRESHOLD, chain_ended
from compat.cron_expression import CronError
from compat.schedules import ScheduleError
from compat.site_time import ZERO, sql_date
from runner.core.model import Dead

if TYPE_CHECKING:
    from compat.site_time import SiteZone
    from runner.core.model import Settlement
    from runner.sources.journal import Line
    from runner.storage.db import Transaction
    from runner.storage.queries import Queries


def continue_chain(
    tx: Transaction, queries: Queries, zone: SiteZone, settlement: Settlement, now: float
) -> list[Line]:
    """Writes the next row if there is one; returns the log lines that tell of it.

    `now` is the database's time in epoch seconds. The settled row must have its final status
    already: the rule about failures counts it.
    """
    action = settlement.action
    if not action.schedule.is_recurring:
        return []
    if isinstance(settlement.outcome, Dead) and _keeps_failing(tx, queries, action.hook):
        why = f"the {FAILURE_THRESHOLD} oldest actions of this hook have all failed"
        return [(action.id, chain_ended(why))]
    try:
        at = action.schedule.following(now)
        following = None if at is None else action.schedule.moved_to(at)
    except (CronError, ScheduleError) as error:
        return [(action.id, chain_ended(str(error)))]
    if following is None or following.at is None:
        return []
    if sql_date(following.at) == ZERO:  # would be due at once, and so would the one after it
        return [(action.id, chain_ended("its next date is outside the calendar"))]
    new_id = tx.insert(
        queries["next_instance"],
        id=action.id,
        gmt=sql_date(following.at),
        local=zone.local(following.at),
        schedule=following.to_bytes().decode("utf-8", "surrogateescape"),
    )
    return [(new_id, CREATED)]


def _keeps_failing(tx: Transaction, queries: Queries, hook: str) -> bool:
    fifth = tx.query(queries["fifth_failed"], hook=hook, before=FAILURE_THRESHOLD - 1)
    if not fifth:
        return False
    date = fifth[0]["scheduled_date_gmt"]
    return not tx.query(queries["others_before"], hook=hook, fifth=date)
