-- Who may open the page: accounts of its own, sessions, refused sign-ins; and WordPress's accounts.

-- name: add
-- A new account.
INSERT INTO {accounts} (name, role, password, token, created_at, created_by)
VALUES (:name, :role, :password, :token, UTC_TIMESTAMP(), :actor)

-- name: remove
-- It is gone.
DELETE FROM {accounts} WHERE name = :name

-- name: set_role
-- What it may do.
UPDATE {accounts} SET role = :role WHERE name = :name

-- name: set_password
-- Another password.
UPDATE {accounts} SET password = :password WHERE name = :name

-- name: set_token
-- Another token.
UPDATE {accounts} SET token = :token WHERE name = :name

-- name: known
-- All accounts.
SELECT name, role, CASE WHEN password IS NULL THEN 0 ELSE 1 END AS has_password,
  CASE WHEN token IS NULL THEN 0 ELSE 1 END AS has_token, created_at, created_by
FROM {accounts} ORDER BY name

-- name: of_name
-- One account, for its password.
SELECT name, role, password FROM {accounts} WHERE name = :name

-- name: of_token
-- One account, by the hash of its token.
SELECT name, role FROM {accounts} WHERE token = :token

-- name: begin_session
-- Somebody is signed in.
INSERT INTO {sessions} (id, name, way, role, address, created_at, seen_at)
VALUES (:id, :name, :way, :role, :address, UTC_TIMESTAMP(), UTC_TIMESTAMP())

-- name: session
-- Whose it is, and the role that counts now: an account of ours has it in its own row, and none
-- when it is gone.
SELECT s.name, s.way, s.created_at, s.seen_at, UNIX_TIMESTAMP() AS now,
  CASE WHEN s.way = 'own' THEN a.role ELSE s.role END AS role
FROM {sessions} AS s LEFT JOIN {accounts} AS a ON a.name = s.name AND s.way = 'own'
WHERE s.id = :id

-- name: session_seen
-- It is in use.
UPDATE {sessions} SET seen_at = UTC_TIMESTAMP() WHERE id = :id

-- name: end_session
-- Signed out.
DELETE FROM {sessions} WHERE id = :id

-- name: end_sessions
-- All of an account.
DELETE FROM {sessions} WHERE name = :name AND way = 'own'

-- name: forget_sessions
-- What is over by its own limits.
DELETE FROM {sessions} WHERE seen_at < FROM_UNIXTIME(UNIX_TIMESTAMP() - :idle)
  OR created_at < FROM_UNIXTIME(UNIX_TIMESTAMP() - :absolute)

-- name: try
-- A sign-in that is about to be looked at: it counts as refused until it is not.
INSERT INTO {sign_ins} (name, address, tried_at) VALUES (:name, :address, UTC_TIMESTAMP())

-- name: tries
-- How many there were lately, by name from this address, by name from anywhere, and by address, and
-- when the first of them was.
SELECT SUM(CASE WHEN name = :name AND address = :address THEN 1 ELSE 0 END) AS both_match,
  SUM(CASE WHEN name = :name THEN 1 ELSE 0 END) AS of_name,
  SUM(CASE WHEN address = :address THEN 1 ELSE 0 END) AS of_address,
  MIN(tried_at) AS first_at, UNIX_TIMESTAMP() AS now
FROM {sign_ins}
WHERE (name = :name OR address = :address)
  AND tried_at > FROM_UNIXTIME(UNIX_TIMESTAMP() - :seconds)

-- name: forget_tries
-- Those that were let in.
DELETE FROM {sign_ins} WHERE name = :name AND address = :address

-- name: forget_old_tries
-- Those that no longer count.
DELETE FROM {sign_ins} WHERE tried_at < FROM_UNIXTIME(UNIX_TIMESTAMP() - :seconds)

-- name: wordpress_by_login
-- An account of WordPress, by its login.
SELECT ID AS id, user_login, user_pass, user_login AS written FROM {people} WHERE user_login = :login LIMIT 2

-- name: wordpress_by_email
-- The same by its e-mail address.
SELECT ID AS id, user_login, user_pass, user_email AS written FROM {people} WHERE user_email = :login LIMIT 2

-- name: wordpress_first
-- A hash as the site makes them.
SELECT user_pass FROM {people} ORDER BY ID LIMIT 1

-- name: wordpress_meta
-- What it may do on this site.
SELECT meta_value FROM {people_meta} WHERE user_id = :id AND meta_key = :key LIMIT 1

-- name: wordpress_roles
-- What the roles of this site may do.
SELECT option_value FROM {options} WHERE option_name = :name

-- name: wordpress_admins
-- Who may do everything in a network of sites.
SELECT meta_value FROM {network_meta} WHERE meta_key = 'site_admins' LIMIT 1
