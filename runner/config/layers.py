"""Which value counts: flags over the chosen site's table over environment over runner.toml over
defaults.

Every problem is collected, so that a user hears of all of them at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.config.files import read_text, unsafe
from runner.config.settings import Setting, Settings, definitions
from runner.core.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

FILE_NAME = "runner.toml"

EXCLUSIVE = (("dsn", "wp_path"), ("groups", "exclude_groups"))
"""Settings that cannot both count: the higher rank wins, equal ranks are a problem."""

SIMILAR = 0.8
"""From this likeness on (0 to 1) an unknown name in the environment is taken for a slip: other
programs have names there that begin with RUNNER_ too."""


_SITE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")

_SLIPS = {
    "RUNNER_PREFIX": "did you mean RUNNER_TABLE_PREFIX?",
    "RUNNER_GROUP": "did you mean RUNNER_GROUPS?",
    "RUNNER_MAX_SECONDS": "did you mean RUNNER_TIME_LIMIT?",
    "RUNNER_PASSWORD": "did you mean RUNNER_DB_PASSWORD?",
    "RUNNER_TLS": "did you mean RUNNER_DB_TLS?",
    "RUNNER_DB_USER": "the user is part of RUNNER_DSN",
    "RUNNER_DB_HOST": "the host is part of RUNNER_DSN",
    "RUNNER_DB_NAME": "the database is part of RUNNER_DSN",
    "RUNNER_FORCE": "--force is for one call",
    "RUNNER_INLINE": "--inline is for one call",
    "RUNNER_QUIET": "--quiet is for one call",
    "RUNNER_JSON": "--json is for one call",
}
"""Names that somebody would try."""


class Rank(IntEnum):
    """Where a value came from; the lower wins. SITE is the table of the site in runner.toml that
    was chosen by name; IMAGE are the variables of the official WordPress image: environment too,
    but not under our own names."""

    FLAG = 1
    SITE = 2
    ENVIRONMENT = 3
    IMAGE = 4
    FILE = 5
    DEFAULT = 6


@dataclass(frozen=True, slots=True)
class Given:
    """A value and where it came from, in words."""

    value: Any
    rank: Rank
    origin: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """The settings, and for each where it came from. `sites` are those of runner.toml, `site` is
    the one that was chosen, empty where there is none."""

    settings: Settings
    given: Mapping[str, Given]
    sites: tuple[str, ...] = ()
    site: str = ""

    @property
    def several(self) -> bool:
        """Whether there are sites to choose from, and nothing else says where the database is."""
        said = min(self.rank("dsn"), self.rank("wp_path"))
        return bool(self.sites) and not self.site and said > Rank.ENVIRONMENT

    def rank(self, name: str) -> Rank:
        return self.given[name].rank


def resolve(
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    config: str | None = None,
    *,
    site: str | None = None,
    arguments: bool = False,
) -> Resolved:
    """Finds every setting's value.

    `flags` maps names of settings to values, None where a flag was not given; `config` names the
    settings' file, by default RUNNER_CONFIG, then `runner.toml` of the working folder, and `site`
    one of its sites, by default RUNNER_SITE, then the only one there is. With
    `arguments` the flags are a Python call's, and settings of other sections do not matter.

    Raises UsageError or ConfigError that names every problem.
    """
    wrong: list[str] = []
    wrong_flags: list[str] = []
    if config == "":
        wrong_flags.append("--config is '': expected a file, or leave it out")
    sections = {definitions()[name].section for name in flags} if arguments else None
    from_file, sites = _from_file(config or environ.get("RUNNER_CONFIG"), wrong)
    from_environment = _from_environment(environ, wrong, sections)
    from_flags = _from_flags(flags, wrong_flags, arguments=arguments)
    chosen = _chosen_site(site, environ, sites, {*from_environment, *from_flags}, wrong_flags)
    given = {s.name: Given(s.default, Rank.DEFAULT, "default") for s in definitions().values()}
    for layer in (from_file, from_environment, sites.get(chosen, {}), from_flags):
        given |= layer
    _exclude(given, wrong_flags, wrong)
    if wrong_flags:
        raise UsageError(*wrong_flags, *wrong)
    if wrong:
        raise ConfigError(*wrong)
    settings = Settings(**{name: found.value for name, found in given.items()})
    return Resolved(settings, given, tuple(sites), chosen)


def _chosen_site(
    site: str | None,
    environ: Mapping[str, str],
    sites: Mapping[str, Any],
    said: Collection[str],
    wrong: list[str],
) -> str:
    """The site that is meant; `said` are the settings given by flags and environment."""
    name = site if site is not None else environ.get("RUNNER_SITE", "")
    if site == "" or (name and name not in sites):
        there = f"there are: {', '.join(sites)}" if sites else f"{FILE_NAME} has no [sites.NAME]"
        wrong.append(f"there is no site {name!r} ({there})")
        return ""
    if not name and len(sites) == 1 and not {"dsn", "wp_path"} & {*said}:
        return next(iter(sites))
    return name


def _exclude(given: dict[str, Given], wrong_flags: list[str], wrong: list[str]) -> None:
    for names in EXCLUSIVE:
        first, second = sorted((given[name] for name in names), key=lambda found: found.rank)
        if second.rank == Rank.DEFAULT:
            continue
        if first.rank == second.rank:
            problems = wrong_flags if first.rank == Rank.FLAG else wrong
            problems.append(f"{first.origin} and {second.origin} cannot be given together")
        loser = next(name for name in names if given[name] is second)
        given[loser] = Given(
            definitions()[loser].default, Rank.DEFAULT, f"given up for {first.origin}"
        )


def _from_flags(flags: Mapping[str, Any], wrong: list[str], *, arguments: bool) -> dict[str, Given]:
    found = {}
    for name, value in flags.items():
        setting = definitions()[name]
        origin = f"{name}=" if arguments else setting.flag
        if value is None or value == ():
            continue
        texts = value if isinstance(value, tuple) else (value,)
        if isinstance(value, (str, tuple)):
            value = _parse(setting, ",".join(texts), origin, wrong)  # noqa: PLW2901
        found[name] = Given(value, Rank.FLAG, origin)
    return found


def _from_environment(
    environ: Mapping[str, str], wrong: list[str], sections: Collection[str] | None
) -> dict[str, Given]:
    _suspect(environ, wrong)
    found = {}
    for setting in definitions().values():
        if setting.flag_only or (sections and setting.section not in sections):
            continue
        text, origin = variable(setting.env, environ, wrong, file=setting.file)
        if text is not None and (text.strip() or setting.secret):
            found[setting.name] = Given(
                _parse(setting, text, setting.env, wrong), Rank.ENVIRONMENT, origin
            )
    return found


def _suspect(environ: Mapping[str, str], wrong: list[str]) -> None:
    """Names that look like a slip of one of ours."""
    known = {s.env: s for s in definitions().values() if not s.flag_only}
    names = {
        *known,
        *(f"{s.env}_FILE" for s in known.values() if s.file),
        "RUNNER_CONFIG",
        "RUNNER_SITE",
    }
    for name in environ:
        if name.startswith("RUNNER_") and name not in names and not name.startswith("RUNNER_TEST_"):
            if meant := _SLIPS.get(name) or _without_file(name, names):
                wrong.append(f"{name} is no setting: {meant}")
                continue
            short = {n.removeprefix("RUNNER_"): n for n in names}
            if near := _nearest(name.removeprefix("RUNNER_"), short, SIMILAR):
                wrong.append(f"{name} is no setting: did you mean {short[near]}?")


def _without_file(name: str, names: Collection[str]) -> str | None:
    short = name.removesuffix("_FILE")
    return f"only {short} is read, no file" if short != name and short in names else None


def _nearest(word: str, words: Iterable[str], likeness: float) -> str | None:
    import difflib  # noqa: PLC0415  for slips only

    return next(iter(difflib.get_close_matches(word, list(words), 1, likeness)), None)


def variable(
    name: str, environ: Mapping[str, str], wrong: list[str], *, file: bool
) -> tuple[str | None, str]:
    """A variable's text, or that of the file its `_FILE` form names; and which of them it was."""
    path = environ.get(f"{name}_FILE") if file else None
    if not path:
        return environ.get(name), name
    if environ.get(name):
        wrong.append(f"{name} and {name}_FILE are both set: unset one of them")
        return environ[name], name
    try:
        return read_text(Path(path)).rstrip("\r\n"), f"{name}_FILE"
    except ValueError as error:
        wrong.append(f"{name}_FILE names {path}, which cannot be read: {error}")
        return None, name


