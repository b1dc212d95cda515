"""What Action Scheduler's own runner asks of the database, restated in plain PyMySQL.

Eleven statements an action in its order, four of them writes with a commit each; a claim in its
order of rows. It stands for PHP's runner where there is no PHP: the handler does nothing.
"""

from __future__ import annotations

T = "wp_actionscheduler_"
CLAIM = (
    f"UPDATE {T}actions t1 JOIN (SELECT action_id FROM {T}actions WHERE claim_id = 0"
    " AND scheduled_date_gmt <= UTC_TIMESTAMP() AND status = 'pending' ORDER BY priority, attempts,"
    " scheduled_date_gmt, action_id LIMIT %s FOR UPDATE SKIP LOCKED) t2 USING (action_id)"
    " SET claim_id = %s, last_attempt_gmt = UTC_TIMESTAMP(), last_attempt_local = UTC_TIMESTAMP()"
)
LOG = (
    f"INSERT INTO {T}logs (action_id, message, log_date_gmt, log_date_local)"
    " VALUES (%s, %s, UTC_TIMESTAMP(), UTC_TIMESTAMP())"
)
FETCH = f"SELECT a.*, g.slug FROM {T}actions a LEFT JOIN {T}groups g USING (group_id) WHERE action_id = %s"


def drain(connection, batch: int) -> int:
    """Runs everything that is due; returns the number of actions."""
    done = 0
    with connection.cursor() as cursor:
        while actions := _claim(cursor, batch):
            claim, ids = actions
            for action in ids:
                _run(cursor, claim, action)
            cursor.execute(
                f"UPDATE {T}actions SET claim_id = 0 WHERE claim_id = %s AND status = 'pending'",
                claim,
            )
            cursor.execute(f"DELETE FROM {T}claims WHERE claim_id = %s", claim)
            done += len(ids)
    return done


def _claim(cursor, batch: int):
    cursor.execute(f"INSERT INTO {T}claims (date_created_gmt) VALUES (UTC_TIMESTAMP())")
    claim = cursor.lastrowid
    cursor.execute(CLAIM, (batch, claim))
    cursor.execute(f"SELECT action_id FROM {T}actions WHERE claim_id = %s AND status = 'pending'"
                   " ORDER BY priority, attempts, scheduled_date_gmt, action_id", claim)  # fmt: skip
    ids = [row[0] for row in cursor.fetchall()]
    if not ids:
        cursor.execute(f"DELETE FROM {T}claims WHERE claim_id = %s", claim)
        return None
    return claim, ids


def _run(cursor, claim: int, action: int) -> None:
    cursor.execute(f"SELECT claim_id FROM {T}actions WHERE action_id = %s", action)
    assert cursor.fetchone()[0] == claim
    cursor.execute(f"SELECT status FROM {T}actions WHERE action_id = %s", action)
    cursor.execute(LOG, (action, "action started via WP CLI"))
    cursor.execute(FETCH, action)
    cursor.execute(
        f"UPDATE {T}actions SET attempts = attempts + 1, status = 'in-progress', last_attempt_gmt ="
        " UTC_TIMESTAMP(), last_attempt_local = UTC_TIMESTAMP() WHERE action_id = %s", action,
    )  # fmt: skip
    cursor.execute(LOG, (action, "action complete via WP CLI"))
    cursor.execute(FETCH, action)
    cursor.execute(
        f"UPDATE {T}actions SET status = 'complete', last_attempt_gmt = UTC_TIMESTAMP(),"
        " last_attempt_local = UTC_TIMESTAMP() WHERE action_id = %s", action,
    )  # fmt: skip
    cursor.execute(FETCH, action)
    cursor.execute(f"SELECT status FROM {T}actions WHERE action_id = %s", action)
    cursor.execute(f"SELECT claim_id FROM {T}actions WHERE action_id = %s", action)
