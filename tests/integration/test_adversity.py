"""What servers, other people and the network do in the middle of a write."""

from __future__ import annotations

import threading

import pytest
from support.cutting import Cut, Kill, break_connection
from support.engine import Engine, handlers_for
from support.queue import caller
from support.waiting import until

from runner import Queue, engine
from runner.config import Settings
from runner.core.errors import DatabaseError, SiteError
from runner.core.limits import Limits
from runner.core.model import Completed, Dead, Settlement
from runner.core.signals import Stop
from runner.operations import changes
from runner.operations.cleaner import Cleaner
from runner.site import discover
from runner.storage.db import Conflict

NOW = 1_795_413_900
ACTIONS = "wp_actionscheduler_actions"
LOGS = "wp_actionscheduler_logs"


@pytest.fixture
def work(site, server, clock):
    made = Engine(site, handlers_for("py_hook"), clock)
    with server.frozen(NOW):
        yield made
    made.close()


def claimed(work, site, count: int = 1):
    """So many actions under one claim; the first of them runs."""
    for number in range(count):
        site.add("py_hook", [number], at=NOW - 60 + number)
    database = work.database()
    source = work.source(database)
    claim = source.claim(25)
    source.advance(claim, [], claim.actions[:1])
    return database, source, claim


def settled(*actions) -> list[Settlement]:
    return [Settlement(action, Completed()) for action in actions]


TRIGGERS = [
    "SELECT COUNT(*) INTO @x FROM audit",
    "DELETE FROM audit",
    "INSERT INTO audit SELECT 1",
    "UPDATE audit SET n = n + 1",
]


@pytest.mark.parametrize("body", TRIGGERS)
@pytest.mark.parametrize("table", [LOGS, ACTIONS])
def test_a_trigger_of_the_site_changes_nothing(work, site, table, body):
    """Whatever a trigger counts, a turn knows how many rows its own statement matched."""
    site.run("CREATE TABLE audit (n int)")
    site.run("INSERT INTO audit VALUES (1), (2)")
    event = "INSERT" if table == LOGS else "UPDATE"
    site.run(f"CREATE TRIGGER t AFTER {event} ON {table} FOR EACH ROW {body}")
    for number in range(4):
        site.add("py_hook", [number], at=NOW - 60)
    assert work.run().completed == 4
    assert [len(site.logs(number)) for number in range(1, 5)] == [3] * 4


def test_long_lines_of_many_actions_fit_into_packets(work, site, server):
    """25 errors of 60 kB each are recorded on a server that takes 1 MB at a time."""
    before = server.execute("SELECT @@GLOBAL.max_allowed_packet")[0][0]
    server.execute("SET GLOBAL max_allowed_packet = 1048576")
    try:
        _, source, claim = claimed(work, site, 25)
        source.advance(claim, [], claim.actions[1:])
        held = source.advance(claim, [Settlement(a, Dead("x" * 60_000)) for a in claim.actions], [])
    finally:
        server.execute(f"SET GLOBAL max_allowed_packet = {before}")
    assert len(held.settled) == 25
    assert site.statuses() == {"failed": 25}


def test_a_statement_that_is_killed_is_tried_again(work, site, server):
    """An operator's KILL QUERY, or a time limit of the server's, costs no result."""
    database, source, claim = claimed(work, site)
    own = database.query("SELECT CONNECTION_ID() AS id")[0]["id"]
    blocker = server.admin(site.name)
    blocker.autocommit(False)
    blocker.cursor().execute(f"SELECT * FROM {ACTIONS} FOR UPDATE")
    state = f"SELECT COUNT(*) FROM information_schema.processlist WHERE id = {own} AND info LIKE '%in-progress%'"

    def kill() -> None:
        until(lambda: site.run(state)[0][0])
        server.execute(f"KILL QUERY {own}")
        blocker.rollback()

    killer = threading.Thread(target=kill)
    killer.start()
    held = source.advance(claim, settled(*claim.actions), [])
    killer.join()
    blocker.close()
    assert len(held.settled) == 1
    assert len(site.logs(1)) == 3


@pytest.mark.parametrize("after", [False, True], ids=["not committed", "committed"])
def test_a_statement_that_is_killed_about_its_commit(work, site, after):
    """What took place is told as done, and once; what did not is done again."""
    database, source, claim = claimed(work, site, 2)
    Kill(database, after=after)
    held = source.advance(claim, settled(claim.actions[0]), [claim.actions[1]])
    assert ([s.action.id for s in held.settled], [a.id for a in held.started]) == ([1], [2])
    assert [len(site.logs(n)) for n in (1, 2)] == [3, 2]
    waiting = site.add("py_hook", at=NOW)
    Kill(database, after=after)
    assert changes.cancel(database, discover(database, work.tables), [waiting]) == [waiting]
    assert (site.row(waiting)["status"], len(site.logs(waiting))) == ("canceled", 2)


