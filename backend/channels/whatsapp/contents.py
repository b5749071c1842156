"""What a message holds besides text and files: places, cards, choices, forms, orders."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from backend.channels.graph import reading
from backend.channels.graph.items import kind_word
from backend.channels.inbound_contents import Choice, ContactCard, Location, Order, OrderItem

_MAX_CARDS: Final = 50
_MAX_LINES: Final = 20
_MAX_PRODUCTS: Final = 100
_PRICE: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,6})?", re.ASCII)


def choice_of(kind: str, about: Mapping[str, Any]) -> Choice | None:
    """The answer to buttons, a list or a form; None where this is none."""
    if kind == "button":
        title = reading.text(about.get("text"), 1000)
        return Choice("button", reading.text(about.get("payload"), 1000) or title, title)
    if kind != "interactive":
        return None
    chosen = kind_word(about.get("type"), "none")
    block = reading.mapping(about, chosen)
    if chosen in ("button_reply", "list_reply"):
        title = reading.text(block.get("title"), 1000)
        return Choice(
            "button" if chosen == "button_reply" else "list", reading.text(block.get("id"), 1000) or title, title
        )
    if chosen == "nfm_reply":
        values = _form_values(block.get("response_json"))
        title = reading.text(block.get("body"), 1000)
        return Choice("form", values.get("flow_token", "") or kind_word(block.get("name"), "form"), title, values)
    if chosen == "call_permission_reply":
        return Choice("button", f"call_permission:{kind_word(block.get('response'), 'none')}", "")
    return None


def _form_values(given: Any) -> dict[str, str]:
    """A form's fields. They come as the text of a JSON object."""
    value = reading.document(given.encode("utf-8", "surrogatepass")) if isinstance(given, str) else given
    if not isinstance(value, dict):
        return {}
    return {
        reading.text(name, 100): reading.text(item if isinstance(item, str) else str(item)[:2000], 2000)
        for name, item in list(value.items())[:_MAX_PRODUCTS]
    }


def location_of(about: Mapping[str, Any]) -> Location | None:
    """A place; None without coordinates on this planet."""
    latitude, longitude = _degrees(about.get("latitude"), 90), _degrees(about.get("longitude"), 180)
    if latitude is None or longitude is None:
        return None
    return Location(latitude, longitude, reading.text(about.get("name"), 500), reading.text(about.get("address"), 1000))


def _degrees(value: Any, most: int) -> float | None:
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,3}(\.[0-9]{1,20})?", value, re.ASCII):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not -most <= value <= most:
        return None
    return float(value)


def contacts_of(block: Any, message: Mapping[str, Any]) -> tuple[ContactCard, ...]:
    """The cards. One that answers our own question for the number proves it; one that was passed on proves nothing."""
    return tuple(_card(card, message) for card in list(reading.objects(block))[:_MAX_CARDS])


def _card(card: Mapping[str, Any], message: Mapping[str, Any]) -> ContactCard:
    name, origin = reading.mapping(card, "name"), card.get("origin") or message.get("origin")
    phones = [
        reading.text(phone.get("wa_id"), 40) or reading.text(phone.get("phone"), 40)
        for phone in reading.objects(card.get("phones"))
    ]
    emails = [reading.text(entry.get("email"), 320) for entry in reading.objects(card.get("emails"))]
    shown = reading.text(name.get("formatted_name"), 300) or " ".join(
        filter(None, (reading.text(name.get(part), 150) for part in ("first_name", "last_name")))
    )
    return ContactCard(
        name=shown or next(filter(None, phones), ""),
        phones=tuple(filter(None, phones[:_MAX_LINES])),
        emails=tuple(filter(None, emails[:_MAX_LINES])),
        organization=reading.text(reading.mapping(card, "org").get("company"), 300),
        proves_number=origin == "contact_request",
    )


def order_of(about: Mapping[str, Any]) -> Order | None:
    """What was ordered; None without a product."""
    products = [
        OrderItem(
            reading.identifier(product.get("product_retailer_id")),
            _quantity(product.get("quantity")),
            _price(product.get("item_price")),
            reading.text(product.get("currency"), 10),
        )
        for product in list(reading.objects(about.get("product_items")))[:_MAX_PRODUCTS]
    ]
    return Order(tuple(products), reading.identifier(about.get("catalog_id"))) if products else None


def _quantity(value: Any) -> int:
    text = reading.identifier(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 1


def _price(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return Decimal(text) if _PRICE.fullmatch(text := str(value)[:40]) else None
    except InvalidOperation:
        return None


def unsupported_kind(message: Mapping[str, Any], kind: str) -> str:
    """The provider's word for what cannot be shown."""
    named = reading.mapping(message, "unsupported").get("type")
    return kind_word(named, "unsupported") if kind == "unsupported" else kind_word(kind, "none")
