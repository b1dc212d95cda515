-- What `runner doctor` looks at. Reads only, and never a whole table: every count ends at :limit.
-- Hooks are grouped by HEX, since the column's collation takes OK_Hook for ok_hook.

-- name: options
-- What the site, and the runner's installation in it, wrote down.
SELECT option_name AS name, option_value AS value FROM {options}
WHERE option_name IN (:names)

-- name: server
-- The server, and the session as it really is: something in between may have changed it.
SELECT VERSION() AS version, DATABASE() AS home, @@GLOBAL.read_only AS read_only, @@SESSION.sql_mode AS modes,
  @@SESSION.time_zone AS zone, @@SESSION.wait_timeout AS patience,
  @@SESSION.max_allowed_packet AS packet, UNIX_TIMESTAMP(NOW(6)) AS now

-- name: account
-- Who we are to the server.
SELECT CURRENT_USER() AS account

-- name: now
-- The database's time in epoch seconds.
SELECT UNIX_TIMESTAMP() AS now

-- name: php_seen
-- When PHP's runner last wrote one of its lines, among the newest lines.
SELECT MAX(log_date_gmt) AS seen FROM (
  SELECT message, log_date_gmt FROM {logs} ORDER BY log_id DESC LIMIT :limit
) AS newest
WHERE (message LIKE :first OR message LIKE :second OR message LIKE :third)
  AND message NOT LIKE :ours

-- name: due
-- The oldest due actions by hook: how many, and since when the oldest waits (zero dates left out).
SELECT MIN(hook) AS hook, COUNT(*) AS actions,
  MIN(CASE WHEN scheduled_date_gmt > '0001-01-01' THEN scheduled_date_gmt END) AS oldest
FROM (
  SELECT hook, scheduled_date_gmt FROM {actions}
  WHERE status = 'pending' AND scheduled_date_gmt <= UTC_TIMESTAMP()
  ORDER BY scheduled_date_gmt LIMIT :limit
) AS due
GROUP BY HEX(hook) ORDER BY actions DESC, hook

-- name: due_of_hook
-- The same of one hook, a short range of the hook's index: others' backlog hides nothing.
SELECT :hook AS hook, COUNT(*) AS actions,
  MIN(CASE WHEN scheduled_date_gmt > '0001-01-01' THEN scheduled_date_gmt END) AS oldest
FROM (
  SELECT scheduled_date_gmt FROM {actions}
  WHERE hook = :hook AND HEX(hook) = HEX(:hook) AND status = 'pending'
    AND scheduled_date_gmt <= UTC_TIMESTAMP()
  ORDER BY scheduled_date_gmt LIMIT :limit
) AS due

-- name: parked
-- Parked actions by hook; of those that are due, how many, and since when the oldest waits, its true
-- date.
SELECT MIN(hook) AS hook, COUNT(*) AS actions,
  SUM(CASE WHEN scheduled_date_gmt <= DATE_ADD(UTC_TIMESTAMP(), INTERVAL {years} YEAR)
    THEN 1 ELSE 0 END) AS due,
  DATE_SUB(MIN(CASE WHEN scheduled_date_gmt <= DATE_ADD(UTC_TIMESTAMP(), INTERVAL {years} YEAR)
    THEN scheduled_date_gmt END), INTERVAL {years} YEAR) AS oldest
FROM (
  SELECT hook, scheduled_date_gmt FROM {actions}
  WHERE status = 'pending' AND scheduled_date_gmt >= '{parked_from}' AND {moved}
  ORDER BY scheduled_date_gmt LIMIT :limit
) AS parked
GROUP BY HEX(hook) ORDER BY actions DESC, hook

-- name: unparked_of_hook
-- Actions of one hook that are not parked, and how many of them PHP has claimed.
SELECT :hook AS hook, COUNT(*) AS actions, SUM(CASE WHEN claim_id > 0 THEN 1 ELSE 0 END) AS claimed
FROM (
  SELECT claim_id FROM {actions}
  WHERE hook = :hook AND HEX(hook) = HEX(:hook) AND status = 'pending'
    AND scheduled_date_gmt < '{parked_from}'
  LIMIT :limit
) AS unparked

-- name: failed_by_php
-- Actions that PHP's runner failed since the installation, among the newest lines, whose hook is one
-- of these. PHP writes several lines of each.
SELECT a.hook, COUNT(DISTINCT a.action_id) AS actions FROM (
  SELECT action_id, message, log_date_gmt FROM {logs} ORDER BY log_id DESC LIMIT :limit
) AS newest JOIN {actions} AS a ON a.action_id = newest.action_id
WHERE a.status = 'failed' AND newest.log_date_gmt >= FROM_UNIXTIME(:since)
  AND HEX(a.hook) IN (:hooks_hex) AND newest.message NOT LIKE :ours
  AND (newest.message LIKE :first OR newest.message LIKE :second OR newest.message LIKE :third)
GROUP BY a.hook ORDER BY actions DESC, a.hook

-- name: failed
-- What failed within :seconds, by hook.
SELECT MIN(hook) AS hook, COUNT(*) AS actions FROM (
  SELECT hook FROM {actions}
  WHERE status = 'failed' AND last_attempt_gmt > FROM_UNIXTIME(UNIX_TIMESTAMP() - :seconds)
  ORDER BY last_attempt_gmt DESC LIMIT :limit
) AS failed
GROUP BY HEX(hook) ORDER BY actions DESC, hook