def test_a_session_that_chains_transactions_hides_no_heartbeat(work, site, server):
    """Whatever the server's default is: a beat is seen by others at once."""
    server.execute("SET GLOBAL completion_type = 'CHAIN'")
    try:
        _, source, claim = claimed(work, site)
        site.run(f"UPDATE {ACTIONS} SET last_attempt_gmt = '2020-01-01'")
        source.beat(claim, [1])
        assert site.row(1)["last_attempt_gmt"] > "2026"
    finally:
        server.execute("SET GLOBAL completion_type = 'NO_CHAIN'")


def test_the_named_lock_outlives_a_heartbeat_that_failed(work, site, server):
    """However the connection comes back, the run's lock comes back with it."""
    lock = work.app._lock_name(())
    holder = "SELECT IS_USED_LOCK(%s)"
    site.add("py_hook", at=NOW - 60)
    with work.app.open(lock) as (database, found):
        source = engine.source(database, found, work.app.ownership(database, found, Settings()))
        claim = source.claim(25)
        source.advance(claim, [], claim.actions)
        server.execute(f"KILL {site.run(holder, (lock,))[0][0]}")
        until(lambda: site.run(holder, (lock,))[0][0] is None)
        source.beat(claim, [1])
        source.beat(claim, [1])
        assert site.run(holder, (lock,))[0][0] is not None


def test_a_row_that_was_put_off_after_the_look_is_not_claimed(work, site):
    """Seen as due, then run and put off by another runner before our lock: its new date holds."""
    site.add("py_hook", at=NOW - 60)
    source = work.source()
    find = source._ownership.find

    def stale(*arguments, **options):
        found = find(*arguments, **options)
        site.run(
            f"UPDATE {ACTIONS} SET scheduled_date_gmt = FROM_UNIXTIME({NOW + 900}), attempts = 1"
        )
        return found

    source._ownership.find = stale
    assert source.claim(25) is None
    assert site.row(1)["claim_id"] == "0"


def test_chosen_actions_survive_a_conflict(work, site, server):
    """A claim that lost a deadlock, and then found the row locked, does not forget the action."""
    site.add("py_hook", at=NOW + 3600)
    database = work.database()
    found = discover(database, work.tables)
    source = engine.source(database, found, work.app.ownership(database, found, Settings(), [1]))
    run, blocker = database.run, server.admin(site.name)
    blocker.autocommit(False)

    def conflict(statements):
        if statements[-1][0] == "COMMIT":
            database.run = run
            run(statements[:-1])
            database._roll_back()
            blocker.cursor().execute(f"SELECT * FROM {ACTIONS} FOR UPDATE")
            raise Conflict("deadlock")
        return run(statements)

    database.run = conflict
    assert source.claim(25) is None
    assert source.contended
    blocker.rollback()
    blocker.close()
    assert [action.id for action in source.claim(25).actions] == [1]


class Meanwhile(Cut):
    """A COMMIT that does not take place, after which somebody else does something."""

    def __init__(self, database, site, change: str) -> None:
        super().__init__(database, after=False)
        self.site, self.change = site, change

    def cut(self, statements):
        try:
            return super().cut(statements)
        except Exception:
            self.site.run(self.change)  # waits until the server has undone the rest
            raise


@pytest.mark.parametrize("verb", [changes.cancel, changes.delete])
def test_what_began_before_the_second_try_is_not_called_done(work, site, verb):
    """The COMMIT was lost and did not take place, and a runner began the action: it is neither
    canceled nor deleted, and nobody says so."""
    site.add("py_hook", at=NOW - 60)
    database = work.database()
    found = discover(database, work.tables)
    Meanwhile(database, site, f"UPDATE {ACTIONS} SET status = 'in-progress', claim_id = 5")
    assert verb(database, found, [1]) == []
    assert site.row(1)["status"] == "in-progress"
    assert site.logs(1) == ["action created"]


def test_an_action_that_already_ran_is_not_created_again(site, server):
    """The answer to a COMMIT was lost, and a runner took and put the action off before we looked."""
    with server.frozen(NOW), Queue.open(site.url) as queue:
        queue.enqueue("py_hook", [0])
        cut = Cut(queue._database, after=True)
        real = cut.run

        def then_put_off(statements):
            answers = real(statements)
            if statements[-1][0] == "COMMIT":
                site.run(f"UPDATE {ACTIONS} SET scheduled_date_gmt = FROM_UNIXTIME({NOW + 900})")
            return answers

        cut.run = then_put_off
        assert queue.enqueue("py_hook", [1]) == 2
    assert len(site.rows()) == 2


