"""What an inbound message holds besides its text and its files, as JSON for its row, by kind.

There may be `location` {latitude, longitude, name, address}, `contacts` [{name, phones, emails, organization}],
`choice` {kind, id, title, values}, `order` {catalog_id, items [{product_id, quantity, price, currency}]}, `referral`
{source, source_id, reference, click_id, headline, url}, `story` {kind, id, url}, `shares` [{kind, url, title}], `call`
{state, seconds}, `system` {kind}, and the marks `standby` and `automatic`. Prices are decimal texts in the currency's
units. Numbers on a shared card prove nothing about the sender unless `proves_number`.
"""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import Any, Final

from backend.channels.inbound import CallReceived, MessageReceived

_MAX_LISTED: Final = 100
"""So many cards, products or shares of one message are kept."""


def content_of(event: MessageReceived) -> dict[str, Any] | None:
    """The content of a message; None where it is only text and files."""
    named: dict[str, Any] = {
        name: asdict(value)
        for name in ("location", "choice", "order", "referral", "story")
        if (value := getattr(event, name)) is not None
    }
    if event.contacts:
        named["contacts"] = [asdict(card) for card in event.contacts[:_MAX_LISTED]]
    if event.shares:
        named["shares"] = [asdict(share) for share in event.shares[:_MAX_LISTED]]
    if event.order is not None:
        named["order"]["items"] = named["order"]["items"][:_MAX_LISTED]
    named |= {name: True for name in ("standby", "automatic") if getattr(event, name)}
    return _plain(named) or None


def call_of(event: CallReceived) -> dict[str, Any]:
    """The content of a call."""
    return {"call": {"state": event.state, "seconds": event.seconds}}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items() if item is not None and item != ""}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Decimal) else value
