"""Whose a token is: a page, or an Instagram account by its page or by its own login."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from backend.channels.base import SenderFacts
from backend.channels.errors import OutcomeUnknown, Rejected
from backend.channels.graph import GraphApi, GraphClient, reading

Kind = Literal["messenger", "instagram", "instagram_login"]
MESSENGER: Final = "messenger"
INSTAGRAM: Final = "instagram"
INSTAGRAM_LOGIN: Final = "instagram_login"


@dataclass(frozen=True, slots=True)
class Access:
    """The API that a token is for, and what it speaks for there: a page, the Instagram account of a page, or an
    Instagram account by its own login."""

    api: GraphApi
    kind: Kind


def probe(client: GraphClient, kind: Kind) -> SenderFacts:
    """The account that the token speaks for, by `kind`. Raises one of the five errors; Rejected(`no_instagram_account`)
    for a page to which no Instagram account is linked."""
    if kind == MESSENGER:
        answer = client.get("me", "id,name")
        return _facts(reading.identifier(answer.get("id")), None, answer.get("name"), {})
    if kind == INSTAGRAM_LOGIN:
        answer = client.get("me", "user_id,username,name")
        # Webhooks name the account by `user_id`; `id` is another one, of the application alone.
        return _facts(reading.identifier(answer.get("user_id")), answer.get("username"), answer.get("name"), {})
    answer = client.get("me", "id,instagram_business_account{id,username,name}")
    if not reading.identifier(answer.get("id")):
        raise OutcomeUnknown("unreadable_answer")
    linked = reading.mapping(answer, "instagram_business_account")
    if not linked:
        raise Rejected("no_instagram_account")
    page = {"page_id": reading.identifier(answer.get("id"))}
    return _facts(reading.identifier(linked.get("id")), linked.get("username"), linked.get("name"), page)


def _facts(account_id: str, username: Any, name: Any, capabilities: dict[str, Any]) -> SenderFacts:
    if not account_id:
        raise OutcomeUnknown("unreadable_answer")
    shown = reading.text(username, 100) or None
    return SenderFacts(account_id, shown, reading.text(name, 200) or shown or account_id, capabilities)
