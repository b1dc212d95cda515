"""Jobs of the WPKite job manager as a user runs them: by the command line, in children."""

from __future__ import annotations

import json

import pytest
from support.jobs import HOOK, PHP_HOOK, envelope, make_tables, story, told
from support.shell import complains
from support.waiting import until

from runner.demo.shop import build

DUE = 1_700_000_000
JOBS_TO_DO = 120
RUN = ("run", "--json", "--handlers", "jobs:handlers")

JOBS = """
import time
from runner import Context, Handlers

handlers = Handlers()

@handlers.job("sync_product", max_retries=5, base_delay=60, timeout=120, idempotent=True)
def sync_product(product_id: int): ...

@handlers.job("brief", base_delay=0, max_retries=50)
def brief(number: int):
    time.sleep(0.005)
    if number % 40 == 7:
        raise ValueError("never")

@handlers.job("slow", max_retries=0, timeout=1)
def slow(payload):
    time.sleep(30)

@handlers.job("points", "broken_points", max_retries=1)
def points(context: Context, user_id: int):
    with context.settling() as connection:
        connection.cursor().execute("INSERT INTO wp_points VALUES (%s)", [user_id])
        if context.job_type == "broken_points":
            raise ValueError("no points today")

@handlers.on_dead_letter
def alarm(context: Context, why: str):
    print("ALARM", context.job_type, context.job_id, why)
"""


@pytest.fixture
def jobs(cli):
    cli.module("jobs", JOBS)
    return cli


def test_children_run_types_by_their_own_limits(jobs, site):
    """One child, several types: a time limit kills, a transaction of the handler's is told once,
    an unknown type is dead and heard of."""
    make_tables(site)
    site.run("CREATE TABLE wp_points (id int) ENGINE InnoDB")
    for type_, payload in (
        ("sync_product", {"product_id": 1001}),
        ("slow", {}),
        ("points", {"user_id": 5}),
        ("broken_points", {"user_id": 6}),
        ("nobodys", {}),
    ):
        site.add(HOOK, envelope(type_, payload, job_id=type_), at=DUE)
    done = jobs(*RUN)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert (summary["completed"], summary["retried"], summary["failed"]) == (2, 1, 2)
    assert site.run("SELECT id FROM wp_points") == [(5,)]
    stories = {
        name: [line["status"] for line in told(site) if line["job_id"] == name]
        for name in ("sync_product", "slow", "points", "broken_points", "nobodys")
    }
    assert stories == {
        "sync_product": ["started", "completed"],
        "slow": ["started", "failed", "dead_lettered"],
        "points": ["started", "completed"],
        "broken_points": ["started", "failed", "retrying"],
        "nobodys": ["started", "failed", "dead_lettered"],
    }
    slow = next(
        line for line in told(site) if line["status"] == "failed" and line["job_id"] == "slow"
    )
    assert 900 < slow["duration_ms"] < 20_000
    completed = [line for line in told(site) if line["status"] == "completed"]
    assert all(line["memory_peak"] > 1_000_000 for line in completed)
    assert "ALARM nobodys nobodys no handler here for job type nobodys" in done.stderr
    assert "ALARM slow slow" in done.stderr


