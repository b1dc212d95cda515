-- What is wrong and whom it was told: alerts, messages on their way, silences, and who looked last.
-- Every statement may run again: DDL commits by itself, so that a cut migration is run anew.

-- name: alerts
-- One row per alert, from when it was raised until it is over. `open_key` is unique among those
-- that are open, and NULL afterwards; `told` is what people have heard: nothing, raised, resolved.
CREATE TABLE IF NOT EXISTS {alerts} (
  id bigint unsigned NOT NULL AUTO_INCREMENT,
  rule varchar(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  subject varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  open_key char(64) CHARACTER SET ascii COLLATE ascii_bin NULL,
  severity varchar(10) NOT NULL,
  text text NOT NULL,
  advice text NOT NULL,
  facts text NOT NULL,
  raised_at datetime NOT NULL,
  seen_at datetime NOT NULL,
  resolved_at datetime NULL,
  told varchar(10) NOT NULL,
  told_severity varchar(10) NOT NULL,
  told_at datetime NULL,
  PRIMARY KEY (id),
  UNIQUE KEY open_key (open_key),
  KEY resolved_at (resolved_at),
  KEY told (told, resolved_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin

-- name: messages
-- What is sent, one row a channel. It is tried at `due_at`, again and again, until it was sent or
-- given up; `tag` is the same for one message on all channels.
CREATE TABLE IF NOT EXISTS {messages} (
  id bigint unsigned NOT NULL AUTO_INCREMENT,
  tag char(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  channel varchar(191) NOT NULL,
  body mediumtext NOT NULL,
  created_at datetime NOT NULL,
  due_at datetime NULL,
  tries int unsigned NOT NULL,
  error text NOT NULL,
  sent_at datetime NULL,
  PRIMARY KEY (id),
  KEY due_at (due_at),
  KEY created_at (created_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin

-- name: silences
-- Alerts that nobody wants to hear of, until then. Empty names mean all.
CREATE TABLE IF NOT EXISTS {silences} (
  rule varchar(20) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  subject varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  until datetime NOT NULL,
  reason varchar(255) NOT NULL,
  actor varchar(191) NOT NULL,
  created_at datetime NOT NULL,
  PRIMARY KEY (rule, subject)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin

-- name: looks
-- Who looked after the site's health, and when: `at` in epoch seconds by the database's clock,
-- `ticks` by one of that machine which nobody sets (it counts from `boot`). Both together tell when
-- the clock was changed; judgement is then held back until `held` ticks. `thresholds` are those
-- that differ from the defaults.
CREATE TABLE IF NOT EXISTS {looks} (
  host varchar(191) NOT NULL,
  boot varchar(64) NOT NULL,
  at bigint NOT NULL,
  ticks double NOT NULL,
  held double NOT NULL,
  thresholds text NOT NULL,
  channels text NOT NULL,
  PRIMARY KEY (host)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin

-- name: alerts@sqlite
-- The same for SQLite.
CREATE TABLE IF NOT EXISTS {alerts} (
  id integer PRIMARY KEY AUTOINCREMENT,
  rule text NOT NULL,
  subject text NOT NULL,
  open_key text NULL UNIQUE,
  severity text NOT NULL,
  text text NOT NULL,
  advice text NOT NULL,
  facts text NOT NULL,
  raised_at text NOT NULL,
  seen_at text NOT NULL,
  resolved_at text NULL,
  told text NOT NULL,
  told_severity text NOT NULL,
  told_at text NULL
)

-- name: messages@sqlite
-- The same for SQLite.
CREATE TABLE IF NOT EXISTS {messages} (
  id integer PRIMARY KEY AUTOINCREMENT,
  tag text NOT NULL,
  channel text NOT NULL,
  body text NOT NULL,
  created_at text NOT NULL,
  due_at text NULL,
  tries integer NOT NULL,
  error text NOT NULL,
  sent_at text NULL
)

-- name: silences@sqlite
-- The same for SQLite.
CREATE TABLE IF NOT EXISTS {silences} (
  rule text NOT NULL,
  subject text NOT NULL,
  until text NOT NULL,
  reason text NOT NULL,
  actor text NOT NULL,
  created_at text NOT NULL,
  PRIMARY KEY (rule, subject)
)

-- name: looks@sqlite
-- The same for SQLite.
CREATE TABLE IF NOT EXISTS {looks} (
  host text PRIMARY KEY,
  boot text NOT NULL,
  at integer NOT NULL,
  ticks real NOT NULL,
  held real NOT NULL,
  thresholds text NOT NULL,
  channels text NOT NULL
)
