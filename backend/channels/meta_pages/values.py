"""What both platforms share: whom a token speaks for, pictures, and what a publication is known by."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final

from backend.channels.errors import ChannelError, OutcomeUnknown, RetryLater
from backend.channels.meta_pages import errors
from backend.channels.meta_pages.client import GraphClient

_ID: Final = re.compile(r"[0-9]{1,32}(_[0-9]{1,32})?", re.ASCII)
_ADDRESS: Final = re.compile(r"https://[\x21-\x7e]{1,2040}")


@dataclass(frozen=True, slots=True)
class Account:
    """Whom the token speaks for: the Page, and the Instagram account that belongs to it, if any."""

    page_id: str
    ig_user_id: str | None


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture at a public address, or a stored file (`opener` gives it from its start)."""

    url: str | None = None
    filename: str = "picture"
    mime: str = "application/octet-stream"
    opener: Callable[[], BinaryIO] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Published:
    """What the platform confirmed. `url` is None where it could not be asked for."""

    external_id: str | None
    url: str | None = None


def accounts(client: GraphClient) -> Account:
    """Whom the token speaks for. Raises one of the five errors."""
    answer = client.get("me", "id,instagram_business_account")
    linked = answer.get("instagram_business_account")
    ig = linked.get("id") if isinstance(linked, dict) else None
    return Account(id_of(answer), ig if is_id(ig) else None)


def is_id(value: object) -> bool:
    """Whether this can be an object's id: it becomes a part of an address."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def id_of(answer: Mapping[str, Any], *, publishes: bool = False) -> str:
    """The id in an answer. Without one: OutcomeUnknown of a call that publishes, else RetryLater."""
    object_id = answer.get("id")
    if isinstance(object_id, str) and is_id(object_id):
        return object_id
    if publishes:
        raise OutcomeUnknown("unreadable_answer")
    raise RetryLater(errors.TRANSIENT_WAIT, "unreadable_answer")


def permalink(client: GraphClient, object_id: str, name: str) -> str | None:
    """Where people see it. It is published by now: that the address is not told changes nothing."""
    try:
        address = client.get(object_id, name).get(name)
    except ChannelError:
        return None
    return address if isinstance(address, str) and _ADDRESS.fullmatch(address) else None
