"""Setting an integration up at the provider: subscribed, its number registered, and the outcome verified.

Each does one thing there, which may be repeated, and then asks whether it took effect. Everything commits before it
asks; an audit entry and what was found are left to the caller's transaction.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from backend.channels.errors import ChannelError, Rejected
from backend.channels.graph import setup as graph
from backend.core import config
from backend.core.database import db
from backend.core.errors import Conflict, Invalid
from backend.models import Sender
from backend.services import senders
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.channel_setup import catalog, checks
from backend.services.channel_setup.asking import Connection
from backend.services.channel_setup.checks import Checklist
from backend.services.channel_setup.platforms import MESSENGER, PAGE_ID
from backend.services.channel_setup.refusals import clear_errors
from backend.services.senders import webhook

PIN: Final = re.compile(r"[0-9]{6}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The outcome of subscribing. `address` says whether the events now go to an address of the account's own:
    `own`, `application` where that is the application's, or `refused` with the provider's `reason`."""

    checklist: Checklist
    address: Literal["own", "application", "refused"]
    reason: str | None = None
    detail: str = ""


def subscribe(by: Attribution, sender_id: int) -> Subscribed:
    """Has the integration's events go to its application, and then to its own address, and checks both.

    Raises NotFound, Invalid (the provider's reason, `object_unknown`), TooManyRequests, Unavailable.
    """
    sender = catalog.get(sender_id)
    connection = _connected(sender)
    callback, token = senders.webhook_address(sender), next(iter(webhook.handshake_tokens_of(sender)), "")
    db.session.commit()
    rules = connection.rules
    fields = rules.fields if rules.in_subscription or rules.own_login else ()
    if rules.object_setting == PAGE_ID:
        # What the page has already is replaced, so all of it is asked for.
        fields = MESSENGER.fields
    with clear_errors():
        object_id = connection.require_object()
        connection.change("subscribe", lambda client: graph.subscribe(client, object_id, fields))
    outcome, error = _override(connection, object_id, callback, token)
    checklist = checks.check(catalog.get(sender_id), only=("subscription", "fields"))
    audit.record(by, "integration.subscribed", f"sender:{sender_id}", address=outcome)
    return Subscribed(
        checklist, outcome, error.code if error is not None else None, error.detail if error is not None else ""
    )


def register(by: Attribution, sender_id: int, pin: str | None) -> Checklist:
    """Registers a WhatsApp number, and checks that it took effect. Without a `pin` the environment's is used.

    Raises NotFound, Conflict(`not_whatsapp`), Invalid (`pin_malformed`, `pin_wrong`, the provider's reason),
    TooManyRequests(`registered_too_often`), Unavailable.
    """
    sender = catalog.get(sender_id)
    if sender.channel != "whatsapp":
        raise Conflict("not_whatsapp", "Only a WhatsApp number is registered.")
    digits = pin or (config.get().whatsapp_pin if sender.source == "environment" else "")
    if not PIN.fullmatch(digits):
        raise Invalid.of("pin", "pin_malformed", "A PIN has six digits.")
    connection = _connected(sender)
    db.session.commit()
    number_id = connection.credentials.external_id or ""
    with clear_errors():
        if not number_id:
            raise Rejected("object_unknown")
        connection.change("register", lambda client: graph.register_number(client, number_id, digits))
    checklist = checks.check(catalog.get(sender_id), only=("number", "quality"))
    audit.record(by, "integration.registered", f"sender:{sender_id}")
    return checklist


def _override(
    connection: Connection, object_id: str, callback: str, token: str
) -> tuple[Literal["own", "application", "refused"], ChannelError | None]:
    """Only a WhatsApp account can have an address of its own; its application's is as good where it is the same."""
    if connection.rules.platform != "whatsapp":
        return "application", None
    try:
        connection.change("override", lambda client: graph.override_callback(client, object_id, callback, token))
    except ChannelError as error:
        return "refused", error
    return "own", None


def _connected(sender: Sender) -> Connection:
    connection = checks.connection_of(sender)
    if connection is None:
        raise Invalid.of("access_token", "token_missing", "This integration has no token.")
    return connection
