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
-- The last actions of chains that have stopped.
SELECT action_id, hook, args, extended_args, schedule, group_id, last_attempt_gmt FROM {actions}
WHERE action_id IN (:ids)

-- name: groups
-- Names of groups.
SELECT group_id, slug FROM {groups} WHERE group_id IN (:ids)
