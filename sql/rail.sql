-- The counts beside every page.

-- name: clock
-- The database's time.
SELECT 'now' AS item, UNIX_TIMESTAMP() AS n, NULL AS at

-- name: of_status
-- Actions in one state, counted no further than :most.
SELECT :status, COUNT(*), NULL FROM (
  SELECT 1 FROM {actions} WHERE status = :status LIMIT :most) AS some

-- name: overdue
-- Those that should have run by then, parked or not.
SELECT 'overdue', COUNT(*), NULL FROM (
  SELECT * FROM (SELECT 1 FROM {actions}
    WHERE status = 'pending' AND scheduled_date_gmt < UTC_TIMESTAMP() - INTERVAL :late SECOND
    LIMIT :most) AS plain
  UNION ALL
  SELECT * FROM (SELECT 1 FROM {actions}
    WHERE status = 'pending' AND scheduled_date_gmt >= '2800-01-01' AND {moved}
      AND scheduled_date_gmt < {parked_now} - INTERVAL :late SECOND LIMIT :most) AS parked
) AS some

-- name: overdue@sqlite
-- The same for SQLite, where nothing is parked.
SELECT 'overdue', COUNT(*), NULL FROM (
  SELECT 1 FROM {actions} WHERE status = 'pending'
    AND scheduled_date_gmt < FROM_UNIXTIME(UNIX_TIMESTAMP() - :late) LIMIT :most) AS some

-- name: oldest
-- Since when the oldest that should have run waits: the first of the plain and of the parked ones.
SELECT * FROM (SELECT 'oldest' AS item, 1 AS n, {true_date} AS at FROM {actions}
  WHERE status = 'pending' AND scheduled_date_gmt > '0001-01-01'
    AND scheduled_date_gmt <= UTC_TIMESTAMP()
  ORDER BY scheduled_date_gmt LIMIT 1) AS plain
UNION ALL
SELECT * FROM (SELECT 'oldest' AS item, 1 AS n, {true_date} AS at FROM {actions}
  WHERE status = 'pending' AND scheduled_date_gmt >= '2800-01-01' AND {moved}
    AND scheduled_date_gmt <= {parked_now}
  ORDER BY scheduled_date_gmt LIMIT 1) AS parked

-- name: longest
-- Since when the one that began first of all that run does so.
SELECT 'longest', 1, MIN(last_attempt_gmt) FROM {actions}
WHERE status = 'in-progress' AND last_attempt_gmt > '0001-01-01'

-- name: own
-- What the runner's own tables tell.
SELECT 'dead', COUNT(*), NULL FROM (
  SELECT 1 FROM {dead_letters} WHERE status = 'dead' LIMIT :most) AS some
UNION ALL
SELECT 'seen', COUNT(*), MAX(seen_at) FROM {workers}
UNION ALL
SELECT 'workers', COUNT(*), NULL FROM {workers}
WHERE seen_at > FROM_UNIXTIME(UNIX_TIMESTAMP() - :alive)
UNION ALL
SELECT 'alerts', COUNT(*), NULL FROM {alerts} WHERE open_key IS NOT NULL
UNION ALL
SELECT 'critical', COUNT(*), NULL FROM {alerts}
WHERE open_key IS NOT NULL AND severity = 'critical'
UNION ALL
SELECT 'pauses', COUNT(*), NULL FROM {pauses} WHERE until IS NULL OR until > UTC_TIMESTAMP()
