"""`context.settling()`: a handler's writes and its action's completion are one transaction."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from decimal import Decimal

import pytest
from support.cutting import break_connection
from support.engine import Engine
from support.waiting import until

from compat import schedules
from runner import Context, Fail, Handlers, Queue, RetryPolicy, SettlingError, Snooze, SoftTimeout
from runner.core.clock import SystemClock
from runner.operations import settling
from runner.operations.settling import DatabaseSettler
from runner.storage import lent
from runner.storage.db import Interrupted

NOW = 1_795_413_900
CREATED, STARTED = "action created", "action started via Python runner"
COMPLETE = "action complete via Python runner"
DONE = [CREATED, STARTED, COMPLETE]


class Shop:
    """A site with a table of points, and one handler that adds some."""

    def __init__(self, site, server, clock, mode: str) -> None:
        self.site, self.server = site, server
        self.engine = Engine(site, Handlers(retry=RetryPolicy(attempts=3)), clock, mode)
        site.run("CREATE TABLE wp_points (user INT PRIMARY KEY, points INT) ENGINE=InnoDB")
        site.run("INSERT INTO wp_points VALUES (1, 0)")

    def on(self, function, **options):
        self.engine.handlers.on("py_hook", **options)(function)
        return function

    def add(self, **columns) -> int:
        return self.site.add("py_hook", at=NOW - 60, **columns)

    def run(self, at: int = NOW, **options):
        with self.server.frozen(at):
            return self.engine.run(**options)

    @property
    def points(self) -> int:
        return self.site.run("SELECT points FROM wp_points WHERE user = 1")[0][0]

    def status(self, action: int = 1) -> str:
        return self.site.row(action)["status"]


def add_point(connection) -> None:
    connection.cursor().execute("UPDATE wp_points SET points = points + 1 WHERE user = 1")


def settle(context: Context) -> None:
    with context.settling() as connection:
        add_point(connection)


@pytest.fixture(params=["native", "parked"])
def shop(request, site, server, clock):
    shop = Shop(site, server, clock, request.param)
    yield shop
    shop.engine.close()


@pytest.fixture
def loop_writes(monkeypatch):
    """Ids that the runner's own loop was given to settle."""
    from runner.sources.action_scheduler import ActionScheduler  # noqa: PLC0415

    seen = []
    advance = ActionScheduler.advance

    def noted(self, claim, settled, starting, **options):
        seen.extend(s.action.id for s in settled)
        return advance(self, claim, settled, starting, **options)

    monkeypatch.setattr(ActionScheduler, "advance", noted)
    return seen


EXECUTORS = pytest.mark.parametrize("executor", ["inline", "threads:2"])


@EXECUTORS
def test_effect_and_completion_are_there_and_the_loop_writes_nothing(shop, executor, loop_writes):
    """Each action is complete with its usual log, counted once, and begun one after the other."""
    shop.on(settle)
    for _ in range(5):
        shop.add()
    summary = shop.run(executor=executor)
    assert (summary.claimed, summary.completed, summary.lost) == (5, 5, 0)
    assert shop.points == 5
    assert loop_writes == []
    assert all(shop.site.logs(n) == DONE for n in range(1, 6))
    assert {row["attempts"] for row in shop.site.rows()} == {"1"}
    assert shop.site.rows("claims") == []


def test_nobody_sees_one_without_the_other(shop):
    """Before the block ends neither is there, after it both are."""
    seen = []

    def look(context: Context) -> None:
        with context.settling() as connection:
            add_point(connection)
            seen.append((shop.points, shop.status()))
        seen.append((shop.points, shop.status()))

    shop.on(look)
    shop.add()
    shop.run()
    assert seen == [(0, "in-progress"), (1, "complete")]


