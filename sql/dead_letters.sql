-- Dead letters: what was given up, as it was, and what became of it since. The args and the
-- schedule are copied by the server, so that what nobody can read is kept to the byte.

-- name: bury
-- Keeps an action that has failed for good; one that came from a replay points to that letter.
INSERT INTO {dead_letters} (job_type, payload, error_message, attempts, created_at, action_id, hook,
  group_id, group_slug, priority, args, extended_args, schedule, scheduled_at, kind, error_class, traceback,
  claim_id, worker, site, replay_of)
SELECT COALESCE(:job_type, a.hook), :payload, :message, a.attempts, UTC_TIMESTAMP(), a.action_id, a.hook, a.group_id,
  COALESCE((SELECT g.slug FROM {groups} AS g WHERE g.group_id = a.group_id), ''), {priority},
  a.args, a.extended_args, a.schedule, {true_date}, :kind, :error_class, :traceback,
  :claim, :worker, :site,
  (SELECT MAX(d.id) FROM {dead_letters} AS d WHERE d.replayed_as = a.action_id)
FROM {actions} AS a {by_key} WHERE a.action_id = :id

-- name: ids
-- The next letters after one, by what is known of them.
SELECT id FROM {dead_letters} WHERE id > :after AND id <= :last AND (/*where*/)
ORDER BY id LIMIT :limit

-- name: newest
-- The newest letters that match, the newest first, from a place on.
SELECT id FROM {dead_letters} WHERE (/*where*/) AND id < :below ORDER BY id DESC LIMIT :limit

-- name: last
-- The newest letter of all: what is added later is not meant.
SELECT COALESCE(MAX(id), 0) AS last FROM {dead_letters}

-- name: how_many
-- How many match, counted up to a limit.
SELECT COUNT(*) AS letters FROM (
  SELECT 1 FROM {dead_letters} WHERE (/*where*/) LIMIT :limit) AS some

-- name: only_all
-- Any letter.
1 = 1

-- name: only_ids
-- These.
id IN (:ids)

-- name: only_hook
-- Of one hook.
hook = :hook

-- name: only_group
-- Of one group.
group_slug = :slug

-- name: only_status
-- Still dead, or closed in one of two ways.
status = :status

-- name: only_error
-- By the error's class, or a part of its message.
(error_class = :error OR error_message LIKE :error_like ESCAPE '!')

-- name: only_since
-- From a moment on.
created_at >= :since

-- name: only_before
-- Up to a moment.
created_at < :before

-- name: letters
-- Whole letters.
SELECT * FROM {dead_letters} WHERE id IN (:ids)

-- name: heads
-- Letters without what may be long.
SELECT id, action_id, hook, group_slug, attempts, status, kind, error_class, error_message,
  created_at, replayed_as, replay_of FROM {dead_letters} WHERE id IN (:ids)

-- name: group_is_there
-- Whether the letter's group still has its row; an action may be in none.
SELECT COUNT(*) AS there, UNIX_TIMESTAMP() AS now FROM {groups} WHERE group_id = :group_id

-- name: lock
-- One letter, under lock.
SELECT id, status, action_id, hook, priority, args, extended_args, replayed_as, reprocessed_at,
  reprocessed_by, UNIX_TIMESTAMP() AS now FROM {dead_letters} WHERE id = :id {lock}

-- name: replay
-- A new action: the same hook, group, args and priority, no attempts, due once and now.
INSERT INTO {actions} (hook, status, scheduled_date_gmt, scheduled_date_local, schedule, group_id,
  {priority_column} args, extended_args)
SELECT hook, 'pending', :gmt, :local, :schedule, :group_id, {priority_column}
  CASE WHEN :edited THEN :args ELSE args END,
  CASE WHEN :edited THEN :extended ELSE extended_args END
FROM {dead_letters} WHERE id = :id

-- name: close
-- What became of a letter, by whom and why.
UPDATE {dead_letters} SET status = :status, reprocessed_at = UTC_TIMESTAMP(),
  reprocessed_by = :actor, note = :note, replayed_as = :replayed_as
WHERE id = :id AND status = 'dead'
