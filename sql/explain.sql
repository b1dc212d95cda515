-- What `runner explain` asks about one action.

-- name: row
-- The action as it stands, with its true date.
SELECT a.action_id, a.hook, a.status, {priority} AS priority, a.args, a.extended_args, a.schedule,
  a.attempts, a.claim_id, a.group_id, g.slug, a.scheduled_date_gmt, a.scheduled_date_local,
  {true_date} AS due, a.last_attempt_gmt, UNIX_TIMESTAMP() AS now
FROM {actions} AS a LEFT JOIN {groups} AS g ON g.group_id = a.group_id
WHERE a.action_id = :id

-- name: holders
-- Whose claim it is, by the runner's own tables: the row's own, or the one that holds it parked.
SELECT l.claim_id, w.host, w.pid, w.queue, w.seen_at, l.expires_at,
  CASE WHEN l.expires_at > UTC_TIMESTAMP() THEN 1 ELSE 0 END AS alive
FROM {leases} AS l LEFT JOIN {workers} AS w ON w.worker_id = l.worker_id
WHERE l.claim_id = :claim OR l.claim_id = (SELECT claim_id FROM {held} WHERE action_id = :id)

-- name: workers
-- When one was seen last.
SELECT seen_at FROM {workers} ORDER BY seen_at DESC LIMIT 1

-- name: letter
-- Its newest dead letter.
SELECT id, status, error_class, error_message, replayed_as, reprocessed_by FROM {dead_letters}
WHERE action_id = :id ORDER BY id DESC LIMIT 1

-- name: replay_of
-- The letter that it is a replay of.
SELECT id, action_id FROM {dead_letters} WHERE replayed_as = :id ORDER BY id LIMIT 1

-- name: last_line
-- What its log says last.
SELECT message, log_date_gmt FROM {logs} WHERE action_id = :id ORDER BY log_id DESC LIMIT 1

-- name: next_of_chain
-- The pending action of the same hook, args and group, if there is one among so many of its hook.
SELECT action_id, due FROM (
  SELECT action_id, args, group_id, {true_date} AS due FROM {actions} {hook_index}
  WHERE hook = :hook AND HEX(hook) = HEX(:hook) AND status IN ('pending', 'in-progress')
  LIMIT :limit
) AS live
WHERE args = :args AND group_id = :group_id AND action_id <> :id ORDER BY due LIMIT 1

-- name: ahead
-- How many due actions of the hook come before it, counted up to a limit.
SELECT COUNT(*) AS actions FROM (
  SELECT 1 FROM {actions} {hook_index}
  WHERE hook = :hook AND HEX(hook) = HEX(:hook) AND status = 'pending' AND claim_id = 0
    AND scheduled_date_gmt < :stored LIMIT :limit) AS some

-- name: php_claims
-- How many claims PHP's runner counts as at work: it begins no more than its filter allows. Rows that
-- are over keep their claim, so the table of claims, which is small, is read first.
SELECT COUNT(*) AS claims FROM {claims} AS c WHERE (
  SELECT COUNT(*) FROM {actions} AS a {claim_index}
  WHERE a.claim_id = c.claim_id AND a.status IN ('pending', 'in-progress')) > 0

-- name: lock_holders
-- Who holds these locks.
SELECT k.name, k.action_id, w.host, w.pid FROM {locks} AS k
  LEFT JOIN {leases} AS l ON l.claim_id = k.claim_id
  LEFT JOIN {workers} AS w ON w.worker_id = l.worker_id
WHERE k.name IN (:names) AND k.expires_at > UTC_TIMESTAMP() ORDER BY k.name, k.place
