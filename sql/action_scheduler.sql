-- Statements on Action Scheduler's own tables. They hold for MySQL, MariaDB and SQLite; `@sqlite`
-- marks the few that differ there. Braces are filled once at connect: tables with the site's
-- prefix, index hints by what the site really has. Times are UTC by the database's clock.

-- name: look
-- The best of what the branches see, in Action Scheduler's order; abandoned work comes first.
SELECT kind, action_id, priority, attempts, scheduled_date_gmt, now
FROM (/*branches*/) AS seen
ORDER BY kind DESC, priority, attempts, scheduled_date_gmt, action_id LIMIT :limit

-- name: due
-- The oldest due rows of one hook, without locks: one short index range. Repeated for each hook.
-- HEX makes the comparison exact: by the column's collation OK_Hook would equal ok_hook.
SELECT 'due' AS kind, action_id, priority, attempts, scheduled_date_gmt, {now} AS now
FROM (
  SELECT action_id, {priority} AS priority, attempts, scheduled_date_gmt
  FROM {actions} {hook_index}
  WHERE hook = :hook AND HEX(hook) = HEX(:hook) AND status = 'pending' AND claim_id = 0
    AND scheduled_date_gmt <= UTC_TIMESTAMP() /*groups*/
  ORDER BY scheduled_date_gmt LIMIT :limit
) AS due

-- name: first_open
-- The first due row of a hook, from a date on, that no paused group holds up.
SELECT scheduled_date_gmt AS reached FROM {actions} {hook_index}
WHERE hook = :hook AND HEX(hook) = HEX(:hook) AND status = 'pending' AND claim_id = 0
  AND scheduled_date_gmt <= UTC_TIMESTAMP() AND (:since IS NULL OR scheduled_date_gmt >= :since)
  AND group_id NOT IN (:paused)
ORDER BY scheduled_date_gmt LIMIT 1

-- name: urgent
-- Due rows of one priority above the normal one, whatever their hook, so that an urgent row is
-- seen although many older ones of its hook wait. Bounded: reads :limit rows, then drops others'.
SELECT 'due' AS kind, action_id, priority, attempts, scheduled_date_gmt, {now} AS now
FROM (
  SELECT action_id, hook, group_id, priority, attempts, scheduled_date_gmt
  FROM {actions} {claim_index}
  WHERE claim_id = 0 AND status = 'pending' AND priority = :urgency
    AND scheduled_date_gmt <= UTC_TIMESTAMP()
  ORDER BY scheduled_date_gmt LIMIT :limit
) AS urgent
WHERE HEX(hook) IN (:open_hex) /*groups*/

