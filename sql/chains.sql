-- Recurring chains for the page.

-- name: live
-- What waits or runs of the given hooks and recurs, the soonest first within a hook.
SELECT action_id, hook, args, extended_args, schedule, status, group_id, {true_date} AS due
FROM {actions}
WHERE hook IN (:hooks) AND status IN ('pending', 'in-progress')
  AND {recurs}
LIMIT :limit

-- name: live_anywhere
-- The same among the pending ones of the latest dates, where no census tells the hooks.
SELECT action_id, hook, args, extended_args, schedule, status, group_id, {true_date} AS due FROM (
  SELECT * FROM {actions} WHERE status = 'pending' ORDER BY scheduled_date_gmt DESC LIMIT :limit
) AS latest
WHERE {recurs}

-- name: ended
-- Chains among the rows that ended last.
SELECT action_id, hook, args, extended_args, schedule, group_id, last_attempt_gmt FROM (
  SELECT * FROM (
    SELECT * FROM {actions} WHERE status = 'complete' ORDER BY last_attempt_gmt DESC LIMIT :limit
  ) AS complete
  UNION ALL
  SELECT * FROM (
    SELECT * FROM {actions} WHERE status = 'failed' ORDER BY last_attempt_gmt DESC LIMIT :limit
  ) AS failed
) AS latest
WHERE {recurs}
ORDER BY action_id DESC

-- name: follows
-- Whether these hooks have anything that waits or runs, and the newest that was canceled.
SELECT hook, MAX(CASE WHEN status IN ('pending', 'in-progress') THEN 1 ELSE 0 END) AS live,
  MAX(CASE WHEN status = 'canceled' THEN action_id END) AS canceled
FROM {actions}
WHERE hook IN (:hooks) AND status IN ('pending', 'in-progress', 'canceled') GROUP BY hook

-- name: groups
-- Names of groups.
SELECT group_id, slug FROM {groups} WHERE group_id IN (:ids)