-- name: twins
-- Recurring chains that wait more than once, among the pending rows of the latest dates.
SELECT MIN(hook) AS hook, COUNT(*) AS actions FROM (
  SELECT hook, args, group_id, SUBSTR(schedule, 1, 40) AS kind FROM {actions}
  WHERE status = 'pending' ORDER BY scheduled_date_gmt DESC LIMIT :limit
) AS latest
WHERE kind LIKE 'O:32:"ActionScheduler_IntervalSchedule"%'
  OR kind LIKE 'O:28:"ActionScheduler_CronSchedule"%'
GROUP BY HEX(hook), args, group_id HAVING COUNT(*) > 1 ORDER BY actions DESC, hook

-- name: recurred
-- Hooks that recurred, with the newest row, among the newest rows that ended with this status; and
-- when the last of them ended.
SELECT MIN(hook) AS hook, MAX(action_id) AS newest, MAX(last_attempt_gmt) AS ended FROM (
  SELECT action_id, hook, SUBSTR(schedule, 1, 40) AS kind, last_attempt_gmt FROM {actions}
  WHERE status = :status ORDER BY last_attempt_gmt DESC LIMIT :limit
) AS ended
WHERE kind LIKE 'O:32:"ActionScheduler_IntervalSchedule"%'
  OR kind LIKE 'O:28:"ActionScheduler_CronSchedule"%'
GROUP BY HEX(hook)

-- name: last_line
-- What the log says last of one action.
SELECT message FROM {logs} WHERE action_id = :id ORDER BY log_id DESC LIMIT 1

-- name: oldest
-- The oldest rows of a hook with one status, a short range of the hook's index.
SELECT action_id, status, scheduled_date_gmt FROM {actions}
WHERE hook = :hook AND status = :status ORDER BY scheduled_date_gmt LIMIT :limit

-- name: goes_on
-- Whether a chain goes on, or somebody ended it since its newest row.
SELECT action_id FROM {actions}
WHERE hook = :hook AND (status IN ('pending', 'in-progress')
  OR (status = 'canceled' AND action_id > :newest))
LIMIT 1

-- name: known
-- One row of a hook, whatever its status.
SELECT :hook AS hook FROM {actions} WHERE hook = :hook LIMIT 1

-- name: claims_without_rows
-- Claims that hold nothing and are older than :seconds: left by runs that died.
SELECT COUNT(*) AS claims FROM (
  SELECT c.claim_id FROM {claims} AS c
  WHERE c.date_created_gmt < FROM_UNIXTIME(UNIX_TIMESTAMP() - :seconds) AND NOT EXISTS (
    SELECT 1 FROM {actions} AS a
    WHERE a.claim_id = c.claim_id AND a.status IN ('pending', 'in-progress'))
  LIMIT :limit
) AS unused

-- name: rows_without_claim
-- Live actions whose claim is gone.
SELECT COUNT(*) AS actions, MIN(a.action_id) AS example FROM (
  SELECT action_id, claim_id FROM {actions}
  WHERE status IN ('pending', 'in-progress') AND claim_id > 0 LIMIT :limit
) AS a LEFT JOIN {claims} AS c ON c.claim_id = a.claim_id
WHERE c.claim_id IS NULL

-- name: stuck
-- Running actions without a sign of life for :seconds.
SELECT COUNT(*) AS actions, MIN(action_id) AS example FROM (
  SELECT action_id FROM {actions}
  WHERE status = 'in-progress'
    AND last_attempt_gmt <= FROM_UNIXTIME(UNIX_TIMESTAMP() - :seconds)
  LIMIT :limit
) AS stuck

-- name: undated
-- Running actions that no sweep sees, since they carry no time, and that no claim holds.
SELECT action_id FROM {actions}
WHERE status = 'in-progress' AND last_attempt_gmt IS NULL AND claim_id = 0
ORDER BY action_id LIMIT :limit

-- name: held
-- Which of these the runner holds.
SELECT action_id FROM {held} WHERE action_id IN (:ids)

-- name: old_leases
-- Leases that ran out long ago and that nobody has ended.
SELECT COUNT(*) AS leases FROM (
  SELECT claim_id FROM {leases}
  WHERE expires_at < FROM_UNIXTIME(UNIX_TIMESTAMP() - :seconds) LIMIT :limit
) AS old

-- name: sizes
-- Rows (as the server estimates them) and bytes, by table.
SELECT table_name AS name, table_rows AS count, data_length + index_length AS bytes
FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name IN (:names)

-- name: count
-- Rows with this status.
SELECT COUNT(*) AS actions FROM (
  SELECT 1 FROM {actions} WHERE status = :status LIMIT :limit
) AS counted

-- name: log_sample
-- The oldest and the newest log lines, and how many of them belong to no action.
SELECT COUNT(*) AS found, SUM(CASE WHEN a.action_id IS NULL THEN 1 ELSE 0 END) AS orphaned
FROM (
  SELECT * FROM (SELECT action_id FROM {logs} ORDER BY log_id LIMIT :limit) AS oldest
  UNION ALL
  SELECT * FROM (SELECT action_id FROM {logs} ORDER BY log_id DESC LIMIT :limit) AS newest
) AS sample LEFT JOIN {actions} AS a ON a.action_id = sample.action_id

-- name: pauses
-- What is paused now, and since when; some pauses have no end.
SELECT kind, name, until, actor, created_at FROM {pauses}
WHERE until IS NULL OR until > UTC_TIMESTAMP() ORDER BY created_at