-- name: expired
-- Rows of ours that a dead worker left: claimed or begun, and not touched for :expiry seconds.
-- A zero date counts as old, NULL never matches (as Action Scheduler's cleaner reads it).
SELECT 'expired' AS kind, action_id, {priority} AS priority, attempts, scheduled_date_gmt,
  {now} AS now
FROM (
  SELECT * FROM (
    SELECT action_id, {priority} AS priority, attempts, scheduled_date_gmt
    FROM {actions}
    WHERE status = 'in-progress' AND last_attempt_gmt <= FROM_UNIXTIME(UNIX_TIMESTAMP() - :expiry)
      AND HEX(hook) IN (:hooks_hex) /*groups*/
    LIMIT :limit
  ) AS running
  UNION ALL
  SELECT * FROM (
    SELECT action_id, {priority} AS priority, attempts, scheduled_date_gmt
    FROM {actions}
    WHERE status = 'pending' AND claim_id > 0
      AND last_attempt_gmt <= FROM_UNIXTIME(UNIX_TIMESTAMP() - :expiry)
      AND HEX(hook) IN (:hooks_hex) /*groups*/
    LIMIT :limit
  ) AS claimed
) AS expired

-- name: chosen
-- Rows that were chosen by id, due or not, if they may be claimed.
SELECT action_id, {priority} AS priority, attempts, scheduled_date_gmt, {now} AS now
FROM {actions}
WHERE action_id IN (:ids) AND claim_id = 0 AND status = 'pending' AND HEX(hook) IN (:hooks_hex)

-- name: lock_due
-- Locks candidates by primary key and reads them whole: what is returned is ours to claim.
SELECT action_id, hook, status, {priority} AS priority, args, extended_args, schedule, group_id,
  attempts, claim_id
FROM {actions} {by_key}
WHERE action_id IN (:ids) AND claim_id = 0 AND status = 'pending'
  AND (:chosen OR scheduled_date_gmt <= UTC_TIMESTAMP())
{lock_free}

-- name: lock_expired
-- The same for expired rows; the date is tested again, now under the lock.
SELECT action_id, hook, status, {priority} AS priority, args, extended_args, schedule, group_id,
  attempts, claim_id
FROM {actions} {by_key}
WHERE action_id IN (:ids) AND last_attempt_gmt <= FROM_UNIXTIME(UNIX_TIMESTAMP() - :expiry)
  AND (status = 'in-progress' OR (status = 'pending' AND claim_id > 0))
{lock_free}

-- name: new_claim
-- The claim's own row; its id is the token. Written only when there is something to claim.
INSERT INTO {claims} (date_created_gmt) VALUES (UTC_TIMESTAMP())

-- name: mark
-- Marks locked rows as ours.
UPDATE {actions} {by_key}
SET claim_id = :claim, last_attempt_gmt = UTC_TIMESTAMP(),
  last_attempt_local = FROM_UNIXTIME(UNIX_TIMESTAMP() + :offset)
WHERE action_id IN (:ids)

-- name: unmark
-- Hands back rows which a dead worker had claimed and not begun; they stay as they were.
UPDATE {actions} {by_key} SET claim_id = 0 WHERE action_id IN (:ids)

-- name: revive
-- Rows that Action Scheduler's cleaner failed under our claim are in progress again, to be settled.
UPDATE {actions} {by_key} SET status = 'in-progress' WHERE action_id IN (:ids) AND status = 'failed'

-- name: put_off
-- A free row whose lock another action holds: due later, no attempt spent.
UPDATE {actions} {by_key}
SET schedule = :schedule, scheduled_date_gmt = :gmt, scheduled_date_local = :local
WHERE action_id = :id AND claim_id = 0 AND status = 'pending'

-- name: give_up_unreadable
-- A row whose args or schedule cannot be read: canceled, as Action Scheduler 4.0.0 does.
UPDATE {actions} {by_key} SET status = 'canceled' {release_unique_key}
WHERE action_id IN (:ids) AND claim_id = :claim AND status IN ('pending', 'in-progress')

-- name: group_slugs
-- Names of groups, for what is shown to a handler.
SELECT group_id, slug FROM {groups} WHERE group_id IN (:ids)

-- name: group_ids
-- Ids of groups by name. A name may have several: the column is not unique.
SELECT group_id, slug FROM {groups} WHERE slug IN (:slugs) ORDER BY group_id

-- name: turn
-- Settles what finished and begins what is next, in one statement, only where the claim holds.
-- Here and below, a write that follows another in one packet matches nothing unless the one before
-- it matched the right number of rows: so the last one's number proves them all.
-- Assignments run left to right in MySQL: `status` comes last, since the others read it.
UPDATE {actions} {by_key}
SET last_attempt_gmt = UTC_TIMESTAMP(),
  last_attempt_local = FROM_UNIXTIME(UNIX_TIMESTAMP() + :offset),
  attempts = attempts + CASE WHEN status = 'pending' THEN 1 ELSE 0 END {turn_unique_key},
  status = CASE WHEN status = 'pending' THEN 'in-progress' ELSE :final END
WHERE action_id IN (:ids) AND claim_id = :claim
  AND ((status = 'in-progress' AND action_id IN (:finished))
    OR (status = 'pending' AND action_id IN (:starting)))
  AND (:unchecked OR {row_count} = :matched)

-- name: unbegin
-- Takes back a mark that was made ahead: the action did not begin. Still under the claim.
UPDATE {actions} {by_key} SET attempts = attempts - 1, status = 'pending'
WHERE action_id IN (:ids) AND claim_id = :claim AND status = 'in-progress'
  AND (:unchecked OR {row_count} = :matched)

-- name: postpone
-- Pending again, later: retried or snoozed. The schedule goes with the date, since WordPress
-- shows the schedule's.
UPDATE {actions} {by_key}
SET status = 'pending', claim_id = 0, attempts = :attempts, schedule = :schedule,
  scheduled_date_gmt = :gmt, scheduled_date_local = :local,
  last_attempt_gmt = UTC_TIMESTAMP(),
  last_attempt_local = FROM_UNIXTIME(UNIX_TIMESTAMP() + :offset)
WHERE action_id IN (:ids) AND claim_id = :claim AND status = 'in-progress'
  AND (:unchecked OR {row_count} = :matched)

-- name: begun
-- A running action, whole, if the claim holds it; without a lock, since heartbeats must not wait.
SELECT action_id, hook, status, {priority} AS priority, args, extended_args, schedule, group_id,
  attempts, {now} AS now
FROM {actions} {by_key}
WHERE action_id = :id AND claim_id = :claim AND status = 'in-progress'

-- name: lock_rows
-- The truth about rows, under lock: for telling what is still held after something went wrong.
SELECT action_id, status, claim_id, attempts, scheduled_date_gmt FROM {actions} {by_key}
WHERE action_id IN (:ids) {lock}

-- name: with_log
-- Which of these have a line of ours: it is written in the transaction that settles or begins, so
-- it tells whether that took place.
SELECT action_id FROM {logs} WHERE action_id IN (:ids) AND message = :message

-- name: log
-- One line of an action's story.
INSERT INTO {logs} (action_id, message, log_date_gmt, log_date_local)
VALUES (:id, :message, UTC_TIMESTAMP(), FROM_UNIXTIME(UNIX_TIMESTAMP() + :log_offset))

-- name: log_if_matched
-- The same, only if the statement before matched the right number of rows: the column refuses NULL,
-- and everything is undone. So a turn needs no answer before its COMMIT, and travels in one packet.
-- Only the first row is checked: a trigger of the site's would change the number for the next.
INSERT INTO {logs} (action_id, message, log_date_gmt, log_date_local)
VALUES (CASE WHEN :unchecked OR {row_count} = :matched THEN :id END, :message, UTC_TIMESTAMP(),
  FROM_UNIXTIME(UNIX_TIMESTAMP() + :log_offset))

-- name: next_instance
-- The next row of a recurring chain: same hook, args, group and priority, no attempts.
INSERT INTO {actions} (hook, status, scheduled_date_gmt, scheduled_date_local, schedule, group_id,
  {priority_column} args, extended_args)
SELECT hook, 'pending', :gmt, :local, :schedule, group_id, {priority_column} args, extended_args
FROM {actions} WHERE action_id = :id

-- name: fifth_failed
-- The fifth oldest failed row of a hook; with `others_before` it answers whether the five oldest
-- rows of the hook are all failed. Both are index ranges, however many rows the hook has.
SELECT action_id, scheduled_date_gmt FROM {actions} {hook_index}
WHERE hook = :hook AND status = 'failed'
ORDER BY scheduled_date_gmt LIMIT 1 OFFSET :before

-- name: others_before
-- One row of the hook, not failed, that is older than the given date (undated rows sort first).
SELECT action_id FROM {actions} {hook_index}
WHERE hook = :hook AND status IN ('pending', 'in-progress', 'complete', 'canceled')
  AND (scheduled_date_gmt < :fifth OR scheduled_date_gmt IS NULL)
LIMIT 1

-- name: beat
-- The heartbeat: every live row of the claim, running or waiting, is touched, so that neither
-- Action Scheduler's cleaner nor another runner takes it for abandoned.
UPDATE {actions} {by_key}
SET last_attempt_gmt = UTC_TIMESTAMP(),
  last_attempt_local = FROM_UNIXTIME(UNIX_TIMESTAMP() + :offset)
WHERE action_id IN (:ids) AND claim_id = :claim AND status IN ('pending', 'in-progress')

-- name: still_held
-- Which of these the claim holds: asked when a heartbeat touched fewer. One that Action Scheduler's
-- cleaner failed is ours still, since nobody has claimed it.
SELECT action_id FROM {actions} {by_key}
WHERE action_id IN (:ids) AND claim_id = :claim AND status IN ('pending', 'in-progress', 'failed')

-- name: release_rows
-- Hands back what was not begun. Finished rows keep the claim id as history (since 3.9.3).
UPDATE {actions} {by_key} SET claim_id = 0
WHERE action_id IN (:ids) AND claim_id = :claim AND status = 'pending'

-- name: release_claim
-- The claim's own row goes.
DELETE FROM {claims} WHERE claim_id = :claim
