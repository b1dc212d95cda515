"""Worker queues: which handlers share children of their own, and how they share the processor."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

REST = "*"
"""The queue of every handler whose own queue is not worked apart."""

MOST = 256
"""Children of one queue."""

HEAVIEST = 100
"""Weight of a queue."""

NAME = re.compile(r"[^\s:,](?:[^:,]*[^\s:,])?")
"""What a queue may be called."""

_STEP = 1.25
"""What one nice value less is worth on Linux: so much more of a processor that others want too."""

_NICEST = 19


@dataclass(frozen=True, slots=True)
class WorkerQueue:
    """`children` are the places of this queue alone. Where queues compete for the processor, each
    child gets a share in proportion to its queue's `weight`."""

    name: str
    children: int
    weight: int = 1

    def __str__(self) -> str:
        weight = f":{self.weight}" if self.weight != 1 else ""
        return f"{self.name}:{self.children}{weight}"

    def nice(self, heaviest: int) -> int:
        """The nice value of its children beside a queue of the heaviest weight, whose is 0."""
        return min(round(math.log(heaviest / self.weight, _STEP)), _NICEST)


def parse(text: str) -> tuple[WorkerQueue, ...]:
    """`payments:4:3,mail:1,*:2`. Raises ValueError with what was expected."""
    queues: list[WorkerQueue] = []
    for part in text.split(","):
        name, *numbers = (piece.strip() for piece in part.split(":"))
        if not name or len(numbers) not in {1, 2} or not all(map(_is_number, numbers)):
            raise ValueError(
                "name:children or name:children:weight with commas between, as in"
                " payments:4:3,mail:1,*:2, and no colon in a name"
            )
        children, weight = int(numbers[0]), int(numbers[1]) if numbers[1:] else 1
        if not 1 <= children <= MOST:
            raise ValueError(f"1 to {MOST} children for queue {name}")
        if not 1 <= weight <= HEAVIEST:
            raise ValueError(f"a weight of 1 to {HEAVIEST} for queue {name}")
        if name in {queue.name for queue in queues}:
            raise ValueError(f"queue {name} once")
        queues.append(WorkerQueue(name, children, weight))
    return tuple(queues)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()
