"""The process at hand: its handlers, and the packages that it really imports."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from runner.operations.doctor.findings import check, error, info, ok, some

if TYPE_CHECKING:
    from runner.operations.doctor.findings import Patient, Verdict

PACKAGES = ("compat", "web")
"""Top-level packages beside `runner`, by names that others may use too."""


@check("handlers")
def handlers(patient: Patient) -> Verdict:
    if patient.trouble:
        return error(
            "not loaded",
            f"{patient.trouble}.",
            "See `runner handlers`; `runner --debug handlers` shows the traceback.",
        )
    if not patient.hooks:
        return info(
            0,
            "No handlers are named, so nothing could be told about their hooks.",
            "Give --handlers or RUNNER_HANDLERS.",
        )
    unused = [hook for hook in patient.hooks if not patient.ask("known", hook=hook)]
    if not unused:
        return ok(len(patient.hooks), "Hooks with a handler here; each has actions in the table.")
    return info(
        len(unused),
        "Hooks with a handler have no action in the table, of any status.",
        "Compare their names with those that the site uses (`runner action list`).",
        some(unused),
    )


@check("packages")
def packages(_: Patient) -> Verdict:
    home = Path(__file__).resolve().parents[3]
    strangers = []
    for name in PACKAGES:
        spec = find_spec(name)
        place = Path(str(spec.origin)).resolve() if spec and spec.origin else None
        if (home / name).is_dir() and place and place.parents[1] != home:
            strangers.append(f"{name}: {place}")
    if not strangers:
        return ok(str(home), "The runner's packages come from one place.")
    return error(
        len(strangers),
        "Packages of other distributions, or folders on the path, stand before the runner's own.",
        "Install the runner into an environment of its own, and mind PYTHONPATH.",
        strangers,
    )


CHECKS = (handlers, packages)
