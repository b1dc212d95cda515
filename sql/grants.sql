-- Whether the account may do things, asked without doing them. EXPLAIN and PREPARE want the rights
-- of the statement that they look at, however those were given: to the account or to a role, for
-- the table, the database or the whole server.

-- name: may_select
-- May it read?
EXPLAIN SELECT 1 FROM {table}

-- name: may_sign_in
-- May it read what signing in by an account of WordPress needs?
EXPLAIN SELECT ID, user_login, user_email, user_pass FROM {table} WHERE FALSE

-- name: may_see_capabilities
-- And what such an account may do?
EXPLAIN SELECT user_id, meta_key, meta_value FROM {table} WHERE FALSE

-- name: may_insert
-- May it add rows?
EXPLAIN INSERT INTO {table} () VALUES ()

-- name: may_update
-- May it change rows? No column is read, which would want another right.
EXPLAIN UPDATE {table} SET {column} = NULL WHERE FALSE

-- name: may_delete
-- May it delete rows?
EXPLAIN DELETE FROM {table} WHERE FALSE

-- name: may_create
-- May it make the table?
PREPARE runner_asks FROM 'CREATE TABLE {table} (a int)'

-- name: forget
-- The question's answer was yes, so there is a statement to forget.
DEALLOCATE PREPARE runner_asks

-- name: grant
-- What an administrator runs.
GRANT {rights} ON {database}.{table} TO {account}
