"""`runner …` inside the test's own process: a subprocess costs a third of a second."""

from __future__ import annotations

from dataclasses import dataclass

from runner.cli import main


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


class Shell:
    """Runs commands against a site; `capsys` and `monkeypatch` are the test's."""

    def __init__(self, site, capsys, monkeypatch) -> None:
        self._capsys = capsys
        monkeypatch.setenv("RUNNER_DSN", site.url)
        monkeypatch.setenv("RUNNER_MODE", "native")
        self.environ = monkeypatch

    def __call__(self, *arguments: str) -> Done:
        try:
            main(arguments)
        except SystemExit as ended:
            code = ended.code
        captured = self._capsys.readouterr()
        return Done(code, captured.out, captured.err)

    def out(self, *arguments: str) -> str:
        """What a command prints that has nothing to complain about."""
        done = self(*arguments)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout


def complains(done, code: int, *words: str) -> None:
    """One line on stderr with these words, nothing on stdout."""
    assert (done.returncode, done.stdout) == (code, ""), done
    assert done.stderr.startswith("runner: "), done
    assert done.stderr.count("\n") == 1, done
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr, done
