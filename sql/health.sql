-- What the health rules look at. Reads only; no look goes further than :limit rows.

-- name: clock
-- The database's time.
SELECT UNIX_TIMESTAMP() AS now

-- name: existed
-- An action that was there :seconds ago; those of lower ids were, too. That tells how old actions
-- without a date are at least.
SELECT MAX(action_id) AS id FROM (
  SELECT action_id FROM {logs} WHERE log_date_gmt <= FROM_UNIXTIME(UNIX_TIMESTAMP() - :seconds)
  ORDER BY log_date_gmt DESC LIMIT 200
) AS newest

-- name: waiting
-- What should have run :overdue seconds ago, and of that what is late, by hook and group. An action
-- that was given a date of the past waits since it was created, which its first log line tells.
SELECT MIN(hook) AS hook, group_id, COUNT(*) AS overdue, MIN(due) AS oldest,
  SUM(CASE WHEN due IS NULL THEN late
    WHEN due <= FROM_UNIXTIME(UNIX_TIMESTAMP() - :late) THEN 1 ELSE 0 END) AS late
FROM (
  SELECT hook, group_id, late, CASE WHEN created > due THEN created ELSE due END AS due
  FROM (
    SELECT hook, group_id, late, due,
      (SELECT MIN(l.log_date_gmt) FROM {logs} AS l WHERE l.action_id = one.action_id) AS created
    FROM (/*branches*/) AS one
  ) AS dated
) AS since
WHERE due IS NULL OR due <= FROM_UNIXTIME(UNIX_TIMESTAMP() - :overdue)
GROUP BY HEX(hook), group_id ORDER BY overdue DESC

-- name: dated
-- Actions with a date, a branch of that.
SELECT * FROM (
  SELECT action_id, hook, group_id, scheduled_date_gmt AS due, NULL AS late
  FROM {actions}
  WHERE status = 'pending' AND scheduled_date_gmt >= '0001-01-01'
    AND scheduled_date_gmt <= FROM_UNIXTIME(UNIX_TIMESTAMP() - :overdue) /*which*/
  ORDER BY scheduled_date_gmt LIMIT :limit
) AS dated

-- name: undated
-- Actions without one, which are as old as their ids tell.
SELECT * FROM (
  SELECT action_id, hook, group_id, NULL AS due,
    CASE WHEN action_id <= :older THEN 1 ELSE 0 END AS late
  FROM {actions}
  WHERE status = 'pending' AND scheduled_date_gmt < '0001-01-01' AND action_id <= :old /*which*/
  LIMIT :limit
) AS undated

-- name: parked
-- Parked ones, by their true dates.
SELECT * FROM (
  SELECT action_id, hook, group_id, {true_date} AS due, NULL AS late
  FROM {actions}
  WHERE status = 'pending' AND scheduled_date_gmt >= '2800-01-01' AND {moved}
    AND scheduled_date_gmt <= {parked_now} - INTERVAL :overdue SECOND /*which*/
  ORDER BY scheduled_date_gmt LIMIT :limit
) AS parked

-- name: but_hooks
-- Those of other hooks.
AND HEX(hook) NOT IN (:but_hooks)

-- name: but_groups
-- Those of other groups.
AND group_id NOT IN (:but_groups)

-- name: of_hook
-- Those of one hook, whatever the column's collation.
AND hook = :hook AND HEX(hook) = HEX(:hook)

-- name: of_groups
-- Those of one group, which may have several ids.
AND group_id IN (:groups)

-- name: group_names
-- Every group.
SELECT group_id, slug FROM {groups}

-- name: silent
-- What runs and gave no sign of life for :seconds.
SELECT action_id, hook, group_id, last_attempt_gmt AS since FROM {actions}
WHERE status = 'in-progress' AND last_attempt_gmt > '0001-01-01'
  AND last_attempt_gmt <= FROM_UNIXTIME(UNIX_TIMESTAMP() - :seconds)
ORDER BY last_attempt_gmt LIMIT :limit

-- name: silent_held
-- The same of parked actions, whose signs of life are in their leases.
SELECT a.action_id, a.hook, a.group_id, l.expires_at AS since
FROM {leases} AS l JOIN {held} AS h ON h.claim_id = l.claim_id
  JOIN {actions} AS a ON a.action_id = h.action_id
