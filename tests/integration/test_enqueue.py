"""Creating actions from Python: uniqueness, groups, many at once, every shape of the tables."""

from __future__ import annotations

import json
import os
import threading

import pytest
from support import server as servers
from support.cutting import Cut
from support.queue import caller, server_variable, together
from support.site import SiteDatabase, golden
from support.waiting import until

from runner import EnqueueError, NewAction, Queue, RunnerError
from runner.core.errors import ConfigError, DatabaseError, SiteError
from runner.operations import enqueue

NOW = 1_795_413_900  # 2026-11-23 06:05:00 UTC
ACTIONS = "wp_actionscheduler_actions"


@pytest.fixture
def queue(site):
    with Queue.open(site.url) as queue:
        yield queue


# --- where the queue is


def test_it_is_found_as_the_command_line_finds_it(site, monkeypatch):
    """The environment names database and prefix; what is given by hand comes first."""
    with pytest.raises(ConfigError, match="no database is configured"):
        Queue.open()
    monkeypatch.setenv("RUNNER_DSN", site.url)
    with Queue.open() as queue:
        assert queue.enqueue("h") == 1
    with pytest.raises(SiteError, match="prefix 'shop_'"):
        Queue.open(prefix="shop_")
    monkeypatch.setenv("RUNNER_DSN", "mysql://nobody@127.0.0.1:1/nothing")
    with Queue.open(site.url) as queue:
        assert queue.enqueue("h") == 2


# --- unique

UNIQUE = [
    record
    for record in golden("transitions.jsonl")
    if record["as_version"] == "4.0.0" and record["scenario"].startswith("unique")
]
UNIQUE_CALLS = {
    "tr-0069": ["ok_hook", {"a": 1}], "tr-0070": ["ok_hook", {"a": 2}],
    "tr-0072": ["ok_hook", {"a": 1}], "tr-0074": ["ok_hook", {"a": 1}],
    "tr-0075": ["ok_hook", {"a": "x"}],
}  # fmt: skip


def seed(site, record) -> None:
    for table, rows in (
        ("actions", record["before"]["actions"]),
        ("groups", record.get("groups", [])),
        ("logs", record["logs_before"]),
    ):
        for row in rows:
            site.insert(table, row)


@pytest.mark.parametrize("record", UNIQUE, ids=lambda record: record["id"])
def test_unique_as_in_php(record, site, queue):
    """The recorded duplicates of 4.0.0 are duplicates here: by collation, pending or running."""
    seed(site, record)
    name = record["id"].split("-v")[0]
    used = record["before"]["actions"][0]["group_id"]
    group = next(g["slug"] for g in record["groups"] if g["group_id"] == used)
    if name == "tr-0076":  # long args: first the same, then others
        text = record["before"]["actions"][0]["extended_args"]
        (long,) = json.loads(text)
        calls = [["ok_hook", [long]], ["ok_hook", [long[:-1] + "?"]]]
        made = [queue.enqueue(*call, group=group, unique=True) for call in calls]
        assert [id_ or 0 for id_ in made] == record["return"]
    else:
        made = queue.enqueue(*UNIQUE_CALLS[name], group=group, unique=True)
        assert (made or 0) == record["return"]
    assert len(site.rows()) == len(record["after"]["actions"])
    assert len(site.rows("logs")) == len(record["logs_after"])


@pytest.mark.parametrize(
    ("unique", "call", "duplicate"),
    [
        (True, ("a_hook", [1], "g"), True),
        (True, ("A_Hook", [1], "G"), True),
        (True, ("a_hook", [2], "g"), False),
        (True, ("a_hook", [1], "other"), False),
        (True, ("b_hook", [1], "g"), False),
        ("hook", ("a_hook", [2], "g"), True),
        ("hook", ("a_hook", [1], "other"), False),
        ("hook", ("b_hook", [1], "g"), False),
        (False, ("a_hook", [1], "g"), False),
    ],
)
def test_what_a_duplicate_is(queue, site, unique, call, duplicate):
    """Hook, group and args; with "hook" the args do not count. A duplicate leaves no trace."""
    hook, args, group = call
    queue.enqueue("a_hook", [1], group="g")
    assert (queue.enqueue(hook, args, group=group, unique=unique) is None) is duplicate
    assert len(site.rows()) == len(site.rows("logs")) == (1 if duplicate else 2)


