"""The command line, run as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Cli:
    """Runs `runner …` as a user would, in a folder of its own."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self.folder = folder
        self.environ = environ

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "runner", *arguments]

    def env(self, **extra: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if k in {"PATH", "HOME", "LANG", "TMPDIR"}}
        own = {"PYTHONPATH": f"{ROOT}", "PYTHONWARNINGS": "error", "XDG_STATE_HOME": f"{self.folder}-state"}  # fmt: skip
        return kept | own | self.environ | extra

    def __call__(self, *arguments: str, timeout: float = 60, **extra: str):
        return subprocess.run(
            self.command(*arguments), cwd=self.folder, env=self.env(**extra),
            capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    def start(self, *arguments: str, **extra: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*arguments), cwd=self.folder, env=self.env(**extra),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def module(self, name: str, text: str) -> None:
        """Writes a module that handlers can be loaded from."""
        (self.folder / f"{name}.py").write_text(text, encoding="utf-8")
