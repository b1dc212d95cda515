"""What `runner install` wrote down about a site whose PHP runner goes on beside ours."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Installed:
    """The option, read. `hooks` are Python's, `siteurl` and `database` are the site that it was
    written for, `version` the runner's that wrote it, `installed_at` when (epoch seconds).
    `trigger` says whether a database trigger parks, `problem` why the option cannot be used, in
    words that go on after "the option".

    Tools that copy a site replace its address in all texts, so `siteurl` alone would follow the
    copy; the `fingerprint` of both does not.
    """

    hooks: frozenset[str] = frozenset()
    siteurl: str = ""
    database: str = ""
    fingerprint: str = ""
    version: str = ""
    installed_at: int = 0
    trigger: bool = False
    problem: str = ""

    @classmethod
    def made(
        cls, hooks: frozenset[str], siteurl: str, database: str, version: str, now: int
    ) -> Installed:
        return cls(hooks, siteurl, database, _fingerprint(siteurl, database), version, now)

    @classmethod
    def read(cls, text: str) -> Installed | None:
        """From the option's text; None for an empty one."""
        if not text:
            return None
        import json  # noqa: PLC0415  most sites of `runner run` have nothing to read

        try:
            found = json.loads(text)
        except ValueError:
            return cls(problem="is not JSON")
        if not isinstance(found, dict) or found.get("mode") not in {None, "parked"}:
            return cls(problem="is not what this runner writes")
        hooks = found.get("hooks")
        if not isinstance(hooks, list) or not all(isinstance(hook, str) for hook in hooks):
            return cls(problem="has no list of hooks")
        keys = ("siteurl", "database", "fingerprint", "version")
        texts = {key: str(found.get(key, "")) for key in keys}
        at = found.get("installed_at")
        return cls(
            frozenset(hooks),
            **texts,
            installed_at=at if isinstance(at, int) else 0,
            trigger=found.get("trigger") is True,
        )

    def text(self) -> str:
        """As it is written."""
        import json  # noqa: PLC0415  as above

        return json.dumps(
            {
                "mode": "parked", "hooks": sorted(self.hooks), "siteurl": self.siteurl,
                "database": self.database, "fingerprint": self.fingerprint, "version": self.version,
                "installed_at": self.installed_at, **({"trigger": True} if self.trigger else {}),
            }
        )  # fmt: skip

    def is_for(self, siteurl: str, database: str) -> bool:
        """Whether it was written for this site in this database."""
        if self.fingerprint:
            return self.fingerprint == _fingerprint(siteurl, database)
        return self.siteurl in {"", siteurl}


def _fingerprint(siteurl: str, database: str) -> str:
    return hashlib.sha256(f"{siteurl}\0{database}".encode()).hexdigest()[:32]
