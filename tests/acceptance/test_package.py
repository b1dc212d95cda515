"""What is installed works without the checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(*arguments: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )  # fmt: skip


def test_the_wheel_runs_a_queue(tmp_path):
    """Built, unpacked elsewhere and run from there, SQL files included."""
    built = run(
        "-m",
        "hatchling",
        "build",
        "-t",
        "wheel",
        "-d",
        str(tmp_path),
        folder=ROOT,
        PATH="/usr/bin:/bin",
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    environ = {"PYTHONPATH": str(installed), "RUNNER_DSN": f"sqlite:///{tmp_path}/shop.sqlite"}
    where = run("-c", "import runner; print(runner.__file__)", folder=tmp_path, **environ)
    assert where.stdout.startswith(str(installed))
    plugin = "from runner.operations.plugin import source; print(source().read_text())"
    shown = run("-c", plugin, folder=tmp_path, **environ)
    assert shown.stdout.startswith("<?php"), shown.stderr
    made = run("-m", "runner.demo", f"{tmp_path}/shop.sqlite", folder=tmp_path, **environ)
    assert made.returncode == 0, made.stderr
    done = run(
        "-m",
        "runner",
        "run",
        "--handlers",
        "runner.demo.handlers:handlers",
        folder=tmp_path,
        **environ,
    )
    assert "claimed 221: completed 217, retried 2, failed 2" in done.stdout, done.stderr
