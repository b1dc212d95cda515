-- Statements on parked rows, beside a live PHP runner. Those named as in action_scheduler.sql take
-- their place. A pending row is parked when its date is moved by 800 years (from 2800 on), so that
-- PHP's runner leaves it alone. Who holds it stands in the runner's own table of held actions; the
-- row itself has no claim, and while it runs no last attempt (NULL): no sweep of PHP's matches it.
-- A true date so far ahead is never parked; it is told by its local date, which is never moved.
-- Writes lock the action first and what is held of it second, as claims do.

-- name: due
-- The oldest due rows of one hook, without locks: one short index range. Repeated for each hook.
SELECT 'due' AS kind, action_id, priority, attempts, scheduled_date_gmt, {now} AS now
FROM (
  SELECT action_id, {priority} AS priority, attempts, scheduled_date_gmt
  FROM {actions} AS a {hook_index}
  WHERE hook = :hook AND HEX(hook) = HEX(:hook) AND status = 'pending' AND claim_id = 0
    AND scheduled_date_gmt BETWEEN '2800-01-01' AND {parked_now} AND {moved} /*groups*/
    AND NOT EXISTS (SELECT 1 FROM {held} AS h WHERE h.action_id = a.action_id)
  ORDER BY scheduled_date_gmt LIMIT :limit
) AS due

-- name: all_due
-- The first due rows in Action Scheduler's order, whatever their hook: one range of the claim index
-- for each priority. Only where every parked hook is ours: others' rows would be read and dropped.
SELECT 'due' AS kind, action_id, priority, attempts, scheduled_date_gmt, {now} AS now
FROM (
  SELECT action_id, priority, attempts, scheduled_date_gmt
  FROM {actions} AS a {claim_index}
  WHERE claim_id = 0 AND status = 'pending' AND priority IN ({priorities})
    AND scheduled_date_gmt BETWEEN '2800-01-01' AND {parked_now} AND {moved}
    AND HEX(hook) IN (:hooks_hex) /*groups*/
    AND NOT EXISTS (SELECT 1 FROM {held} AS h WHERE h.action_id = a.action_id)
  ORDER BY priority, scheduled_date_gmt LIMIT :limit
) AS due

-- name: first_open
-- The same of parked rows.
SELECT scheduled_date_gmt AS reached FROM {actions} {hook_index}
WHERE hook = :hook AND HEX(hook) = HEX(:hook) AND status = 'pending' AND claim_id = 0
  AND scheduled_date_gmt BETWEEN '2800-01-01' AND {parked_now} AND {moved} AND (:since IS NULL OR scheduled_date_gmt >= :since)
  AND group_id NOT IN (:paused)
ORDER BY scheduled_date_gmt LIMIT 1

-- name: urgent
-- Due rows of one priority above the normal one, whatever their hook, as for all_due. Bounded: reads
-- :limit rows, then drops others'.
SELECT 'due' AS kind, action_id, priority, attempts, scheduled_date_gmt, {now} AS now
FROM (
  SELECT action_id, hook, group_id, priority, attempts, scheduled_date_gmt
  FROM {actions} AS a {claim_index}
  WHERE claim_id = 0 AND status = 'pending' AND priority = :urgency
    AND scheduled_date_gmt BETWEEN '2800-01-01' AND {parked_now} AND {moved}
    AND NOT EXISTS (SELECT 1 FROM {held} AS h WHERE h.action_id = a.action_id)
  ORDER BY scheduled_date_gmt LIMIT :limit
) AS urgent
WHERE HEX(hook) IN (:open_hex) /*groups*/

-- name: unparked
-- Whether a hook of ours has pending rows that are not parked yet. Repeated for each hook.
SELECT 'unparked' AS kind, action_id, priority, attempts, scheduled_date_gmt, {now} AS now
FROM (
  SELECT action_id, {priority} AS priority, attempts, scheduled_date_gmt
  FROM {actions} {hook_index}
  WHERE hook = :hook AND HEX(hook) = HEX(:hook) AND status = 'pending' AND claim_id = 0
    AND scheduled_date_gmt < '2800-01-01'
  LIMIT 1
) AS unparked

-- name: to_park
-- Some of those rows. Seen without locks: a row that another transaction is about to add would
-- be waited for.
SELECT action_id, scheduled_date_gmt FROM {actions} {hook_index}
WHERE hook IN (:hooks) AND HEX(hook) IN (:hooks_hex) AND status = 'pending' AND claim_id = 0
  AND scheduled_date_gmt < '2800-01-01'
LIMIT :limit

-- name: installed
-- Which hooks are Python's, if any: the list that a daemon has read at its start may be an old one.
SELECT option_value AS value FROM {options} WHERE option_name = :name

