-- What kind of site this is: one round trip tells columns, indexes, options and server.

-- name: session
-- The session in one SET: UTC, a COMMIT that begins no new transaction, no gap locks, strict but for
-- the zero dates that WordPress's tables use, and the collation of the table's own columns (with
-- another one the claim would sort).
SET NAMES utf8mb4, autocommit = 1, completion_type = 0, time_zone = '+00:00',
  {isolation} = 'READ-COMMITTED', sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION',
  innodb_lock_wait_timeout = 10,
  collation_connection = COALESCE(
    (SELECT MAX(collation_name) FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = '{table}' AND column_name = 'hook'
       AND collation_name LIKE 'utf8mb4%'), @@collation_connection)

-- name: probe
-- Every fact as (kind, name, item, value). One collation, since the parts have several.
SELECT 'column' AS kind, CONVERT(table_name USING utf8mb4) COLLATE utf8mb4_bin AS name,
  CONVERT(column_name USING utf8mb4) COLLATE utf8mb4_bin AS item,
  CONVERT(CONCAT_WS(' ', CASE WHEN is_nullable = 'YES' THEN 'optional'
    WHEN column_default IS NULL AND extra NOT LIKE '%auto_increment%' THEN 'required'
    ELSE 'filled' END, collation_name)
    USING utf8mb4) COLLATE utf8mb4_bin AS value
FROM information_schema.columns
WHERE table_schema = DATABASE() AND table_name IN (:tables)
UNION ALL
SELECT 'index', CONVERT(table_name USING utf8mb4) COLLATE utf8mb4_bin,
  CONVERT(index_name USING utf8mb4) COLLATE utf8mb4_bin,
  CONVERT(GROUP_CONCAT(column_name ORDER BY seq_in_index) USING utf8mb4) COLLATE utf8mb4_bin
FROM information_schema.statistics
WHERE table_schema = DATABASE() AND table_name IN (:tables)
GROUP BY table_name, index_name
UNION ALL
SELECT 'engine', CONVERT(table_name USING utf8mb4) COLLATE utf8mb4_bin, '',
  CONVERT(engine USING utf8mb4) COLLATE utf8mb4_bin
FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_name IN (:tables) AND engine <> 'InnoDB'
UNION ALL
SELECT 'server', '', 'version', CONVERT(VERSION() USING utf8mb4) COLLATE utf8mb4_bin
UNION ALL
SELECT 'database', '', '', CONVERT(DATABASE() USING utf8mb4) COLLATE utf8mb4_bin

-- name: probe@sqlite
-- The same from SQLite's own catalogue.
SELECT 'column' AS kind, m.name AS name, c.name AS item, CASE
  WHEN NOT c."notnull" AND NOT c.pk THEN 'optional'
  WHEN c."notnull" AND c.dflt_value IS NULL THEN 'required' ELSE 'filled' END AS value
FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c
WHERE m.type = 'table' AND m.name IN (:tables)
UNION ALL
SELECT 'index', m.tbl_name, m.name, group_concat(i.name)
FROM sqlite_master AS m JOIN pragma_index_info(m.name) AS i
WHERE m.type = 'index' AND m.tbl_name IN (:tables) GROUP BY m.tbl_name, m.name
UNION ALL
SELECT 'server', '', 'version', 'SQLite ' || sqlite_version()

-- name: parked
-- Whether actions are parked here: then some runner was installed, and PHP's never runs them.
SELECT * FROM (
  SELECT 'parked' AS kind, '' AS name, '' AS item, '' AS value FROM {actions}
  WHERE status = 'pending' AND scheduled_date_gmt >= '2800-01-01' AND {moved} LIMIT 1
) AS parked

-- name: options
-- What WordPress and Action Scheduler wrote down about themselves.
SELECT 'option' AS kind, '' AS name, CONVERT(option_name USING utf8mb4) COLLATE utf8mb4_bin AS item,
  CONVERT(option_value USING utf8mb4) COLLATE utf8mb4_bin AS value
FROM {options}
WHERE option_name IN ('cron', 'timezone_string', 'gmt_offset', 'siteurl',
  'action_scheduler_migration_status', 'schema-ActionScheduler_StoreSchema',
  'schema-ActionScheduler_LoggerSchema', :installed)

-- name: options@sqlite
-- The same for SQLite.
SELECT 'option' AS kind, '' AS name, option_name AS item, option_value AS value
FROM {options}
WHERE option_name IN ('cron', 'timezone_string', 'gmt_offset', 'siteurl',
  'action_scheduler_migration_status', 'schema-ActionScheduler_StoreSchema',
  'schema-ActionScheduler_LoggerSchema', :installed)

-- name: named_lock
-- Takes the run's lock if it is free: 1 taken, 0 held by another run.
SELECT 'lock' AS kind, '' AS name, '' AS item,
  CONVERT(GET_LOCK(:lock, 0) USING utf8mb4) COLLATE utf8mb4_bin AS value

-- name: take_lock
-- 1 taken, 0 held by another for :seconds.
SELECT GET_LOCK(:lock, :seconds) AS taken

-- name: give_lock
-- Others may have it now.
SELECT RELEASE_LOCK(:lock) AS given

-- name: caller_session
-- What a caller's connection is: its database, and the modes that it will get back.
SELECT DATABASE() AS place, @@SESSION.sql_mode AS modes

-- name: time_limit
-- For who waits at a browser.
SET SESSION {limit}

-- name: session_modes
-- Zero dates are the default of Action Scheduler's columns, so they must be allowed.
SET SESSION sql_mode = :modes
