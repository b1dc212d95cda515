"""A real WordPress: asked through its own PHP, and looked at in its own database."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlencode

import pymysql
from pymysql.converters import conversions

from compat.db_host import parse_db_host

PHP = Path(__file__).parent / "php"
OURS = r"(hook LIKE 'py\_interop\_%' OR hook LIKE 'php\_interop\_%')"
OWN_HOOKS = r"hook LIKE 'action\_scheduler%'"
GROUP = "interop-"
"""Start of the names of all groups that the tests make."""

_PLAIN = {kind: code for kind, code in conversions.items() if not isinstance(kind, int)}


class Unusable(Exception):
    """This WordPress cannot be tested with; the text says what to do."""


class Enqueued(NamedTuple):
    """An action to enqueue: the public function's arguments. `when` is epoch seconds."""

    kind: str
    hook: str
    args: list | dict
    when: int = 0
    recurrence: int | str | None = None
    group: str = ""
    priority: int = 10
    unique: bool = False


@dataclass
class WordPress:
    """`facts` is what the site says of itself; `environ` goes to every PHP process."""

    path: Path
    environ: dict[str, str]
    facts: dict = field(default_factory=dict)
    connection: pymysql.Connection | None = None
    first_claim: int = 0

    @classmethod
    def at(cls, path: str | None, environ: dict[str, str]) -> WordPress:
        """Raises Unusable for anything but a site whose queue may be played with."""
        if not path or not (Path(path) / "wp-load.php").is_file():
            raise Unusable(
                f"no WordPress at {path or 'WP_PATH (not set)'}: set WP_PATH to the folder of a"
                " throw-away WordPress with Action Scheduler (./dev interop --wp-path DIR)"
            )
        found = cls(Path(path).resolve(), environ)
        found.facts = found.php("facts")
        found._connect()
        found._check()
        found.first_claim = int(
            found.run(f"SELECT MAX(claim_id) FROM {found.table('claims')}")[0][0] or 0
        )
        return found

    def _check(self) -> None:
        if self.facts["store"] != "ActionScheduler_DBStore":
            raise Unusable(
                f"Action Scheduler is not active at {self.path}, or still migrating (its store is"
                f" {self.facts['store'] or 'not there'}): activate it, and let its queue run once"
            )
        foreign = self.run(
            f"SELECT hook, COUNT(*) FROM {self.table('actions')}"
            " WHERE status IN ('pending', 'in-progress')"
            f" AND NOT {OURS} AND NOT {OWN_HOOKS} GROUP BY hook"
        )
        if foreign:
            raise Unusable(
                "this site's queue holds actions that are not ours, and the tests would run them:"
                f" {', '.join(f'{hook} ({count})' for hook, count in foreign)}. Use a throw-away"
                " copy of the site, or cancel them there (Tools, Scheduled Actions), then try again"
            )

    def _connect(self) -> None:
        host, port, socket = self._server()
        self.connection = pymysql.connect(
            host=host, port=port, unix_socket=socket or None, database=self.facts["name"],
            user=self.facts["user"], password=self.facts["password"], charset="utf8mb4",
            autocommit=True, conv=_PLAIN,
        )  # fmt: skip
        self.run("SET sql_mode = '', time_zone = '+00:00'")

    def _server(self) -> tuple[str, int, str]:
        place = parse_db_host(self.facts["host"])
        host, port, socket = place.host or "localhost", place.port or 0, place.socket or ""
        if host == "localhost" and not socket and "localhost:" not in self.facts["host"]:
            socket = self.facts["socket"]
        return host, port, socket

    @property
    def url(self) -> str:
        """The DSN for `runner`."""
        host, port, socket = self._server()
        account = f"{quote(self.facts['user'], safe='')}:{quote(self.facts['password'], safe='')}"
        options = {"prefix": self.facts["prefix"]} | ({"socket": socket} if socket else {})
        name = quote(self.facts["name"], safe="")
        return f"mysql://{account}@{host}:{port}/{name}?{urlencode(options)}"

    @property
    def version(self) -> tuple[int, ...]:
        """Action Scheduler's."""
        return tuple(int(part) for part in self.facts["version"].split(".")[:3])

    def table(self, name: str) -> str:
        return f"`{self.facts['prefix']}actionscheduler_{name}`"

    def php(self, script: str, **question):
        """Runs one script inside WordPress; returns its answer."""
        if not shutil.which("php"):
            raise Unusable("PHP's command line is needed: install php-cli (and php-mysql)")
        with tempfile.NamedTemporaryFile("r", encoding="utf-8") as answer:
            done = subprocess.run(
                ["php", "-d", "display_errors=stderr", PHP / "boot.php", self.path, script, answer.name],
                input=json.dumps(question), env=self.environ, capture_output=True, text=True,
                timeout=90, check=False,
            )  # fmt: skip
            text = answer.read()
        if done.returncode or not text:
            said = " ".join((done.stderr + done.stdout).split())[-800:]
            raise Unusable(
                f"PHP cannot run {script} on {self.path} (exit {done.returncode}): {said}"
            )
        return json.loads(text)

    def start(self, script: str, answer: Path, **question) -> subprocess.Popen[str]:
        """Starts one script inside WordPress; its answer goes to a file."""
        with tempfile.TemporaryFile("w+", encoding="utf-8") as asked:
            json.dump(question, asked)
            asked.seek(0)
            return subprocess.Popen(
                ["php", "-d", "display_errors=stderr", PHP / "boot.php", self.path, script, answer],
                env=self.environ, stdin=asked, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True,
            )  # fmt: skip

    def enqueue(self, actions: list[Enqueued]) -> list[int]:
        """Enqueues through PHP; the ids, 0 where it refused."""
        return self.php("enqueue", actions=actions)

    def run(self, statement: str, values=None) -> list[tuple]:
        """Rows with every value as the text that the server sent: nothing is interpreted."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())

    def rows(self, where: str = OURS, table: str = "actions") -> dict[int, dict[str, str | None]]:
        """Whole rows by their key, in its order."""
        with self.connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {self.table(table)} WHERE {where}")
            names = [column[0] for column in cursor.description]
            found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        key = {"actions": "action_id", "logs": "log_id", "claims": "claim_id"}[table]
        return {int(row[key]): row for row in sorted(found, key=lambda row: int(row[key]))}

    def row(self, action_id: int) -> dict[str, str | None]:
        return self.rows(f"action_id = {action_id}")[action_id]

    def logs(self, action_id: int) -> list[str]:
        rows = self.rows(f"action_id = {action_id}", "logs")
        return [row["message"] for row in rows.values()]

    def now(self) -> int:
        """The database's clock."""
        return int(self.run("SELECT UNIX_TIMESTAMP()")[0][0])

    def checksums(self) -> list[tuple]:
        names = ", ".join(self.table(name) for name in ("actions", "claims", "groups", "logs"))
        options = f"`{self.facts['prefix']}options`"
        return self.run(f"CHECKSUM TABLE {names}, {options}")

    def clean(self) -> None:
        """Takes away what tests have left, and nothing else."""
        actions, groups = self.table("actions"), self.table("groups")
        self.run(
            f"DELETE FROM {self.table('logs')} WHERE action_id IN"
            f" (SELECT action_id FROM {actions} WHERE {OURS})"
        )
        self.run(f"DELETE FROM {actions} WHERE {OURS}")
        self.run(f"DELETE FROM {groups} WHERE slug LIKE %s", (f"{GROUP}%",))
        self.run(f"DELETE FROM {self.table('claims')} WHERE claim_id > {self.first_claim}")


def until(what: str, condition, *, seconds: float = 30.0):
    """Waits for a condition and returns its value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s in vain for: {what}"
        time.sleep(0.02)
    return value
