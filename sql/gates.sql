-- Gates that workers on all machines share: pauses, rates, and locks with one place or several.
-- Whoever lets an action through a rate or takes a place holds the rows of those names in the table
-- of rates meanwhile; a lock by args is taken by its key alone.

-- name: is_anything_paused
-- A branch of the look for due actions. Unsigned as their ids are, which would be decimals else.
SELECT 'paused' AS kind, CAST(0 AS UNSIGNED) AS action_id, 0 AS priority, 0 AS attempts,
  NULL AS scheduled_date_gmt, {now} AS now
FROM (SELECT 1 FROM {pauses} WHERE until IS NULL OR until > UTC_TIMESTAMP() LIMIT 1) AS paused

-- name: paused
-- What must not begin now.
SELECT kind, name, until, reason, actor, created_at, UNIX_TIMESTAMP() AS now FROM {pauses}
WHERE until IS NULL OR until > UTC_TIMESTAMP() ORDER BY kind, name

-- name: rates
-- Up to which moment these are spent.
SELECT name, spent_until FROM {rates} WHERE name IN (:names)

-- name: add_rates
-- The first action of a name makes its row.
INSERT IGNORE INTO {rates} (name, spent_until) VALUES (:name, 0)

-- name: add_rates@sqlite
-- The same for SQLite.
INSERT OR IGNORE INTO {rates} (name, spent_until) VALUES (:name, 0)

-- name: lock_rates
-- The same under lock, in one order for all.
SELECT name, spent_until FROM {rates} WHERE name IN (:names) ORDER BY name {lock}

-- name: spend
-- More calls have begun.
UPDATE {rates} SET spent_until = :spent WHERE name = :name

-- name: places
-- Who is where, and first of all the time.
SELECT '' AS name, 0 AS place, 0 AS action_id, 1 AS held, {now} AS now
UNION ALL
SELECT name, place, action_id, CASE WHEN expires_at > UTC_TIMESTAMP() THEN 1 ELSE 0 END AS held,
  {now} AS now
FROM {locks} WHERE name IN (:names)

-- name: take
-- A place that nobody has. Whoever holds the rates' rows, or is first, gets it.
INSERT IGNORE INTO {locks} (name, place, action_id, claim_id, expires_at)
VALUES (:name, :place, :action, 0, FROM_UNIXTIME(UNIX_TIMESTAMP() + :lease))

-- name: take@sqlite
-- The same for SQLite.
INSERT OR IGNORE INTO {locks} (name, place, action_id, claim_id, expires_at)
VALUES (:name, :place, :action, 0, FROM_UNIXTIME(UNIX_TIMESTAMP() + :lease))

-- name: take_expired
-- A place whose holder is dead.
UPDATE {locks} SET action_id = :action, claim_id = 0,
  expires_at = FROM_UNIXTIME(UNIX_TIMESTAMP() + :lease)
WHERE name = :name AND place = :place AND expires_at <= UTC_TIMESTAMP()

-- name: sign
-- What was taken belongs to the claim from now on.
UPDATE {locks} SET claim_id = :claim WHERE action_id IN (:ids) AND claim_id = 0

-- name: renew
-- The heartbeat of a claim's places.
UPDATE {locks} SET expires_at = FROM_UNIXTIME(UNIX_TIMESTAMP() + :lease) WHERE claim_id = :claim

-- name: free
-- These actions hold nothing any more.
DELETE FROM {locks} WHERE action_id IN (:ids)

-- name: hand_back
-- The same, only what this claim took: the actions may be another's by now.
DELETE FROM {locks} WHERE action_id IN (:ids) AND claim_id = :claim

-- name: free_claims
-- These claims hold nothing any more.
DELETE FROM {locks} WHERE claim_id IN (:claims)

-- name: free_unheld
-- What this claim took for actions that it does not hold any more.
DELETE FROM {locks} WHERE claim_id = :claim AND NOT EXISTS (
  SELECT 1 FROM {held} AS h WHERE h.action_id = {locks}.action_id AND h.claim_id = :claim)

-- name: skips
-- From which date on these hooks have due rows that no paused group holds up.
SELECT hook, reached, looked_at, began_at FROM {skips} WHERE paused = :paused AND hook IN (:hooks)

-- name: skip
-- Noted for all workers.
REPLACE INTO {skips} (paused, hook, reached, looked_at, began_at)
VALUES (:paused, :hook, :reached, :looked_at, :began_at)

-- name: skip_less
-- Rows of an older date have come.
UPDATE {skips} SET reached = :reached WHERE reached > :reached
