"""A site with the runner's own tables and some actions of every state; the page over it."""

from __future__ import annotations

import pytest
from support.page import NOW, fill, make_page, signed_in

from runner import Handlers


@pytest.fixture
def shop(site, server):
    """Frozen in time: one action of each state, one parked, one recurring, a dead letter."""
    site.migrate()
    with server.frozen(NOW):
        yield fill(site)


@pytest.fixture
def handlers():
    made = Handlers()

    @made.on("shop_failed", "shop_sync")
    def handle(number, options=None):
        pass

    return made


@pytest.fixture
def app(shop, handlers):
    made = make_page(shop, handlers)
    made.extensions["desk"].rates.burst = 10**9  # a test asks for more than a person
    return made


@pytest.fixture
def admin(app, shop):
    return signed_in(app, shop)


@pytest.fixture
def reader(app, shop):
    return signed_in(app, shop, "read")