@pytest.mark.parametrize(
    ("status", "blocks"),
    [("pending", 1), ("in-progress", 1), ("complete", 0), ("failed", 0), ("canceled", 0)],
)
def test_only_a_living_action_blocks(queue, site, status, blocks):
    """Pending or in progress; what is over does not stand in the way."""
    queue.enqueue("a_hook")
    site.run(f"UPDATE {ACTIONS} SET status = %s", (status,))
    assert (queue.enqueue("a_hook", unique=True) is None) is bool(blocks)


def test_eight_at_once_create_one_unique_action(site, server):
    """However many processes create it at the same moment, one does; and no lock is left."""

    def work(number, start):
        with Queue.open(site.url) as queue:
            start()
            return [
                queue.enqueue("h", [n], unique=True)
                if number % 2
                else queue.many([NewAction("H", [n], unique=True), NewAction("i", unique="hook")])[
                    0
                ]
                for n in range(20)
            ]

    made = together(8, work)
    ids = [id_ for ids in made for id_ in ids if id_ is not None]
    assert len(ids) == len(set(ids)) == 20
    assert len(site.rows()) == 21
    assert server.execute("SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE '%lock%'") == [(0,)]  # fmt: skip


def test_a_unique_action_waits_for_who_creates_one_of_its_hook(site, server):
    """However it is written; others do not wait, and the lock is given back."""
    with Queue.open(site.url) as first, Queue.open(site.url) as second:
        with first._enqueue._unique([{"hook": "A_hook", "unique": True}]):
            begun = []
            thread = threading.Thread(
                target=lambda: begun.append(second.enqueue("a_hook", unique=True))
            )
            thread.start()
            until(lambda: server.execute(
                "SELECT 1 FROM information_schema.processlist WHERE state = 'User lock'"
            ))  # fmt: skip
            assert first.enqueue("a_hook") == 1
            assert first.enqueue("b_hook", unique=True) == 2
            assert begun == []
        thread.join(20)
        assert begun == [None]
        assert second.enqueue("b_hook", unique=True) is None


def test_unique_across_connections(queue, site):
    """What another connection committed is a duplicate. What it has not committed is not seen and
    not waited for, by either of the two ways of writing: the limit that the docstring names."""
    with Queue.open(site.url) as other, caller(site) as connection:
        assert other.enqueue("a_hook", unique=True, connection=connection) == 1
        assert queue.enqueue("a_hook", unique=True) == 2
        site.run(f"UPDATE {ACTIONS} SET status = 'complete' WHERE action_id = 2")
        with caller(site) as third:
            assert queue.enqueue("a_hook", unique=True, connection=third) == 3
        connection.commit()
    assert queue.enqueue("a_hook", unique=True) is None
    with caller(site) as connection:
        assert queue.enqueue("a_hook", unique=True, connection=connection) is None


# --- groups


def test_eight_at_once_create_one_group(site, server):
    """However many processes use a new group first, it gets one row, and all actions are in it."""

    def work(number, start):
        with Queue.open(site.url) as queue:
            start()
            return [queue.enqueue("h", [number, n], group=f"group {n}") for n in range(5)]

    made = together(8, work)
    assert len({id_ for ids in made for id_ in ids}) == 40
    slugs = [row["slug"] for row in site.rows("groups")]
    assert sorted(slugs) == [f"group {n}" for n in range(5)]
    counts = site.run(f"SELECT group_id, COUNT(*) FROM {ACTIONS} GROUP BY group_id")
    assert {count for _, count in counts} == {8}
    assert server.execute("SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE '%lock%'") == [(0,)]  # fmt: skip


