-- Statements on the runner's own tables: workers, leases and attempts. Times are UTC by the
-- database's clock.

-- name: register
-- A worker begins.
INSERT INTO {workers} (host, pid, queue, executor, version, started_at, seen_at)
VALUES (:host, :pid, :queue, :executor, :version, UTC_TIMESTAMP(), UTC_TIMESTAMP())

-- name: seen
-- It lives.
UPDATE {workers} SET seen_at = UTC_TIMESTAMP() WHERE worker_id = :worker

-- name: leave
-- It has ended.
DELETE FROM {workers} WHERE worker_id = :worker

-- name: forget_workers
-- Those that were not seen for :seconds died without a word. What they held is told by leases.
DELETE FROM {workers} WHERE seen_at < FROM_UNIXTIME(UNIX_TIMESTAMP() - :seconds)

-- name: lease
-- The claim is held until then.
INSERT INTO {leases} (claim_id, worker_id, expires_at)
VALUES (:claim, :worker, FROM_UNIXTIME(UNIX_TIMESTAMP() + :lease))

-- name: renew
-- The heartbeat of a claim.
UPDATE {leases} SET expires_at = FROM_UNIXTIME(UNIX_TIMESTAMP() + :lease) WHERE claim_id = :claim

-- name: end_leases
-- The claims are over.
DELETE FROM {leases} WHERE claim_id IN (:claims)

-- name: orphaned
-- Rows of claims whose lease ran out, a branch of the look for due actions. Also those that
-- Action Scheduler's cleaner failed meanwhile: what we fail ourselves has an attempt of that claim.
-- Counted, since a server would answer NOT EXISTS by reading the whole table of attempts first.
SELECT 'expired' AS kind, action_id, priority, attempts, scheduled_date_gmt, {now} AS now
FROM (
  SELECT a.action_id, {priority} AS priority, a.attempts, a.scheduled_date_gmt
  FROM {leases} AS l JOIN {actions} AS a {claim_index} ON a.claim_id = l.claim_id
  WHERE l.expires_at < UTC_TIMESTAMP() AND a.status IN ('pending', 'in-progress', 'failed')
    AND HEX(a.hook) IN (:hooks_hex) /*groups*/
    AND (a.status <> 'failed' OR (SELECT COUNT(*) FROM {attempts} AS t
      WHERE t.action_id = a.action_id AND t.claim_id = a.claim_id) = 0)
  LIMIT :limit
) AS orphaned

-- name: lock_orphaned
-- Abandoned rows by either sign, lease or silence, tested again under the lock.
SELECT action_id, hook, status, {priority} AS priority, args, extended_args, schedule, group_id,
  attempts, claim_id
FROM {actions} AS a {by_key}
WHERE action_id IN (:ids) AND (
  (last_attempt_gmt <= FROM_UNIXTIME(UNIX_TIMESTAMP() - :expiry)
    AND (status = 'in-progress' OR (status = 'pending' AND claim_id > 0)))
  OR (claim_id IN (SELECT l.claim_id FROM {leases} AS l WHERE l.expires_at < UTC_TIMESTAMP())
    AND (status IN ('pending', 'in-progress') OR (status = 'failed'
      AND (SELECT COUNT(*) FROM {attempts} AS t
        WHERE t.action_id = a.action_id AND t.claim_id = a.claim_id) = 0))))
{lock_free}

-- name: ended
-- Claims whose lease ran out and that hold nothing any more, neither by their id in the rows nor,
-- of parked ones, in the table of held actions.
SELECT l.claim_id FROM {leases} AS l
WHERE l.expires_at < UTC_TIMESTAMP() AND (
  SELECT COUNT(*) FROM {actions} AS a {claim_index}
  WHERE a.claim_id = l.claim_id AND (a.status IN ('pending', 'in-progress') OR (a.status = 'failed'
    AND (SELECT COUNT(*) FROM {attempts} AS t
      WHERE t.action_id = a.action_id AND t.claim_id = a.claim_id) = 0))) = 0
  AND NOT EXISTS (SELECT 1 FROM {held} AS h JOIN {actions} AS a ON a.action_id = h.action_id
    WHERE h.claim_id = l.claim_id AND a.status IN ('pending', 'in-progress'))
ORDER BY l.claim_id

-- name: end_held
-- What was held of actions that are over, or gone.
DELETE FROM {held} WHERE claim_id IN (:claims)

-- name: end_claims
-- Their own rows go too.
DELETE FROM {claims} WHERE claim_id IN (:claims)

-- name: attempt
-- What one call of this worker's came to.
INSERT INTO {attempts} (action_id, claim_id, worker_id, hook, attempt, outcome, error, elapsed_ms,
  peak_memory, ended_at)
VALUES (:action, :claim, :worker, :hook, :attempt, :outcome, :error, :elapsed_ms, :peak_memory,
  UTC_TIMESTAMP())

-- name: attempt_elsewhere
-- The same of a call that settles its action itself: the lease tells whose it was.
INSERT INTO {attempts} (action_id, claim_id, worker_id, hook, attempt, outcome, error, elapsed_ms,
  peak_memory, ended_at)
VALUES (:action, :claim, COALESCE((SELECT worker_id FROM {leases} WHERE claim_id = :claim), 0),
  :hook, :attempt, :outcome, :error, :elapsed_ms, :peak_memory, UTC_TIMESTAMP())

-- name: failure
-- What was said by one that failed.
INSERT INTO {failures} (action_id, claim_id, attempt, message, traceback, ended_at)
VALUES (:action, :claim, :attempt, :message, :traceback, UTC_TIMESTAMP())

-- name: worker_list
-- Every worker, with the claims it holds.
SELECT worker_id, host, pid, queue, executor, version, started_at, seen_at, UNIX_TIMESTAMP() AS now,
  (SELECT COUNT(*) FROM {leases} AS l WHERE l.worker_id = w.worker_id) AS claims
FROM {workers} AS w ORDER BY worker_id

-- name: attempt_list
-- Every try of one action, the oldest first.
SELECT t.attempt, t.outcome, t.error, t.elapsed_ms, t.peak_memory, t.ended_at, t.worker_id,
  COALESCE(f.message, '') AS message, COALESCE(f.traceback, '') AS traceback
FROM {attempts} AS t LEFT JOIN {failures} AS f
  ON f.action_id = t.action_id AND f.claim_id = t.claim_id AND f.attempt = t.attempt
WHERE t.action_id = :id ORDER BY t.attempt_id
