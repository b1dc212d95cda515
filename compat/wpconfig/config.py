"""What a WordPress site's configuration says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

Constant = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class WpConfig:
    """`constants` are those of interest that are defined and readable; DB_NAME, DB_USER,
    DB_PASSWORD and DB_HOST are always text, and always there unless DB_ENGINE is `sqlite`.
    `warnings` are lines for the operator. Secrets never show in repr."""

    path: Path
    constants: Mapping[str, Constant] = field(repr=False)
    table_prefix: str | None
    warnings: tuple[str, ...] = ()