def test_a_group_that_has_two_rows_already(queue, site):
    """PHP may have created a slug twice: the older row is used and no third one made."""
    for _ in range(2):
        site.insert("groups", {"slug": "twice"})
    queue.enqueue("h", group="Twice")
    assert (site.row(1)["group_id"], len(site.rows("groups"))) == ("1", 2)


def test_a_group_is_created_under_a_lock_that_is_given_back(queue, site, server):
    """While another process creates groups ours are waited for, and its lock is free afterwards."""
    name = queue._enqueue._lock
    queue.enqueue("h", group="one")
    other = server.admin(site.name)
    with other, other.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 0)", (name,))
        assert cursor.fetchone() == (1,)
        assert queue.enqueue("h", group="ONE") == 2  # nothing to create: no lock wanted

        def work(number, start):
            start()
            if number == 0:
                return queue.enqueue("h", group="two")
            while not site.run(
                "SELECT 1 FROM information_schema.processlist WHERE state = 'User lock'"
            ):
                pass
            free = not site.rows("groups", "slug = 'two'")
            cursor.execute("SELECT RELEASE_LOCK(%s)", (name,))
            return free

        assert together(2, work) == [3, True]
        cursor.execute("SELECT GET_LOCK(%s, 0)", (name,))
        assert cursor.fetchone() == (1,)


# --- many