def _parse(setting: Setting, text: str, origin: str, wrong: list[str]) -> Any:
    try:
        return setting.read(text if setting.secret else text.strip())
    except ValueError as error:
        # What may hold a password is not repeated.
        shown = f"{origin}: {error}" if setting.file else f"{origin} is {text!r}: expected {error}"
        wrong.append(shown)
        return setting.default


Layer = dict[str, Given]


def _from_file(path: str | None, wrong: list[str]) -> tuple[Layer, dict[str, Layer]]:
    """What stands at the top of the file, and in the table of each site."""
    file = Path(path or FILE_NAME)
    if not path and not file.exists():
        return {}, {}
    if why := unsafe(file, found=not path):
        wrong.append(why)
        return {}, {}
    import tomllib  # noqa: PLC0415  most runs have no such file

    try:
        data = tomllib.loads(read_text(file))
    except ValueError as error:
        wrong.append(f"{file}: {error}")
        return {}, {}
    sites = _sites(file, data.pop("sites", {}), wrong)
    return _Toml(file, wrong).values(data), sites


def _sites(file: Path, tables: Any, wrong: list[str]) -> dict[str, Layer]:
    """The sites' own settings, by name."""
    if not isinstance(tables, dict) or not all(isinstance(t, dict) for t in tables.values()):
        wrong.append(f"{file}: sites must be tables, such as [sites.shop]")
        return {}
    found = {}
    for name, table in tables.items():
        if not _SITE_NAME.fullmatch(name):
            wrong.append(f"{file}: {name!r} is no name of a site: letters, digits, - and _")
        else:
            found[name] = _Toml(file, wrong, f"sites.{name}.", Rank.SITE).values(table)
    return found


