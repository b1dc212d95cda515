"""A database server for the tests: real, throw-away, and never silently absent.

In this order: RUNNER_TEST_DSN (an administrator of a throw-away server); the program that
RUNNER_TEST_SERVER names, else `mariadbd` or `mysqld` of this machine, started in a temporary
folder; Docker. RUNNER_TEST_DB=docker wants Docker alone.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket as sockets
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pymysql

from runner.storage import dsn as dsns

ACCOUNT, PASSWORD = "runner_test", "right:p@ss/word"

FAST = [
    "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0", "--skip-log-bin",
    "--innodb-buffer-pool-size=256M", "--loose-innodb-log-file-size=64M", "--skip-name-resolve",
    "--innodb-flush-method=nosync", "--loose-debug-no-sync",
]  # fmt: skip
"""Nothing waits for the disk: servers are killed in tests, but no machine is."""


class NoServer(Exception):
    """No database server could be had; the text lists what was tried."""


@dataclass
class Server:
    """A server the tests may do anything to. `process` is None when it is not ours."""

    host: str
    port: int
    user: str
    password: str
    process: subprocess.Popen[bytes] | None = None
    folder: str | None = None
    arguments: tuple[str, ...] = ()

    def admin(self, database: str | None = None) -> pymysql.Connection:
        return pymysql.connect(
            host=self.host, port=self.port, user=self.user, password=self.password,
            database=database, autocommit=True, charset="utf8mb4",
            ssl_disabled=self.process is not None,  # to make ready for TLS takes 30 ms
        )  # fmt: skip

    def execute(self, *statements: str, database: str | None = None) -> list[tuple]:
        connection = self.admin(database)
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def dsn(self, database: str) -> dsns.Dsn:
        """How an ordinary account reaches a database."""
        return dsns.Dsn(
            "mysql", database, self.host, self.port, ACCOUNT, PASSWORD, password_given=True
        )

    def url(self, database: str, *, password: bool = True) -> str:
        secret = ":right%3Ap%40ss%2Fword" if password else ""
        return f"mysql://{ACCOUNT}{secret}@{self.host}:{self.port}/{database}"

    @contextmanager
    def frozen(self, epoch: int):
        """Every ordinary connection that is made meanwhile sees this moment as now."""
        self.execute(f"SET GLOBAL init_connect = 'SET timestamp = {epoch}'")
        try:
            yield epoch
        finally:
            self.execute("SET GLOBAL init_connect = ''")

    def status(self, *names: str) -> dict[str, int]:
        """Counters of the whole server."""
        wanted = ",".join(f"'{name}'" for name in names)
        rows = self.execute(f"SHOW GLOBAL STATUS WHERE Variable_name IN ({wanted})")
        return {name.lower(): int(value) for name, value in rows}

    def statements(self) -> int:
        """How many it has run so far; those inside MariaDB's blocks count, the blocks do not."""
        counts = self.status("Queries", "Com_compound_sql")
        return counts["queries"] - counts.get("com_compound_sql", 0)

    @property
    def version(self) -> str:
        return str(self.execute("SELECT VERSION()")[0][0])

    @property
    def is_mariadb(self) -> bool:
        return "MariaDB" in self.version

    def waits_for_lock(self) -> bool:
        """Whether a transaction waits for another's row."""
        return self.status("Innodb_row_lock_current_waits")["innodb_row_lock_current_waits"] > 0

    def deadlocks(self) -> int:
        """How many the server has met so far."""
        if self.is_mariadb:
            return self.status("Innodb_deadlocks").get("innodb_deadlocks", 0)  # old ones: none told
        counted = "information_schema.innodb_metrics WHERE name = 'lock_deadlocks'"
        return int(self.execute(f"SELECT `count` FROM {counted}")[0][0])

    def freeze_process(self) -> None:
        assert self.process, "only a server of our own can be stopped"
        os.kill(self.process.pid, signal.SIGSTOP)

    def kill(self) -> None:
        """As a power cut: nothing is said to anybody."""
        assert self.process, "only a server of our own can be killed"
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        self.process = subprocess.Popen(
            self.arguments, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        _wait(self)

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)


def start() -> Server:
    """Gets a server. Raises NoServer with the ways out."""
    if url := os.environ.get("RUNNER_TEST_DSN"):
        return _given(url)
    if os.environ.get("RUNNER_TEST_DB") == "docker":
        return _docker()
    if program := _program():
        return local(program)
    try:
        return _docker()
    except NoServer as error:
        raise NoServer(
            f"no database server for the tests. Tried: RUNNER_TEST_DSN (not set), mariadbd and"
            f" mysqld (not on the path), Docker ({error}). Ways out: apt-get install"
            " mariadb-server (`./dev test` does it for root on Debian); RUNNER_TEST_DSN="
            "mysql://admin:password@host/ of a throw-away server; a Docker engine"
        ) from error