def mixed(count: int) -> list[NewAction]:
    kinds = [
        lambda n: NewAction("soon", [n], group="a"),
        lambda n: NewAction("once", {"n": n}, at=NOW + n, group="b", priority=n),
        lambda n: NewAction("often", [n, "x" * 300], at=NOW, every=60),
        lambda n: NewAction("nightly", [n], at=NOW, cron="0 3 * * *", group="A"),
        lambda n: NewAction("only", [n // 10], group="a", unique=True),
    ]
    return [kinds[n % 5](n) for n in range(count)]


def without_ids(rows: list[dict]) -> list[dict]:
    return [{k: v for k, v in row.items() if not k.endswith("_id")} for row in rows]


def test_many_are_as_one_by_one(site, server, monkeypatch):
    """Of any kind, in their order: the rows, groups, logs and answers that single calls give."""
    monkeypatch.setattr(enqueue, "ROWS", 7)
    with server.frozen(NOW), Queue.open(site.url) as queue:
        one_by_one = [queue.many([new])[0] for new in mixed(60)]
        before = [without_ids(site.rows(table)) for table in ("actions", "logs", "groups")]
        for table in ("actions", "logs", "groups"):
            site.run(f"TRUNCATE {site.table(table)}")
        assert queue.many(iter(mixed(60))) == one_by_one
    assert one_by_one.count(None) == 6
    assert [without_ids(site.rows(table)) for table in ("actions", "logs", "groups")] == before
    assert [r["action_id"] for r in site.rows("logs")] == [r["action_id"] for r in site.rows()]


def test_nothing_is_many_too(queue, site):
    assert queue.many([]) == []
    assert site.rows("groups") == []


def test_many_are_few_statements(site, server, queue):
    """A thousand distinct actions: two inserts of actions, two of logs, one commit."""
    new = [NewAction("h", [n], at=NOW + n, group="g") for n in range(1000)]
    queue.enqueue("h", group="g")
    names = ("Com_select", "Com_insert", "Com_begin", "Com_commit")
    before = server.status(*names)
    queue.many(new)
    after = server.status(*names)
    cost = {name: after[name] - before[name] for name in before}
    assert cost == {"com_select": 2, "com_insert": 4, "com_begin": 1, "com_commit": 1}


@pytest.mark.parametrize("count", [3, 1200])
def test_ids_where_several_servers_share_the_numbers(site, server, count):
    """With auto_increment_increment 3 each id that is returned is its own action's."""
    with server_variable(server, "auto_increment_increment", 3), Queue.open(site.url) as queue:
        ids = queue.many(NewAction("h", [n]) for n in range(count))
        ids += queue.many(NewAction("h", [n]) for n in range(count, count + 2))
    found = dict(site.run(f"SELECT action_id, args FROM {ACTIONS}"))
    assert [found[id_] for id_ in ids] == [f"[{n}]" for n in range(count + 2)]
    assert ids[1] - ids[0] == 3
    assert {row["action_id"] for row in site.rows("logs")} == {str(id_) for id_ in ids}


@pytest.fixture(scope="module")
def interleaving():
    """A server that gives numbers without waiting for other statements (MySQL 8's default mode);
    where none can be started, the tests' own server, whatever its mode."""
    program = servers._program()
    if os.environ.get("RUNNER_TEST_DSN") or not program:
        yield servers.start()
        return
    server = servers.local(program, [*servers.FAST, "--innodb-autoinc-lock-mode=2"])
    yield server
    server.stop()


@pytest.mark.parametrize("mode", ["server", "interleaving"])
def test_ids_while_others_insert(request, mode):
    """Several processes at once, and one that copies rows by INSERT … SELECT: each id that is
    returned is its own action's, in either of the usual modes of giving numbers."""
    site = SiteDatabase.create(request.getfixturevalue(mode))
    columns = "hook, status, scheduled_date_gmt, args, schedule, group_id"

    def copy(start):
        with caller(site, autocommit=True, sql_mode="") as connection:
            start()
            for _ in range(12):
                connection.cursor().execute(
                    f"INSERT INTO {ACTIONS} ({columns}) SELECT {columns} FROM {ACTIONS}"
                    " WHERE hook = 'copied' LIMIT 1000"
                )

    def create(number, start):
        with Queue.open(site.url) as queue:
            start()
            return [
                queue.many(NewAction("h", [number, r, n]) for n in range(300)) for r in range(4)
            ]

    with Queue.open(site.url) as queue:
        queue.many(NewAction("copied", [n]) for n in range(50))
    made = together(4, lambda number, start: create(number, start) if number else copy(start))
    found = dict(site.run(f"SELECT action_id, args FROM {ACTIONS} WHERE hook = 'h'"))
    site.drop()
    assert made[0] is None
    wanted = {
        id_: f"[{number},{r},{n}]"
        for number, rounds in enumerate(made[1:], 1)
        for r, ids in enumerate(rounds)
        for n, id_ in enumerate(ids)
    }
    assert found == wanted


def test_many_are_all_or_none(queue, site):
    """An action that cannot be, at the end of many, leaves nothing; so does an error of the
    database in the last statement. More than the limit is refused as a whole."""
    late = NewAction("h", at=NOW, cron="0 0 31 2 *")
    with pytest.raises(EnqueueError, match="no date matches"):
        queue.many([*mixed(3), late])
    with pytest.raises(EnqueueError, match="10001 actions: at most 10000"):
        queue.many([NewAction("h", group="g")] * 10_001)
    with pytest.raises(EnqueueError, match="wants NewAction"):
        queue.many([NewAction("h"), "h"])
    assert [site.rows(t) for t in ("actions", "logs", "groups")] == [[], [], []]
    site.run(
        "CREATE TRIGGER no_more BEFORE INSERT ON wp_actionscheduler_logs FOR EACH ROW"
        " IF NEW.action_id > 600 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'full'; END IF"
    )
    with pytest.raises(DatabaseError, match="full"):
        queue.many(NewAction("h", [n]) for n in range(700))
    assert [site.rows(t) for t in ("actions", "logs")] == [[], []]


def test_long_args_fit_into_packets(site, server):
    """Statements are bounded by bytes, not by rows alone: with the smallest packet limit that
    servers come with, 300 actions of nearly 8,000 bytes, quotes to be escaped, are written."""
    with server_variable(server, "max_allowed_packet", 1024 * 1024), Queue.open(site.url) as queue:
        args = ["'" * 7980]
        assert len(queue.many([NewAction("h", [n, *args]) for n in range(300)])) == 300
    lengths = site.run(f"SELECT MIN(LENGTH(extended_args)), COUNT(*) FROM {ACTIONS}")
    assert lengths == [(len(json.dumps([0, *args], separators=(",", ":"))), 300)]


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("count", [1, 600])
def test_a_commit_without_an_answer(site, queue, done, count):
    """The actions are there once, whether the server had committed or not, and their ids are told."""
    queue.enqueue("h", group="g")
    Cut(queue._database, after=done)
    ids = queue.many(NewAction("h", [n], group="g") for n in range(count))
    rows = site.rows(where="args <> '[]'")
    assert [int(row["action_id"]) for row in rows] == ids
    assert [row["args"] for row in rows] == [f"[{n}]" for n in range(count)]
    assert len(site.rows("logs")) == count + 1


# --- shapes of the tables

SHAPES = {
    "schema 3": [
        f"ALTER TABLE {ACTIONS} DROP COLUMN priority, DROP KEY claim_id_status_priority_scheduled_date_gmt,"
        " DROP KEY hook_status_scheduled_date_gmt,"
        + ",".join(
            f" MODIFY {name} datetime NOT NULL DEFAULT '0000-00-00 00:00:00'"
            for name in ("scheduled_date_gmt", "scheduled_date_local", "last_attempt_gmt", "last_attempt_local")
        )
    ],
    "schema 9": [f"ALTER TABLE {ACTIONS} ADD unique_key varchar(191) NULL, ADD UNIQUE KEY (unique_key)"],
    "another order": [f"ALTER TABLE {ACTIONS} MODIFY extended_args varchar(8000) DEFAULT NULL AFTER action_id"],
    "another collation": [
        f"ALTER TABLE wp_actionscheduler_{table} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
        for table in ("actions", "groups", "logs")
    ],
    "three bytes": [
        f"ALTER TABLE wp_actionscheduler_{table} CONVERT TO CHARACTER SET utf8mb3"
        for table in ("actions", "groups", "logs")
    ],
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_the_tables(site, shape):
    """Created, found and canceled in every shape; the unique key of schema 9 stays empty."""
    for statement in SHAPES[shape]:
        site.run(statement)
    with Queue.open(site.url) as queue:
        ids = queue.many(
            [NewAction("höök", [1], group="gröup", priority=3, at=NOW), NewAction("h", every=60)]
        )
        assert queue.enqueue("höök", [1], group="gröup", unique=True) is None
        found = queue.next("höök", [1], group="gröup")
        assert (found.id, found.priority) == (ids[0], 10 if shape == "schema 3" else 3)
        other = queue.enqueue("HÖÖK", [1], group="gröup", unique=True)
        assert (other is None) is (shape != "another collation")
        assert queue.cancel("h") == ids[1]
    assert site.row(ids[0]).get("unique_key") is None
    assert [log["action_id"] for log in site.rows("logs")][:2] == [str(id_) for id_ in ids]


def test_a_text_that_the_column_cannot_hold_is_an_error(site):
    """Four-byte characters in a three-byte column: refused by the strict session, one line."""
    for statement in SHAPES["three bytes"]:
        site.run(statement)
    with Queue.open(site.url) as queue, pytest.raises(RunnerError, match="Incorrect string value"):
        queue.enqueue("h🎉")
    assert site.rows() == []


def test_a_run_does_not_import_it():
    """`runner` gives Queue and NewAction at first use: a run and its children do not pay."""
    import subprocess  # noqa: PLC0415
    import sys  # noqa: PLC0415

    program = (
        "import sys, runner; import runner.app; early = 'runner.queue' in sys.modules\n"
        "from runner import NewAction, Queue, QueuedAction\n"
        "print(early, Queue.__module__, hasattr(runner, 'nothing'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "runner.queue", "False"]
