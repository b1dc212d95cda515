-- Setting up beside a live PHP runner, and undoing it: WordPress's options, dates that are parked
-- (moved by 800 years, from 2800 on) and given back. Each statement may run again.

-- name: read_option
-- One of WordPress's options.
SELECT option_value AS value FROM {options} WHERE option_name = :name

-- name: write_option
-- WordPress loads it with all its others.
INSERT INTO {options} (option_name, option_value, autoload) VALUES (:name, :value, 'yes')
ON DUPLICATE KEY UPDATE option_value = :value, autoload = 'yes'

-- name: write_option@sqlite
-- The same for SQLite.
INSERT INTO {options} (option_name, option_value, autoload) VALUES (:name, :value, 'yes')
ON CONFLICT (option_name) DO UPDATE SET option_value = :value, autoload = 'yes'

-- name: remove_options
-- As if they had never been there.
DELETE FROM {options} WHERE option_name IN (:names)

-- name: count_unparked
-- Pending rows of these hooks that are not parked, and that PHP has not claimed.
SELECT COUNT(*) AS actions FROM {actions} {hook_index}
WHERE hook IN (:hooks) AND HEX(hook) IN (:hooks_hex) AND status = 'pending' AND claim_id = 0
  AND scheduled_date_gmt < '2800-01-01'

-- name: some_unparked
-- Some of them, seen without locks.
SELECT action_id FROM {actions} {hook_index}
WHERE hook IN (:hooks) AND HEX(hook) IN (:hooks_hex) AND status = 'pending' AND claim_id = 0
  AND scheduled_date_gmt < '2800-01-01'
LIMIT :limit

-- name: park_some
-- Parks those that still are what they were. A date before 2000, such as the zero date, is parked
-- at the first moment that there is.
UPDATE {actions} {by_key}
SET scheduled_date_gmt = CASE WHEN scheduled_date_gmt < '2000-01-01' THEN '2800-01-01 00:00:00'
  ELSE scheduled_date_gmt + INTERVAL 800 YEAR END
WHERE action_id IN (:ids) AND status = 'pending' AND claim_id = 0
  AND scheduled_date_gmt < '2800-01-01'

-- name: count_parked_of
-- Pending rows of these hooks that are parked.
SELECT COUNT(*) AS actions FROM {actions} {hook_index}
WHERE hook IN (:hooks) AND HEX(hook) IN (:hooks_hex) AND status = 'pending'
  AND scheduled_date_gmt >= '2800-01-01'
  AND COALESCE(scheduled_date_local, '2000-01-01') < '2800-01-01'

-- name: some_parked_of
-- Some of them. A local date as late tells a true date so far ahead: that was never parked.
SELECT action_id, status FROM {actions} {hook_index}
WHERE hook IN (:hooks) AND HEX(hook) IN (:hooks_hex) AND status = 'pending'
  AND scheduled_date_gmt >= '2800-01-01'
  AND COALESCE(scheduled_date_local, '2000-01-01') < '2800-01-01'
LIMIT :limit

-- name: count_parked
-- Parked rows of all hooks, by status.
SELECT status, COUNT(*) AS actions FROM {actions}
WHERE scheduled_date_gmt >= '2800-01-01'
  AND COALESCE(scheduled_date_local, '2000-01-01') < '2800-01-01'
GROUP BY status

-- name: some_parked
-- Some of them, whatever their hook and status.
SELECT action_id, status FROM {actions}
WHERE scheduled_date_gmt >= '2800-01-01'
  AND COALESCE(scheduled_date_local, '2000-01-01') < '2800-01-01'
LIMIT :limit

-- name: give_back
-- Their true dates. What runs although no runner lives gets a last attempt, so that PHP's cleaner
-- sees it: it passes NULL over.
UPDATE {actions} {by_key}
SET scheduled_date_gmt = scheduled_date_gmt - INTERVAL 800 YEAR,
  last_attempt_gmt = CASE WHEN status = 'in-progress' THEN COALESCE(last_attempt_gmt, UTC_TIMESTAMP())
    ELSE last_attempt_gmt END
WHERE action_id IN (:ids) AND scheduled_date_gmt >= '2800-01-01'

-- name: free_aside
-- Rows that the plugin moved aside and PHP died before they were put back: pending again. Those of
-- the last minute may still be put back by it.
UPDATE {actions} SET status = 'pending', claim_id = 0
WHERE status = 'runner-aside' AND last_attempt_gmt < UTC_TIMESTAMP() - INTERVAL 60 SECOND

-- name: count_aside
-- Those that are aside.
SELECT COUNT(*) AS actions FROM {actions} WHERE status = 'runner-aside'

-- name: drop_table
-- One of the runner's own tables, with all that it holds.
DROP TABLE IF EXISTS {table}
