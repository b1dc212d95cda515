-- What `runner status` shows. Reads only.

-- name: counts
-- Actions by status, all of them and those of the given hooks.
SELECT status, COUNT(*) AS actions, SUM(CASE WHEN HEX(hook) IN (:hooks_hex) THEN 1 ELSE 0 END) AS ours
FROM {actions} GROUP BY status

-- name: due
-- What should be running by now.
SELECT COUNT(*) AS actions, SUM(CASE WHEN HEX(hook) IN (:hooks_hex) THEN 1 ELSE 0 END) AS ours,
  MIN(CASE WHEN scheduled_date_gmt > '0001-01-01' THEN scheduled_date_gmt END) AS oldest,
  MAX(UNIX_TIMESTAMP()) AS now
FROM {actions}
WHERE status = 'pending' AND scheduled_date_gmt <= UTC_TIMESTAMP()

-- name: due_of_hooks
-- How many actions a run has before it.
SELECT COUNT(*) AS actions FROM {actions}
WHERE status = 'pending' AND claim_id = 0 AND scheduled_date_gmt <= UTC_TIMESTAMP()
  AND HEX(hook) IN (:hooks_hex)

-- name: next_due
-- The next action that is not due yet.
SELECT MIN(scheduled_date_gmt) AS next FROM {actions}
WHERE status = 'pending' AND scheduled_date_gmt > UTC_TIMESTAMP()
