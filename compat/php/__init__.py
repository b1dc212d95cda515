"""PHP's ``serialize()`` format: read into inert records, written back byte for byte.

Nothing is ever built from a class name: objects come out as records of bytes, so hostile input can
do no more than be refused. Text is ``bytes`` throughout, because PHP counts bytes and property
names hold NULs. Reading and writing are loops, not recursion: depth cannot exhaust the stack.
"""

from compat.php.reader import Limits, PhpClassError, PhpLimitError, PhpSyntaxError, loads
from compat.php.values import (
    INT_MAX,
    INT_MIN,
    PhpArray,
    PhpCustom,
    PhpEnum,
    PhpError,
    PhpObject,
    PhpReference,
    PhpValue,
    array_key,
    dumps,
    float_text,
)

__all__ = [
    "INT_MAX",
    "INT_MIN",
    "Limits",
    "PhpArray",
    "PhpClassError",
    "PhpCustom",
    "PhpEnum",
    "PhpError",
    "PhpLimitError",
    "PhpObject",
    "PhpReference",
    "PhpSyntaxError",
    "PhpValue",
    "array_key",
    "dumps",
    "float_text",
    "loads",
]
