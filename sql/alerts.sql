-- Alerts, what is sent of them, and silences. Times are UTC by the database's clock; what lies in
-- the future was written before the clock went back.

-- name: look
-- When this machine looked last.
SELECT boot, at, ticks, held FROM {looks} WHERE host = :host

-- name: looked
-- In place of that.
REPLACE INTO {looks} (host, boot, at, ticks, held, thresholds, channels)
VALUES (:host, :boot, :at, :ticks, :held, :thresholds, :channels)

-- name: looks
-- Who looks after this site.
SELECT host, at, thresholds, channels, UNIX_TIMESTAMP() AS now FROM {looks} ORDER BY at DESC, host

-- name: forget_looks
-- Machines that have not looked for :seconds.
DELETE FROM {looks} WHERE at < UNIX_TIMESTAMP() - :seconds

-- name: open
-- Alerts that are open.
SELECT id, rule, subject, severity, text AS said, advice, facts,
  UNIX_TIMESTAMP() - UNIX_TIMESTAMP(seen_at) AS silent
FROM {alerts} WHERE open_key IS NOT NULL ORDER BY id {lock}

-- name: open@sqlite
-- The same for SQLite.
SELECT id, rule, subject, severity, text AS said, advice, facts,
  UNIX_TIMESTAMP() - CAST(strftime('%s', seen_at) AS integer) AS silent
FROM {alerts} WHERE open_key IS NOT NULL ORDER BY id

-- name: facts
-- What was noted of the open alerts of a rule.
SELECT facts FROM {alerts} WHERE open_key IS NOT NULL AND rule = :rule ORDER BY id

-- name: raise
-- A new one, unless another runner raised it first: that one's has the key.
INSERT IGNORE INTO {alerts} (rule, subject, open_key, severity, text, advice, facts, raised_at, seen_at,
  told, told_severity)
VALUES (:rule, :subject, :open_key, :severity, :said, :advice, :facts, UTC_TIMESTAMP(),
  UTC_TIMESTAMP(), '', '')

-- name: raise@sqlite
-- The same for SQLite.
INSERT OR IGNORE INTO {alerts} (rule, subject, open_key, severity, text, advice, facts, raised_at,
  seen_at, told, told_severity)
VALUES (:rule, :subject, :open_key, :severity, :said, :advice, :facts, UTC_TIMESTAMP(),
  UTC_TIMESTAMP(), '', '')

-- name: see
-- It holds still, and has changed.
UPDATE {alerts} SET severity = :severity, text = :said, advice = :advice, facts = :facts,
  seen_at = UTC_TIMESTAMP() WHERE id = :id

-- name: keep
-- They hold still, or may do so.
UPDATE {alerts} SET seen_at = UTC_TIMESTAMP() WHERE id IN (:ids)

-- name: backdate
-- It began before it could be written.
UPDATE {alerts} SET raised_at = FROM_UNIXTIME(UNIX_TIMESTAMP() - :seconds) WHERE id IN (:ids)

-- name: resolve
-- It is over.
UPDATE {alerts} SET open_key = NULL, resolved_at = UTC_TIMESTAMP() WHERE id IN (:ids)

-- name: untold
-- What people have not heard yet: raised, worse than they know, due to be said again after :cooldown
-- seconds, or over. Open ones that are silenced are left out here, lest they fill the limit.
SELECT id, rule, subject, severity, text, advice, raised_at, resolved_at, told, told_severity,
  UNIX_TIMESTAMP() AS now
FROM {alerts} AS a
WHERE (open_key IS NOT NULL AND (told = '' OR (severity = 'critical' AND told_severity = 'warning')
    OR told_at <= FROM_UNIXTIME(UNIX_TIMESTAMP() - :cooldown)
    OR told_at > FROM_UNIXTIME(UNIX_TIMESTAMP() + :cooldown))
  AND NOT EXISTS (SELECT 1 FROM {silences} AS s WHERE s.until > UTC_TIMESTAMP()
    AND s.rule IN ('', a.rule) AND s.subject IN ('', a.subject)))
  OR (told IN ('', 'raised') AND resolved_at > FROM_UNIXTIME(UNIX_TIMESTAMP() - 86400))
ORDER BY CASE WHEN open_key IS NULL THEN 1 WHEN told = '' THEN 0 ELSE 2 END,
  CASE WHEN severity = 'critical' THEN 0 ELSE 1 END, id LIMIT :limit

-- name: tell
-- They have.
UPDATE {alerts} SET told = :told, told_severity = severity, told_at = UTC_TIMESTAMP()
WHERE id IN (:ids)

-- name: never_tell
-- It came and went while nobody wanted to hear of it.
UPDATE {alerts} SET told = 'resolved' WHERE id IN (:ids)

