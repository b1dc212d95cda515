-- Figures by the minute, and the census: written by the daemon, read by the page.

-- name: clock
-- The database's time, and the newest minute there is.
SELECT UNIX_TIMESTAMP() AS now, (SELECT MAX(minute) FROM {minutes} WHERE hook = '') AS newest

-- name: ended
-- Actions that ended within a minute, whoever ran them: a short range of the index of status and
-- last attempt. Their dates tell how long they waited.
SELECT action_id, hook, status, {true_date} AS due, last_attempt_gmt AS ended FROM {actions}
  {retention_index}
WHERE status IN ('complete', 'failed') AND last_attempt_gmt >= :begin AND last_attempt_gmt < :end
LIMIT :limit

-- name: tried
-- Attempts of ours that ended within it.
SELECT action_id, hook, outcome, attempt, elapsed_ms FROM {attempts}
WHERE ended_at >= :begin AND ended_at < :end LIMIT :limit

-- name: forget_minute
-- It is written anew.
DELETE FROM {minutes} WHERE minute = :minute

-- name: minute
-- One hook's, or that of all together.
INSERT INTO {minutes} (minute, hook, done, failed, retried, waiting, wait_p50, wait_p95, run_p50,
  run_p95)
VALUES (:minute, :hook, :done, :failed, :retried, :waiting, :wait_p50, :wait_p95, :run_p50, :run_p95)

-- name: prune
-- Minutes of long ago, some at a time.
DELETE FROM {minutes} WHERE minute < FROM_UNIXTIME(UNIX_TIMESTAMP() - :seconds) LIMIT :limit

-- name: prune@sqlite
-- The same for SQLite, which deletes all at once.
DELETE FROM {minutes} WHERE minute < FROM_UNIXTIME(UNIX_TIMESTAMP() - :seconds) AND :limit > 0

-- name: last_census
-- When it was taken, and what it cost.
SELECT MAX(taken_at) AS taken_at, MAX(cost_ms) AS cost_ms, UNIX_TIMESTAMP() AS now FROM {census}

-- name: count
-- The table as a whole, read once. Names come as they are stored; hooks and groups that differ in
-- letters alone stay apart.
SELECT a.status, a.hook, a.group_id, COUNT(*) AS actions,
  SUM(CASE WHEN a.status = 'pending' AND (a.scheduled_date_gmt <= UTC_TIMESTAMP()
    OR (a.scheduled_date_gmt BETWEEN '2800-01-01' AND {parked_now} AND {moved}))
    THEN 1 ELSE 0 END) AS due,
  MIN(CASE WHEN a.status = 'pending' AND a.scheduled_date_gmt > '0001-01-01'
    AND (a.scheduled_date_gmt <= UTC_TIMESTAMP()
    OR (a.scheduled_date_gmt BETWEEN '2800-01-01' AND {parked_now} AND {moved}))
    THEN {true_date} END) AS oldest,
  SUM(CASE WHEN a.status = 'pending' AND {recurs} THEN 1 ELSE 0 END) AS recurring
FROM {actions} AS a GROUP BY a.status, a.hook, a.group_id ORDER BY actions DESC LIMIT :limit

-- name: groups
-- Names of groups.
SELECT group_id, slug FROM {groups}

-- name: forget_census
-- The one before.
DELETE FROM {census}

-- name: census
-- One combination.
INSERT INTO {census} (status, group_slug, hook, actions, due, recurring, oldest, taken_at, cost_ms)
VALUES (:status, :group_slug, :hook, :actions, :due, :recurring, :oldest, UTC_TIMESTAMP(), :cost_ms)

-- name: day
-- All together, by buckets of :bucket seconds. Minutes are named one by one: each is a step into the
-- primary key, where a range would read every hook's rows.
SELECT FLOOR(UNIX_TIMESTAMP(minute) / :bucket) * :bucket AS at, SUM(done) AS done,
  SUM(failed) AS failed, SUM(retried) AS retried, MAX(waiting) AS waiting,
  MAX(wait_p95) AS wait_p95, MAX(run_p95) AS run_p95
FROM {minutes} WHERE hook = '' AND minute IN (:minutes) GROUP BY 1

-- name: day@sqlite
-- The same for SQLite.
SELECT CAST(strftime('%s', minute) AS integer) / :bucket * :bucket AS at, SUM(done) AS done,
  SUM(failed) AS failed, SUM(retried) AS retried, MAX(waiting) AS waiting,
  MAX(wait_p95) AS wait_p95, MAX(run_p95) AS run_p95
FROM {minutes} WHERE hook = '' AND minute IN (:minutes) GROUP BY 1

-- name: last_minute
-- The newest minute: all together first, then the loudest hooks.
SELECT minute, hook, done, failed, retried, wait_p95, run_p95 FROM {minutes}
WHERE minute = (SELECT MAX(minute) FROM {minutes} WHERE hook = '')
ORDER BY CASE WHEN hook = '' THEN 0 ELSE 1 END, done + failed + retried DESC, hook LIMIT :limit

-- name: loudest
-- Hooks by what they did lately.
SELECT hook, SUM(done) AS done, SUM(failed) AS failed, SUM(retried) AS retried,
  SUM(wait_p50 * (done + failed)) / NULLIF(SUM(CASE WHEN wait_p50 IS NULL THEN 0 ELSE done + failed END), 0)
    AS wait_p50,
  MAX(wait_p95) AS wait_p95,
  SUM(run_p50 * (done + failed + retried))
    / NULLIF(SUM(CASE WHEN run_p50 IS NULL THEN 0 ELSE done + failed + retried END), 0) AS run_p50,
  MAX(run_p95) AS run_p95
FROM {minutes} WHERE minute >= :since AND hook <> ''
GROUP BY hook HAVING SUM(done) + SUM(failed) + SUM(retried) > 0
ORDER BY SUM(done) + SUM(failed) + SUM(retried) DESC, hook LIMIT :limit

-- name: counted
-- The census.
SELECT status, group_slug, hook, actions, due, recurring, oldest, taken_at, cost_ms FROM {census}
ORDER BY id
