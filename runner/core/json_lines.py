"""Log lines for machines: one JSON object each."""

from __future__ import annotations

import json

from runner.core.clock import utc_now


def json_line(event: str, *, level: str = "info", **facts: object) -> str:
    """When (UTC), how grave, what, and its facts, on one line of ASCII."""
    return json.dumps({"time": utc_now(), "level": level, "event": event, **facts})
