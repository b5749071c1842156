"""Asking Meta how a sender is set up, and setting it up: tokens, subscriptions, numbers, templates.

Answers are read as far as they say something; one that cannot be what was asked for is OutcomeUnknown
(`unreadable_answer`). Every function makes network calls and raises one of the five errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from backend.channels.errors import OutcomeUnknown
from backend.channels.graph import reading
from backend.channels.graph.client import GraphClient
from backend.channels.graph.errors import PLATFORM

REFUSALS: Final = PLATFORM.with_entries(
    codes={
        2200: ("rejected", "callback_unanswered"),
        80007: ("later", "rate_limited"),
        80008: ("later", "rate_limited"),
        131031: ("rejected", "account_restricted"),
        133005: ("rejected", "pin_wrong"),
        133008: ("later", "registered_too_often"),
        133009: ("later", "registered_too_often"),
        133016: ("later", "registered_too_often"),
    },
)
"""What refusals of these calls mean beside what they mean everywhere."""
MAX_TEMPLATES: Final = 6_000
"""The most that an account may have (WhatsApp Business Platform, "Message templates")."""
_PAGE: Final = 200
_MAX_WORD: Final = 100
_MAX_NAME: Final = 512
_TEMPLATE_FIELDS: Final = "id,name,language,status,category,quality_score,rejected_reason,components"
_NUMBER_FIELDS: Final = (
    "display_phone_number,verified_name,quality_rating,throughput,platform_type,status,name_status,is_on_biz_app"
)


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """What a token may do and until when. Moments are None for "never"; `detail` is the platform's sentence about one
    that is not valid."""

    is_valid: bool
    expires_at: datetime | None = None
    data_access_expires_at: datetime | None = None
    scopes: frozenset[str] = frozenset()
    app_id: str = ""
    user_id: str = field(default="", repr=False)
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Subscription:
    """An application to which an account's events go. `callback` is an address of the account's own, empty where it is
    the application's; `fields` are empty where the provider does not tell them here."""

    app_id: str
    callback: str = ""
    fields: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class NumberFacts:
    """A WhatsApp number, in the provider's words in lower case."""

    number: str
    name: str
    status: str
    platform: str
    quality: str
    name_status: str
    throughput: str
    on_phone: bool = False
    """Whether it is used in the application on a phone as well."""


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """A page or an account: its id and what it is called."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class TemplateFacts:
    """A message template. `state`, `category` and `quality` are the provider's words in lower case."""

    id: str
    name: str
    language: str
    category: str
    state: str
    quality: str | None
    reason: str | None
    components: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token in another one's place, and for how many seconds it is good."""

    token: str = field(repr=False)
    seconds: int


def token_facts(client: GraphClient, token: str) -> TokenFacts:
    """What the platform says of a token."""
    data = reading.mapping(client.get("debug_token", params={"input_token": token}), "data")
    if not isinstance(data.get("is_valid"), bool):
        raise OutcomeUnknown("unreadable_answer")
    scopes = [reading.text(scope, _MAX_WORD) for scope in _list(data.get("scopes"))]
    return TokenFacts(
        is_valid=data["is_valid"],
        expires_at=reading.moment(data.get("expires_at")),
        data_access_expires_at=reading.moment(data.get("data_access_expires_at")),
        scopes=frozenset(filter(None, scopes)),
        app_id=reading.identifier(data.get("app_id")),
        user_id=reading.identifier(data.get("user_id")),
        detail=reading.text(reading.mapping(data, "error").get("message"), 300),
    )


def subscriptions(client: GraphClient, object_id: str) -> tuple[Subscription, ...]:
    """The applications to which the events of an account, a page or a profile go."""
    answer = client.get(f"{object_id}/subscribed_apps")
    if not isinstance(answer.get("data"), list):
        raise OutcomeUnknown("unreadable_answer")
    return tuple(_subscription(entry) for entry in reading.objects(answer["data"]))


def app_subscription(client: GraphClient, app_id: str, kind: str) -> Subscription | None:
    """What an application is told of one kind of object; None where it is not told anything. `client` holds the
    application's own token."""
    answer = client.get(f"{app_id}/subscriptions")
    if not isinstance(answer.get("data"), list):
        raise OutcomeUnknown("unreadable_answer")
    for entry in reading.objects(answer["data"]):
        if entry.get("object") == kind and entry.get("active") is not False:
            names = [_name_of(named) for named in _list(entry.get("fields"))]
            return Subscription(app_id, reading.text(entry.get("callback_url"), 2000), frozenset(filter(None, names)))
    return None


def subscribe(client: GraphClient, object_id: str, fields: Sequence[str] = ()) -> None:
    """Has the events of an account go to the token's application; with `fields` these ones. May be repeated."""
    _confirmed(client.post(f"{object_id}/subscribed_apps", {"subscribed_fields": ",".join(fields) or None}))


