-- Deleting finished actions in bulk. Tables are walked by their primary keys in short ranges, read
-- without locks; what is deleted is locked by primary key first. Fragments named `only_…` are
-- joined with AND in place of /*where*/.

-- name: newest
-- Where the walk ends: what is created meanwhile is not its business.
SELECT COALESCE(MAX(action_id), 0) AS id FROM {actions}

-- name: range
-- The next rows of the walk, whatever they are: a range that is short however wide its ids lie.
SELECT MAX(action_id) AS last, COUNT(*) AS walked FROM (
  SELECT action_id FROM {actions} {by_key} WHERE action_id > :after AND action_id <= :newest
  ORDER BY action_id LIMIT :window
) AS walked

-- name: range_back
-- The same backwards.
SELECT MIN(action_id) AS first FROM (
  SELECT action_id FROM {actions} {by_key} WHERE action_id < :before
  ORDER BY action_id DESC LIMIT :window
) AS walked

-- name: matching
-- Those of a range that may go.
SELECT a.action_id AS id FROM {actions} AS a {by_key}
WHERE a.action_id > :after AND a.action_id <= :last AND /*where*/
ORDER BY a.action_id

-- name: survey
-- The same, counted, with their log lines.
SELECT MIN(a.hook) AS hook, a.status AS status, a.group_id AS group_id, COUNT(*) AS actions,
  SUM((SELECT COUNT(*) FROM {logs} AS l WHERE l.action_id = a.action_id)) AS log_lines
FROM {actions} AS a {by_key}
WHERE a.action_id > :after AND a.action_id <= :last AND /*where*/
GROUP BY HEX(a.hook), a.status, a.group_id

-- name: count_back
-- How many of a backward range match.
SELECT COUNT(*) AS actions FROM {actions} AS a {by_key}
WHERE a.action_id >= :first AND a.action_id < :before AND /*where*/

-- name: nth_back
-- One of them, counted from the newest.
SELECT a.action_id AS id FROM {actions} AS a {by_key}
WHERE a.action_id >= :first AND a.action_id < :before AND /*where*/
ORDER BY a.action_id DESC LIMIT 1 OFFSET :offset

-- name: only_statuses
-- Finished, or what else was named.
a.status IN (:statuses)

-- name: only_hooks
-- Compared exactly, whatever the collation.
HEX(a.hook) IN (:hooks_hex)

-- name: only_groups
-- Ids of names.
a.group_id IN (:groups)

-- name: only_old
-- Last attempted up to then; a zero date counts as old, NULL never does, as in cleaning.
a.last_attempt_gmt <= :cutoff

-- name: only_late
-- For what was never attempted: its true date lies before that.
{true_date} <= :cutoff

-- name: only_unclaimed
-- Of what waits, only what nobody has taken.
a.claim_id = 0

-- name: only_free
-- Not of a claim that may be alive. Who holds it may still write its log or its true outcome. Claims
-- without leases that are older than :patience (seconds) were left behind.
NOT EXISTS (SELECT 1 FROM {claims} AS c
  WHERE c.claim_id = a.claim_id
    AND c.date_created_gmt > FROM_UNIXTIME(UNIX_TIMESTAMP() - :patience))

-- name: only_unheld
-- The same, where the runner has its own tables.
NOT EXISTS (SELECT 1 FROM {held} AS h WHERE h.action_id = a.action_id)
  AND NOT EXISTS (SELECT 1 FROM {leases} AS l WHERE l.claim_id = a.claim_id)

-- name: lock
-- These, until the commit, but for what another holds (where the server can pass that over). With a
-- second column, since for the ids alone MariaDB scans the key of a small table.
SELECT action_id AS id, status FROM {actions} {by_key} WHERE action_id IN (:ids) {lock_free}

-- name: there
-- Whether they are there, whoever holds them.
SELECT action_id AS id, status FROM {actions} {by_key} WHERE action_id IN (:ids) {lock}

-- name: still
-- Which of the locked ones still match: a statement of its own, since it must see what was
-- committed while the lock was waited for.
SELECT a.action_id AS id FROM {actions} AS a {by_key} WHERE a.action_id IN (:ids) AND /*where*/

-- name: lines
-- Their log lines, so many at most.
SELECT log_id AS id FROM {logs} WHERE action_id IN (:ids) LIMIT :most

-- name: delete_lines
-- By primary key, and in this plain form: as a DELETE of an alias with an index hint, MariaDB scans
-- a small table, and a scan waits for every lock that it meets.
DELETE FROM {logs} WHERE log_id IN (:lines)

-- name: delete_attempts
-- What the runner recorded of them, where it has its own tables.
DELETE FROM {attempts} WHERE action_id IN (:ids)

-- name: delete_failures
-- And what was said by those that failed.
DELETE FROM {failures} WHERE action_id IN (:ids)

-- name: delete
-- The actions, in the same way.
DELETE FROM {actions} WHERE action_id IN (:ids)

-- name: newest_line
-- Where the walk of the log ends.
SELECT COALESCE(MAX(log_id), 0) AS id FROM {logs}

-- name: range_of_lines
-- The next lines of that walk.
SELECT MAX(log_id) AS last, COUNT(*) AS walked FROM (
  SELECT log_id FROM {logs} {by_key} WHERE log_id > :after AND log_id <= :newest
  ORDER BY log_id LIMIT :window
) AS walked

-- name: orphans
-- Those of them whose action is gone.
SELECT l.log_id AS id FROM {logs} AS l {by_key} LEFT JOIN {actions} AS a ON a.action_id = l.action_id
WHERE l.log_id > :after AND l.log_id <= :last AND a.action_id IS NULL AND /*where*/
ORDER BY l.log_id

-- name: count_orphans
-- The same, counted.
SELECT COUNT(*) AS log_lines FROM {logs} AS l {by_key} LEFT JOIN {actions} AS a
  ON a.action_id = l.action_id
WHERE l.log_id > :after AND l.log_id <= :last AND a.action_id IS NULL AND /*where*/

-- name: only_old_lines
-- Written up to then.
l.log_date_gmt <= :cutoff

-- name: only_any
-- No condition.
TRUE

-- name: delete_orphans
-- They go, if their action has not come back.
DELETE FROM {logs} WHERE log_id IN (:lines)
  AND NOT EXISTS (SELECT 1 FROM {actions} AS a WHERE a.action_id = {logs}.action_id)

-- name: groups_of_name
-- Ids of a group by name, which is compared as the site does it.
SELECT group_id FROM {groups} WHERE slug = :slug ORDER BY group_id

-- name: names_of_groups
-- The other way round.
SELECT group_id, slug FROM {groups} WHERE group_id IN (:groups)

-- name: sizes
-- Rows, as the server estimates them, and bytes with all indexes, by table.
SELECT table_name AS name, table_rows AS count, data_length + index_length AS bytes
FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name IN (:names)

-- name: look
-- What a claim looks at, one range of its index: how long this takes tells how claims fare.
SELECT action_id FROM {actions} {claim_index}
WHERE claim_id = 0 AND status = 'pending' AND priority = 10 AND scheduled_date_gmt <= UTC_TIMESTAMP()
ORDER BY scheduled_date_gmt LIMIT 25

-- name: look_at_newest
-- The same where that index is missing: some rows by primary key.
SELECT action_id, status FROM {actions} {by_key} ORDER BY action_id DESC LIMIT 25

-- name: replica_status
-- How far a replica is behind. Wants a right of its own.
SHOW REPLICA STATUS

-- name: replica_status_before
-- The same in the words of older servers.
SHOW SLAVE STATUS