@pytest.mark.parametrize(
    ("error", "status", "log"),
    [
        (LookupError("x"), "pending", "will be retried at 2026-11-23 06:06:00 UTC: LookupError: x"),
        (Fail("x"), "failed", "action failed via Python runner: x"),
        (Snooze(30, "x"), "pending", "put off via Python runner"),
        (SoftTimeout(1), "pending", "SoftTimeout: still running after 1 seconds"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_in_the_block_undoes_it_and_is_judged_as_usual(shop, error, status, log):
    """Its writes are gone, and what is raised means what it means elsewhere."""

    def fail(context: Context) -> None:
        with context.settling() as connection:
            add_point(connection)
            raise error

    shop.on(fail)
    shop.add()
    shop.run()
    assert (shop.points, shop.status()) == (0, status)
    assert log in shop.site.logs(1)[-1]
    assert "not atomic" not in shop.site.logs(1)[-1]


def test_what_comes_after_the_block_changes_nothing(shop, caplog):
    """An error after it is told with the action's id, and the action stays complete."""

    def fail_later(context: Context) -> None:
        settle(context)
        assert not context.cancelled
        raise Fail("too late")

    shop.on(fail_later)
    shop.add()
    with caplog.at_level(logging.ERROR):
        summary = shop.run()
    assert (summary.completed, summary.failed) == (1, 0)
    assert (shop.points, shop.status(), shop.site.logs(1)) == (1, "complete", DONE)
    (record,) = caplog.records
    assert (record.action_id, "too late" in record.getMessage()) == (1, True)


def test_the_next_row_of_a_chain_comes_with_it(shop):
    """A recurring action that is settled by its handler goes on, once."""
    shop.on(settle)
    shop.add(schedule=schedules.interval(NOW - 60, 3600))
    shop.run()
    first, following = shop.site.rows()
    assert (first["status"], following["status"]) == ("complete", "pending")
    assert following["scheduled_date_gmt"] == shop.engine.due_column(NOW + 3600)
    assert (shop.site.logs(1), shop.site.logs(2), shop.points) == (DONE, [CREATED], 1)


def test_a_failed_commit_of_a_chain_leaves_nothing(shop, monkeypatch):
    """The effect, the status and the next row are one transaction: an error after all three
    undoes them."""
    commit = lent.Lent.ending

    @contextmanager
    def breaks(self):
        with commit(self) as tx:
            yield tx
            tx.execute("SELECT 1 FROM no_such_table")

    monkeypatch.setattr(lent.Lent, "ending", breaks)
    shop.on(settle)
    shop.add(schedule=schedules.interval(NOW - 60, 3600))
    shop.run()
    assert (shop.points, [row["status"] for row in shop.site.rows()]) == (0, ["pending"])
    assert "no_such_table" in shop.site.logs(1)[-1]


def test_those_of_a_window_get_their_started_line(shop):
    """Marked ahead, and settled one by one by their handlers: the log is the usual one."""
    shop.on(settle, idempotent=True)
    for _ in range(4):
        shop.add()
    assert shop.run().completed == 4
    assert shop.points == 4
    assert all(shop.site.logs(n) == DONE for n in range(1, 5))


STOLEN = "UPDATE wp_actionscheduler_actions SET claim_id = 4711 WHERE action_id = 1"
TAKEN_BACK = "UPDATE wp_actionscheduler_actions SET claim_id = 0, status = 'pending'"
CANCELED = "UPDATE wp_actionscheduler_actions SET status = 'canceled'"


@pytest.mark.parametrize("theft", [STOLEN, TAKEN_BACK, CANCELED])
@pytest.mark.parametrize("when", ["before", "inside"])
def test_a_lost_action_undoes_the_block(shop, when, theft):
    """The handler is told, its writes are gone, the action counts as lost and keeps its row."""
    told = []

    def lose(context: Context) -> None:
        try:
            if when == "before":
                shop.site.run(theft)
            with context.settling() as connection:
                add_point(connection)
                if when == "inside":
                    shop.site.run(theft)
        except SettlingError as error:
            told.append(str(error))
            raise

    shop.on(lose)
    shop.add()
    summary = shop.run(max_jobs=1)
    assert told == [settling.LOST]
    assert (summary.lost, summary.completed, summary.retried, shop.points) == (1, 0, 0, 0)
    assert shop.site.logs(1) == [CREATED, STARTED]


def test_the_second_call_is_an_error(shop):
    """The first has settled the action; the error of the second is only told."""
    told = []

    def twice(context: Context) -> None:
        settle(context)
        with pytest.raises(SettlingError) as caught:
            settle(context)
        told.append(str(caught.value))

    shop.on(twice)
    shop.add()
    assert shop.run().completed == 1
    assert (shop.points, told) == (1, ["settling() was called before in this run of the handler"])


def test_outside_a_run_the_error_says_how_to_test():
    """A handler's own test gives the context a connection."""
    context = Context(1, "hook", "", 1, 3, None, 300.0)
    with pytest.raises(SettlingError, match=r"Context\(…, settle=.*nullcontext\(connection\)\)"):
        context.settling()


ENDINGS = {
    "DDL": ["ALTER TABLE wp_points ADD COLUMN more INT"],
    "COMMIT": ["COMMIT"],
    "BEGIN": ["BEGIN"],
    "COMMIT AND CHAIN": ["COMMIT AND CHAIN"],
    "autocommit": ["SET autocommit = 0", "SET autocommit = 1"],
    "LOCK": ["LOCK TABLES wp_points WRITE", "UNLOCK TABLES"],
}


@pytest.mark.parametrize("raises", [False, True], ids=["", "and raises"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_block_that_ends_the_transaction_is_told(shop, ending, raises):
    """The write before it stays, so nothing is called atomic: the action is not complete, and the
    log says why."""

    def end(context: Context) -> None:
        with context.settling() as connection:
            add_point(connection)
            for statement in ENDINGS[ending]:
                connection.cursor().execute(statement)
            if raises:
                raise LookupError("x")

    shop.on(end)
    shop.add()
    assert shop.run().retried == 1
    assert shop.points == 1
    log = shop.site.logs(1)[-1]
    assert "not atomic: its block ended the transaction" in log
    assert ("LookupError: x (not atomic" in log) == raises


@pytest.mark.parametrize("raises", [False, True], ids=["completes", "fails"])
@pytest.mark.parametrize("engine", ["MyISAM", "Aria", "MEMORY", "InnoDB"])
def test_a_table_without_transactions_is_told(shop, engine, raises):
    """Completed with a line that says so, since a retry would write it twice; or failed with it."""
    if engine == "Aria" and not shop.server.is_mariadb:
        pytest.skip("an engine of MariaDB alone")
    shop.site.run(f"CREATE TABLE wp_old (n INT) ENGINE={engine}")

    def write(context: Context) -> None:
        with context.settling() as connection:
            add_point(connection)
            connection.cursor().execute("INSERT INTO wp_old VALUES (1)")
            connection.cursor().execute("SELECT 1")
            if raises:
                raise Fail("x")

    shop.on(write)
    shop.add()
    shop.run()
    told, left = engine != "InnoDB", not raises or engine != "InnoDB"
    assert shop.site.run("SELECT COUNT(*) FROM wp_old") == [(left,)]
    assert shop.points == (0 if raises else 1)
    assert shop.status() == ("failed" if raises else "complete")
    assert (
        any("not atomic: its block changed tables without" in s for s in shop.site.logs(1)) == told
    )
    if not raises:
        assert shop.site.logs(1)[:3] == DONE


LEAKS = {
    "transaction": "BEGIN",
    "variable": "SET @left = 1, sql_mode = '', time_zone = '+05:00'",
    "database": "USE information_schema",
    "lock": "SELECT GET_LOCK('left', 0)",
    "temporary table": "CREATE TEMPORARY TABLE left_over (n INT)",
    "autocommit": "SET autocommit = 0",
}
OWN_END = ("transaction", True)  # that ends the block's own


@pytest.mark.parametrize(
    ("leak", "inside"),
    [(leak, inside) for leak in LEAKS for inside in (True, False) if (leak, inside) != OWN_END],
)
def test_nothing_leaks_into_the_next_action(shop, leak, inside):
    """Whatever a handler leaves on the connection, the action is settled in the site's database by
    its dates, and the next one finds the same connection as new."""
    seen = []
    isolation = "tx_isolation" if shop.server.is_mariadb else "transaction_isolation"

    def leave(context: Context) -> None:
        with context.settling() as connection:
            cursor = connection.cursor()
            cursor.execute(
                "SELECT DATABASE(), @@sql_mode, @@time_zone, @@autocommit, @left, CONNECTION_ID(),"
                f" IS_FREE_LOCK('left'), @@{isolation}"
            )
            seen.append(cursor.fetchone())
            add_point(connection)
            if inside:
                cursor.execute(LEAKS[leak])
        if not inside:
            cursor.execute(LEAKS[leak])
            if leak == "transaction":
                add_point(connection)

    shop.on(leave)
    for _ in range(3):
        shop.add()
    assert shop.run().completed == 3
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][4] is None
    assert shop.points == 3
    assert all(shop.site.logs(n)[:3] == DONE for n in (1, 2, 3))
    assert (
        shop.site.row(1)["last_attempt_local"] == "2026-11-23 07:05:00"
    )  # a reset thaws the clock


def test_a_connection_that_is_gone_is_opened_again(shop):
    """Killed between two actions: the next one has a new one."""
    ids = []

    def note(context: Context) -> None:
        if ids:
            shop.site.run(f"KILL {ids[-1]}")
        with context.settling() as connection:
            ids.append(connection.thread_id())
            add_point(connection)

    shop.on(note)
    for _ in range(3):
        shop.add()
    assert shop.run().completed == 3
    assert (shop.points, len(set(ids))) == (3, 3)


def test_a_connection_lost_in_the_block_undoes_it(shop):
    """The error is a lost connection, which a classifier takes for a passing one."""

    def lose(context: Context) -> None:
        with context.settling() as connection:
            add_point(connection)
            break_connection(connection)

    shop.on(lose)
    shop.add()
    assert shop.run().retried == 1
    assert shop.points == 0
    assert "DatabaseGone: lost in settling(), and all is undone" in shop.site.logs(1)[-1]


class CutCommit:
    """Breaks the settling connection at COMMIT: before the server has it, or after; or raises
    `error` there, as an alarm does."""

    def __init__(self, monkeypatch, *, after: bool, error: BaseException | None = None) -> None:
        run = lent.Lent.run
        armed = [True]

        def cut(database, statements):
            if not armed or statements[-1][0] != "COMMIT":
                return run(database, statements)
            armed.clear()
            run(database, statements if after else statements[:-1])
            if error:
                raise error
            break_connection(database.connection)
            return run(database, statements)

        monkeypatch.setattr(lent.Lent, "run", cut)


@pytest.mark.parametrize("recurring", [False, True], ids=["single", "recurring"])
@pytest.mark.parametrize("after", [False, True], ids=["not committed", "committed"])
def test_a_commit_without_an_answer_is_looked_up(shop, monkeypatch, after, recurring, loop_writes):
    """When it took place, the handler goes on and the action is complete; when not, it is an error
    and all is undone. Then it is tried again: the effect is there once."""
    ends = []

    def note(context: Context) -> None:
        settle(context)
        ends.append(context.attempt)

    shop.on(note)
    shop.add(**({"schedule": schedules.interval(NOW - 60, 86400)} if recurring else {}))
    CutCommit(monkeypatch, after=after)
    summary = shop.run()
    assert (summary.completed, summary.retried, shop.points) == (after, not after, int(after))
    assert loop_writes == ([] if after else [1])
    if not after:
        shop.run(NOW + 100)
    assert (shop.points, shop.status(), ends) == (1, "complete", [1 if after else 2])
    assert len(shop.site.rows()) == 1 + recurring
    assert shop.site.logs(1).count(COMPLETE) == 1


@pytest.mark.parametrize("after", [False, True], ids=["not committed", "committed"])
def test_a_kill_of_the_statement_about_its_commit(shop, monkeypatch, after):
    """What took place is no error to the handler, which would compensate for it."""
    ends = []

    def note(context: Context) -> None:
        settle(context)
        ends.append(context.attempt)

    shop.on(note)
    shop.add()
    CutCommit(monkeypatch, after=after, error=Interrupted("Query execution was interrupted"))
    summary = shop.run()
    assert (summary.completed, summary.retried, shop.points) == (after, not after, int(after))
    if not after:
        assert "too busy: Query execution was interrupted" in shop.site.logs(1)[-1]
        shop.run(NOW + 100)
    assert (shop.points, shop.status(), ends) == (1, "complete", [1 if after else 2])


@pytest.mark.parametrize("after", [False, True], ids=["not committed", "committed"])
def test_a_soft_timeout_at_the_commit(shop, monkeypatch, after, caplog):
    """It travels on; whether the action is complete is what the database says."""
    shop.on(settle)
    shop.add()
    CutCommit(monkeypatch, after=after, error=SoftTimeout(1))
    summary = shop.run()
    assert (summary.completed, summary.retried, shop.points) == (after, not after, int(after))
    if not after:
        shop.run(NOW + 100)
    assert (shop.points, shop.status()) == (1, "complete")


def test_when_nobody_can_tell_the_worker_finds_out(shop, monkeypatch, loop_writes):
    """The handler gets an error and the action is judged; the row says that it is complete, so it
    is counted so and no word is added to its log."""

    def nobody(*_):
        raise settling.DatabaseGone("still away")

    told = []

    def note(context: Context) -> None:
        try:
            settle(context)
        except Exception as error:
            told.append(str(error))
            raise

    shop.on(note)
    shop.add()
    CutCommit(monkeypatch, after=True)
    monkeypatch.setattr(DatabaseSettler, "_took_place", nobody)
    summary = shop.run()
    assert told == ["still away"]
    assert loop_writes == [1]
    assert (summary.completed, summary.retried, summary.lost) == (1, 0, 0)
    assert (shop.points, shop.status(), shop.site.logs(1)) == (1, "complete", DONE)


def test_complete_by_others_is_lost_and_not_ours(shop):
    """Only our own line in the log makes a complete row one that its handler settled."""

    def overtaken() -> None:
        shop.site.run("UPDATE wp_actionscheduler_actions SET status = 'complete'")

    shop.on(overtaken)
    shop.add()
    summary = shop.run()
    assert (summary.completed, summary.lost) == (0, 1)


def test_a_heartbeat_is_not_held_up_by_an_open_block(shop):
    """The row is not locked while the handler works: the runner keeps its claim alive meanwhile."""

    def look(context: Context) -> None:
        with context.settling() as connection:
            add_point(connection)
            shop.site.run("SET innodb_lock_wait_timeout = 1")
            shop.site.run("UPDATE wp_actionscheduler_actions SET last_attempt_gmt = NOW()")

    shop.on(look)
    shop.add()
    assert shop.run().completed == 1


def test_a_deadlock_in_the_block_is_an_error_that_undid_all(shop):
    """It is not called "not atomic": the server has rolled back everything."""
    shop.site.run("INSERT INTO wp_points VALUES (2, 0)")
    other = shop.server.admin(shop.site.name)
    cursor = other.cursor()

    def deadlock(context: Context) -> None:
        with context.settling() as connection:
            add_point(connection)
            cursor.execute("BEGIN")
            cursor.execute("UPDATE wp_points SET points = 5 WHERE user = 2")
            cursor.execute("INSERT INTO wp_points VALUES (3, 0), (4, 0), (5, 0)")  # the heavier one
            waits = threading.Thread(
                target=cursor.execute, args=("UPDATE wp_points SET points = 5 WHERE user = 1",)
            )
            waits.start()
            try:
                until(shop.server.waits_for_lock)
                connection.cursor().execute("UPDATE wp_points SET points = 1 WHERE user = 2")
            finally:
                waits.join()
                cursor.execute("ROLLBACK")

    shop.on(deadlock)
    shop.add()
    with other:
        assert shop.run().retried == 1
    assert shop.points == 0
    assert "Deadlock found" in shop.site.logs(1)[-1]
    assert "not atomic" not in shop.site.logs(1)[-1]


def test_values_come_as_pymysql_gives_them(shop):
    """Money stays exact and a date is a date, though the runner's own connection reads texts."""
    seen = []

    def read(context: Context) -> None:
        with context.settling() as connection:
            cursor = connection.cursor()
            cursor.execute("SELECT CAST(1.10 AS DECIMAL(10,2)), CAST('2026-01-02' AS DATETIME)")
            seen.extend(cursor.fetchone())

    shop.on(read)
    shop.add(schedule=schedules.interval(NOW - 60, 3600))
    assert shop.run().completed == 1
    assert seen[0] == Decimal("1.10")
    assert seen[1].year == 2026


def test_an_action_that_the_block_creates_comes_with_it(shop):
    """`Queue` writes on the connection, in the same transaction."""
    with Queue.open(shop.site.url) as queue:

        def create(context: Context, fails: bool = False) -> None:
            with context.settling() as connection:
                queue.enqueue("py_other", connection=connection)
                if context.attempt == 1:
                    raise LookupError

        shop.on(create)
        shop.add()
        shop.run()
        assert len(shop.site.rows()) == 1
        shop.run(NOW + 100)
    assert [row["status"] for row in shop.site.rows()] == ["complete", "pending"]


def test_a_thread_over_its_time_cannot_settle_any_more(shop):
    """Its action was settled as timed out: the late block is undone."""
    told, go = [], threading.Event()

    def late(context: Context) -> None:
        try:
            with context.settling() as connection:
                add_point(connection)
                go.wait(20)
        except SettlingError as error:
            told.append(str(error))

    shop.engine.app.clock = SystemClock()
    shop.on(late, timeout=0.2)
    shop.add()
    assert shop.run(executor="threads:1", max_jobs=1).retried == 1
    go.set()
    until(lambda: told)
    assert (told, shop.points, shop.status()) == ([settling.LOST], 0, "pending")


def test_a_stop_at_once_after_the_commit_leaves_it_complete(shop, monkeypatch):
    """A thread given up after its handler settled the action: it is counted complete."""
    go, settled = threading.Event(), threading.Event()

    def stay(context: Context) -> None:
        settle(context)
        settled.set()
        go.wait(20)

    shop.engine.app.clock = SystemClock()
    shop.on(stay, timeout=0.5)
    shop.add()
    summary = shop.run(executor="threads:1", max_jobs=1)
    go.set()
    assert settled.is_set()
    assert (summary.completed, summary.retried, summary.lost) == (1, 0, 0)
    assert (shop.points, shop.site.logs(1)) == (1, DONE)
