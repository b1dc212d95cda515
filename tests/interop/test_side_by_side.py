"""Two PHP runners and two Python daemons on one queue, while both sides create actions for both."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter

import pytest
from interop.wordpress import GROUP, until

from compat.action_scheduler import PARKED_FROM
from compat.site_time import sql_date
from runner import Queue

KINDS = ("async", "single", "chain")
JOBS = """
import time
from runner import Context, Handlers, RetryPolicy

handlers = Handlers(retry=RetryPolicy.fixed(1, attempts=20))

@handlers.on("py_interop_async", "py_interop_single", "py_interop_chain")
def note(context: Context, *args):
    with open("py_calls", "a") as calls:
        calls.write(f"{context.action_id}\\n")
    time.sleep(0.02)
"""
WORK = ("work", "--handlers", "jobs:handlers", "--queues", "*:2", "--quiet")
PAUSE = 0.15
"""Seconds between what each side creates: four actions, two for each side."""

LASTS = 0.02
"""Seconds that every callback and handler takes."""

FINISHED = 5000
"""Actions that have ended, in the table from the start."""

pytestmark = pytest.mark.timeout(3600)


class Running:
    """Everybody who works or creates; `calls` are the ids that callbacks were called for."""

    def __init__(self, site, cli, seconds: float) -> None:
        self.site, self.cli, self.seconds = site, cli, seconds
        self.stop = cli.folder / "stop"
        self.created = 0
        self.php: list = []
        self.daemons = [cli.start(*WORK) for _ in range(2)]
        facts = {"calls": str(cli.folder / "php_calls"), "stop": str(self.stop)}
        for number in range(2):
            self._php(
                f"worker_{number}", role="work", seconds=seconds + 120, lasts=LASTS * 1000, **facts
            )
        self._php("creator", role="enqueue", seconds=seconds, pause=PAUSE * 1000)
        self.creator = threading.Thread(target=self._create)
        self.creator.start()

    def _php(self, name: str, **question) -> None:
        answer = self.cli.folder / name
        self.php.append((self.site.start("side_by_side", answer, **question), answer))

    def _create(self) -> None:
        """As plugins do it in PHP, by `runner.Queue`."""
        end = time.monotonic() + self.seconds
        with Queue.open(self.site.url) as queue:
            while time.monotonic() < end:
                for side in ("py", "php"):
                    queue.enqueue(f"{side}_interop_async", [self.created], group=f"{GROUP}sides")
                    queue.schedule(
                        f"{side}_interop_single", int(time.time()) + 1, [self.created],
                        group=f"{GROUP}sides",
                    )  # fmt: skip
                    self.created += 2
                time.sleep(PAUSE)

    def kill_daemons(self, every: float) -> int:
        """Kills one of the daemons now and then, and starts another, as long as somebody creates;
        how many were killed."""
        kills, (creator, _) = 0, self.php[-1]
        while creator.poll() is None:
            number = kills % len(self.daemons)
            self.daemons[number].kill()
            self.daemons[number].communicate()
            self.daemons[number] = self.cli.start(*WORK)
            kills += 1
            time.sleep(every)
        return kills

    def wait(self) -> int:
        """Until nobody creates any more and nothing is left; returns how many PHP created."""
        creator, answer = self.php.pop()
        said, _ = creator.communicate(timeout=self.seconds + 60)
        assert creator.returncode == 0, said
        self.creator.join()
        for side in ("py", "php"):
            self.site.php(
                "ask", function="as_unschedule_all_actions", arguments=[f"{side}_interop_chain"]
            )
        until("the last actions", lambda: not self.unfinished(), seconds=90)
        return json.loads(answer.read_text())["done"]

    def unfinished(self) -> int:
        return int(self.site.run(
            f"SELECT COUNT(*) FROM {self.site.table('actions')} WHERE hook LIKE '%\\_interop\\_%'"
            " AND status IN ('pending', 'in-progress')"
        )[0][0])  # fmt: skip

    def end(self) -> None:
        """Drains all; nobody may have had anything to complain about."""
        self.stop.touch()
        for daemon in self.daemons:
            daemon.terminate()
            said = daemon.communicate(timeout=60)
            assert (daemon.returncode, said[1]) == (0, ""), said
        for worker, _ in self.php:
            said, _ = worker.communicate(timeout=60)
            assert (worker.returncode, said) == (0, "")

    def kill(self) -> None:
        for process in (*self.daemons, *(started for started, _ in self.php)):
            if process.poll() is None:
                process.kill()
                process.communicate(timeout=30)

    def calls(self, side: str) -> Counter[int]:
        lines = (self.cli.folder / f"{side}_calls").read_text().split()
        return Counter(int(line) for line in lines)


def test_each_action_runs_once_where_it_belongs(install, cli, pytestconfig, capsys):
    """None fails, none is left, none runs twice or on the wrong side; chains go on with one action
    at a time; no claim of ours is ever PHP's, and none is left."""
    site = install(JOBS)
    fill(site)
    seconds = pytestconfig.getoption("--minutes") * 60
    running = Running(site, cli, seconds)
    try:
        created = running.wait() + running.created
        running.end()
    finally:
        running.kill()
    done = ended(site)
    plain = [row for row in done.values() if not row["hook"].endswith("_chain")]
    assert len(plain) == created
    for side in ("py", "php"):
        rows = of_side(done, side)
        assert running.calls(side) == dict.fromkeys(rows, 1)
        chain = [row for row in rows.values() if row["hook"].endswith("_chain")]
        assert seconds / 6 <= len(chain) <= seconds / 3 + 2
        assert len({row["scheduled_date_gmt"] for row in chain}) == len(chain)
    python = of_side(done, "py").values()
    assert {(row["attempts"], row["claim_id"]) for row in python} == {("1", "0")}
    assert max(row["scheduled_date_gmt"] for row in python) < PARKED_FROM
    nothing_is_held(site)
    the_doctor_is_content(cli)
    with capsys.disabled():
        print(  # noqa: T201  figures for the operator
            f"\n{site.facts['version']}, {seconds:.0f} s: {len(python)} actions by Python,"
            f" {len(done) - len(python)} by PHP, each once; late at most"
            f" {late(site, 'py')} s (Python), {late(site, 'php')} s (PHP)"
        )


