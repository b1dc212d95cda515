"""What an account of WordPress may do, from its meta `{prefix}capabilities` and the option
`{prefix}user_roles`: serialized arrays, of which nothing is ever made an object.

Measured on WordPress 7.1: the meta holds names of roles and of capabilities with true or false; a
role's capabilities count unless the account's own entry says otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from compat.php import PhpArray, PhpError, loads

if TYPE_CHECKING:
    from collections.abc import Mapping


_UNSTORED: Mapping[object, object] = {
    "administrator": {
        "capabilities": dict.fromkeys(("manage_options", "edit_users", "activate_plugins"), True)
    }
}


def capabilities(meta: str, roles: str) -> frozenset[str]:
    """What the account may do. Empty for what cannot be read; where the site has stored no roles at
    all (an empty text), an administrator has what WordPress gives that role at least."""
    own = _flags(_read(meta))
    known = _read(roles) if roles else _UNSTORED
    found: dict[str, bool] = {}
    for name, on in own.items():
        role = known.get(name)
        if on and isinstance(role, dict):
            found |= _flags(role.get("capabilities"))
    found |= own
    return frozenset(name for name, on in found.items() if on)


def super_admins(stored: str) -> frozenset[str]:
    """Logins with all rights in a network of sites, from its meta `site_admins`."""
    return frozenset(value for value in _read(stored).values() if isinstance(value, str))


def _flags(value: object) -> dict[str, bool]:
    if not isinstance(value, dict):
        return {}
    return {name: _is_on(on) for name, on in value.items() if type(name) is str}


def _is_on(value: object) -> bool:
    """An array or an object is not: whoever wrote that meant something else."""
    return value is True or (isinstance(value, int | str) and value in {1, "1"})


def _read(text: str) -> Mapping[object, object]:
    """A serialized array with its texts decoded; empty for anything else."""
    try:
        plain = _plain(loads(text.encode(errors="surrogateescape")))
    except (PhpError, RecursionError):  # an array that holds itself goes on for ever
        return {}
    return plain if isinstance(plain, dict) else {}


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, PhpArray):
        return {_plain(key): _plain(item) for key, item in value.items()}
    return value