-- name: message
-- One to be sent.
INSERT INTO {messages} (tag, channel, body, created_at, due_at, tries, error)
VALUES (:tag, :channel, :body, UTC_TIMESTAMP(), UTC_TIMESTAMP(), 0, '')

-- name: lately
-- Messages of the last hour, and how many seconds ago the last one was made.
SELECT COUNT(DISTINCT tag) AS messages, UNIX_TIMESTAMP() - UNIX_TIMESTAMP(MAX(created_at)) AS ago
FROM {messages} WHERE created_at > FROM_UNIXTIME(UNIX_TIMESTAMP() - :seconds)
  AND created_at <= FROM_UNIXTIME(UNIX_TIMESTAMP() + 60)

-- name: lately@sqlite
-- The same for SQLite.
SELECT COUNT(DISTINCT tag) AS messages,
  UNIX_TIMESTAMP() - CAST(strftime('%s', MAX(created_at)) AS integer) AS ago
FROM {messages} WHERE created_at > FROM_UNIXTIME(UNIX_TIMESTAMP() - :seconds)
  AND created_at <= FROM_UNIXTIME(UNIX_TIMESTAMP() + 60)

-- name: due
-- What is to be sent now by these channels, the oldest first.
SELECT id, channel, body, tries, created_at, UNIX_TIMESTAMP() AS now FROM {messages}
WHERE channel = :channel AND (due_at <= UTC_TIMESTAMP()
  OR due_at > FROM_UNIXTIME(UNIX_TIMESTAMP() + :longest))
ORDER BY due_at, id LIMIT :limit

-- name: take
-- Whoever counts up the tries sends it; when that one dies, it is tried again after :seconds.
UPDATE {messages} SET tries = tries + 1, due_at = FROM_UNIXTIME(UNIX_TIMESTAMP() + :seconds)
WHERE id = :id AND tries = :tries AND due_at IS NOT NULL

-- name: sent
-- It is out.
UPDATE {messages} SET sent_at = UTC_TIMESTAMP(), due_at = NULL, error = :error WHERE id = :id

-- name: failed
-- Later again, or never.
UPDATE {messages} SET error = :error, due_at = CASE WHEN :again > 0
  THEN FROM_UNIXTIME(UNIX_TIMESTAMP() + :again) ELSE NULL END WHERE id = :id

-- name: forget_messages
-- Of long ago.
DELETE FROM {messages} WHERE created_at < FROM_UNIXTIME(UNIX_TIMESTAMP() - :seconds)

-- name: forget_alerts
-- Of long ago, and over.
DELETE FROM {alerts} WHERE resolved_at < FROM_UNIXTIME(UNIX_TIMESTAMP() - :seconds)

-- name: history
-- Alerts, those that are open first, the critical ones before all, then the newest.
SELECT id, rule, subject, severity, text, advice, raised_at, seen_at, resolved_at, told, told_at,
  UNIX_TIMESTAMP() AS now FROM {alerts} /*where*/
ORDER BY CASE WHEN resolved_at IS NOT NULL THEN 2 WHEN severity = 'critical' THEN 0 ELSE 1 END,
  id DESC LIMIT :limit

-- name: only_open
-- Those that are open.
WHERE open_key IS NOT NULL

-- name: unsent
-- Messages that are not out, or not to all: still tried, or given up lately.
SELECT id, channel, created_at, due_at, tries, error FROM {messages}
WHERE tries > 0 AND error <> ''
  AND created_at > FROM_UNIXTIME(UNIX_TIMESTAMP() - :seconds)
ORDER BY id DESC LIMIT :limit

-- name: silences
-- What nobody wants to hear of now.
SELECT rule, subject, until, reason, actor, created_at FROM {silences}
WHERE until > UTC_TIMESTAMP() ORDER BY rule, subject

-- name: silence
-- In place of an older one.
REPLACE INTO {silences} (rule, subject, until, reason, actor, created_at)
VALUES (:rule, :subject, :until, :reason, :actor, UTC_TIMESTAMP())

-- name: unsilence
-- It is heard of again.
DELETE FROM {silences} WHERE rule = :rule AND subject = :subject AND until > UTC_TIMESTAMP()

-- name: forget_silences
-- Those that are over.
DELETE FROM {silences} WHERE until <= UTC_TIMESTAMP()

-- name: addressee
-- To whom the site's mail goes.
SELECT option_value AS address FROM {options} WHERE option_name = 'admin_email'

-- name: waiting
-- Messages that are to be sent, by channel.
SELECT channel, COUNT(*) AS messages FROM {messages} WHERE due_at IS NOT NULL
GROUP BY channel ORDER BY channel

-- name: counts
-- Open alerts by rule and severity.
SELECT rule, severity, COUNT(*) AS alerts FROM {alerts} WHERE open_key IS NOT NULL
GROUP BY rule, severity ORDER BY rule
