"""The functions of PHP that this reader computes, each without effect beyond its result.

They raise ValueError, TypeError, OSError or Unsure for arguments whose answer is not known here.
"""

import base64
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote_to_bytes

from compat.wpconfig.files import read_bytes
from compat.wpconfig.values import Value, as_text, path_of

_BLANKS = " \t\n\r\0\x0b"
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?:(?P<user>[^/?#:@]*)(?::(?P<pass>[^/?#]*))?@)?"
    r"(?P<host>\[[^\]/?#@]*\]|[^/?#:@\[\]]+)(?::(?P<port>[0-9]{0,5}))?(?P<path>/[^?#]*)?"
    r"(?:\?(?P<query>[^#]*))?(?:\#(?P<fragment>.*))?",
    re.DOTALL,
)
# In the order of PHP_URL_SCHEME and its kind.
URL_PARTS = ("scheme", "host", "port", "user", "pass", "path", "query", "fragment")
_PORTS = range(1, 65536)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


def _path(value: Value) -> Path:
    text = as_text(value)
    if "://" in text or "\0" in text or not text.startswith("/"):
        raise ValueError(text)
    return Path(path_of(text))


def _strip(cut: Callable[[str, str], str]) -> Callable[..., Value]:
    def strip(text: Value, chars: Value = _BLANKS) -> Value:
        if ".." in (wanted := as_text(chars)):
            raise ValueError(wanted)
        return cut(as_text(text), wanted)

    return strip


def _dirname(path: Value, levels: Value = 1) -> Value:
    text = as_text(path)
    if type(levels) is not int or not 0 < levels <= len(text) + 1:
        raise TypeError
    for _ in range(levels):
        above = text.rstrip("/").rpartition("/")[0].rstrip("/")
        text = above or ("/" if text.startswith("/") else "." if text else "")
    return text


def _base64_decode(text: Value, strict: Value = False) -> Value:
    coded = as_text(text)
    if strict and not _BASE64.fullmatch(coded):
        raise ValueError
    coded = re.sub(r"[^A-Za-z0-9+/]", "", coded)
    if len(coded) % 4 == 1:
        coded = coded[:-1]
    return base64.b64decode(coded + "=" * (-len(coded) % 4)).decode("latin-1")


def _parse_url(url: Value, part: Value = -1) -> Value:
    text = as_text(url)
    found = _URL.fullmatch(text)
    if not found or _CONTROL.search(text):
        raise ValueError
    parts: dict[int | str, Value] = {
        name: found[name] for name in URL_PARTS if found[name] is not None
    }
    if port := parts.pop("port", ""):
        parts["port"] = int(as_text(port))
        if parts["port"] not in _PORTS:
            raise ValueError
    if part == -1:
        return parts
    if type(part) is not int or not 0 <= part < len(URL_PARTS):
        raise TypeError
    return parts.get(URL_PARTS[part])


def _unquote(text: Value) -> Value:
    return unquote_to_bytes(as_text(text).encode("latin-1")).decode("latin-1")


PURE: dict[str, Callable[..., Value]] = {
    "trim": _strip(str.strip),
    "ltrim": _strip(str.lstrip),
    "rtrim": _strip(str.rstrip),
    "dirname": _dirname,
    "base64_decode": _base64_decode,
    "parse_url": _parse_url,
    "rawurldecode": _unquote,
    "file_exists": lambda path: _path(path).exists(),
    "is_file": lambda path: _path(path).is_file(),
    "file_get_contents": lambda path: read_bytes(_path(path)).decode("latin-1"),
}

FILE_TESTS = {"file_exists", "is_file"}

HARMLESS = frozenset(
    """
    array_key_exists basename constant count date date_default_timezone_set error_log
    error_reporting explode extension_loaded function_exists getcwd gethostname hash header
    implode in_array ini_get ini_set intval is_array is_dir is_null is_readable is_string
    json_decode max mb_internal_encoding mb_strlen md5 microtime min mt_rand mysqli_report
    newrelic_set_appname php_sapi_name php_uname phpversion preg_match preg_quote rand
    random_bytes realpath set_time_limit setlocale sha1 sprintf str_contains str_ends_with
    str_replace str_starts_with stripos strlen strpos strrev strrpos strstr strtolower
    strtoupper strval substr time ucfirst umask uniqid urldecode urlencode usleep
    version_compare
    """.split()  # noqa: SIM905  words, not a column of quotes
)
"""Functions of PHP that are not computed; they define nothing, and only preg_match changes any."""
