-- What `runner action …` reads. Fragments named `only_…` are the conditions of a filter; they are
-- joined with AND in place of /*where*/.

-- name: clock
-- The database's time in epoch seconds.
SELECT UNIX_TIMESTAMP() AS now

-- name: pick
-- Ids of the actions that a filter lets through, in order: a sort, if any, moves ids alone.
SELECT action_id FROM {actions} WHERE /*where*/ ORDER BY /*order*/ LIMIT :limit OFFSET :offset

-- name: index_of_hook
-- For one status of a hook by date, a range of its index. Left to itself, MySQL now and then reads
-- the index of all dates instead, and with it every finished action.
{hook_index}

-- name: pick_by_date
-- The same in the order of the true dates: the parked ones and the others are two ranges, each read
-- in its order.
SELECT action_id FROM (
  SELECT * FROM (
    SELECT action_id, scheduled_date_gmt FROM {actions} /*index*/
    WHERE (/*where*/) AND (scheduled_date_gmt < '2800-01-01' OR scheduled_date_gmt IS NULL)
    ORDER BY /*order*/ LIMIT :last
  ) AS plain
  UNION ALL
  SELECT action_id, {true_date} FROM (
    SELECT action_id, scheduled_date_gmt, scheduled_date_local FROM {actions} /*index*/
    WHERE (/*where*/) AND scheduled_date_gmt >= '2800-01-01'
    ORDER BY /*order*/ LIMIT :last
  ) AS parked
) AS picked
ORDER BY /*order*/ LIMIT :limit OFFSET :offset

-- name: how_many
-- How many a filter lets through, counted no further than :limit.
SELECT COUNT(*) AS actions FROM (SELECT 1 FROM {actions} WHERE /*where*/ LIMIT :limit) AS counted

-- name: only_any
-- No condition.
TRUE

-- name: only_hook
-- By the column's collation, as WP-CLI compares: OK_Hook equals ok_hook.
hook = :hook

-- name: only_args
-- The whole args, as the column keeps them: JSON, or its MD5 when it is long.
args = :args

-- name: only_groups
-- Ids of one name: the column is not unique.
group_id IN (:groups)

-- name: only_statuses
-- One of these.
status IN (:statuses)

-- name: only_claimed
-- Belongs to a claim, a living one or one of history.
claim_id > 0

-- name: only_unclaimed
-- Free.
claim_id = 0

-- name: only_claim
-- Belongs to this claim.
claim_id = :claim

-- name: only_scheduled
-- A bound on the date it is due, parked or not.
((scheduled_date_gmt < '2800-01-01' AND scheduled_date_gmt /*compare*/ :scheduled)
  OR (scheduled_date_gmt >= '2800-01-01' AND scheduled_date_gmt /*compare*/ :parked))

-- name: only_modified
-- A bound on the date it was last touched by a run; rows that none has touched have a zero date.
last_attempt_gmt /*compare*/ :modified AND last_attempt_gmt > '0001-01-01'

-- name: groups_of_name
-- Ids of a group by name.
SELECT group_id FROM {groups} WHERE slug = :slug ORDER BY group_id

-- name: whole_rows
-- All that is shown of these actions.
SELECT a.action_id, a.hook, a.status, {priority} AS priority, a.args, a.extended_args, a.schedule,
  a.attempts, a.claim_id, a.scheduled_date_gmt, a.scheduled_date_local,
  a.last_attempt_gmt, g.slug
FROM {actions} AS a LEFT JOIN {groups} AS g ON g.group_id = a.group_id
WHERE a.action_id IN (:ids)

-- name: stories
-- The log of these actions, oldest line first.
SELECT action_id, log_date_gmt, message FROM {logs} WHERE action_id IN (:ids)
ORDER BY action_id, log_id
