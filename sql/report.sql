-- What `runner status` shows. Reads only.

-- name: counts
-- Actions by status, all of them, those of the given hooks, and those that are parked.
SELECT status, COUNT(*) AS actions, SUM(CASE WHEN HEX(hook) IN (:hooks_hex) THEN 1 ELSE 0 END) AS ours,
  SUM(CASE WHEN scheduled_date_gmt >= '2800-01-01' AND {moved} THEN 1 ELSE 0 END) AS parked,
  SUM(CASE WHEN scheduled_date_gmt >= '2800-01-01' AND {moved} AND HEX(hook) IN (:hooks_hex) THEN 1 ELSE 0 END)
    AS ours_parked
FROM {actions} GROUP BY status

-- name: due
-- What should be running by now.
SELECT COUNT(*) AS actions, SUM(CASE WHEN HEX(hook) IN (:hooks_hex) THEN 1 ELSE 0 END) AS ours,
  MIN(CASE WHEN scheduled_date_gmt > '0001-01-01' THEN {true_date} END) AS oldest,
  MAX(UNIX_TIMESTAMP()) AS now
FROM {actions}
WHERE status = 'pending' AND (scheduled_date_gmt <= UTC_TIMESTAMP()
  OR (scheduled_date_gmt BETWEEN '2800-01-01' AND {parked_now} AND {moved}))

-- name: counts_of
-- The same of one status, counted no further than :most.
SELECT :status AS status, COUNT(*) AS actions,
  SUM(CASE WHEN HEX(hook) IN (:hooks_hex) THEN 1 ELSE 0 END) AS ours,
  SUM(CASE WHEN scheduled_date_gmt >= '2800-01-01' AND {moved} THEN 1 ELSE 0 END) AS parked,
  SUM(CASE WHEN scheduled_date_gmt >= '2800-01-01' AND {moved} AND HEX(hook) IN (:hooks_hex) THEN 1 ELSE 0 END)
    AS ours_parked
FROM (SELECT hook, scheduled_date_gmt, scheduled_date_local FROM {actions}
  WHERE status = :status LIMIT :most) AS some

-- name: due_to
-- What should be running by now, counted no further than :most; the oldest are counted first.
SELECT COUNT(*) AS actions, SUM(CASE WHEN HEX(hook) IN (:hooks_hex) THEN 1 ELSE 0 END) AS ours,
  MIN(CASE WHEN scheduled_date_gmt > '0001-01-01' THEN {true_date} END) AS oldest,
  MAX(UNIX_TIMESTAMP()) AS now
FROM (SELECT * FROM (
    SELECT * FROM (SELECT hook, scheduled_date_gmt, scheduled_date_local FROM {actions}
      WHERE status = 'pending' AND scheduled_date_gmt <= UTC_TIMESTAMP()
      ORDER BY scheduled_date_gmt LIMIT :most) AS plain
    UNION ALL
    SELECT * FROM (SELECT hook, scheduled_date_gmt, scheduled_date_local FROM {actions}
      WHERE status = 'pending' AND scheduled_date_gmt BETWEEN '2800-01-01' AND {parked_now}
        AND {moved} ORDER BY scheduled_date_gmt LIMIT :most) AS parked
  ) AS due LIMIT :most
) AS some

-- name: due_of_hooks
-- How many actions a run has before it.
SELECT COUNT(*) AS actions FROM {actions}
WHERE status = 'pending' AND claim_id = 0 AND (scheduled_date_gmt <= UTC_TIMESTAMP()
    OR (scheduled_date_gmt BETWEEN '2800-01-01' AND {parked_now} AND {moved}))
  AND HEX(hook) IN (:hooks_hex)

-- name: due_by_hook
-- The same by hook, and since when the oldest waits (zero dates left out).
SELECT MIN(hook) AS hook, COUNT(*) AS actions,
  MIN(CASE WHEN scheduled_date_gmt > '0001-01-01' THEN {true_date} END) AS oldest,
  MAX(UNIX_TIMESTAMP()) AS now
FROM {actions}
WHERE status = 'pending' AND claim_id = 0 AND (scheduled_date_gmt <= UTC_TIMESTAMP()
    OR (scheduled_date_gmt BETWEEN '2800-01-01' AND {parked_now} AND {moved}))
  AND HEX(hook) IN (:hooks_hex)
GROUP BY HEX(hook) ORDER BY oldest, hook

-- name: next_due
-- The next action that is not due yet.
SELECT MIN({true_date}) AS next FROM (
  SELECT * FROM (
    SELECT scheduled_date_gmt, scheduled_date_local FROM {actions}
    WHERE status = 'pending' AND scheduled_date_gmt > UTC_TIMESTAMP()
      AND scheduled_date_gmt < '2800-01-01'
    ORDER BY scheduled_date_gmt LIMIT 1
  ) AS plain
  UNION ALL
  SELECT * FROM (
    SELECT scheduled_date_gmt, scheduled_date_local FROM {actions}
    WHERE status = 'pending' AND scheduled_date_gmt > {parked_now}
    ORDER BY scheduled_date_gmt LIMIT 1
  ) AS parked
) AS soonest

-- name: dead
-- Dead letters that wait for somebody.
SELECT COUNT(*) AS letters FROM {dead_letters} WHERE status = 'dead'
