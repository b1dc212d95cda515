-- Creating actions. Every date is given as text, computed from the database's clock as `facts`
-- told it: the statements also run on a caller's connection, whose time zone is its own.

-- name: facts
-- The database's time in epoch seconds and, of one group, the id by the column's collation. A slug
-- may have several rows: the oldest is the group.
SELECT :number AS number, MIN(group_id) AS group_id, UNIX_TIMESTAMP() AS now, NULL AS installed
FROM {groups} WHERE slug = :slug

-- name: parks
-- Which hooks are parked, asked with the groups: a queue may be older than an installation, or
-- outlive it.
SELECT -1 AS number, NULL AS group_id, UNIX_TIMESTAMP() AS now, option_value AS installed
FROM {options} WHERE option_name = :installed

-- name: take_lock
-- One process at a time creates groups of this site, or unique actions of a hook: no column is unique.
SELECT GET_LOCK(:lock, 10) AS taken

-- name: take_lock@sqlite
-- A transaction that writes is the only one already.
SELECT 1 AS taken

-- name: give_lock_back
-- Lets the next one do it.
SELECT RELEASE_LOCK(:lock) AS free

-- name: give_lock_back@sqlite
-- The transaction's end did it.
SELECT 1 AS free

-- name: create_group
-- A group, if nobody created it meanwhile. The empty slug is a group like others.
INSERT INTO {groups} (slug)
SELECT :slug {dual} WHERE NOT EXISTS (SELECT group_id FROM {groups} WHERE slug = :slug)

-- name: group
-- The id of a group that is there.
SELECT MIN(group_id) AS group_id FROM {groups} WHERE slug = :slug

-- name: create
-- A pending action; columns that are not named take the table's defaults, as in PHP.
INSERT INTO {actions} (hook, status, scheduled_date_gmt, scheduled_date_local, schedule, group_id,
  {priority_column} args, extended_args)
VALUES (:hook, 'pending', :gmt, :local, :schedule, :group_id, {priority_value} :args, :extended)

-- name: create_unique
-- The same unless there is one like it, by the columns' collation: pending or running, of the same
-- hook and group and, unless any args count, the same args.
INSERT INTO {actions} (hook, status, scheduled_date_gmt, scheduled_date_local, schedule, group_id,
  {priority_column} args, extended_args)
SELECT :hook, 'pending', :gmt, :local, :schedule, :group_id, {priority_value} :args, :extended {dual}
WHERE NOT EXISTS (
  SELECT action_id FROM {actions}
  WHERE hook = :hook AND group_id = :group_id AND status IN ('pending', 'in-progress')
    AND (:any_args = 1 OR args = :args))

-- name: alike
-- One that makes a unique action a duplicate.
SELECT action_id FROM {actions}
WHERE hook = :hook AND group_id = :group_id AND status IN ('pending', 'in-progress')
  AND (:any_args = 1 OR args = :args)
LIMIT 1

-- name: log_created
-- The first line of an action's story.
INSERT INTO {logs} (action_id, message, log_date_gmt, log_date_local)
VALUES (:id, :message, :gmt, :local)

-- name: id_step
-- From one id of a statement with several rows to the next, counted from the one that the driver
-- tells: the first on MySQL.
SELECT @@auto_increment_increment AS step

-- name: id_step@sqlite
-- The last one on SQLite, where ids go up by one.
SELECT -1 AS step

-- name: already_created
-- Whether an action of ours is there: it tells whether a COMMIT without an answer took place. Under
-- lock, so that a COMMIT that is still on its way is waited for.
SELECT action_id FROM {actions} WHERE action_id = :id AND hook = :hook AND args = :args {lock}
