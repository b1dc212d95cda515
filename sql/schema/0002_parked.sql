-- What is held of parked actions: their rows show no claim, so that PHP's runner sees none.
-- Every statement may run again: DDL commits by itself, so that a cut migration is run anew.

-- name: held
-- One row per held action; `claim_id` is the token of its claim, whose time is told by its lease.
CREATE TABLE IF NOT EXISTS {held} (
  action_id bigint unsigned NOT NULL,
  claim_id bigint unsigned NOT NULL,
  PRIMARY KEY (action_id),
  KEY claim_id (claim_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4

-- name: held@sqlite
-- The same for SQLite.
CREATE TABLE IF NOT EXISTS {held} (
  action_id integer PRIMARY KEY,
  claim_id integer NOT NULL
)
