"""Sample handlers: most succeed, some fail, one is retried, one recurs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from runner import Context, Fail, Handlers, RetryPolicy

handlers = Handlers()


@dataclass
class Mail:
    """One message of a campaign, as the plugin queued it."""

    user_id: int
    template: str


@handlers.on("demo_sync_product", retry=RetryPolicy.steps(60, 300, 900))
def sync_product(product_id: int, source: str = "shop") -> None:
    if product_id % 50 == 0:
        raise TimeoutError(f"{source} did not answer for product {product_id}")


@handlers.on("demo_send_mail")
def send_mail(mail: Mail) -> None:
    if mail.user_id % 40 == 0:
        raise Fail(f"user {mail.user_id} has no address")


@handlers.on("demo_describe_image", timeout=30)
def describe_image(*args: Any) -> None:
    """Takes whatever the plugin queued."""


@handlers.on("demo_clean_carts")
def clean_carts(context: Context) -> None:
    context.log.debug("cleaning carts, attempt %d", context.attempt)
