-- The record of the runner's own migrations (sql/schema), and how they are kept apart.

-- name: create_record
-- Which migrations have run, and what they were.
CREATE TABLE IF NOT EXISTS {migrations} (
  number int unsigned NOT NULL,
  name varchar(100) NOT NULL,
  checksum char(64) NOT NULL,
  applied_at datetime NOT NULL,
  PRIMARY KEY (number)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4

-- name: create_record@sqlite
-- The same for SQLite.
CREATE TABLE IF NOT EXISTS {migrations} (
  number integer PRIMARY KEY,
  name text NOT NULL,
  checksum text NOT NULL,
  applied_at text NOT NULL
)

-- name: applied
-- What has run, in its order.
SELECT number, name, checksum FROM {migrations} ORDER BY number

-- name: record
-- One more has run. Its values are our own files' facts: the statement can be printed as it is.
INSERT INTO {migrations} (number, name, checksum, applied_at)
VALUES ({number}, '{name}', '{checksum}', UTC_TIMESTAMP())

-- name: own_tables
-- Which of the runner's tables there are.
SELECT table_name AS name FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_name IN (:names)

-- name: own_tables@sqlite
-- The same for SQLite.
SELECT name FROM sqlite_master WHERE type = 'table' AND name IN (:names)
