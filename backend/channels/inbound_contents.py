"""What a message of a person may hold besides its text and its files, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal


@dataclass(frozen=True, slots=True)
class Location:
    """A place, in degrees."""

    latitude: float
    longitude: float
    name: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class ContactCard:
    """A person's card. `proves_number`: the provider says that the number is the sender's own, because we had asked for
    it."""

    name: str
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    organization: str = ""
    proves_number: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """The answer to a message with buttons, a list or a form from here. `id` is what we gave with the choice, `values`
    the fields of a form."""

    kind: Literal["button", "list", "form"]
    id: str
    title: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OrderItem:
    """One product of an order."""

    product_id: str
    quantity: int
    price: Decimal | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody ordered from a catalog."""

    items: tuple[OrderItem, ...]
    catalog_id: str = ""


@dataclass(frozen=True, slots=True)
class Referral:
    """Where somebody came from: an advertisement, a post, a link with a reference."""

    source: str
    source_id: str = ""
    reference: str = ""
    click_id: str = ""
    headline: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Story:
    """A story that a message replies to, or that mentions us. The provider's address expires."""

    kind: Literal["reply", "mention"]
    id: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """A post, a product or a page that somebody passed on; `kind` is the provider's word."""

    kind: str
    url: str = ""
    title: str = ""
