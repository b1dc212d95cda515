"""The WPKite job manager's tables, and jobs as PHP writes them."""

from __future__ import annotations

import json

import pymysql

LOG = """CREATE TABLE wp_wpkite_job_log (
  id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, job_type varchar(100) NOT NULL,
  status varchar(50) NOT NULL, job_id varchar(36) NOT NULL DEFAULT '', duration_ms int,
  memory_peak bigint, message text NOT NULL DEFAULT '', context longtext NOT NULL DEFAULT '',
  created_at datetime NOT NULL, KEY job_type_status (job_type, status), KEY job_id (job_id),
  KEY created_at (created_at)) CHARSET utf8mb4 COLLATE utf8mb4_unicode_520_ci"""

OLD_LOG = LOG.replace("job_id varchar(36) NOT NULL DEFAULT ''", "item_id bigint").replace(
    "KEY job_id (job_id),", ""
)
"""An earlier form: of items, not of jobs."""

LETTERS = """CREATE TABLE wp_wpkite_dead_letters (
  id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, job_type varchar(100) NOT NULL,
  payload longtext NOT NULL, error_message text NOT NULL, attempts int NOT NULL DEFAULT 0,
  status varchar(20) NOT NULL DEFAULT 'dead', created_at datetime NOT NULL,
  reprocessed_at datetime DEFAULT NULL, KEY job_type (job_type), KEY status (status),
  KEY created_at (created_at)) CHARSET utf8mb4 COLLATE utf8mb4_unicode_520_ci"""

HOOK, PHP_HOOK = "wpkite_run_job_python", "wpkite_run_job"


def make_tables(site, *statements: str) -> None:
    for statement in statements or (LOG, LETTERS):
        site.run(statement)


def envelope(type_="sync", payload=None, attempt=0, job_id="5c1d9b2e-0000-4000-8000-000000000001"):
    """What PHP's dispatch() gives to Action Scheduler, as args."""
    return [
        {
            "type": type_,
            "payload": {} if payload is None else payload,
            "attempt": attempt,
            "dispatched": "2026-11-23 07:05:00",
            "job_id": job_id,
        }
    ]


def told(site, table: str = "job_log") -> list[dict]:
    """The rows of one of the tables, JSON read."""
    with site.connection.cursor(pymysql.cursors.DictCursor) as cursor:
        cursor.execute(f"SELECT * FROM wp_wpkite_{table} ORDER BY id")
        rows = list(cursor.fetchall())
    for row in rows:
        for name in {"context", "payload"} & row.keys():
            row[name] = json.loads(row[name])
    return rows


def story(site) -> list[str]:
    return [row["status"] for row in told(site)]
