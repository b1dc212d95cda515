-- Changes by a person or by the site's own code.

-- name: lock_pending
-- Which of these still wait, under lock, with the database's time.
SELECT action_id, UNIX_TIMESTAMP() AS now FROM {actions} {by_key}
WHERE action_id IN (:ids) AND status = 'pending' {lock}

-- name: cancel
-- They will not run.
UPDATE {actions} {by_key} SET status = 'canceled' {release_unique_key}
WHERE action_id IN (:ids) AND status = 'pending'

-- name: lock_not_running
-- Which of these are not running, under lock.
SELECT action_id, UNIX_TIMESTAMP() AS now FROM {actions} {by_key}
WHERE action_id IN (:ids) AND status <> 'in-progress' {lock}

-- name: delete_logs
-- Their story goes first.
DELETE FROM {logs} WHERE action_id IN (:ids)

-- name: delete
-- Then the actions.
DELETE FROM {actions} WHERE action_id IN (:ids) AND status <> 'in-progress'