def test_the_lock_of_groups_is_free_after_a_conflict(site):
    """A deadlock while a group is created must not keep other processes from creating theirs."""
    with Queue.open(site.url) as queue:
        insert, tries = queue._enqueue._insert_groups, []

        def once_in_vain(tx, slugs):
            tries.append(slugs)
            if len(tries) == 1:
                raise Conflict("deadlock")
            return insert(tx, slugs)

        queue._enqueue._insert_groups = once_in_vain
        queue.enqueue("py_hook", group="new")
        assert site.run("SELECT IS_USED_LOCK(%s)", (queue._enqueue._lock,)) == [(None,)]
    assert len(tries) == 2


def test_no_savepoint_is_left_on_a_caller_s_connection(site):
    """After an error the caller's transaction is as it was before."""
    site.run(f"RENAME TABLE {LOGS} TO gone")
    site.run(f"CREATE TABLE {LOGS} LIKE gone")
    with Queue.open(site.url) as queue, caller(site) as connection:
        connection.begin()
        site.run(f"DROP TABLE {LOGS}")
        with pytest.raises(Exception, match="doesn't exist"):
            queue.enqueue("py_hook", connection=connection)
        with connection.cursor() as cursor, pytest.raises(Exception, match="SAVEPOINT"):
            cursor.execute("RELEASE SAVEPOINT wp_action_runner")


def test_cleaning_counts_what_a_lost_answer_was_about(work, site):
    """The COMMIT took place: the row is gone, and counted."""
    site.add("py_hook", at=NOW, status="complete", last_attempt_gmt="2020-01-01 00:00:00")
    database = work.database()
    found, stop = discover(database, work.tables), Stop()
    Cut(database, after=True)
    cleaned = Cleaner(database, found, Limits(work.clock, stop), hooks=None).run({"complete": NOW})
    stop.close()
    assert (cleaned.deleted, site.rows()) == (1, [])


def test_a_broken_connection_is_no_reason_to_fail(work, site):
    """Between two statements of ours the connection may go: the next one gets a new one."""
    database, source, claim = claimed(work, site)
    break_connection(database._connection)
    assert len(source.advance(claim, settled(*claim.actions), []).settled) == 1


def test_tables_without_transactions_are_refused(work, site):
    """A claim cannot be trusted where nothing can be undone."""
    site.run(f"ALTER TABLE {ACTIONS} ENGINE = MyISAM")
    with pytest.raises(SiteError, match=r"is MyISAM, which has no transactions: .* InnoDB"):
        work.run()


def test_a_log_that_takes_null_is_refused(work, site):
    """What undoes half a turn is that it takes none."""
    site.run(f"ALTER TABLE {LOGS} MODIFY action_id bigint unsigned NULL")
    with pytest.raises(SiteError, match=rf"action_id of table {LOGS} takes NULL.* NOT NULL"):
        work.run()


def test_an_outcome_that_the_database_refuses_costs_no_other(work, site):
    """Of three results that are recorded together a trigger of the site refuses one: the others
    are on record, and what is said is what the database says."""
    _, source, claim = claimed(work, site, 3)
    source.advance(claim, [], claim.actions[1:])
    site.run(
        f"CREATE TRIGGER no BEFORE UPDATE ON {ACTIONS} FOR EACH ROW BEGIN"
        " IF NEW.action_id = 2 AND NEW.status = 'complete' THEN"
        " SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'not number two'; END IF; END"
    )
    with pytest.raises(DatabaseError, match="not number two"):
        source.advance(claim, settled(*claim.actions), [])
    assert [row["status"] for row in site.rows()] == ["complete", "in-progress", "complete"]
    assert [len(site.logs(n)) for n in (1, 2, 3)] == [3, 2, 3]
    site.run("DROP TRIGGER no")
    held = source.advance(claim, settled(claim.actions[1]), [])
    assert [s.action.id for s in held.settled] == [2]


def test_a_refusal_that_has_passed_costs_nothing(work, site, monkeypatch):
    """One by one all of it is written after all, and what is next begins."""
    database, source, claim = claimed(work, site, 3)
    source.advance(claim, [], claim.actions[1:2])
    original, tries = database.unit, []

    def unit(once, **options):
        tries.append(once)
        if len(tries) == 1:
            raise DatabaseError("no")
        return original(once, **options)

    monkeypatch.setattr(database, "unit", unit)
    held = source.advance(claim, settled(*claim.actions[:2]), claim.actions[2:])
    assert [s.action.id for s in held.settled] == [1, 2]
    assert ([a.id for a in held.started], held.lost) == ([3], ())
    assert [row["status"] for row in site.rows()] == ["complete", "complete", "in-progress"]
