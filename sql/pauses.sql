-- Changes of pauses by people. What is paused stands in gates.sql.

-- name: pause
-- In place of an older pause of the same.
REPLACE INTO {pauses} (kind, name, until, reason, actor, created_at)
VALUES (:kind, :name, :until, :reason, :actor, UTC_TIMESTAMP())

-- name: resume
-- It goes on.
DELETE FROM {pauses} WHERE kind = :kind AND name = :name AND (until IS NULL OR until > UTC_TIMESTAMP())

-- name: forget
-- Pauses that ended by themselves.
DELETE FROM {pauses} WHERE until <= UTC_TIMESTAMP()

-- name: forget_skips
-- What workers noted about paused groups.
DELETE FROM {skips}

-- name: group
-- How many groups have this name.
SELECT COUNT(*) AS there FROM {groups} WHERE slug = :slug
