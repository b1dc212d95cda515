"""Puts together who looks after a site's health: from its app and the settings."""

from __future__ import annotations

import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runner.alerts.configured import channels, pulse
from runner.core.thresholds import Thresholds
from runner.operations.health.lost import Lost, state_folder
from runner.operations.health.watch import Plan, Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from runner.app import App
    from runner.config import Settings
    from runner.site import Site
    from runner.storage.db import Database


def plan_of(app: App, settings: Settings, hooks: Sequence[str]) -> Plan:
    """What the settings say; `hooks` have a handler here. Raises ConfigError for channels that
    cannot be."""
    return Plan(
        Thresholds(settings.thresholds),
        hooks=hooks,
        mode=settings.mode,
        folder=app.connection.mu_plugins,
        channels=channels(settings),
        most=settings.alert_most,
        cooldown=settings.alert_cooldown * 60,
        link=f"{settings.web_url}/alerts" if settings.web_url else "",
        host=socket.gethostname(),
        pulse=pulse(settings),
    )


def watch_of(
    app: App, settings: Settings, hooks: Sequence[str], tell: Callable[[str], object]
) -> Watch:
    """Who looks and tells; `tell` hears what goes wrong with that."""
    place = f"{app.connection.dsn.place()}\0{app.connection.prefix}"
    lost = Lost(state_folder(settings.state_dir, os.environ), place)
    return Watch(lambda: _looking(app), plan_of(app, settings, hooks), lost, tell)


@contextmanager
def _looking(app: App) -> Iterator[tuple[Database, Site]]:
    """No outage is waited for: it is what one looks for."""
    with app.open() as (database, site):
        database.patience = 0.0
        yield database, site
