-- What brackets a transaction that is lent to a handler (context.settling).

-- name: set_mark
-- The mark goes with the transaction: gone before its end, the handler has ended the transaction.
-- Set last and returned to, it makes the server tell what it could not undo.
SAVEPOINT runner_settling

-- name: same_transaction
-- Fails when the mark is gone.
RELEASE SAVEPOINT runner_settling

-- name: our_session
-- What our statements need, whatever the handler has set. Never autocommit: setting it may commit.
SET NAMES utf8mb4, time_zone = '+00:00',
  sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'

-- name: our_session@sqlite
-- There is no session to set.
SELECT 1

-- name: our_database
-- Our tables are named without their database, and the handler may have gone to another.
USE {home}

-- name: our_database@sqlite
-- A file is one database.
SELECT 1

-- name: undo_nothing
-- Warns when the transaction has changed tables that have no transactions.
ROLLBACK TO SAVEPOINT runner_settling

-- name: warnings
-- Those of the statement before.
SHOW WARNINGS

-- name: warnings@sqlite
-- Every table has transactions.
SELECT 0 AS Code WHERE 0