def _given(url: str) -> Server:
    given = dsns.parse(url if url.rstrip("/").count("/") > 2 else url.rstrip("/") + "/mysql")
    server = Server(given.host, given.port, given.user, given.password)
    _account(server)
    return server


def _program() -> str | None:
    if named := os.environ.get("RUNNER_TEST_SERVER"):
        return named
    path = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
    return shutil.which("mariadbd", path=path) or shutil.which("mysqld", path=path)


def local(program: str, options: list[str] | None = None) -> Server:
    """Starts a server in a temporary folder."""
    folder = tempfile.mkdtemp(prefix="runner-test-db-")
    data = f"{folder}/data"
    Path(f"{folder}/tmp").mkdir()  # in a shared one, a server that starts deletes others' tables
    user = [f"--user={os.environ.get('USER') or 'root'}"] if os.geteuid() == 0 else []
    _install(program, data, [*user, f"--tmpdir={folder}/tmp"])
    port = _free_port()
    arguments = (
        program, "--no-defaults", f"--datadir={data}", f"--socket={folder}/s", f"--port={port}",
        "--bind-address=127.0.0.1", f"--pid-file={folder}/pid",
        f"--tmpdir={folder}/tmp", *user, *(FAST if options is None else options),
    )  # fmt: skip
    with (Path(folder) / "log").open("wb") as log:
        process = subprocess.Popen(arguments, stderr=log, stdout=subprocess.DEVNULL)
    server = Server("127.0.0.1", port, "root", "", process, folder, arguments)
    _open_root(folder, server)
    _account(server)
    return server


def _install(program: str, data: str, options: list[str]) -> None:
    installer = shutil.which("mariadb-install-db")
    if installer and "mariadb" in program:
        command = [
            installer, "--no-defaults", f"--datadir={data}", "--skip-test-db",
            "--auth-root-authentication-method=normal", "--innodb-log-file-size=64M", *options,
        ]  # fmt: skip
    else:
        command = [program, "--no-defaults", "--initialize-insecure", f"--datadir={data}", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoServer(f"{command[0]} failed: {done.stderr.strip()[-500:]}")


def _open_root(folder: str, server: Server) -> None:
    _wait(server, socket=f"{folder}/s")
    connection = pymysql.connect(unix_socket=f"{folder}/s", user="root")
    with connection.cursor() as cursor:
        cursor.execute("CREATE USER IF NOT EXISTS 'root'@'127.0.0.1'")
        cursor.execute("GRANT ALL ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION")
    connection.close()


def _wait(server: Server, socket: str | None = None) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            return _knock(server, socket)
        except OSError as error:
            ended = server.process is not None and server.process.poll() is not None
            if ended or time.monotonic() > deadline:
                raise NoServer(f"the server did not start: {error}") from error
            time.sleep(0.05)


def _knock(server: Server, path: str | None) -> None:
    """Connects once the server listens: its greeting comes only then."""
    if path:
        with sockets.socket(sockets.AF_UNIX) as probe:
            probe.connect(path)
            assert probe.recv(1)
    else:
        with sockets.create_connection((server.host, server.port), 5) as probe:
            assert probe.recv(1)


def _account(server: Server) -> None:
    for host in ("%", "localhost", "127.0.0.1"):
        server.execute(
            f"CREATE USER IF NOT EXISTS '{ACCOUNT}'@'{host}' IDENTIFIED BY '{PASSWORD}'",
            f"GRANT ALL ON `runner\\_test%`.* TO '{ACCOUNT}'@'{host}'",
        )


def _free_port() -> int:
    with sockets.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


_containers = []


def _docker() -> Server:
    try:
        from docker.errors import DockerException  # noqa: PLC0415  slow to import
        from testcontainers.community.mysql import MySqlContainer  # noqa: PLC0415
    except ImportError as error:
        raise NoServer(f"testcontainers is not installed: {error}") from error
    image = os.environ.get("RUNNER_TEST_IMAGE", "mariadb:11.4")
    try:
        container = MySqlContainer(image, username="root", root_password="root", password="root")
        container.start()
    except DockerException as error:
        raise NoServer(f"no Docker engine: {error}") from error
    _containers.append(container)
    server = Server(
        container.get_container_host_ip(), int(container.get_exposed_port(3306)), "root", "root"
    )
    with suppress(pymysql.err.OperationalError):
        _account(server)
    return server
