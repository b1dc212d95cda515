-- Setting up beside a live PHP runner, and undoing it: WordPress's options, and which dates are to
-- be parked or given back (parked.sql does it). Each statement may run again.

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

-- name: count_parked_of
-- Pending rows of these hooks that are parked.
SELECT COUNT(*) AS actions FROM {actions} {hook_index}
WHERE hook IN (:hooks) AND HEX(hook) IN (:hooks_hex) AND status = 'pending'
  AND scheduled_date_gmt >= '2800-01-01' AND {moved}

-- name: other_parked_hooks
-- Other hooks with pending rows that are parked: removed ones, for which a runner with an old list
-- has parked a retry or a chain's next row since.
SELECT MIN(hook) AS hook FROM {actions}
WHERE status = 'pending' AND scheduled_date_gmt >= '2800-01-01' AND {moved}
  AND HEX(hook) NOT IN (:hooks_hex)
GROUP BY HEX(hook)

-- name: some_parked_of
-- Some of them.
SELECT action_id, status FROM {actions} {hook_index}
WHERE hook IN (:hooks) AND HEX(hook) IN (:hooks_hex) AND status = 'pending'
  AND scheduled_date_gmt >= '2800-01-01' AND {moved}
LIMIT :limit

-- name: count_parked
-- Parked rows of all hooks, by status.
SELECT status, COUNT(*) AS actions FROM {actions}
WHERE scheduled_date_gmt >= '2800-01-01' AND {moved}
GROUP BY status

-- name: some_parked
-- Some of them, whatever their hook and status.
SELECT action_id, status FROM {actions}
WHERE scheduled_date_gmt >= '2800-01-01' AND {moved}
LIMIT :limit

-- name: count_aside
-- Those that are aside.
SELECT COUNT(*) AS actions FROM {actions} WHERE status = 'runner-aside'

-- name: drop_table
-- One of the runner's own tables, with all that it holds.
DROP TABLE IF EXISTS {table}

-- name: trigger
-- The trigger, if the account may see it: who made it, and what it does.
SELECT definer AS definer, action_statement AS statement FROM information_schema.triggers
WHERE trigger_schema = DATABASE() AND trigger_name = :name

-- name: create_trigger
-- Parks what PHP inserts, as park does what is there. It reads no table and cannot fail: PHP's insert
-- would fail with it. On MariaDB an older one is replaced in one step.
CREATE /*M! OR REPLACE */ TRIGGER {trigger} BEFORE INSERT ON {actions} FOR EACH ROW
SET NEW.scheduled_date_gmt = CASE
  WHEN NEW.status <> 'pending' OR NEW.claim_id <> 0 OR HEX(NEW.hook) NOT IN ({trigger_hooks})
    OR NEW.scheduled_date_gmt >= '2800-01-01' THEN NEW.scheduled_date_gmt
  WHEN NEW.scheduled_date_gmt < '2000-01-01' OR MONTH(NEW.scheduled_date_gmt) = 0
    OR DAY(NEW.scheduled_date_gmt) = 0 THEN '2800-01-01 00:00:00'
  ELSE NEW.scheduled_date_gmt + INTERVAL 800 YEAR END

-- name: drop_trigger
-- Parking is left to the plugin and the sweep.
DROP TRIGGER IF EXISTS {trigger}

-- name: trigger_session
-- What a trigger's maker must know of the session.
SELECT @@SESSION.sql_mode AS modes, @@SESSION.lock_wait_timeout AS seconds

-- name: set_trigger_session
-- A trigger keeps the modes of the session that made it, and zero dates must pass. While it waits
-- for the table, every statement on the table waits behind it: so not for long (seconds).
SET SESSION sql_mode = :modes, lock_wait_timeout = :seconds
