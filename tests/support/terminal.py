"""A command on a terminal, as a person sees it."""

from __future__ import annotations

import os
import pty
import subprocess


def on_terminal(
    cli, *arguments: str, answer: str = "", asks: bytes = b"[y/N]: ", **environ: str
) -> tuple[int, str]:
    """Runs a command whose stderr is a terminal; its exit code, and what was shown there. With an
    `answer` to what it `asks`, each time, stdin and stdout are that terminal too."""
    ours, theirs = pty.openpty()
    other = theirs if answer else subprocess.DEVNULL
    process = subprocess.Popen(
        cli.command(*arguments), cwd=cli.folder, env=cli.env(**{"TERM": "xterm"} | environ),
        stdin=other, stdout=other, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 4096):
            shown += part
            if answer and shown.endswith(asks):
                os.write(ours, answer.encode() + b"\n")
    except OSError:  # so a terminal's end of file reads on Linux
        pass
    os.close(ours)
    return process.wait(30), shown.decode()