-- name: lock_unparked
-- Those of them that are still free; what PHP has claimed meanwhile is left to it.
SELECT action_id FROM {actions} {by_key}
WHERE action_id IN (:ids) AND HEX(hook) IN (:hooks_hex) AND status = 'pending' AND claim_id = 0
  AND scheduled_date_gmt < '2800-01-01'
{lock_free}

-- name: park
-- Parks those that still are what they were. A date before 2000, such as the zero date, and one
-- without month or day are parked at the first moment that there is.
UPDATE {actions} {by_key}
SET scheduled_date_gmt = CASE WHEN scheduled_date_gmt < '2000-01-01'
    OR MONTH(scheduled_date_gmt) = 0 OR DAY(scheduled_date_gmt) = 0 THEN '2800-01-01 00:00:00'
  ELSE scheduled_date_gmt + INTERVAL 800 YEAR END
WHERE action_id IN (:ids) AND status = 'pending' AND claim_id = 0
  AND scheduled_date_gmt < '2800-01-01'

-- name: strayed
-- Rows that the plugin moved aside, and PHP died before it put them back; and rows that PHP has
-- ended (as canceled) while they were parked.
SELECT 'strayed' AS kind, action_id, priority, attempts, scheduled_date_gmt, {now} AS now
FROM (
  SELECT * FROM (
    SELECT action_id, {priority} AS priority, attempts, scheduled_date_gmt FROM {actions}
    WHERE status = 'runner-aside' AND last_attempt_gmt < UTC_TIMESTAMP() - INTERVAL 60 SECOND
    LIMIT 1
  ) AS aside
  UNION ALL
  SELECT * FROM (
    SELECT action_id, {priority} AS priority, attempts, scheduled_date_gmt FROM {actions} AS a
    WHERE status IN ('complete', 'failed', 'canceled') AND scheduled_date_gmt >= '2800-01-01'
      AND {moved} AND NOT EXISTS (SELECT 1 FROM {held} AS h WHERE h.action_id = a.action_id)
    LIMIT 1
  ) AS ended
) AS strayed

-- name: free_aside
-- Pending again and parked. Rows of the last minute may still be put back by the plugin.
UPDATE {actions}
SET scheduled_date_gmt = CASE WHEN scheduled_date_gmt >= '2800-01-01' THEN scheduled_date_gmt
    WHEN scheduled_date_gmt < '2000-01-01'
      OR MONTH(scheduled_date_gmt) = 0 OR DAY(scheduled_date_gmt) = 0 THEN '2800-01-01 00:00:00'
    ELSE scheduled_date_gmt + INTERVAL 800 YEAR END,
  status = 'pending', claim_id = 0
WHERE status = 'runner-aside' AND last_attempt_gmt < UTC_TIMESTAMP() - INTERVAL 60 SECOND

-- name: parked_and_ended
-- Rows that have ended and nobody holds, with a parked date.
SELECT action_id FROM {actions} AS a
WHERE status IN ('complete', 'failed', 'canceled') AND scheduled_date_gmt >= '2800-01-01'
  AND {moved} AND NOT EXISTS (SELECT 1 FROM {held} AS h WHERE h.action_id = a.action_id)
LIMIT :limit

-- name: give_back
-- True dates. What has ended, or runs although no runner lives, gets a last attempt, so that PHP's
-- cleaner sees it: it passes NULL over.
UPDATE {actions} {by_key}
SET scheduled_date_gmt = scheduled_date_gmt - INTERVAL 800 YEAR,
  last_attempt_gmt = CASE WHEN status = 'pending' THEN last_attempt_gmt
    ELSE COALESCE(last_attempt_gmt, UTC_TIMESTAMP()) END
WHERE action_id IN (:ids) AND scheduled_date_gmt >= '2800-01-01' AND {moved}

-- name: expired
-- Rows of claims whose lease ran out or is lost, and rows that run although nobody holds them, as
-- after a restored backup.
SELECT 'expired' AS kind, action_id, priority, attempts, scheduled_date_gmt, {now} AS now
FROM (
  SELECT * FROM (
    SELECT a.action_id, {priority} AS priority, a.attempts, a.scheduled_date_gmt
    FROM {held} AS h LEFT JOIN {leases} AS l ON l.claim_id = h.claim_id
      JOIN {actions} AS a ON a.action_id = h.action_id
    WHERE (l.claim_id IS NULL OR l.expires_at < UTC_TIMESTAMP())
      AND a.status IN ('pending', 'in-progress') AND HEX(a.hook) IN (:hooks_hex) /*groups*/
    LIMIT :limit
  ) AS held
  UNION ALL
  SELECT * FROM (
    SELECT action_id, {priority} AS priority, attempts, scheduled_date_gmt
    FROM {actions} AS a
    WHERE status = 'in-progress' AND last_attempt_gmt IS NULL AND claim_id = 0
      AND scheduled_date_gmt >= '2800-01-01' AND HEX(hook) IN (:hooks_hex) /*groups*/
      AND NOT EXISTS (SELECT 1 FROM {held} AS h WHERE h.action_id = a.action_id)
    LIMIT :limit
  ) AS leaseless
) AS expired