WHERE l.expires_at <= FROM_UNIXTIME(UNIX_TIMESTAMP() - :seconds) AND a.status = 'in-progress'
ORDER BY l.expires_at LIMIT :limit

-- name: rates
-- Of the figures by the minute: hooks of which something failed.
SELECT hook, SUM(done) AS done, SUM(failed) AS failed FROM {minutes}
WHERE minute >= :since AND minute <= :until AND hook <> ''
GROUP BY hook HAVING SUM(failed) > 0 ORDER BY SUM(failed) DESC, hook LIMIT :limit

-- name: recorded
-- The newest minute that is written.
SELECT MAX(minute) AS minute FROM {minutes} WHERE hook = '' AND minute <= :until

-- name: backlog
-- What waited, by the minute; the row without a hook is all together.
SELECT minute, hook, waiting FROM {minutes}
WHERE minute >= :since AND minute <= :until AND waiting IS NOT NULL AND hook IN (:hooks)
ORDER BY minute

-- name: hooks_of_groups
-- Which hooks these groups had when the table was counted last.
SELECT DISTINCT group_slug, hook FROM {census} WHERE group_slug IN (:groups)

-- name: letters
-- Dead letters of the last :seconds that nobody has closed.
SELECT hook, job_type, group_slug, COUNT(*) AS letters, MAX(id) AS newest FROM (
  SELECT id, hook, job_type, group_slug FROM {dead_letters}
  WHERE status = 'dead' AND created_at > FROM_UNIXTIME(UNIX_TIMESTAMP() - :seconds)
  ORDER BY created_at DESC LIMIT :limit
) AS latest
GROUP BY hook, job_type, group_slug ORDER BY letters DESC, hook

-- name: php_due
-- An action that PHP should have run :seconds ago, and that was there by then: of the :limit oldest
-- dates, or without one.
SELECT hook, due FROM (
  SELECT * FROM (
    SELECT hook, due FROM (
      SELECT action_id, hook, scheduled_date_gmt AS due FROM {actions}
      WHERE status = 'pending' AND scheduled_date_gmt >= '0001-01-01'
        AND scheduled_date_gmt <= FROM_UNIXTIME(UNIX_TIMESTAMP() - :seconds)
        AND HEX(hook) NOT IN (:ours)
      ORDER BY scheduled_date_gmt LIMIT :limit
    ) AS one
    WHERE COALESCE(
      (SELECT MIN(l.log_date_gmt) FROM {logs} AS l WHERE l.action_id = one.action_id), due
    ) <= FROM_UNIXTIME(UNIX_TIMESTAMP() - :seconds)
    ORDER BY due LIMIT 1
  ) AS dated
  UNION ALL
  SELECT * FROM (
    SELECT hook, NULL AS due FROM {actions}
    WHERE status = 'pending' AND scheduled_date_gmt < '0001-01-01' AND action_id <= :old
      AND HEX(hook) NOT IN (:ours)
    LIMIT 1
  ) AS undated
) AS due

-- name: php_ran
-- Whether PHP's runner wrote one of its lines within :seconds.
SELECT 1 AS ran FROM {logs}
WHERE log_date_gmt > FROM_UNIXTIME(UNIX_TIMESTAMP() - :seconds)
  AND (message LIKE :first OR message LIKE :second OR message LIKE :third)
  AND message NOT LIKE :ours
LIMIT 1

-- name: workers
-- When each worker was seen; one of a run from cron has no queue.
SELECT seen_at, queue FROM {workers}

-- name: unparked
-- Actions of Python's hooks that were not parked for :seconds: PHP's runner can take them. Their own
-- lines tell how old they are; without any, their ids do.
SELECT MIN(hook) AS hook, COUNT(*) AS actions FROM (
  SELECT hook FROM {actions} AS one
  WHERE hook IN (:hooks) AND HEX(hook) IN (:hooks_hex) AND status = 'pending'
    AND scheduled_date_gmt < '2800-01-01'
    AND (action_id <= :old
      OR (SELECT MIN(l.log_date_gmt) FROM {logs} AS l WHERE l.action_id = one.action_id)
        <= FROM_UNIXTIME(UNIX_TIMESTAMP() - :seconds))
  LIMIT :limit
) AS unparked
GROUP BY HEX(hook) ORDER BY actions DESC, hook