def test_killed_daemons_leave_nothing_to_php(install, cli, pytestconfig, capsys):
    """By SIGKILL, again and again: Python's actions are all complete, a second call is explained by
    the log, and PHP goes on as if nothing had happened."""
    cli.environ["RUNNER_LEASE"] = "3"
    site = install(JOBS)
    fill(site)
    running = Running(site, cli, pytestconfig.getoption("--minutes") * 60)
    try:
        kills = running.kill_daemons(every=1.5)
        created = running.wait() + running.created
        running.end()
    finally:
        running.kill()
    done = ended(site)
    assert len([row for row in done.values() if not row["hook"].endswith("_chain")]) == created
    assert running.calls("php") == dict.fromkeys(of_side(done, "php"), 1)
    calls = running.calls("py")
    assert set(calls) == set(of_side(done, "py"))
    twice = [id_ for id_, count in calls.items() if count > 1]
    assert [i for i in twice if "its worker died" not in " ".join(site.logs(i))] == []
    assert site.run(f"SELECT * FROM `{site.facts['prefix']}runner_held`") == []
    site.run(f"DELETE FROM `{site.facts['prefix']}runner_workers`")  # the killed ones look alive
    with capsys.disabled():
        print(  # noqa: T201  figures for the operator
            f"\n{site.facts['version']}: {kills} daemons killed, {len(calls)} actions by Python,"
            f" {len(twice)} called again"
        )


def ended(site) -> dict[int, dict]:
    """What was completed; all else was canceled at the end, and nothing failed."""
    rows = site.rows(r"hook LIKE '%\_interop\_%' AND hook <> 'php_interop_old'")
    fine = {"complete", "canceled"}
    assert [(r, site.logs(id_)) for id_, r in rows.items() if r["status"] not in fine] == []
    return {id_: row for id_, row in rows.items() if row["status"] == "complete"}


def of_side(rows: dict[int, dict], side: str) -> dict[int, dict]:
    return {id_: row for id_, row in rows.items() if row["hook"].startswith(f"{side}_")}


def nothing_is_held(site) -> None:
    live = "status IN ('pending', 'in-progress') AND claim_id > 0"
    assert site.rows(f"hook LIKE '%\\_interop\\_%' AND {live}") == {}
    if site.version >= (3, 9):  # before, PHP's own deadlocks leave claims that hold nothing
        assert site.rows(f"claim_id > {site.first_claim}", "claims") == {}
    for table in ("held", "leases"):
        assert site.run(f"SELECT * FROM `{site.facts['prefix']}runner_{table}`") == []


def the_doctor_is_content(cli) -> None:
    told = json.loads(cli("doctor", "--json", "--handlers", "jobs:handlers").stdout)
    found = {finding["code"]: finding for finding in told["findings"]}
    assert found["protection"]["severity"] == "ok", found["protection"]
    assert found["plugin"]["severity"] == "ok", found["plugin"]
    assert [f for f in told["findings"] if f["severity"] == "error"] == []


def fill(site) -> None:
    """Finished actions of the last weeks, as every shop has them. In a table where most actions are
    due the server lets Action Scheduler's claim lock all of them, and may end it as a deadlock."""
    row = "('php_interop_old', 'complete', UTC_TIMESTAMP(), UTC_TIMESTAMP(), UTC_TIMESTAMP(), '[]', '')"
    site.run(
        f"INSERT INTO {site.table('actions')} (hook, status, scheduled_date_gmt,"
        " scheduled_date_local, last_attempt_gmt, args, schedule)"
        f" VALUES {', '.join([row] * FINISHED)}"
    )
    site.run(f"ANALYZE TABLE {site.table('actions')}")


def late(site, side: str) -> int:
    """Seconds from its date to its end, of the latest action; dates are of whole seconds."""
    return int(site.run(
        "SELECT MAX(TIMESTAMPDIFF(SECOND, scheduled_date_gmt, last_attempt_gmt)) FROM"
        f" {site.table('actions')} WHERE hook LIKE '{side}\\_interop\\_%' AND status = 'complete'"
        f" AND scheduled_date_gmt > '{sql_date(0)}'"
    )[0][0])  # fmt: skip
