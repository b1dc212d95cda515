"""What Prometheus asks for. It wants a credential, as all of the page does: the token of an account
that may read."""

from __future__ import annotations

from flask import Blueprint, Response

from runner import __version__
from runner.operations.metrics import CONTENT_TYPE, exposition
from web.chrome import FRESH
from web.gate import database, desk, site

blueprint = Blueprint("metrics", __name__)


@blueprint.get("/metrics")
def index() -> Response:
    """Read once for all who ask at the same time."""
    return Response(desk().kept("metrics", FRESH, _read), content_type=CONTENT_TYPE)


def _read() -> bytes:
    return exposition(database(), site(), __version__)