-- name: chosen
-- Rows that were chosen by id, due or not, if they may be claimed.
SELECT action_id, {priority} AS priority, attempts, scheduled_date_gmt, {now} AS now
FROM {actions} AS a
WHERE action_id IN (:ids) AND claim_id = 0 AND status = 'pending' AND HEX(hook) IN (:hooks_hex)
  AND NOT EXISTS (SELECT 1 FROM {held} AS h WHERE h.action_id = a.action_id)

-- name: lock_due
-- Locks candidates by primary key and reads them whole. That nobody holds them is only likely yet:
-- `hold` proves it.
SELECT action_id, hook, status, {priority} AS priority, args, extended_args, schedule, group_id,
  attempts, claim_id
FROM {actions} AS a {by_key}
WHERE action_id IN (:ids) AND claim_id = 0 AND status = 'pending'
  AND (:chosen OR scheduled_date_gmt BETWEEN '2800-01-01' AND {parked_now})
  AND NOT EXISTS (SELECT 1 FROM {held} AS h WHERE h.action_id = a.action_id)
{lock_free}

-- name: lock_expired
-- The same for abandoned rows, with the dead claim's token; 0 where nobody holds the row.
SELECT action_id, hook, status, {priority} AS priority, args, extended_args, schedule, group_id,
  attempts, CAST(COALESCE(
    (SELECT h.claim_id FROM {held} AS h WHERE h.action_id = a.action_id), 0) AS UNSIGNED) AS claim_id
FROM {actions} AS a {by_key}
WHERE action_id IN (:ids) AND a.claim_id = 0 AND (
  (status IN ('pending', 'in-progress') AND EXISTS (
    SELECT 1 FROM {held} AS h LEFT JOIN {leases} AS l ON l.claim_id = h.claim_id
    WHERE h.action_id = a.action_id AND (l.claim_id IS NULL OR l.expires_at < UTC_TIMESTAMP())))
  OR (status = 'in-progress' AND last_attempt_gmt IS NULL AND scheduled_date_gmt >= '2800-01-01'
    AND NOT EXISTS (SELECT 1 FROM {held} AS h WHERE h.action_id = a.action_id)))
{lock_free}

-- name: hold
-- Holds locked rows that nobody holds. Fewer than asked for means that another came first.
INSERT IGNORE INTO {held} (action_id, claim_id)
SELECT action_id, :claim FROM {actions} {by_key} WHERE action_id IN (:ids)

-- name: take_over
-- Holds locked rows in place of dead claims, if those still hold them.
UPDATE {held} SET claim_id = :claim WHERE action_id IN (:ids) AND claim_id IN (:dead)

-- name: drop_held
-- Rows that a dead claim had not begun are free again; they stay as they were.
DELETE FROM {held} WHERE action_id IN (:ids) AND claim_id IN (:dead)

-- name: put_off
-- The same, parked at a later date.
UPDATE {actions} {by_key}
SET schedule = :schedule, scheduled_date_local = :local,
  scheduled_date_gmt = CASE WHEN :gmt < '2800' THEN :gmt + INTERVAL 800 YEAR ELSE :gmt END
WHERE action_id = :id AND claim_id = 0 AND status = 'pending'
  AND NOT EXISTS (SELECT 1 FROM {held} AS h WHERE h.action_id = :id)

-- name: give_up_unreadable
-- A row whose args or schedule cannot be read: canceled, with its true date.
UPDATE {actions} {by_key}
SET status = 'canceled', last_attempt_gmt = COALESCE(last_attempt_gmt, UTC_TIMESTAMP()),
  scheduled_date_gmt = {true_date} {release_unique_key}
WHERE action_id IN (:ids) AND claim_id = 0 AND status IN ('pending', 'in-progress')

-- name: turn
-- Settles what finished, with its true date, and begins what is next, in one statement.
-- Assignments run left to right in MySQL: `status` comes last, since the others read it.
UPDATE {actions} {by_key}
SET last_attempt_gmt = CASE WHEN status = 'pending' THEN NULL ELSE UTC_TIMESTAMP() END,
  last_attempt_local = CASE WHEN status = 'pending' THEN NULL
    ELSE FROM_UNIXTIME(UNIX_TIMESTAMP() + :offset) END,
  scheduled_date_gmt = CASE WHEN status = 'pending' THEN scheduled_date_gmt
    ELSE {true_date} END,
  attempts = attempts + CASE WHEN status = 'pending' THEN 1 ELSE 0 END {turn_unique_key},
  status = CASE WHEN status = 'pending' THEN 'in-progress' ELSE :final END
