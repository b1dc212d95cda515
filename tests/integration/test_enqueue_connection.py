"""Creating actions inside a transaction of the caller's."""

from __future__ import annotations

import sqlite3

import pymysql
import pytest
from pymysql.cursors import DictCursor, SSCursor
from support.queue import caller
from support.site import SiteDatabase

from runner import EnqueueError, NewAction, Queue
from runner.demo import shop

NOW = 1_795_413_900  # 2026-11-23 06:05:00 UTC
ACTIONS, LOGS = "wp_actionscheduler_actions", "wp_actionscheduler_logs"
STRICT = (
    "STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ANSI_QUOTES,NO_BACKSLASH_ESCAPES,"
    "ONLY_FULL_GROUP_BY"
)


@pytest.fixture
def queue(site):
    site.run("CREATE TABLE orders (id INT PRIMARY KEY, note TEXT)")
    with Queue.open(site.url) as queue:
        yield queue


def order(connection, number: int = 1) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO orders VALUES (%s, 'mine')", (number,))


def written(site) -> list[int]:
    return [site.run(f"SELECT COUNT(*) FROM {table}")[0][0] for table in ("orders", ACTIONS, LOGS)]


def ways(queue, connection) -> list[int | None]:
    """Every function that creates."""
    return [
        queue.enqueue("a", [1], group="g", connection=connection),
        queue.schedule("b", NOW, [2], group="g", connection=connection),
        queue.recur("c", 60, first=NOW, connection=connection),
        queue.cron("d", "@daily", start=NOW, connection=connection),
        *queue.many([NewAction("e", [n], at=NOW + n) for n in range(700)], connection=connection),
        queue.enqueue("A", [1], group="g", unique=True, connection=connection),
    ]


@pytest.mark.parametrize("committed", [True, False])
def test_all_goes_the_way_of_the_caller_s_transaction(site, queue, committed):
    """Nothing is there before the caller commits; after a commit everything is, after a roll-back
    nothing but the groups; the caller's own writes go the same way."""
    with caller(site) as connection:
        order(connection)
        ids = ways(queue, connection)
        order(connection, 2)
        assert written(site) == [0, 0, 0]
        connection.commit() if committed else connection.rollback()
    assert written(site) == ([2, 704, 704] if committed else [0, 0, 0])
    assert ids[-1] is None
    assert [row["slug"] for row in site.rows("groups")] == ["g", ""]
    if committed:
        assert [int(row["action_id"]) for row in site.rows()] == ids[:-1]
        assert [int(row["action_id"]) for row in site.rows("logs")] == ids[:-1]


CALLERS = {
    "plain": ({}, []),
    "strict": ({"sql_mode": STRICT}, []),
    "another time zone": ({}, ["SET time_zone = '+09:30'"]),
    "dictionaries": ({"cursorclass": DictCursor}, []),
    "unbuffered": ({"cursorclass": SSCursor}, []),
    "begun": ({"autocommit": True}, ["START TRANSACTION"]),
    "another collation": ({"charset": "utf8mb4", "collation": "utf8mb4_bin"}, []),
    "latin1": ({"charset": "latin1"}, []),
    "read committed": ({}, ["SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"]),
    "serializable": ({}, ["SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE"]),
    "numbers shared": ({}, ["SET auto_increment_increment = 3"]),
}


def contents(site) -> list[list[dict]]:
    return [
        [{k: v for k, v in row.items() if k not in {"action_id", "log_id"}} for row in site.rows(t)]
        for t in ("actions", "logs")
    ]


@pytest.fixture(scope="module")
def expected(server):
    """What our own connection writes."""
    site = SiteDatabase.create(server)
    with server.frozen(NOW), Queue.open(site.url) as queue:
        ways(queue, None)
    yield contents(site)
    site.drop()


@pytest.mark.parametrize("name", CALLERS)
def test_every_kind_of_caller(site, server, queue, expected, name):
    """Rows are the same whatever session the caller has, ids are right, and the session is
    afterwards what it was."""
    options, statements = CALLERS[name]
    session = "SELECT @@sql_mode, @@time_zone, @@autocommit, @@collation_connection"
    with server.frozen(NOW), Queue.open(site.url) as frozen, caller(site, **options) as connection:
        with connection.cursor(pymysql.cursors.Cursor) as cursor:
            for statement in statements:
                cursor.execute(statement)
            cursor.execute(session)
            before = cursor.fetchone()
            ids = ways(frozen, connection)
            cursor.execute(session)
            assert cursor.fetchone() == before
        connection.commit()
    assert contents(site) == expected
    assert [int(row["action_id"]) for row in site.rows()] == ids[:-1]
    assert [int(row["action_id"]) for row in site.rows("logs")] == ids[:-1]


def test_an_error_undoes_only_what_was_done_here(site, queue):
    """The action is not left without its log line: a caller who goes on and commits has the own
    writes and the earlier actions. The session has its modes again, the error is the driver's."""
    site.run(
        f"CREATE TRIGGER no_more BEFORE INSERT ON {LOGS} FOR EACH ROW"
        " IF NEW.action_id > 1 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'full'; END IF"
    )
    with caller(site, sql_mode=STRICT) as connection:
        order(connection)
        queue.enqueue("a", connection=connection)
        with pytest.raises(pymysql.err.OperationalError, match="full"):
            queue.many([NewAction("b"), NewAction("c")], connection=connection)
        with connection.cursor() as cursor:
            cursor.execute("SELECT @@sql_mode")
            assert set(STRICT.split(",")) <= set(cursor.fetchone()[0].split(","))
        order(connection, 2)
        connection.commit()
    assert written(site) == [2, 1, 1]


