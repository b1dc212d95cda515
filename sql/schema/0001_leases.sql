-- The runner's own tables: who works, what each holds and until when, and what each try came to.
-- Every statement may run again: DDL commits by itself, so that a cut migration is run anew.

-- name: workers
-- One row per living worker. A name of its own for each queue of a daemon.
CREATE TABLE IF NOT EXISTS {workers} (
  worker_id bigint unsigned NOT NULL AUTO_INCREMENT,
  host varchar(191) NOT NULL,
  pid int unsigned NOT NULL,
  queue varchar(191) NOT NULL,
  executor varchar(40) NOT NULL,
  version varchar(40) NOT NULL,
  started_at datetime NOT NULL,
  seen_at datetime NOT NULL,
  PRIMARY KEY (worker_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4

-- name: leases
-- One row per claim: until when its worker holds it. Past that time anybody may take its rows.
CREATE TABLE IF NOT EXISTS {leases} (
  claim_id bigint unsigned NOT NULL,
  worker_id bigint unsigned NOT NULL,
  expires_at datetime NOT NULL,
  PRIMARY KEY (claim_id),
  KEY expires_at (expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4

-- name: attempts
-- One row per call of a handler, written by the transaction that settles it.
CREATE TABLE IF NOT EXISTS {attempts} (
  attempt_id bigint unsigned NOT NULL AUTO_INCREMENT,
  action_id bigint unsigned NOT NULL,
  claim_id bigint unsigned NOT NULL,
  worker_id bigint unsigned NOT NULL,
  hook varchar(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  attempt int unsigned NOT NULL,
  outcome varchar(20) NOT NULL,
  error varchar(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  elapsed_ms bigint unsigned NOT NULL,
  peak_memory bigint unsigned NOT NULL,
  ended_at datetime NOT NULL,
  PRIMARY KEY (attempt_id),
  KEY action_id (action_id, claim_id),
  KEY ended_at (ended_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4

-- name: workers@sqlite
-- The same for SQLite.
CREATE TABLE IF NOT EXISTS {workers} (
  worker_id integer PRIMARY KEY AUTOINCREMENT,
  host text NOT NULL,
  pid integer NOT NULL,
  queue text NOT NULL,
  executor text NOT NULL,
  version text NOT NULL,
  started_at text NOT NULL,
  seen_at text NOT NULL
)

-- name: leases@sqlite
-- The same for SQLite.
CREATE TABLE IF NOT EXISTS {leases} (
  claim_id integer PRIMARY KEY,
  worker_id integer NOT NULL,
  expires_at text NOT NULL
)

-- name: attempts@sqlite
-- The same for SQLite.
CREATE TABLE IF NOT EXISTS {attempts} (
  attempt_id integer PRIMARY KEY AUTOINCREMENT,
  action_id integer NOT NULL,
  claim_id integer NOT NULL,
  worker_id integer NOT NULL,
  hook text NOT NULL,
  attempt integer NOT NULL,
  outcome text NOT NULL,
  error text NOT NULL,
  elapsed_ms integer NOT NULL,
  peak_memory integer NOT NULL,
  ended_at text NOT NULL
)

-- name: attempts_index@sqlite
-- For reading an action's tries, and for telling who settled it.
CREATE INDEX IF NOT EXISTS {attempts_index} ON {attempts} (action_id, claim_id)
