-- What the page shows and who may see it: figures by the minute, accounts, and who changed what.
-- Every statement may run again: DDL commits by itself, so that a cut migration is run anew.

-- name: minutes
-- What happened in each minute, by hook; the row without a hook is all of them together. Times of
-- waiting and running are in milliseconds: the median, and what 95 of 100 stay under.
CREATE TABLE IF NOT EXISTS {minutes} (
  minute datetime NOT NULL,
  hook varchar(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  done int unsigned NOT NULL,
  failed int unsigned NOT NULL,
  retried int unsigned NOT NULL,
  waiting int unsigned NULL,
  wait_p50 bigint unsigned NULL,
  wait_p95 bigint unsigned NULL,
  run_p50 bigint unsigned NULL,
  run_p95 bigint unsigned NULL,
  PRIMARY KEY (minute, hook)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin

-- name: census
-- What the site's table of actions held when it was last counted as a whole. `due` are those that
-- should have run, `recurring` the pending ones of a chain, `oldest` the first date among the due.
CREATE TABLE IF NOT EXISTS {census} (
  id bigint unsigned NOT NULL AUTO_INCREMENT,
  status varchar(20) NOT NULL,
  group_slug varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  hook varchar(191) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  actions bigint unsigned NOT NULL,
  due bigint unsigned NOT NULL,
  recurring bigint unsigned NOT NULL,
  oldest datetime NULL,
  taken_at datetime NOT NULL,
  cost_ms bigint unsigned NOT NULL,
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin

-- name: failures
-- What was said by an attempt that failed: one row beside that of the attempt.
CREATE TABLE IF NOT EXISTS {failures} (
  failure_id bigint unsigned NOT NULL AUTO_INCREMENT,
  action_id bigint unsigned NOT NULL,
  claim_id bigint unsigned NOT NULL,
  attempt int unsigned NOT NULL,
  message text NOT NULL,
  traceback mediumtext NOT NULL,
  ended_at datetime NOT NULL,
  PRIMARY KEY (failure_id),
  KEY action_id (action_id, claim_id),
  KEY ended_at (ended_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin

-- name: accounts
-- Who may open the page by an account of its own. Of tokens only the SHA-256 is kept.
CREATE TABLE IF NOT EXISTS {accounts} (
  name varchar(60) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  role varchar(10) NOT NULL,
  password varchar(255) NULL,
  token char(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  created_at datetime NOT NULL,
  created_by varchar(191) NOT NULL,
  PRIMARY KEY (name),
  UNIQUE KEY token (token)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin

-- name: sessions
-- Who is signed in. Of the cookie only the SHA-256 is kept.
CREATE TABLE IF NOT EXISTS {sessions} (
  id char(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  name varchar(191) NOT NULL,
  way varchar(10) NOT NULL,
  role varchar(10) NOT NULL,
  address varchar(45) NOT NULL,
  created_at datetime NOT NULL,
  seen_at datetime NOT NULL,
  PRIMARY KEY (id),
  KEY name (name),
  KEY seen_at (seen_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin

-- name: sign_ins
-- Sign-ins that were refused lately, which slow down who guesses.
CREATE TABLE IF NOT EXISTS {sign_ins} (
  id bigint unsigned NOT NULL AUTO_INCREMENT,
  name varchar(191) NOT NULL,
  address varchar(45) NOT NULL,
  tried_at datetime NOT NULL,
  PRIMARY KEY (id),
  KEY name (name, tried_at),
  KEY address (address, tried_at),
  KEY tried_at (tried_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin

-- name: audit
-- Every change that a person asked for: who, from where, what, how many were
-- meant and changed (NULL where the change was cut off).
CREATE TABLE IF NOT EXISTS {audit} (
  id bigint unsigned NOT NULL AUTO_INCREMENT,
  at datetime NOT NULL,
  actor varchar(191) NOT NULL,
  way varchar(10) NOT NULL,
  address varchar(45) NOT NULL,
  verb varchar(30) NOT NULL,
  target varchar(255) NOT NULL,
  asked int unsigned NOT NULL,
  changed int unsigned NULL,
  note text NOT NULL,
  PRIMARY KEY (id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin

-- name: minutes@sqlite
-- The same for SQLite.
CREATE TABLE IF NOT EXISTS {minutes} (
  minute text NOT NULL,
  hook text NOT NULL,
  done integer NOT NULL,
  failed integer NOT NULL,
  retried integer NOT NULL,
  waiting integer NULL,
  wait_p50 integer NULL,
  wait_p95 integer NULL,
  run_p50 integer NULL,
  run_p95 integer NULL,
  PRIMARY KEY (minute, hook)
)

-- name: census@sqlite
-- The same for SQLite.
CREATE TABLE IF NOT EXISTS {census} (
  id integer PRIMARY KEY AUTOINCREMENT,
  status text NOT NULL,
  group_slug text NOT NULL,
  hook text NOT NULL,
  actions integer NOT NULL,
  due integer NOT NULL,
  recurring integer NOT NULL,
  oldest text NULL,
  taken_at text NOT NULL,
  cost_ms integer NOT NULL
)

-- name: failures@sqlite
-- The same for SQLite.
CREATE TABLE IF NOT EXISTS {failures} (
  failure_id integer PRIMARY KEY AUTOINCREMENT,
  action_id integer NOT NULL,
  claim_id integer NOT NULL,
  attempt integer NOT NULL,
  message text NOT NULL,
  traceback text NOT NULL,
  ended_at text NOT NULL
)

-- name: accounts@sqlite
-- The same for SQLite.
CREATE TABLE IF NOT EXISTS {accounts} (
  name text NOT NULL,
  role text NOT NULL,
  password text NULL,
  token text NULL,
  created_at text NOT NULL,
  created_by text NOT NULL,
  PRIMARY KEY (name),
  UNIQUE (token)
)

-- name: sessions@sqlite
-- The same for SQLite.
CREATE TABLE IF NOT EXISTS {sessions} (
  id text NOT NULL,
  name text NOT NULL,
  way text NOT NULL,
  role text NOT NULL,
  address text NOT NULL,
  created_at text NOT NULL,
  seen_at text NOT NULL,
  PRIMARY KEY (id)
)

-- name: sign_ins@sqlite
-- The same for SQLite.
CREATE TABLE IF NOT EXISTS {sign_ins} (
  id integer PRIMARY KEY AUTOINCREMENT,
  name text NOT NULL,
  address text NOT NULL,
  tried_at text NOT NULL
)

-- name: audit@sqlite
-- The same for SQLite.
CREATE TABLE IF NOT EXISTS {audit} (
  id integer PRIMARY KEY AUTOINCREMENT,
  at text NOT NULL,
  actor text NOT NULL,
  way text NOT NULL,
  address text NOT NULL,
  verb text NOT NULL,
  target text NOT NULL,
  asked integer NOT NULL,
  changed integer NULL,
  note text NOT NULL
)