def test_a_job_that_settles_itself_beside_php(jobs, site):
    """Parked: the same, also in a daemon with a queue of its own for jobs."""
    site.migrate()
    make_tables(site)
    site.run("CREATE TABLE wp_points (id int) ENGINE InnoDB")
    for number in range(5):
        site.add(HOOK, envelope("points", {"user_id": number}, job_id=str(number)), at=DUE)
    done = jobs(
        "work", "--handlers", "jobs:handlers", "--queues", "wpkite-jobs:2", "--max-jobs", "5",
        "--sleep", "0.05", "--quiet", RUNNER_MODE="parked",
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert site.statuses() == {"complete": 5}
    assert sorted(story(site)) == ["completed"] * 5 + ["started"] * 5


@pytest.mark.parametrize("mode", ["native", "parked"])
def test_runners_that_are_killed_tell_each_end_once(jobs, site, mode):
    """Killed again and again amid their work: each job completes once in row and log alike."""
    site.migrate()
    make_tables(site)
    for number in range(JOBS_TO_DO):
        site.add(HOOK, envelope("brief", {"number": number}, job_id=str(number)), at=DUE)
    command = ("run", "--handlers", "jobs:handlers", "--lease", "1", "--heartbeat", "1", "--force")

    def completed() -> int:
        return site.statuses().get("complete", 0)

    for killed_at in (4, 20, 40, 60):
        runner = jobs.start(*command, RUNNER_MODE=mode)
        until(lambda least=killed_at: completed() >= least)
        runner.kill()
        runner.communicate()
    assert completed() < JOBS_TO_DO - 10  # each was killed at work
    never = [number for number in range(JOBS_TO_DO) if number % 40 == 7]

    def rest() -> bool:
        jobs(*command, RUNNER_MODE=mode)
        return completed() == JOBS_TO_DO - len(never)

    until(rest, 60)
    ends = [line["job_id"] for line in told(site) if line["status"] == "completed"]
    assert sorted(map(int, ends)) == [n for n in range(JOBS_TO_DO) if n not in never]
    retried = site.own("attempts", "outcome = 'retried'")
    assert story(site).count("failed") == story(site).count("retrying") == len(retried)
    assert {row["error"] for row in retried} >= {"ValueError", "expired"}
    assert told(site, "dead_letters") == []


def test_status_has_the_job_manager_s_keys(jobs, site):
    """With and without handlers, tables or anything at all."""
    jobs("migrate")
    site.add(HOOK, envelope("sync_product", {"product_id": 1}), at=DUE, group="wpkite-jobs")
    site.add(HOOK, envelope("sync_product", {}), at=DUE, group="wpkite-jobs")
    site.add(HOOK, envelope("slow", {}), at=4_000_000_000, group="wpkite-jobs")
    site.add(HOOK, envelope("nobodys"), at=DUE, group="wpkite-jobs")
    jobs(*RUN)
    stats = json.loads(jobs("status", "--json", "--handlers", "jobs:handlers").stdout)["jobs"]
    assert stats.pop("avg_duration").keys() == {
        "sync_product",
        "brief",
        "slow",
        "points",
        "broken_points",
    }
    assert stats == {
        "pending": 1, "in_progress": 0, "completed": 1, "failed": 2, "dead_letters": 2,
        "failure_rate": {"sync_product": 50.0, "brief": 0.0, "slow": 0.0, "points": 0.0, "broken_points": 0.0},
    }  # fmt: skip
    make_tables(site)
    stats = json.loads(jobs("status", "--json").stdout)["jobs"]
    assert (stats["dead_letters"], stats["failure_rate"], stats["completed"]) == (0, {}, 1)


def test_handlers_shows_types(jobs):
    """Each with its numbers, in words and as facts."""
    lines = jobs("handlers", "--handlers", "jobs:handlers").stdout.splitlines()
    assert lines[0] == "job sync_product   jobs.sync_product(product_id: int)"
    assert lines[1].strip() == (
        "6 attempts, retried after 60, 120, 240, 480, … s; killed after 120 s"
    )
    facts = json.loads(jobs("handlers", "--json", "--handlers", "jobs:handlers").stdout)
    assert [fact["job_type"] for fact in facts] == [
        "sync_product", "brief", "slow", "points", "broken_points",
    ]  # fmt: skip
    assert {fact["hook"] for fact in facts} == {HOOK}


def test_a_job_by_hand(jobs, site):
    """Created under the hook of the setting, as PHP writes it; what cannot be is refused."""
    make_tables(site)
    done = jobs("job", "dispatch", "sync_product", "--payload", '{"product_id": 7}')
    assert done.stdout == f"created action 1 (hook {HOOK})\n"
    done = jobs("job", "dispatch", "slow", "--delay", "5m", "--porcelain", RUNNER_JOBS_HOOK="mine")
    assert (done.stdout, site.row(2)["hook"], site.row(2)["args"][:1]) == ("2\n", "mine", "[")
    assert json.loads(site.row(1)["args"])[0]["payload"] == {"product_id": 7}
    assert [line["context"]["delay"] for line in told(site)] == [0, 300]
    assert json.loads(jobs(*RUN).stdout)["completed"] == 1
    for arguments, word in (
        (("",), "a job's type is a name"),
        (("slow", "--payload", "{"), "--payload"),
        (("slow", "--payload", "5"), "--payload"),
        (("slow", "--delay", "soon"), "--delay"),
    ):
        complains(jobs("job", "dispatch", *arguments), 2, word)
    assert len(site.rows()) == 2


def test_jobs_in_a_sqlite_file(jobs):
    """The embedded default runs them too, and counts them."""
    file = jobs.folder / "shop.sqlite"
    build(file)
    environ = {"RUNNER_DSN": f"sqlite://{file}"}
    assert jobs("migrate", **environ).returncode == 0
    for payload in ('{"product_id": 1}', "{}"):
        jobs("job", "dispatch", "sync_product", "--payload", payload, **environ)
    done = jobs("run", "--json", "--hooks", HOOK, "--handlers", "jobs:handlers", **environ)
    assert (json.loads(done.stdout)["completed"], json.loads(done.stdout)["failed"]) == (1, 1)
    done = jobs("status", "--json", "--handlers", "jobs:handlers", **environ)
    stats = json.loads(done.stdout)["jobs"]
    assert (stats["completed"], stats["dead_letters"]) == (1, 1)
    assert stats["failure_rate"]["sync_product"] == 50.0


def test_the_daemon_s_log_names_types(jobs, site):
    """In lines and as facts."""
    site.add(HOOK, envelope("sync_product", {"product_id": 1}), at=DUE)
    site.add(HOOK, envelope("sync_product", {"product_id": 1}), at=DUE)
    work = ("work", "--handlers", "jobs:handlers", "--max-jobs", "1", "--sleep", "0.05")
    assert f"action 1 ({HOOK}/sync_product) is complete" in jobs(*work).stdout
    first = json.loads(jobs(*work, "--log-format", "json").stdout.splitlines()[0])
    assert (first["hook"], first["job_type"]) == (HOOK, "sync_product")


def test_installed_beside_php(jobs, site):
    """The hook of jobs is parked like any other of Python's; PHP's own stays PHP's until the site
    says that Python runs all types."""
    jobs.environ.pop("RUNNER_MODE")
    for hook in (HOOK, PHP_HOOK):
        site.add(hook, envelope("sync_product", {"product_id": 1}), at=DUE)

    def dates() -> list[str]:
        return [row["scheduled_date_gmt"][:4] for row in site.rows()]

    install = ("install", "--handlers", "jobs:handlers")
    assert jobs(*install).returncode == 0
    assert dates() == ["2823", "2023"]
    assert json.loads(jobs(*RUN).stdout)["completed"] == 1
    jobs("job", "dispatch", "sync_product", "--payload", '{"product_id": 2}')
    assert jobs(*install, RUNNER_JOBS_ALL_TYPES="true").returncode == 0
    assert [date[:2] for date in dates()] == ["20", "28", "28"]
    assert json.loads(jobs(*RUN, RUNNER_JOBS_ALL_TYPES="true").stdout)["completed"] == 2


def test_whose_the_hooks_are(jobs, site):
    """The setting moves Python's hook; PHP's own is Python's only when the site says so."""
    for hook in (HOOK, PHP_HOOK, "other_hook"):
        site.add(hook, envelope("sync_product", {"product_id": 1}), at=DUE)

    def done() -> list[str]:
        jobs(*RUN)
        return [row["hook"] for row in site.rows(where="status = 'complete'")]

    assert done() == [HOOK]
    (jobs.folder / "runner.toml").write_text('jobs_hook = "other_hook"\n')
    assert done() == [HOOK, "other_hook"]
    (jobs.folder / "runner.toml").write_text("jobs_all_types = true\n")
    shown = json.loads(jobs("config", "--json").stdout)["settings"]
    assert shown["jobs_all_types"] == {"value": "true", "from": "runner.toml: jobs_all_types"}
    assert done() == [HOOK, PHP_HOOK, "other_hook"]


BAD = [
    pytest.param("@handlers.job('a', max_retries=-1)", {}, ["job type a: max_retries", "not -1"], id="negative retries"),
    pytest.param("@handlers.job('a', base_delay=-60)", {}, ["base_delay must not be negative"], id="negative delay"),
    pytest.param("@handlers.job('a', queue='mail')", {}, ["job type a: it has no queue of its own"], id="a queue"),
    pytest.param("@handlers.job('')", {}, ["a job's type is a name"], id="no type"),
    pytest.param(f"@handlers.on({HOOK!r})\n@handlers.job('a')", {}, [f"hook {HOOK} runs jobs", "leave one out"], id="two owners"),
    pytest.param("@handlers.job('a')", {"RUNNER_JOBS_ALL_TYPES": "maybe"}, ["RUNNER_JOBS_ALL_TYPES is 'maybe': expected true or false"], id="no truth"),
    pytest.param("@handlers.job('a')", {"RUNNER_JOBS_HOOK": "x" * 192}, ["expected the name of a hook"], id="a long hook"),
]  # fmt: skip


@pytest.mark.parametrize(("decorator", "environ", "words"), BAD)
def test_what_cannot_be_registered(cli, site, decorator, environ, words):
    """One line that says what to do; nothing is changed."""
    cli.module("jobs", f"from runner import Handlers\nhandlers = Handlers()\n{decorator}\ndef a(payload): ...\n")  # fmt: skip
    site.add(HOOK, envelope("a"), at=DUE)
    before = site.rows(), site.rows("logs"), site.rows("claims")
    complains(cli(*RUN, **environ), 78 if environ else 1, *words)
    assert (site.rows(), site.rows("logs"), site.rows("claims")) == before
