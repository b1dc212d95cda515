"""What can go wrong when a WordPress site's configuration is read."""

WAYS = (
    "Give --dsn, or the environment variables WORDPRESS_DB_HOST, WORDPRESS_DB_USER,"
    " WORDPRESS_DB_PASSWORD, WORDPRESS_DB_NAME and WORDPRESS_TABLE_PREFIX"
)


class WpConfigError(ValueError):
    """The configuration cannot be read, or not without running PHP: one line with the file, the
    line, what was met and what to do."""


def shown(text: str) -> str:
    """Text of a file on one line, without characters that would drive a terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
