"""What is asked and told about numbers and business accounts, apart from messages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from backend.channels.base import Credentials, SenderFacts
from backend.channels.errors import OutcomeUnknown, Rejected
from backend.channels.graph import GraphClient, reading

NUMBER_FIELDS: Final = (
    "id,display_phone_number,verified_name,quality_rating,throughput,platform_type,status,name_status,"
    "code_verification_status,webhook_configuration"
)
WABA: Final = "waba_id"
"""The setting that names a number's business account."""
_ID: Final = re.compile(r"[0-9]{1,32}", re.ASCII)
_PAGES: Final = 40


def number_of(credentials: Credentials) -> str:
    """The number's id, a part of addresses. Raises Rejected(`number_unknown`) where it is not known yet."""
    if credentials.external_id is None or not _ID.fullmatch(credentials.external_id):
        raise Rejected("number_unknown")
    return credentials.external_id


def account_of(credentials: Credentials) -> str:
    """The business account's id. Raises Rejected(`account_unknown`) where the sender has none."""
    account = credentials.settings.get(WABA, "")
    if not _ID.fullmatch(account):
        raise Rejected("account_unknown")
    return account


def facts(client: GraphClient, credentials: Credentials) -> SenderFacts:
    """The number that the credentials speak for: the one that is named, else the only one of the business account."""
    number = credentials.external_id
    if number is None:
        account = credentials.settings.get(WABA) or _account_in_token(client, credentials.token)
        if not _ID.fullmatch(account):
            raise Rejected("account_unknown")
        listed = list(reading.objects(client.get(f"{account}/phone_numbers", "id").get("data")))
        if len(listed) != 1:
            raise Rejected("number_unknown")
        number = reading.identifier(listed[0].get("id"))
    answer = number_facts(client, replace_number(credentials, number))
    shown = reading.text(answer.get("display_phone_number"), 60)
    name = reading.text(answer.get("verified_name"), 200) or shown or number
    kept = {name: answer[name] for name in NUMBER_FIELDS.split(",")[1:] if name in answer}
    return SenderFacts(number, shown or None, name, kept)


def _account_in_token(client: GraphClient, token: str) -> str:
    """The only business account that a token was given for; empty where it names none, or several."""
    targets: set[str] = set()
    for scope in reading.objects(token_facts(client, token).get("granular_scopes")):
        if str(scope.get("scope", "")).startswith("whatsapp_business") and isinstance(scope.get("target_ids"), list):
            targets |= {reading.identifier(target) for target in scope["target_ids"]}
    return targets.pop() if len(targets) == 1 else ""


def replace_number(credentials: Credentials, number: str) -> Credentials:
    """The same credentials for this number."""
    return Credentials(credentials.token, number, credentials.settings)


def number_facts(client: GraphClient, credentials: Credentials) -> dict[str, Any]:
    """The number's own fields (`NUMBER_FIELDS`), as the platform names them."""
    answer = client.get(number_of(credentials), NUMBER_FIELDS)
    if reading.identifier(answer.get("id")) != credentials.external_id:
        raise OutcomeUnknown("unreadable_answer")
    return answer


def token_facts(client: GraphClient, token: str) -> dict[str, Any]:
    """What a token is and may do (`debug_token`): `is_valid`, `expires_at`, `scopes`, `granular_scopes` …"""
    data = client.get("debug_token", params={"input_token": token}).get("data")
    if not isinstance(data, dict):
        raise OutcomeUnknown("unreadable_answer")
    return data


def subscribe(client: GraphClient, credentials: Credentials) -> None:
    """Has the application hear of the business account; it is what is forgotten most."""
    _confirmed(client.post(f"{account_of(credentials)}/subscribed_apps", {}))


def override(client: GraphClient, credentials: Credentials, address: str, token: str) -> None:
    """Has the events of the business account delivered to this address; it must be subscribed before."""
    given = {"override_callback_uri": address, "verify_token": token}
    _confirmed(client.post(f"{account_of(credentials)}/subscribed_apps", given))


def unsubscribe(client: GraphClient, credentials: Credentials) -> None:
    """Ends the deliveries of the business account's events."""
    _confirmed(client.delete(f"{account_of(credentials)}/subscribed_apps"))


def subscribed(client: GraphClient, credentials: Credentials) -> list[dict[str, Any]]:
    """The applications that hear of the business account; an own address is `override_callback_uri`."""
    data = client.get(f"{account_of(credentials)}/subscribed_apps").get("data")
    if not isinstance(data, list):
        raise OutcomeUnknown("unreadable_answer")
    return list(reading.objects(data))


def register(client: GraphClient, credentials: Credentials, pin: str) -> None:
    """Connects the number to the Cloud API by its six digits. Ten times in three days at most."""
    given = {"messaging_product": "whatsapp", "pin": pin}
    _confirmed(client.post(f"{number_of(credentials)}/register", given))


def templates(client: GraphClient, credentials: Credentials) -> Iterator[dict[str, Any]]:
    """The templates of the business account, page by page."""
    after: dict[str, str] = {}
    for _ in range(_PAGES):
        fields = "id,name,language,status,category,components,quality_score,rejected_reason"
        path = f"{account_of(credentials)}/message_templates"
        page = client.get(path, fields, params={"limit": "100"} | after)
        yield from reading.objects(page.get("data"))
        paging = reading.mapping(page, "paging")
        cursor = reading.text(reading.mapping(paging, "cursors").get("after"), 1000)
        if not paging.get("next") or not cursor:
            return
        after = {"after": cursor}


def _confirmed(answer: dict[str, Any]) -> None:
    if answer.get("success") is not True:
        raise OutcomeUnknown("unreadable_answer")
