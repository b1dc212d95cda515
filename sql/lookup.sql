-- Looking for actions by what created them: hook, args, group. Text compares by the columns'
-- collation, as PHP's look-ups do. A condition that is not asked for is switched off by a constant,
-- which the server drops before it plans.

-- name: find
-- Actions in the order of their dates. A slug may have several group rows: all of them count. No
-- action_id in the ORDER BY: with it the server walks through everything by date until it meets
-- the hook, instead of taking the index of hook, status and date.
SELECT a.action_id, a.hook, a.status, {priority} AS priority, a.args, a.extended_args, a.schedule,
  a.group_id, a.attempts, a.scheduled_date_gmt, g.slug
FROM {actions} AS a LEFT JOIN {groups} AS g ON g.group_id = a.group_id
WHERE a.status IN (:statuses)
  AND (:any_hook = 1 OR a.hook = :hook)
  AND (:any_args = 1 OR a.args = :args)
  AND (:any_group = 1 OR a.group_id IN (SELECT group_id FROM {groups} WHERE slug = :group))
ORDER BY a.scheduled_date_gmt LIMIT :limit

-- name: some_pending
-- Ids of waiting actions, in no order: whatever index finds them.
SELECT action_id FROM {actions}
WHERE status = 'pending'
  AND (:any_hook = 1 OR hook = :hook)
  AND (:any_args = 1 OR args = :args)
  AND (:any_group = 1 OR group_id IN (SELECT group_id FROM {groups} WHERE slug = :group))
LIMIT :limit
