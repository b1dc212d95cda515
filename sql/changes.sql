-- Changes by a person or by the site's own code, and what cleaning deletes.

-- name: lock
-- What these are, under lock, with the database's time.
SELECT action_id, status, {priority} AS priority, UNIX_TIMESTAMP() AS now FROM {actions} {by_key}
WHERE action_id IN (:ids) {lock}

-- name: lock_waiting
-- Those of them that nobody has claimed.
SELECT action_id, status, {true_date} AS due, UNIX_TIMESTAMP() AS now FROM {actions} {by_key}
WHERE action_id IN (:ids) AND status = 'pending' AND claim_id = 0 {lock}

-- name: lock_waiting_unheld
-- The same where parked ones may be held.
SELECT action_id, status, {true_date} AS due, UNIX_TIMESTAMP() AS now FROM {actions} AS a {by_key}
WHERE action_id IN (:ids) AND status = 'pending' AND claim_id = 0
  AND NOT EXISTS (SELECT 1 FROM {held} AS h WHERE h.action_id = a.action_id) {lock}

-- name: lock_running
-- Those of them that a worker of ours runs, by its lease.
SELECT action_id, status, UNIX_TIMESTAMP() AS now FROM {actions} AS a {by_key}
WHERE action_id IN (:ids) AND (status = 'canceled' OR (status = 'in-progress' AND (
  EXISTS (SELECT 1 FROM {leases} AS l WHERE l.claim_id = a.claim_id)
  OR EXISTS (SELECT 1 FROM {held} AS h WHERE h.action_id = a.action_id)))) {lock}

-- name: schedules
-- Of actions that are to be put off, with the dates they have.
SELECT action_id, schedule, {true_date} AS due FROM {actions} WHERE action_id IN (:ids)

-- name: put_off
-- Due later, parked or not as before.
UPDATE {actions} {by_key} SET schedule = :schedule,
  scheduled_date_gmt = CASE WHEN scheduled_date_gmt >= '2800-01-01' AND {moved} THEN :parked
    ELSE :gmt END,
  scheduled_date_local = :local
WHERE action_id = :id

-- name: prioritize
-- Sooner or later than others that are due.
UPDATE {actions} {by_key} SET priority = :priority WHERE action_id IN (:ids)

-- name: cancel_running
-- Its worker finds that it has lost the action, and writes nothing of it.
UPDATE {actions} {by_key}
SET status = 'canceled', scheduled_date_gmt = {true_date},
  last_attempt_gmt = COALESCE(last_attempt_gmt, UTC_TIMESTAMP()) {release_unique_key}
WHERE action_id IN (:ids) AND status = 'in-progress'

-- name: cancel
-- They will not run, and have their true dates.
UPDATE {actions} {by_key}
SET status = 'canceled', scheduled_date_gmt = {true_date} {release_unique_key}
WHERE action_id IN (:ids) AND status = 'pending'

-- name: retry
-- Pending again, due now, as an action that was never tried and does not recur: its chain went on,
-- or was ended, with it. Parked where its hook is Python's beside a live PHP runner.
UPDATE {actions} {by_key} SET status = 'pending', claim_id = 0, attempts = 0, schedule = :schedule,
  scheduled_date_gmt = CASE WHEN HEX(hook) IN (:parked_hooks) THEN :parked ELSE :gmt END,
  scheduled_date_local = :local
WHERE action_id IN (:ids)

-- name: close_letters
-- An action that runs again under its own id needs no replay of its dead letter.
UPDATE {dead_letters} SET status = 'replayed', reprocessed_at = UTC_TIMESTAMP(),
  replayed_as = action_id,
  reprocessed_by = :actor, note = 'retry'
WHERE action_id IN (:ids) AND status = 'dead'

-- name: hooks_of
-- Of actions that are about to go.
SELECT DISTINCT hook FROM {actions} WHERE action_id IN (:ids) ORDER BY hook LIMIT :most

-- name: delete_attempts
-- What the runner recorded of them, where it has its own tables.
DELETE FROM {attempts} WHERE action_id IN (:ids)

-- name: delete_failures
-- And what was said by those that failed.
DELETE FROM {failures} WHERE action_id IN (:ids)

-- name: delete_held
-- Nobody holds them any more: a worker finds that it lost them.
DELETE FROM {held} WHERE action_id IN (:ids)

-- name: old_attempts
-- Attempts that ended long ago, their actions perhaps gone by another hand.
SELECT attempt_id FROM {attempts} WHERE ended_at <= :cutoff ORDER BY ended_at LIMIT :limit

-- name: forget_attempts
-- They go.
DELETE FROM {attempts} WHERE attempt_id IN (:ids)

-- name: forget_failures
-- What was said long ago goes, some at a time.
DELETE FROM {failures} WHERE ended_at <= :cutoff ORDER BY ended_at LIMIT :limit

-- name: forget_failures@sqlite
-- The same for SQLite, which deletes all at once.
DELETE FROM {failures} WHERE ended_at <= :cutoff AND :limit > 0

-- name: delete_logs
-- Their story goes first.
DELETE FROM {logs} WHERE action_id IN (:ids)

-- name: delete
-- Then the actions, which are locked.
DELETE FROM {actions} WHERE action_id IN (:ids)

-- name: old
-- Finished rows of one status that were last touched up to :cutoff, from a place on: a short range
-- of the index (status, last_attempt_gmt), read once however many rows are passed over. A zero
-- date counts as old, NULL never matches (as Action Scheduler's cleaner reads it).
SELECT action_id, hook, last_attempt_gmt FROM (
  SELECT * FROM (
    SELECT action_id, hook, last_attempt_gmt FROM {actions} {retention_index}
    WHERE status = :status AND last_attempt_gmt = :after AND action_id > :after_id
      AND last_attempt_gmt <= :cutoff
    ORDER BY action_id LIMIT :limit
  ) AS same_second
  UNION ALL
  SELECT * FROM (
    SELECT action_id, hook, last_attempt_gmt FROM {actions} {retention_index}
    WHERE status = :status AND last_attempt_gmt > :after AND last_attempt_gmt <= :cutoff
    ORDER BY last_attempt_gmt, action_id LIMIT :limit
  ) AS later
) AS old
ORDER BY last_attempt_gmt, action_id LIMIT :limit

-- name: old_in_all
-- How many rows `old` would pass: for a progress bar.
SELECT COUNT(*) AS actions FROM {actions} {retention_index}
WHERE status = :status AND last_attempt_gmt <= :cutoff

-- name: lock_old
-- The rows of these that still are what they were, locked by primary key until the commit.
SELECT action_id FROM {actions} {by_key}
WHERE action_id IN (:ids) AND status = :status AND last_attempt_gmt <= :cutoff
{lock_free}
