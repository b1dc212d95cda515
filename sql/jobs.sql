-- The WPKite job manager's own tables, kept up for the PHP code that reads them, and what is told
-- of jobs. Its dates are UTC here.

-- name: log
-- One line of a job's story.
INSERT INTO {job_log} (job_type, status, job_id, duration_ms, memory_peak, message, context, created_at)
VALUES (:job_type, :status, :job_id, :duration_ms, :memory_peak, :message, :context, UTC_TIMESTAMP())

-- name: dead_letter
-- A job that has failed for good, with all that PHP needs to dispatch it again.
INSERT INTO {job_letters} (job_type, payload, error_message, attempts, status, created_at)
VALUES (:job_type, :payload, :error_message, :attempts, 'dead', UTC_TIMESTAMP())

-- name: now
-- The database's time.
SELECT UNIX_TIMESTAMP() AS now

-- name: counts
-- The actions of the jobs' group: what waits and runs, and what ended in the last :seconds.
SELECT COUNT(CASE WHEN status = 'pending' THEN 1 END) AS pending,
  COUNT(CASE WHEN status = 'in-progress' THEN 1 END) AS in_progress,
  COUNT(CASE WHEN status = 'complete' AND last_attempt_gmt > FROM_UNIXTIME(UNIX_TIMESTAMP() - :seconds)
    THEN 1 END) AS completed,
  COUNT(CASE WHEN status = 'failed' AND last_attempt_gmt > FROM_UNIXTIME(UNIX_TIMESTAMP() - :seconds)
    THEN 1 END) AS failed,
  COUNT(CASE WHEN status = 'failed' THEN 1 END) AS ever_failed
FROM {actions} WHERE group_id IN (SELECT group_id FROM {groups} WHERE slug = :slug)

-- name: dead_letters
-- How many wait for somebody.
SELECT COUNT(*) AS dead FROM {job_letters} WHERE status = 'dead'

-- name: own_dead_letters
-- The same by the runner's own letters, where the site has no such table.
SELECT COUNT(*) AS dead FROM {dead_letters} WHERE status = 'dead' AND HEX(hook) IN (:hooks_hex)

-- name: tries_by_log
-- What the tries of the last :seconds came to, by type, as the log tells it.
SELECT job_type AS type, COUNT(CASE WHEN status = 'completed' THEN 1 END) AS completed,
  COUNT(CASE WHEN status = 'failed' THEN 1 END) AS failed,
  AVG(CASE WHEN status = 'completed' THEN duration_ms END) AS milliseconds
FROM {job_log}
WHERE created_at > FROM_UNIXTIME(UNIX_TIMESTAMP() - :seconds) AND status IN ('completed', 'failed')
GROUP BY job_type

-- name: tries_by_attempts
-- The same of one type as the runner's own attempts tell it. The type is how the args begin:
-- compared byte by byte, whatever the column's collation.
SELECT COUNT(CASE WHEN t.outcome = 'completed' THEN 1 END) AS completed,
  COUNT(CASE WHEN t.outcome IN ('failed', 'retried') THEN 1 END) AS failed,
  AVG(CASE WHEN t.outcome = 'completed' THEN t.elapsed_ms END) AS milliseconds
FROM {attempts} AS t JOIN {actions} AS a ON a.action_id = t.action_id
WHERE t.ended_at > FROM_UNIXTIME(UNIX_TIMESTAMP() - :seconds) AND HEX(t.hook) IN (:hooks_hex)
  AND HEX(SUBSTR(CASE WHEN a.extended_args IS NULL OR a.extended_args IN ('', '0') THEN a.args
    ELSE a.extended_args END, 1, :length)) = :begins_hex
