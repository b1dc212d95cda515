"""How values look: times, spans, numbers, args. Everything from the database is hostile text; the
templates escape it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flask import g, request
from markupsafe import Markup, escape

from compat.site_time import epoch_of, sql_date
from runner.core.redact import redact_text, redacted
from web.gate import desk, site

if TYPE_CHECKING:
    from flask import Flask

NOTHING = "\N{EN DASH}"

SHOWN = 4096
"""Characters of args, errors and log lines that a page shows."""

SHORT = 160

_UNITS = ((86_400 * 365, "y"), (86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def register(app: Flask) -> None:
    for shown in (number, span, ago, moment, clock, millis, size, clipped, ticks):
        app.add_template_filter(shown)
    app.add_template_filter(args_text)
    app.add_template_filter(args_pretty)


def number(value: float | None) -> str:
    """12,345; a dash for nothing known."""
    return NOTHING if value is None else f"{value:,.0f}"


def span(seconds: float | None) -> str:
    """The two largest units: 1 d 3 h, 2 min 5 s."""
    if seconds is None:
        return NOTHING
    left, words = round(abs(seconds)), []
    for length, word in _UNITS:
        if left >= length:
            words.append(f"{left // length} {word}")
            left %= length
    return " ".join(words[:2]) or "0 s"


def millis(value: float | None) -> str:
    """A duration given in milliseconds."""
    if value is None:
        return NOTHING
    if value < 1000:  # noqa: PLR2004
        return f"{value:.0f} ms"
    return f"{value / 1000:.1f} s" if value < 60_000 else span(value / 1000)  # noqa: PLR2004


def size(value: int | None) -> str:
    """Bytes."""
    if not value:
        return NOTHING
    return f"{value / 1_048_576:,.0f} MB" if value >= 1_048_576 else f"{value / 1024:,.0f} KB"  # noqa: PLR2004


def in_utc() -> bool:
    return request.cookies.get("zone") == "utc"


def zone_offset(epoch: int) -> int:
    """Seconds that the zone which the visitor chose is ahead of UTC at that moment."""
    return 0 if in_utc() else site().zone.attempt_offset(epoch)


def clock(epoch: int | None) -> str:
    """Date and time in the zone that the visitor chose; without the date where it is today's."""
    if epoch is None:
        return NOTHING
    offset = zone_offset(epoch)
    shown, today = sql_date(epoch + offset), sql_date(g.get("now", 0) + offset)[:10]
    return shown[11:] if shown[:10] == today else shown


def moment(value: int | str | None, *, relative: bool = True) -> Markup:
    """A <time>: how long ago it was, and when, in the chosen zone; UTC for machines and on
    hovering."""
    epoch = epoch_of(value) if isinstance(value, str) else value
    if epoch is None:
        return Markup('<span class="quiet">{}</span>').format(NOTHING)
    utc = sql_date(epoch)
    text = f"{ago(epoch)}, {clock(epoch)}" if relative else clock(epoch)
    return Markup('<time datetime="{}Z" title="{} UTC">{}</time>').format(
        utc.replace(" ", "T"), utc, text
    )


def ago(epoch: int | None) -> str:
    if epoch is None:
        return NOTHING
    seconds = int(g.get("now", 0)) - epoch
    if abs(seconds) < 1:
        return "now"
    return f"{_coarse(seconds)} ago" if seconds > 0 else f"in {_coarse(-seconds)}"


def _coarse(seconds: int) -> str:
    """The largest unit that counts two at least: 90 min, 26 h."""
    for length, word in _UNITS:
        if seconds >= 2 * length or length == 1:
            return f"{seconds // length} {word}"
    return "0 s"


def hidden(value: Any) -> Any:
    """Without what should be kept secret, deep inside."""
    return redacted(value, desk().settings.redact)


def clipped(text: Any, most: int = SHOWN) -> str:
    """Text without secrets, cut."""
    safe = redact_text(str(text)[: most * 4], desk().settings.redact)
    return safe if len(safe) <= most else f"{safe[:most]}… ({len(str(text)):,} characters)"


def args_text(value: Any, most: int = SHORT) -> str:
    """Args as JSON on a line, without secrets, cut."""
    if isinstance(value, str) or value is None:
        return clipped(value or "", most)
    text = json.dumps(hidden(value), ensure_ascii=False, default=str)
    return text if len(text) <= most else f"{text[:most]}…"


def args_pretty(value: Any) -> str:
    """Args on lines of their own, without secrets."""
    if isinstance(value, str) or value is None:
        return clipped(value or "")
    text = json.dumps(hidden(value), ensure_ascii=False, indent=2, default=str)
    return text if len(text) <= 4 * SHOWN else f"{text[: 4 * SHOWN]}…"


def ticks(text: str) -> Markup:
    """A sentence whose `commands` stand between backticks."""
    parts = text.split("`")
    shown = [
        Markup("<code>{}</code>").format(p) if n % 2 else escape(p) for n, p in enumerate(parts)
    ]
    return Markup("").join(shown)
