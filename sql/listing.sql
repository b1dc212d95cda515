-- The page's list of actions: branches that are each read in the order of one index, then merged.

-- name: hooks
-- All hooks, where no census tells them: of those that the column's collation takes for one, one,
-- as HEX, which every connection reads alike. `begins` tells those that begin with a text.
SELECT MIN(HEX(hook)) AS name, MAX(hook LIKE :beginning ESCAPE '!') AS begins, 0 AS counted
FROM {actions} GROUP BY hook LIMIT :most

-- name: known_hooks
-- Those of the census, and of the newest actions, which it may not have seen. The census tells
-- bytes apart: CAST gives the session's collation, which is that of the actions' hooks.
SELECT MIN(HEX(hook)) AS name, MAX(CAST(hook AS CHAR) LIKE :beginning ESCAPE '!') AS begins,
  MAX(counted) AS counted
FROM (
  SELECT CAST(hook AS CHAR) AS hook, 1 AS counted FROM {census}
  UNION ALL
  SELECT CAST(hook AS CHAR), 0 FROM (
    SELECT hook FROM {actions} ORDER BY action_id DESC LIMIT :most
  ) AS newest
) AS known GROUP BY CAST(hook AS CHAR)

-- name: known_hooks@sqlite
-- The same where the actions' column folds the case of ASCII.
SELECT MIN(HEX(hook)) AS name, MAX(hook LIKE :beginning ESCAPE '!') AS begins,
  MAX(counted) AS counted
FROM (
  SELECT hook, 1 AS counted FROM {census}
  UNION ALL
  SELECT hook, 0 FROM (
    SELECT hook FROM {actions} ORDER BY action_id DESC LIMIT :most
  ) AS newest
) AS known GROUP BY hook COLLATE NOCASE

-- name: groups
-- Ids of groups of a name, or of one that begins so.
SELECT group_id FROM {groups} WHERE slug = :name OR slug LIKE :beginning ESCAPE '!'
ORDER BY group_id LIMIT :most

-- name: branch
-- One range of an index, from a place on, with its number.
SELECT * FROM (
  SELECT /*number*/ AS part, action_id, hook, status, scheduled_date_gmt, scheduled_date_local FROM {actions} /*index*/
  WHERE /*where*/ ORDER BY /*order*/ LIMIT :limit
) AS branch

-- name: only_hook
-- The hook.
hook = :hook

-- name: only_status
-- The status.
status = :status

-- name: only_group
-- Ids of groups.
group_id IN (:groups)

-- name: only_args
-- The whole args.
args = :args

-- name: only_args_part
-- Some text within them.
(args LIKE :args_like ESCAPE '!' OR extended_args LIKE :args_like ESCAPE '!')

-- name: only_id
-- One action.
action_id = :id

-- name: only_older
-- Due at that moment or before, parked or not.
((scheduled_date_gmt < '2800-01-01' AND scheduled_date_gmt <= :older)
  OR (scheduled_date_gmt >= '2800-01-01' AND scheduled_date_gmt <= :older_parked))

-- name: only_plain
-- With their true dates.
(scheduled_date_gmt < '2800-01-01' OR scheduled_date_gmt IS NULL)

-- name: only_parked
-- Parked ones, and what is planned for then.
scheduled_date_gmt >= '2800-01-01'

-- name: before_id
-- From a place on.
action_id < :after_id

-- name: after_id
-- From a place on.
action_id > :after_id

-- name: before_date
-- From a place on. Rows without a date are before all others.
(scheduled_date_gmt IS NULL OR (scheduled_date_gmt <= :after_date
  AND (scheduled_date_gmt < :after_date OR action_id < :after_id)))

-- name: after_date
-- From a place on.
(scheduled_date_gmt >= :after_date AND (scheduled_date_gmt > :after_date OR action_id > :after_id))

-- name: before_undated
-- From a place on that has no date. There is none before the zero date: IS NULL alone is a constant
-- to the server, which then reads in the order of its choice.
((scheduled_date_gmt IS NULL OR scheduled_date_gmt < '0000-00-00 00:00:00')
  AND action_id < :after_id)

-- name: after_undated
-- From a place on that has no date.
(scheduled_date_gmt IS NOT NULL OR action_id > :after_id)

-- name: only_unclaimed
-- Nobody has it: these lie in the order of their ids.
claim_id = 0

-- name: only_claimed
-- Somebody has it.
claim_id > 0

-- name: last_lines
-- What each one's log says last.
SELECT l.action_id, l.message FROM {logs} AS l JOIN (
  SELECT MAX(log_id) AS newest FROM {logs} WHERE action_id IN (:ids) GROUP BY action_id
) AS last ON last.newest = l.log_id

-- name: lineage
-- Dead letters of an action, and the one that it is a replay of.
SELECT id, action_id, status, error_class, error_message, replayed_as, replay_of, reprocessed_by,
  created_at FROM {dead_letters}
WHERE action_id = :id
UNION ALL
SELECT id, action_id, status, error_class, error_message, replayed_as, replay_of, reprocessed_by,
  created_at FROM {dead_letters}
WHERE replayed_as = :id AND action_id <> :id
ORDER BY id
