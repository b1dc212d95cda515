"""The channels that the settings name."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from runner.alerts.https import request
from runner.alerts.mail import Mail
from runner.alerts.own import load
from runner.alerts.slack import Slack
from runner.core.addresses import host_and_port
from runner.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.config import Settings
    from runner.core.message import Channel


def channels(settings: Settings) -> list[Channel]:
    """All of them. Raises ConfigError for one that cannot be."""
    found: list[Channel] = []
    if settings.smtp_host:
        found.append(_mail(settings))
    elif settings.alert_email or settings.smtp_user:
        given = "alert_email" if settings.alert_email else "smtp_user"
        raise ConfigError(f"{given} is set and smtp_host is not: name the server that takes mail")
    if settings.slack_webhook:
        found.append(
            Slack(settings.slack_webhook, settings.alert_title, private=settings.alert_private)
        )
    found += [load(name) for name in settings.alert_channels]
    return found


def pulse(settings: Settings) -> Callable[[], None] | None:
    """Tells the outside that all is well; None where nobody asked for it."""
    if not settings.pulse_url:
        return None
    return partial(request, settings.pulse_url, private=settings.alert_private)


def _mail(settings: Settings) -> Mail:
    host, port = host_and_port(settings.smtp_host)
    if settings.smtp_user and not settings.smtp_password:
        raise ConfigError("smtp_user is set and its password is not: smtp_password_file names it")
    return Mail(
        host=host,
        port=port,
        tls=settings.smtp_tls,
        user=settings.smtp_user,
        password=settings.smtp_password,
        to=settings.alert_email,
        sender=settings.alert_from,
        title=settings.alert_title,
    )
