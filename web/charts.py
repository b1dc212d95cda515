"""The chart of a day, as SVG without script or style attributes: colours come from the style
sheet's classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runner.operations.figures import Bucket

WIDTH, HEIGHT = 960, 150
_TOP, _BASE = 8, 128
_GAP = 1.2
_LABEL = 40
"""Width of a label under the axis."""
_STEPS = (1, 2, 5)
_RECT = Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>')


def day(buckets: Sequence[Bucket], labels: Sequence[str], titles: Sequence[str]) -> Markup:
    """Bars of what was done, retried and failed, and a line of what waited. `labels` are the hours
    under the axis, one for each bucket, empty for most; `titles` tell each bar in words."""
    most = _nice(max((b.done + b.retried + b.failed for b in buckets), default=0))
    wide = WIDTH / max(len(buckets), 1)
    parts = [_grid(most)]
    for number, bucket in enumerate(buckets):
        parts.append(_bar(bucket, number * wide, wide, most, titles[number]))
        if labels[number] and number * wide < WIDTH - _LABEL:
            parts.append(
                Markup('<text class="axis" x="{:.1f}" y="{}">{}</text>').format(
                    number * wide, HEIGHT - 6, labels[number]
                )
            )
    parts.append(_line(buckets, wide))
    head = Markup('<svg class="chart" viewBox="0 0 {} {}" aria-hidden="true" focusable="false">')
    return head.format(WIDTH, HEIGHT) + Markup("").join(parts) + Markup("</svg>")


def _bar(bucket: Bucket, x: float, wide: float, most: int, title: str) -> Markup:
    made, y = [], float(_BASE)
    for name in ("done", "retried", "failed"):
        count = getattr(bucket, name)
        if not count:
            continue
        high = max(count / most * (_BASE - _TOP), 1.5)  # one failure among thousands is seen
        y = max(y - high, 0)
        made.append(
            Markup(
                '<rect class="{}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>'
            ).format(name, x + _GAP / 2, y, wide - _GAP, high)
        )
    hit = Markup('<rect class="hit" x="{:.1f}" y="0" width="{:.1f}" height="{}"/>').format(
        x, wide, _BASE
    )
    bar = Markup('<g class="bar"><title>{}</title>').format(title)
    return bar + hit + Markup("").join(made) + Markup("</g>")


def _line(buckets: Sequence[Bucket], wide: float) -> Markup:
    """What waited, on a scale of its own."""
    known = [(n, b.waiting) for n, b in enumerate(buckets) if b.waiting is not None]
    most = max((count for _, count in known), default=0)
    if not most:
        return Markup()
    scale = (_BASE - _TOP) / _nice(most)
    points = " ".join(
        f"{(number + 0.5) * wide:.1f},{_BASE - count * scale:.1f}" for number, count in known
    )
    return Markup('<polyline class="waiting" points="{}"/>').format(points)


def _grid(most: int) -> Markup:
    lines = []
    for share in (0.5, 1.0):
        y = _BASE - share * (_BASE - _TOP)
        lines.append(
            Markup(
                '<line class="grid" x1="0" x2="{}" y1="{:.1f}" y2="{:.1f}"/>'
                '<text class="scale" x="{}" y="{:.1f}">{}</text>'
            ).format(WIDTH, y, y, WIDTH - 2, y + 11, f"{most * share:,.6g}")
        )
    base = Markup('<line class="base" x1="0" x2="{}" y1="{}" y2="{}"/>').format(WIDTH, _BASE, _BASE)
    return Markup("").join(lines) + base


def _nice(count: int) -> int:
    """The next round number: 1, 2, 5, 10, 20, 50 and so on."""
    size = 1
    while True:
        for step in _STEPS:
            if step * size >= count:
                return step * size
        size *= 10
