"""The status page on a large queue: what each view costs, what many viewers see, and what they cost
the runner; interleaved."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import Self

from support.browser import serving
from support.cli import Cli
from support.fill import fill
from support.measure import statements_sent
from support.page import account, connected, make_page
from support.site import SiteDatabase

from runner.operations.minutes import Minutes

HOOKS = tuple(f"wc_hook_{number}" for number in range(40))
LOGS = ("action created", "action started via WP Cron", "action complete via WP Cron")
VIEWS = (
    "/", "/actions", "/actions?q=status:pending", "/actions?q=status:failed", "/actions?q=status:complete",
    "/actions?q=hook:shop_sync", "/actions?q=hook:wc_hook_1*", "/actions?q=group:group-3",
    "/actions?q=status:failed group:group-3", "/actions?q=args:[4711]", "/actions?q=hook:shop_sync args:4711",
    "/actions?q=older:1h", "/actions?sort=id", "/actions?sort=hook", "/actions?q=status:complete&sort=id",
    "/actions?q=status:pending&sort=id", "/actions/{waits}", "/actions/{failed}", "/dead-letters", "/recurring",
    "/pauses", "/workers", "/audit", "/actions/bulk/retry?q=status:failed", "/api/status", "/doctor",
)  # fmt: skip
LOOK = ("/", "/actions?q=status:failed", "/actions", "/workers")
"""What a viewer has open."""

EVERY = 5.0
"""Seconds between two refreshes of a page that is looked at."""

JOBS = """
from runner import Handlers
handlers = Handlers()

@handlers.on("bench_noop")
def noop(*args):
    pass
"""
RUN = ("run", "--handlers", "jobs:handlers", "--mode", "native", "--json", "--quiet")


def measure(server, rows: int, actions: int, rounds: int, *, as_json: bool) -> bool:
    """Prints the figures; whether the promised ones were reached."""
    site = SiteDatabase.create(server)
    try:
        fill_site(site, rows)
        views = _views(site)
        with tempfile.TemporaryDirectory() as folder:
            cli = Cli(Path(folder), {"RUNNER_DSN": site.url})
            cli.module("jobs", JOBS)
            token = account(site, "viewer", token=True)
            crowd = _crowd(cli, token)
            alone, beside = _throughput(site, cli, token, actions, rounds)
    finally:
        site.drop()
    ratios = [b / a for a, b in zip(alone, beside, strict=True)]
    facts = {
        "rows": rows,
        "views": views,
        "fifty_viewers_p50_ms": round(statistics.median(crowd)),
        "fifty_viewers_max_ms": round(max(crowd)),
        "alone_per_s": round(statistics.median(alone)),
        "beside_ten_per_s": round(statistics.median(beside)),
        "ratio": round(statistics.median(ratios), 3),
        "ratio_min_max": [round(min(ratios), 3), round(max(ratios), 3)],
    }
    print(json.dumps(facts)) if as_json else _show(facts, server, rounds)
    quick = all(view["ms"] < 300 for view in views)
    return quick and max(crowd) < 1000 and facts["ratio"] > 0.9


def fill_site(site, rows: int) -> None:
    """Of a hundred rows 85 complete or canceled, 11 waiting, 4 failed; three log lines each."""
    now = int(time.time())
    for number in range(1, 13):
        site.run("INSERT INTO wp_actionscheduler_groups (slug) VALUES (%s)", (f"group-{number}",))
    fill(site, rows * 85 // 100, "complete", hooks=HOOKS, now=now)
    fill(site, rows * 6 // 100, "due", hooks=("shop_sync", "shop_mail", "shop_report"), now=now)
    fill(site, rows * 5 // 100, "future", hooks=("shop_sync", "shop_later"), now=now)
    fill(site, rows * 4 // 100, "complete", hooks=("flaky", "broken"), now=now)
    table = "wp_actionscheduler_actions"
    site.run(f"UPDATE {table} SET status = 'failed' WHERE hook IN ('flaky', 'broken')")
    site.run(
        f"UPDATE {table} SET status = 'canceled' WHERE action_id MOD 100 = 7 AND status = 'complete'"
    )
    site.run(f"UPDATE {table} SET group_id = 1 + action_id MOD 12")
    for line in LOGS:
        site.run(
            "INSERT INTO wp_actionscheduler_logs (action_id, message, log_date_gmt, log_date_local)"
            f" SELECT action_id, %s, scheduled_date_gmt, scheduled_date_gmt FROM {table}",
            (line,),
        )
    site.migrate()
    site.run(f"ANALYZE TABLE {table}, wp_actionscheduler_logs")
    database, found = connected(site)
    Minutes(database, found).record(86_400)
    database.close()


def _views(site) -> list[dict]:
    """Each view's server time and statements, the best of three, nothing kept from before."""
    page = make_page(site, is_open=True)
    desk, client = page.extensions["desk"], page.test_client()
    desk.rates.burst = 1e9
    ids = {
        "waits": site.run(
            "SELECT MAX(action_id) FROM wp_actionscheduler_actions WHERE hook = 'shop_later'"
        )[0][0],
        "failed": site.run(
            "SELECT MAX(action_id) FROM wp_actionscheduler_actions WHERE hook = 'broken'"
        )[0][0],
    }
    client.get("/pauses")
    with statements_sent() as asked:
        return [_view(client, desk, path.format(**ids), asked) for path in VIEWS]