def override_callback(client: GraphClient, account_id: str, callback: str, verify_token: str) -> None:
    """Has an account's events go to an address of its own. The account must be subscribed before; the provider calls
    the address at once, and refuses one that does not answer its handshake."""
    given = {"override_callback_uri": callback, "verify_token": verify_token}
    _confirmed(client.post(f"{account_id}/subscribed_apps", given))


def number_facts(client: GraphClient, number_id: str) -> NumberFacts:
    """A WhatsApp number as the provider has it."""
    answer = client.get(number_id, _NUMBER_FIELDS)
    number = reading.text(answer.get("display_phone_number"), 40)
    if not number and not reading.identifier(answer.get("id")):
        raise OutcomeUnknown("unreadable_answer")
    return NumberFacts(
        number=number,
        name=reading.text(answer.get("verified_name"), _MAX_NAME),
        status=_word(answer.get("status")),
        platform=_word(answer.get("platform_type")),
        quality=_word(answer.get("quality_rating")),
        name_status=_word(answer.get("name_status")),
        throughput=_word(reading.mapping(answer, "throughput").get("level")),
        on_phone=answer.get("is_on_biz_app") is True,
    )


def register_number(client: GraphClient, number_id: str, pin: str) -> None:
    """Registers a number for sending and receiving. `pin` has six digits: the number's own where it has one."""
    _confirmed(client.post(f"{number_id}/register", {"messaging_product": "whatsapp", "pin": pin}))


def account_facts(client: GraphClient, object_id: str, names: str = "name,username") -> AccountFacts:
    """A page or an account; `me` is the token's own."""
    answer = client.get(object_id, f"id,{names}")
    listed = reading.identifier(answer.get("id")) or reading.identifier(answer.get("user_id"))
    if not listed:
        raise OutcomeUnknown("unreadable_answer")
    return AccountFacts(
        reading.identifier(answer.get("user_id")) or listed,
        reading.text(answer.get("username") or answer.get("name"), _MAX_NAME),
    )


def templates(client: GraphClient, account_id: str) -> list[TemplateFacts]:
    """All message templates of a WhatsApp account, by as many requests as it takes."""
    listed: list[TemplateFacts] = []
    params = {"limit": str(_PAGE)}
    seen: set[str] = set()
    while len(listed) < MAX_TEMPLATES:
        answer = client.get(f"{account_id}/message_templates", _TEMPLATE_FIELDS, params=params)
        if not isinstance(answer.get("data"), list):
            raise OutcomeUnknown("unreadable_answer")
        listed += [template for entry in reading.objects(answer["data"]) if (template := _template(entry)) is not None]
        after = reading.text(reading.mapping(answer, "paging", "cursors").get("after"), 2000)
        has_more = isinstance(reading.mapping(answer, "paging").get("next"), str)
        if not after or not has_more or after in seen:
            break
        seen.add(after)
        params["after"] = after
    return listed[:MAX_TEMPLATES]


def renew_token(client: GraphClient) -> NewToken:
    """Renews a token of Instagram's own login that is a day old at least; the one before stays good until its end, so
    this may be repeated. `client` has an address without a version."""
    answer = client.get("refresh_access_token", params={"grant_type": "ig_refresh_token"})
    token, seconds = answer.get("access_token"), answer.get("expires_in")
    if not isinstance(token, str) or not token.isascii() or not 8 <= len(token) <= 1024 or token != token.strip():
        raise OutcomeUnknown("unreadable_answer")
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 < seconds < 10**9:
        raise OutcomeUnknown("unreadable_answer")
    return NewToken(token, seconds)


def _subscription(entry: dict[str, Any]) -> Subscription:
    application = reading.mapping(entry, "whatsapp_business_api_data") or entry
    names = [_name_of(named) for named in _list(entry.get("subscribed_fields"))]
    return Subscription(
        reading.identifier(application.get("id")),
        reading.text(entry.get("override_callback_uri"), 2000),
        frozenset(filter(None, names)),
    )


def _template(entry: dict[str, Any]) -> TemplateFacts | None:
    template_id, name = reading.identifier(entry.get("id")), reading.text(entry.get("name"), _MAX_NAME)
    language = reading.text(entry.get("language"), 20)
    if not template_id or not name or not language:
        return None
    quality = _word(reading.mapping(entry, "quality_score").get("score"))
    reason = _word(entry.get("rejected_reason"))
    return TemplateFacts(
        id=template_id,
        name=name,
        language=language,
        category=_word(entry.get("category")) or "unknown",
        state=_word(entry.get("status")) or "unknown",
        quality=quality or None,
        reason=reason if reason not in ("", "none") else None,
        components=tuple(reading.objects(entry.get("components"))),
    )


def _confirmed(answer: dict[str, Any]) -> None:
    if answer.get("success") is not True:
        raise OutcomeUnknown("unreadable_answer")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _name_of(value: Any) -> str:
    """A field's name, which is told as a text or as an object."""
    return reading.text(value.get("name") if isinstance(value, dict) else value, _MAX_WORD)


def _word(value: Any) -> str:
    return reading.text(value, _MAX_WORD).strip().lower()
