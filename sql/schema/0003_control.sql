-- What failed for good, what is paused, and the limits that workers share: rates and locks.
-- Every statement may run again: DDL commits by itself, so that a cut migration is run anew.

-- name: dead_letters
-- One row per action that was given up, with all that is needed to run it again. The columns from
-- `job_type` to `reprocessed_at` are those of the WPKite job manager's table.
CREATE TABLE IF NOT EXISTS {dead_letters} (
  id bigint unsigned NOT NULL AUTO_INCREMENT,
  job_type varchar(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  payload longtext NULL,
  error_message text NOT NULL,
  attempts int unsigned NOT NULL DEFAULT 0,
  status varchar(20) NOT NULL DEFAULT 'dead',
  created_at datetime NOT NULL,
  reprocessed_at datetime NULL,
  action_id bigint unsigned NOT NULL,
  hook varchar(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  group_id bigint unsigned NOT NULL,
  group_slug varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  priority tinyint unsigned NOT NULL,
  args longtext NULL,
  extended_args longtext NULL,
  schedule longtext NULL,
  scheduled_at datetime NULL,
  kind varchar(20) NOT NULL,
  error_class varchar(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  traceback mediumtext NOT NULL,
  claim_id bigint unsigned NOT NULL,
  worker varchar(191) NOT NULL,
  site varchar(191) NOT NULL,
  replay_of bigint unsigned NULL,
  replayed_as bigint unsigned NULL,
  reprocessed_by varchar(191) NULL,
  note text NULL,
  PRIMARY KEY (id),
  KEY job_type (job_type),
  KEY status (status, created_at),
  KEY created_at (created_at),
  KEY action_id (action_id),
  KEY replayed_as (replayed_as)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin

-- name: pauses
-- What must not begin: everything, a hook, or a group; until then, or until somebody resumes it.
CREATE TABLE IF NOT EXISTS {pauses} (
  kind varchar(10) NOT NULL,
  name varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  until datetime NULL,
  reason varchar(255) NOT NULL,
  actor varchar(191) NOT NULL,
  created_at datetime NOT NULL,
  PRIMARY KEY (kind, name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin

-- name: rates
-- One row per rate: the moment (seconds of UTC, to the microsecond) up to which its calls are spent.
CREATE TABLE IF NOT EXISTS {rates} (
  name varchar(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  spent_until decimal(20,6) NOT NULL,
  PRIMARY KEY (name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin

-- name: locks
-- Who holds a lock or one of several places, and until when, unless a heartbeat renews it.
CREATE TABLE IF NOT EXISTS {locks} (
  name varchar(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  place int unsigned NOT NULL,
  action_id bigint unsigned NOT NULL,
  claim_id bigint unsigned NOT NULL,
  expires_at datetime NOT NULL,
  PRIMARY KEY (name, place),
  KEY claim_id (claim_id),
  KEY action_id (action_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin

-- name: skips
-- While groups are paused: from which date on a hook has due rows of others, as was seen at
-- `looked_at`; at `began_at` (both in epoch seconds) all rows were looked at.
CREATE TABLE IF NOT EXISTS {skips} (
  paused varchar(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  hook varchar(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  reached datetime NULL,
  looked_at bigint NOT NULL,
  began_at bigint NOT NULL,
  PRIMARY KEY (paused, hook)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin

-- name: dead_letters@sqlite
-- The same for SQLite.
CREATE TABLE IF NOT EXISTS {dead_letters} (
  id integer PRIMARY KEY AUTOINCREMENT,
  job_type text NOT NULL,
  payload text NULL,
  error_message text NOT NULL,
  attempts integer NOT NULL DEFAULT 0,
  status text NOT NULL DEFAULT 'dead',
  created_at text NOT NULL,
  reprocessed_at text NULL,
  action_id integer NOT NULL,
  hook text NOT NULL,
  group_id integer NOT NULL,
  group_slug text NOT NULL,
  priority integer NOT NULL,
  args text NULL,
  extended_args text NULL,
  schedule text NULL,
  scheduled_at text NULL,
  kind text NOT NULL,
  error_class text NOT NULL,
  traceback text NOT NULL,
  claim_id integer NOT NULL,
  worker text NOT NULL,
  site text NOT NULL,
  replay_of integer NULL,
  replayed_as integer NULL,
  reprocessed_by text NULL,
  note text NULL
)

-- name: pauses@sqlite
-- The same for SQLite.
CREATE TABLE IF NOT EXISTS {pauses} (
  kind text NOT NULL,
  name text NOT NULL,
  until text NULL,
  reason text NOT NULL,
  actor text NOT NULL,
  created_at text NOT NULL,
  PRIMARY KEY (kind, name)
)

-- name: rates@sqlite
-- The same for SQLite.
CREATE TABLE IF NOT EXISTS {rates} (
  name text PRIMARY KEY,
  spent_until real NOT NULL
)

-- name: locks@sqlite
-- The same for SQLite.
CREATE TABLE IF NOT EXISTS {locks} (
  name text NOT NULL,
  place integer NOT NULL,
  action_id integer NOT NULL,
  claim_id integer NOT NULL,
  expires_at text NOT NULL,
  PRIMARY KEY (name, place)
)

-- name: skips@sqlite
-- The same for SQLite.
CREATE TABLE IF NOT EXISTS {skips} (
  paused text NOT NULL,
  hook text NOT NULL,
  reached text NULL,
  looked_at integer NOT NULL,
  began_at integer NOT NULL,
  PRIMARY KEY (paused, hook)
)