def _view(client, desk, path: str, asked: list) -> dict:
    best, statements = float("inf"), 0
    for _ in range(3):
        desk.forget()
        asked.clear()
        began = time.perf_counter()
        code = client.get(path).status_code
        took = (time.perf_counter() - began) * 1000
        assert code == 200, f"{path}: {code} voids the figure"
        if took < best:
            best, statements = took, len(asked)
    return {"view": path, "ms": round(best), "statements": statements + 1}  # with the session's


def _fetch(address: str, token: str) -> float:
    """Milliseconds."""
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})
    began = time.perf_counter()
    with urllib.request.urlopen(request, timeout=30) as answer:
        answer.read()
    return (time.perf_counter() - began) * 1000


class Viewers:
    """So many people with the page open, from the beginning of the block to its end."""

    def __init__(self, address: str, token: str, count: int) -> None:
        self.took: list[float] = []
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(
                target=self._look, args=(f"{address}{LOOK[n % len(LOOK)]}", token, n / count)
            )
            for n in range(count)
        ]

    def _look(self, address: str, token: str, share: float) -> None:
        self._stop.wait(share * EVERY)  # people do not come all at once
        while not self._stop.is_set():
            self.took.append(_fetch(address, token))
            self._stop.wait(EVERY)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def _crowd(cli: Cli, token: str) -> list[float]:
    """Fifty viewers for half a minute."""
    with serving(cli) as address:
        _fetch(f"{address}/", token)
        with Viewers(address, token, 50) as viewers:
            time.sleep(30)
    return viewers.took


def _throughput(site, cli: Cli, token: str, actions: int, rounds: int) -> tuple[list, list]:
    """Actions a second, without anybody looking and with ten viewers, in turns."""
    alone, beside = [], []
    for number in range(rounds):
        sys.stderr.write(f"round {number + 1} of {rounds}\r")
        alone.append(_run(site, cli, actions))
        with serving(cli) as address, Viewers(address, token, 10):
            beside.append(_run(site, cli, actions))
    return alone, beside


def _run(site, cli: Cli, actions: int) -> float:
    fill(site, actions, "due", hooks=("bench_noop",), now=int(time.time()), priority=0)
    done = cli(*RUN, timeout=600)
    summary = json.loads(done.stdout)
    assert summary["completed"] == actions, "voids the figure"
    site.run("DELETE FROM wp_actionscheduler_actions WHERE hook = 'bench_noop'")
    return actions / summary["seconds"]


def _show(facts: dict, server, rounds: int) -> None:
    print(f"{facts['rows']:,} actions, three log lines each, on {server.version}")
    print(f"{'view':<48}{'ms':>6}{'statements':>12}")
    for view in facts["views"]:
        print(f"{view['view']:<48}{view['ms']:>6}{view['statements']:>12}")
    print(f"50 viewers, each every {EVERY:g} s: median {facts['fifty_viewers_p50_ms']} ms,"
          f" longest {facts['fifty_viewers_max_ms']} ms")  # fmt: skip
    low, high = facts["ratio_min_max"]
    print(f"runner alone (strict, synced)   {facts['alone_per_s']:>6}/s, median of {rounds} rounds")
    print(f"beside 10 viewers               {facts['beside_ten_per_s']:>6}/s,"
          f" {facts['ratio']:.2f} of that ({low:.2f} to {high:.2f})")  # fmt: skip
