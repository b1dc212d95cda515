"""A WordPress site's database facts from its wp-config.php, without ever running code.

`locate` finds the file; `read` follows its PHP: `tokens` (text to tokens), `parser` and
`expressions` (tokens to the tree of `nodes`), `interpreter` and `evaluator` (the tree to a
`state`), with `functions`, `operators` and `values` for PHP's own. Code that is not understood is
no error by itself: `effects` says what it may have changed, and only a needed name among that
stops the reading.
"""

from compat.db_host import DbHost, parse_db_host
from compat.wpconfig.config import WpConfig
from compat.wpconfig.errors import WpConfigError
from compat.wpconfig.locate import find, walk_up
from compat.wpconfig.reader import read
from compat.wpconfig.tls import Tls, tls_of

__all__ = [
    "DbHost",
    "Tls",
    "WpConfig",
    "WpConfigError",
    "find",
    "parse_db_host",
    "read",
    "tls_of",
    "walk_up",
]