class _Toml:
    """The keys of one file, or of the table in it that `within` names, and what is wrong with
    them."""

    def __init__(
        self, file: Path, wrong: list[str], within: str = "", rank: Rank = Rank.FILE
    ) -> None:
        self._file = file
        self._wrong = wrong
        self._within = within
        self._rank = rank

    def _named(self, key: str) -> str:
        return f"{self._file}: {self._within}{key}"

    def values(self, data: Mapping[str, Any]) -> dict[str, Given]:
        found = {}
        for key, value in data.items():
            name = key.removesuffix("_file")
            setting = definitions().get(key) or definitions().get(name)
            if setting is None or setting.flag_only or (key != setting.name and not setting.file):
                self._unknown(key)
            elif setting.name in found:
                self._wrong.append(f"{self._named(name)} and {name}_file are both set")
            elif (text := self._text(setting, key, value)) is not None:
                parsed = _parse(setting, text, self._named(key), self._wrong)
                found[setting.name] = Given(parsed, self._rank, self._named(key))
        return found

    def _unknown(self, key: str) -> None:
        names = [s.name for s in definitions().values() if not s.flag_only]
        near = _nearest(key, names, 0.6)
        hint = f"did you mean {near}?" if near else "`runner config` lists them all"
        self._wrong.append(f"{self._named(key)} is no setting: {hint}")

    def _text(self, setting: Setting, key: str, value: Any) -> str | None:
        """The value as the environment would hold it; paths count from the file's folder."""
        if key != setting.name:
            return self._of_file(key, value)
        if setting.secret:
            self._wrong.append(
                f"{self._named(key)}: a secret must not stand here: name a file with {key}_file, or"
                f" set {setting.env}"
            )
            return None
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return ",".join(value)
        if isinstance(value, bool) and isinstance(setting.default, bool):
            return str(value).lower()
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            return self._path(value) if setting.metavar in {"DIR", "FILE"} else str(value)
        self._wrong.append(f"{self._named(key)} is no text, number or list of texts")
        return None

    def _path(self, value: object) -> str:
        return str(self._file.parent / str(value))

    def _of_file(self, key: str, value: object) -> str | None:
        path = Path(self._path(value))
        try:
            return read_text(path).rstrip("\r\n")
        except ValueError as error:
            self._wrong.append(f"{self._named(key)} names {path}, which cannot be read: {error}")
            return None
