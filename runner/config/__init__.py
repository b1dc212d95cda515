"""Settings: defined once (settings), found in layers (layers), and where the database is."""

from runner.config.database import Connection, find
from runner.config.files import working_folder
from runner.config.layers import Given, Rank, Resolved, resolve
from runner.config.settings import MODES, ROLES, Setting, Settings, definitions, job_hooks

__all__ = [
    "MODES",
    "ROLES",
    "Connection",
    "Given",
    "Rank",
    "Resolved",
    "Setting",
    "Settings",
    "definitions",
    "find",
    "job_hooks",
    "resolve",
    "working_folder",
]
