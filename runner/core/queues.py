"""Worker queues: which handlers share children of their own."""

from __future__ import annotations

from dataclasses import dataclass

REST = "*"
"""The queue of every handler whose own queue is not worked apart."""


@dataclass(frozen=True, slots=True)
class WorkerQueue:
    """`children` are the places of this queue alone."""

    name: str
    children: int

    def __str__(self) -> str:
        return f"{self.name}:{self.children}"


def parse(text: str) -> tuple[WorkerQueue, ...]:
    """`payments:4,mail:1,*:2`. Raises ValueError with what was expected."""
    queues: list[WorkerQueue] = []
    for part in text.split(","):
        name, colon, number = (piece.strip() for piece in part.partition(":"))
        if not name or not colon or not number.isascii() or not number.isdecimal():
            raise ValueError("name:children with commas between, as in payments:4,mail:1,*:2")
        if not 1 <= int(number) <= MOST:
            raise ValueError(f"1 to {MOST} children for queue {name}")
        if name in {queue.name for queue in queues}:
            raise ValueError(f"queue {name} once")
        queues.append(WorkerQueue(name, int(number)))
    return tuple(queues)


MOST = 256
"""Children of one queue."""