def test_a_lost_connection_is_the_caller_s_error(site, server, queue):
    """The driver's own error comes out, nothing is written, and the queue goes on working."""
    with caller(site) as connection:
        order(connection)
        server.execute(f"KILL {connection.thread_id()}")
        with pytest.raises(pymysql.err.MySQLError):
            queue.enqueue("a", connection=connection)
    assert queue.enqueue("a") == 1
    assert written(site) == [0, 1, 1]


def test_others_are_not_kept_waiting(site, queue):
    """While a caller's transaction is open, with unique actions and a new group in it, others
    insert, see the group, and enqueue."""
    with caller(site) as connection, caller(site) as other:
        queue.enqueue("a_hook", [1], group="new", unique=True, connection=connection)
        queue.enqueue("b_hook", [1], unique="hook", connection=connection)
        with other.cursor() as cursor:
            cursor.execute("SET innodb_lock_wait_timeout = 1")
            for hook in ("a_hook", "b_hook", "a", "z"):
                cursor.execute(
                    f"INSERT INTO {ACTIONS} (hook, status, scheduled_date_gmt, scheduled_date_local,"
                    " last_attempt_gmt, last_attempt_local) VALUES (%s, 'pending', NOW(), NOW(), NOW(), NOW())",
                    (hook,),
                )
        assert queue.enqueue("a_hook", [2], group="NEW", unique=True)
        assert [row["slug"] for row in site.rows("groups")] == ["new", ""]


@pytest.mark.parametrize("many", [1, 2])
@pytest.mark.parametrize(
    "refused",
    [
        ("commits each statement", True, None),
        ("in database 'information_schema', the site in", False, "information_schema"),
        ("in database None", False, ""),
    ],
)
def test_a_connection_that_will_not_do(site, refused, many):
    """One that commits each statement by itself would tear an action from its log line; one that
    is in another database is a mistake. Refused, nothing written."""
    why, autocommit, database = refused
    connection = caller(
        site, autocommit=autocommit, database=site.name if database is None else database
    )
    new = [NewAction("a", group="g")] * many
    with Queue.open(site.url) as q, connection as c, pytest.raises(EnqueueError, match=why):
        q.many(new, connection=c)
    assert [site.rows(table) for table in ("actions", "logs")] == [[], []]


@pytest.mark.parametrize("other", [object(), "mysql://", sqlite3])
def test_something_that_is_no_connection(site, queue, other):
    with pytest.raises(EnqueueError, match="wants the PyMySQL connection"):
        queue.enqueue("a", connection=other)
    assert written(site) == [0, 0, 0]


# --- SQLite, the embedded default


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "shop.sqlite"
    shop.build(path, NOW)
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE orders (id INT PRIMARY KEY)")
    connection.close()
    return path


def counts(path) -> list[int]:
    connection = sqlite3.connect(path)
    try:
        return [
            connection.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
            for table in ("orders", ACTIONS, LOGS, "wp_actionscheduler_groups")
        ]
    finally:
        connection.close()


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize("first", ["order", "action"])
def test_sqlite_goes_the_same_way(file, committed, first):
    """The one writer's transaction holds the caller's rows, actions, logs and new groups."""
    connection = sqlite3.connect(file)
    connection.row_factory = lambda cursor, row: {c[0]: v for c, v in zip(cursor.description, row, strict=True)}  # fmt: skip
    with Queue.open(f"sqlite:///{file}") as queue:
        if first == "order":
            connection.execute("INSERT INTO orders VALUES (1)")
        ids = ways(queue, connection)
        assert queue.enqueue("x", group="G", connection=connection)
        if first == "action":
            connection.execute("INSERT INTO orders VALUES (1)")
        connection.commit() if committed else connection.rollback()
    connection.close()
    assert counts(file) == ([1, 221 + 705, 221 + 705, 3] if committed else [0, 221, 221, 1])
    assert ids == [*range(222, 222 + 704), None]


def test_sqlite_autocommit_is_refused(file):
    """Each statement would commit by itself; an explicit BEGIN will do."""
    connection = sqlite3.connect(file, isolation_level=None)
    with Queue.open(f"sqlite:///{file}") as queue:
        with pytest.raises(EnqueueError, match="commits each statement"):
            queue.enqueue("x", connection=connection)
        with pytest.raises(EnqueueError, match="wants the sqlite3 connection"):
            queue.enqueue("x", connection=object())
        assert counts(file) == [0, 221, 221, 1]
        connection.execute("BEGIN")
        queue.enqueue("x", connection=connection)
        connection.execute("COMMIT")
    connection.close()
    assert counts(file) == [0, 222, 222, 2]


def test_a_refusal_leaves_no_transaction_open(file):
    """A wrong date is refused before the caller's connection is touched."""
    connection = sqlite3.connect(file)
    with Queue.open(f"sqlite:///{file}") as queue, pytest.raises(EnqueueError, match="calendar"):
        queue.schedule("x", 10**12, connection=connection)
    assert not connection.in_transaction
    connection.close()
