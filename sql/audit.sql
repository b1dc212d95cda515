-- Who changed what: a row before the change, completed after it.

-- name: begin
-- Somebody is about to change something; how much was changed is not known yet.
INSERT INTO {audit} (at, actor, way, address, verb, target, asked, changed, note)
VALUES (UTC_TIMESTAMP(), :actor, :way, :address, :verb, :target, :asked, NULL, :note)

-- name: end
-- So much was changed.
UPDATE {audit} SET changed = :changed, asked = :asked, note = :note WHERE id = :id

-- name: newest
-- The newest rows, from a place on.
SELECT id, at, actor, way, address, verb, target, asked, changed, note FROM {audit}
WHERE id < :before AND (:actor IS NULL OR actor = :actor) AND (:verb IS NULL OR verb = :verb)
ORDER BY id DESC LIMIT :limit

-- name: old
-- Rows of long ago: the table's first ones.
SELECT id FROM {audit} WHERE at < FROM_UNIXTIME(UNIX_TIMESTAMP() - :seconds) ORDER BY id LIMIT :limit

-- name: forget
-- They go.
DELETE FROM {audit} WHERE id IN (:ids)
