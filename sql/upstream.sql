-- Action Scheduler's tables as a site of schema 8 has them (what SHOW CREATE TABLE says of 3.9.3
-- and 4.0.0), with the part of WordPress's options table that the runner reads. For tests,
-- benchmarks and the demo: on a live site the runner never creates or alters them.

-- name: actions
-- One row per action.
CREATE TABLE {actions} (
  `action_id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `hook` varchar(191) NOT NULL,
  `status` varchar(20) NOT NULL,
  `scheduled_date_gmt` datetime DEFAULT '0000-00-00 00:00:00',
  `scheduled_date_local` datetime DEFAULT '0000-00-00 00:00:00',
  `priority` tinyint(3) unsigned NOT NULL DEFAULT 10,
  `args` varchar(191) DEFAULT NULL,
  `schedule` longtext DEFAULT NULL,
  `group_id` bigint(20) unsigned NOT NULL DEFAULT 0,
  `attempts` int(11) NOT NULL DEFAULT 0,
  `last_attempt_gmt` datetime DEFAULT '0000-00-00 00:00:00',
  `last_attempt_local` datetime DEFAULT '0000-00-00 00:00:00',
  `claim_id` bigint(20) unsigned NOT NULL DEFAULT 0,
  `extended_args` varchar(8000) DEFAULT NULL,
  PRIMARY KEY (`action_id`),
  KEY `hook_status_scheduled_date_gmt` (`hook`(163),`status`,`scheduled_date_gmt`),
  KEY `status_scheduled_date_gmt` (`status`,`scheduled_date_gmt`),
  KEY `scheduled_date_gmt` (`scheduled_date_gmt`),
  KEY `args` (`args`),
  KEY `group_id` (`group_id`),
  KEY `last_attempt_gmt` (`last_attempt_gmt`),
  KEY `claim_id_status_priority_scheduled_date_gmt`
    (`claim_id`,`status`,`priority`,`scheduled_date_gmt`),
  KEY `status_last_attempt_gmt` (`status`,`last_attempt_gmt`),
  KEY `status_claim_id` (`status`,`claim_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci

-- name: claims
-- One row per living claim.
CREATE TABLE {claims} (
  `claim_id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `date_created_gmt` datetime DEFAULT '0000-00-00 00:00:00',
  PRIMARY KEY (`claim_id`),
  KEY `date_created_gmt` (`date_created_gmt`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci

-- name: groups
-- Names of groups.
CREATE TABLE {groups} (
  `group_id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `slug` varchar(255) NOT NULL,
  PRIMARY KEY (`group_id`),
  KEY `slug` (`slug`(191))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci

-- name: logs
-- Each action's story.
CREATE TABLE {logs} (
  `log_id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `action_id` bigint(20) unsigned NOT NULL,
  `message` text NOT NULL,
  `log_date_gmt` datetime DEFAULT '0000-00-00 00:00:00',
  `log_date_local` datetime DEFAULT '0000-00-00 00:00:00',
  PRIMARY KEY (`log_id`),
  KEY `action_id` (`action_id`),
  KEY `log_date_gmt` (`log_date_gmt`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci

-- name: options
-- WordPress's settings.
CREATE TABLE {options} (
  `option_id` bigint(20) unsigned NOT NULL AUTO_INCREMENT,
  `option_name` varchar(191) NOT NULL DEFAULT '',
  `option_value` longtext NOT NULL,
  `autoload` varchar(20) NOT NULL DEFAULT 'yes',
  PRIMARY KEY (`option_id`),
  UNIQUE KEY `option_name` (`option_name`),
  KEY `autoload` (`autoload`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_unicode_520_ci

-- name: actions@sqlite
-- The same for SQLite, with the two indexes that a run needs.
CREATE TABLE {actions} (
  action_id integer PRIMARY KEY AUTOINCREMENT,
  hook text NOT NULL COLLATE NOCASE,
  status text NOT NULL COLLATE NOCASE,
  scheduled_date_gmt text DEFAULT '0000-00-00 00:00:00',
  scheduled_date_local text DEFAULT '0000-00-00 00:00:00',
  priority integer NOT NULL DEFAULT 10,
  args text COLLATE NOCASE,
  schedule text,
  group_id integer NOT NULL DEFAULT 0,
  attempts integer NOT NULL DEFAULT 0,
  last_attempt_gmt text DEFAULT '0000-00-00 00:00:00',
  last_attempt_local text DEFAULT '0000-00-00 00:00:00',
  claim_id integer NOT NULL DEFAULT 0,
  extended_args text
)

-- name: hook_index@sqlite
-- For finding the due rows of a hook.
CREATE INDEX hook_status_scheduled_date_gmt ON {actions} (hook, status, scheduled_date_gmt)

-- name: claim_index@sqlite
-- For finding urgent and claimed rows.
CREATE INDEX claim_id_status_priority_scheduled_date_gmt
  ON {actions} (claim_id, status, priority, scheduled_date_gmt)

-- name: claims@sqlite
-- The same for SQLite.
CREATE TABLE {claims} (
  claim_id integer PRIMARY KEY AUTOINCREMENT,
  date_created_gmt text DEFAULT '0000-00-00 00:00:00'
)

-- name: groups@sqlite
-- The same for SQLite.
CREATE TABLE {groups} (
  group_id integer PRIMARY KEY AUTOINCREMENT,
  slug text NOT NULL COLLATE NOCASE
)

-- name: logs@sqlite
-- The same for SQLite.
CREATE TABLE {logs} (
  log_id integer PRIMARY KEY AUTOINCREMENT,
  action_id integer NOT NULL,
  message text NOT NULL,
  log_date_gmt text DEFAULT '0000-00-00 00:00:00',
  log_date_local text DEFAULT '0000-00-00 00:00:00'
)

-- name: log_index@sqlite
-- For reading an action's story.
CREATE INDEX action_id ON {logs} (action_id)

-- name: options@sqlite
-- The same for SQLite.
CREATE TABLE {options} (
  option_id integer PRIMARY KEY AUTOINCREMENT,
  option_name text NOT NULL UNIQUE,
  option_value text NOT NULL,
  autoload text NOT NULL DEFAULT 'yes'
)