WHERE action_id IN (:ids) AND claim_id = 0
  AND ((status = 'in-progress' AND action_id IN (:finished))
    OR (status = 'pending' AND action_id IN (:starting)))
  AND (:unchecked OR {row_count} = :matched)

-- name: unbegin
-- Takes back a mark that was made ahead: the action did not begin. It is still held.
UPDATE {actions} {by_key}
SET attempts = attempts - 1, status = 'pending', last_attempt_gmt = UTC_TIMESTAMP()
WHERE action_id IN (:ids) AND claim_id = 0 AND status = 'in-progress'
  AND (:unchecked OR {row_count} = :matched)

-- name: postpone
-- Pending again, parked at a later date. A date that has no parked one stays as it is.
UPDATE {actions} {by_key}
SET status = 'pending', attempts = :attempts, schedule = :schedule,
  scheduled_date_gmt = CASE WHEN :gmt < '2800' THEN :gmt + INTERVAL 800 YEAR ELSE :gmt END,
  scheduled_date_local = :local, last_attempt_gmt = UTC_TIMESTAMP(),
  last_attempt_local = FROM_UNIXTIME(UNIX_TIMESTAMP() + :offset)
WHERE action_id IN (:ids) AND claim_id = 0 AND status = 'in-progress'
  AND (:unchecked OR {row_count} = :matched)

-- name: let_go
-- The fence of what was settled: only who holds the action may write, and he does so once.
DELETE FROM {held} WHERE action_id IN (:ids) AND claim_id = :claim
  AND (:unchecked OR {row_count} = :matched)

-- name: keep
-- The fence of what goes on: it changes nothing, but matches and locks what the claim holds.
UPDATE {held} SET claim_id = :claim WHERE action_id IN (:ids) AND claim_id = :claim
  AND (:unchecked OR {row_count} = :matched)

-- name: begun
-- A running action, whole, if the claim holds it.
SELECT action_id, hook, status, {priority} AS priority, args, extended_args, schedule, group_id,
  attempts, {now} AS now
FROM {actions} AS a {by_key}
WHERE action_id = :id AND a.claim_id = 0 AND status = 'in-progress' AND EXISTS (
  SELECT 1 FROM {held} AS h WHERE h.action_id = a.action_id AND h.claim_id = :claim)

-- name: lock_rows
-- The truth about rows, under lock, with their true dates. A row that is over belongs to the claim
-- that recorded the attempt. The CAST keeps all digits of a token.
SELECT a.action_id, a.status, a.attempts,
  CAST(CASE WHEN a.status IN ('complete', 'failed', 'canceled') AND EXISTS (
      SELECT 1 FROM {attempts} AS t WHERE t.action_id = a.action_id AND t.claim_id = :claim)
    THEN :claim WHEN a.claim_id = 0 THEN COALESCE(h.claim_id, 0) ELSE 0 END AS UNSIGNED)
    AS claim_id,
  {true_date} AS scheduled_date_gmt
FROM {actions} AS a {by_key} LEFT JOIN {held} AS h ON h.action_id = a.action_id
WHERE a.action_id IN (:ids) {lock}

-- name: next_instance
-- The next row of a recurring chain, parked unless its date has no parked one.
INSERT INTO {actions} (hook, status, scheduled_date_gmt, scheduled_date_local, schedule, group_id,
  {priority_column} args, extended_args)
SELECT hook, 'pending', CASE WHEN :gmt < '2800' THEN :gmt + INTERVAL 800 YEAR ELSE :gmt END, :local,
  :schedule, group_id, {priority_column} args, extended_args
FROM {actions} WHERE action_id = :id

-- name: still_held
-- Which of these the claim holds, and nobody has canceled.
SELECT h.action_id FROM {held} AS h JOIN {actions} AS a ON a.action_id = h.action_id
WHERE h.action_id IN (:ids) AND h.claim_id = :claim AND a.claim_id = 0
  AND a.status IN ('pending', 'in-progress', 'failed')

-- name: release_held
-- The claim holds nothing any more but what is still running: that is taken back by its lease.
DELETE FROM {held} WHERE claim_id = :claim AND NOT EXISTS (
  SELECT 1 FROM {actions} AS a
  WHERE a.action_id = {held}.action_id AND a.status = 'in-progress')

-- name: release_lease
-- The lease of a claim that holds nothing goes.
DELETE FROM {leases} WHERE claim_id = :claim
  AND NOT EXISTS (SELECT 1 FROM {held} AS h WHERE h.claim_id = :claim)
