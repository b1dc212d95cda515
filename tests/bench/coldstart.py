"""`runner run` with nothing due, as a whole process: what system cron pays each minute."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from support.fill import fill
from support.site import SiteDatabase

ROOT = Path(__file__).parents[2]
JOBS = "from runner import Handlers\nhandlers = Handlers()\n@handlers.on('absent_hook')\ndef nothing(*args): pass\n"
BOOT = 'require getenv("WP_PATH") . "/wp-load.php"; echo get_option("siteurl");'
"""All of WordPress and its plugins, and nothing else."""

MEMORY_BOUND = 45
"""Megabytes that the process may take at most."""


@dataclass
class Case:
    """A command and its wall seconds."""

    name: str
    command: list[str]
    environ: dict[str, str]
    expected: str = ""
    seconds: list[float] = field(default_factory=list)

    def facts(self, peer: float | None) -> dict:
        middle = statistics.median(self.seconds)
        return {
            "case": self.name, "ms": round(middle * 1000, 1),
            "ms_min": round(min(self.seconds) * 1000, 1),
            "ms_max": round(max(self.seconds) * 1000, 1),
            "ratio_to_wordpress": peer and round(middle / peer, 2),
        }  # fmt: skip


def measure(server, rounds: int, wp_path: str | None, *, as_json: bool) -> bool:
    """Prints a line a case, and the peak memory of a run's parent while its child works; False
    when the bound was broken."""
    site = SiteDatabase.create(server)
    fill(site, 2_000, "future", hooks=("absent_hook",), now=int(time.time()))
    with TemporaryDirectory() as folder:
        (Path(folder) / "jobs.py").write_text(JOBS)
        cases = _cases(site.url, wp_path)
        for _ in range(rounds + 1):  # the first one warms the caches up, and is not counted
            for case in cases:
                _once(case, folder)
        for case in cases:
            case.seconds.pop(0)
        fill(site, 500, "due", hooks=("absent_hook",), now=int(time.time()))
        memory = _memory(cases[1], folder)
    site.drop()
    boot = next((c for c in cases if c.name == "wordpress boot"), None)
    peer = statistics.median(boot.seconds) if boot else None
    _print([case.facts(peer) for case in cases], memory, rounds, as_json=as_json)
    return memory <= MEMORY_BOUND


def _cases(url: str, wp_path: str | None) -> list[Case]:
    base = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    run = [sys.executable, "-m", "runner", "run", "--handlers", "jobs:handlers"]
    environ = base | {"RUNNER_DSN": url, "RUNNER_MODE": "native"}
    cases = [
        Case("bare python", [sys.executable, "-c", "pass"], base),
        Case("runner run, nothing due", run, environ, "nothing is due\n"),
    ]
    if wp_path:
        cases.append(
            Case("wordpress boot", ["php", "-r", BOOT], base | {"WP_PATH": wp_path}, "http")
        )
    return cases


def _once(case: Case, folder: str) -> None:
    began = time.perf_counter()
    done = subprocess.run(
        case.command, cwd=folder, env=case.environ, capture_output=True, text=True, check=False
    )
    case.seconds.append(time.perf_counter() - began)
    assert not done.returncode, f"{case.name} ended with {done.returncode}: {done.stderr}"
    assert done.stdout.startswith(case.expected), f"{case.name} said {done.stdout!r}"


def _memory(case: Case, folder: str) -> float:
    """Peak memory (MB) of a run that claims, settles and feeds a child; the kernel's own count,
    since what wait() tells holds the memory of whoever started the process."""
    program = (
        "import atexit, sys\n"
        "peak = lambda: next(l for l in open('/proc/self/status') if l.startswith('VmHWM'))\n"
        "atexit.register(lambda: print(peak(), file=sys.stderr))\n"
        "from runner.cli import main\nmain(sys.argv[1:])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *case.command[3:]], cwd=folder, env=case.environ,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("claimed 500: completed 500"), done.stdout
    return int(done.stderr.split()[-2]) / 1024


def _print(lines: list[dict], memory: float, rounds: int, *, as_json: bool) -> None:
    if as_json:
        for line in lines:
            print(json.dumps(line))
        print(json.dumps({"case": "runner run, 500 due", "parent_peak_mb": round(memory, 1)}))
        return
    print(f"whole processes, {rounds} interleaved rounds, medians")
    print(f"{'case':<26}{'ms (min-max)':>22}{'of a boot':>11}")
    for line in lines:
        spread = f"{line['ms']:.0f} ({line['ms_min']:.0f}-{line['ms_max']:.0f})"
        print(f"{line['case']:<26}{spread:>22}{line['ratio_to_wordpress'] or '-':>11}")
    if lines[0]["ratio_to_wordpress"] is None:
        print("WordPress is not compared with: give --wp-path DIR of one, and have php at hand")
    print(f"peak memory of a run's parent with 500 due actions: {memory:.1f} MB")
