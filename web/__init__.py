"""The status page: a Flask application over the runner's read model and `manage`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, Flask

from web import answers, chrome, formats, gate
from web.desk import Desk
from web.views import (
    actions,
    alerts,
    audit,
    chains,
    dead_letters,
    doctor,
    health,
    metrics,
    overview,
    pauses,
    sessions,
    workers,
)

if TYPE_CHECKING:
    from runner.app import App
    from runner.config import Settings

BODY = 64 * 1024
"""Bytes of a request."""

_NOUNS = (overview, alerts, actions, dead_letters, chains, pauses, workers, doctor, audit)
"""What is a page and, under /api, JSON."""


def create_app(app: App, settings: Settings, *, is_open: bool = False) -> Flask:
    """The application for one site. `is_open` lets everybody in, with all rights."""
    made = Flask(__name__)
    made.config["MAX_CONTENT_LENGTH"] = made.config["MAX_FORM_MEMORY_SIZE"] = BODY
    made.config["MAX_FORM_PARTS"] = 400
    made.extensions["desk"] = Desk(app, settings, is_open, doctor.Examination())
    made.jinja_env.trim_blocks = made.jinja_env.lstrip_blocks = True
    made.before_request(gate.check)
    made.after_request(chrome.forget_notice)
    made.after_request(gate.secure)
    made.teardown_request(gate.give_back)
    formats.register(made)
    answers.register(made)
    api = Blueprint("api", __name__, url_prefix=answers.API)
    for noun in _NOUNS:
        made.register_blueprint(noun.blueprint)
        api.register_blueprint(noun.blueprint)
    made.register_blueprint(api)
    made.register_blueprint(sessions.blueprint)
    made.register_blueprint(health.blueprint)
    made.register_blueprint(metrics.blueprint)
    return made
