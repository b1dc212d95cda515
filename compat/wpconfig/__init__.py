"""A WordPress site's database facts from its wp-config.php, without ever running code.

`read` cuts the file into `tokens`; `statements` and `expressions` turn these into Python functions,
which change a `state` when they are called. Code that is not understood is no error by itself:
whatever it mentions becomes unknown (`State.smear`), and only a needed name that is unknown stops
the reading.
"""

from compat.db_host import DbHost, parse_db_host
from compat.wpconfig.config import Tls, WpConfig, WpConfigError, tls_of
from compat.wpconfig.files import find, mu_plugins, walk_up
from compat.wpconfig.reader import read

__all__ = [
    "DbHost",
    "Tls",
    "WpConfig",
    "WpConfigError",
    "find",
    "mu_plugins",
    "parse_db_host",
    "read",
    "tls_of",
    "walk_up",
]
