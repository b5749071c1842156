"""The integrations of a workspace with WhatsApp, Messenger and Instagram: added, found, changed, removed.

An integration is a sender of its channel; what it needs besides a token stands in the sender's settings. Nothing here
asks the provider: whether it works is found out by the checks, and receiving waits for none of them. The environment's
own are listed and cannot be changed here.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import delete, func, select

from backend.channels.base import SenderFacts
from backend.core.database import db, system_scope, workspace_id_in_scope
from backend.core.errors import Conflict, Invalid, NotFound
from backend.models import ChannelSetup, MessageTemplate, Sender
from backend.services import caps, delivery, senders
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.channel_setup import states
from backend.services.channel_setup.platforms import APP_SECRET, PAGE_ID, PLATFORMS, VERIFY_TOKEN, WABA_ID, rules_of
from backend.services.senders import webhook_verifier

HUMAN_AGENT: Final = "human_agent"
"""The fact that a person may answer for seven days, which Meta allows an application after a review."""
CHANGEABLE: Final = ("name", "access_token", APP_SECRET, VERIFY_TOKEN, WABA_ID, "is_active", HUMAN_AGENT)
_SETTINGS: Final[tuple[str, ...]] = (APP_SECRET, VERIFY_TOKEN, WABA_ID)
_WHY: Final = "a sender is no tenant table"
_MAX: Final = 500


@dataclass(frozen=True, slots=True)
class Added:
    """An integration that was just added, with the token of its handshake, which is shown this once."""

    integration: Sender
    verify_token: str = field(repr=False)


def listing() -> list[Sender]:
    """The integrations of the workspace in scope, the environment's among them, oldest first."""
    query = select(Sender).where(*_visible()).order_by(Sender.id).limit(_MAX)
    with system_scope(_WHY):
        return list(db.session.execute(query).scalars())


def find(sender_id: int) -> Sender | None:
    """An integration of the workspace in scope, also the environment's; None for anything else of that id."""
    query = select(Sender).where(Sender.id == sender_id, *_visible())
    with system_scope(_WHY):
        return db.session.execute(query).scalar_one_or_none()


def get(sender_id: int) -> Sender:
    """As `find`; raises NotFound(`integration_not_found`), also for another workspace's."""
    sender = find(sender_id)
    if sender is None:
        raise not_found()
    return sender


def own(sender_id: int, *, lock: bool = True) -> Sender:
    """An integration that the workspace in scope added, locked. Raises NotFound; Conflict(`from_environment`) for the
    environment's."""
    sender = get(sender_id)
    if sender.source == "environment":
        raise Conflict("from_environment", "This integration stands in the environment; change it there.")
    try:
        return senders.get(sender.channel, sender_id, lock=lock)
    except NotFound:
        raise not_found() from None


def create(by: Attribution, platform: str, fields: Mapping[str, Any]) -> Added:
    """Adds an integration.

    Raises Invalid naming each field at fault; Conflict: `integration_exists` for a name that is taken,
    `account_in_use` for a number, page or account that this instance has already, `too_many_integrations`.
    """
    mine = (Sender.workspace_id == workspace_id_in_scope(), Sender.channel.in_(PLATFORMS))
    present = select(func.count(Sender.id)).where(*mine, Sender.source == "database", Sender.deleted_at.is_(None))
    caps.require_room("integrations", present)
    verify_token = fields.get(VERIFY_TOKEN) or secrets.token_urlsafe(24)
    settings = {APP_SECRET: fields[APP_SECRET], VERIFY_TOKEN: verify_token}
    for name, only_for in ((WABA_ID, "whatsapp"), (PAGE_ID, "instagram")):
        if fields.get(name) and platform == only_for:
            settings[name] = fields[name]
    external_id = fields[rules_of(platform, fields["access_token"]).id_name]
    with _of_integrations():
        sender = senders.create(
            platform,
            name=fields["name"],
            token=fields["access_token"],
            facts=SenderFacts(external_id, None, fields["name"]),
            settings=settings,
        )
    if fields.get(HUMAN_AGENT) and platform != "whatsapp":
        sender.facts = {**sender.facts, HUMAN_AGENT: True}
    states.make(sender)
    audit.record(by, "integration.created", f"sender:{sender.id}", name=sender.name, platform=platform)
    return Added(sender, verify_token)


def change(by: Attribution, sender_id: int, fields: Mapping[str, Any]) -> Sender:
    """Changes the fields that are named, of `CHANGEABLE`. Another token ends a disabling by the provider. Raises what
    `own` and `create` do."""
    given = {name: fields[name] for name in CHANGEABLE if name in fields}
    # How long a person may answer is no matter of credentials: the environment has no variable for it.
    sender = _locked(sender_id) if given.keys() == {HUMAN_AGENT} else own(sender_id)
    if not given:
        return sender
    if HUMAN_AGENT in given and sender.channel == "whatsapp":
        raise Invalid.of(HUMAN_AGENT, "wrong_platform", "WhatsApp has no such window.")
    settings: dict[str, str | None] = {name: given[name] for name in _SETTINGS if name in given}
    if WABA_ID in settings and sender.channel != "whatsapp":
        raise Invalid.of(WABA_ID, "wrong_platform", "Only a WhatsApp integration has this id.")
    with _of_integrations(), system_scope(_WHY):
        if "name" in given:
            sender.name = given["name"]
        if "access_token" in given:
            senders.replace_token(sender, given["access_token"])
        if HUMAN_AGENT in given:
            sender.facts = {**sender.facts, HUMAN_AGENT: given[HUMAN_AGENT]}
        if "is_active" in given:
            sender.is_active, sender.disabled_code, sender.disabled_at = given["is_active"], None, None
        senders.flush_name()
        senders.change_settings(sender, settings)
        webhook_verifier.forget()
    states.check_soon(sender, token_changed="access_token" in given)
    audit.record(by, "integration.changed", f"sender:{sender.id}", fields=sorted(given))
    return sender


def remove(by: Attribution, sender_id: int) -> None:
    """Removes an integration: its name is free, token and secrets are forgotten, what waited is canceled
    (`integration_removed`), its alerts end. Its conversations stay. Raises what `own` does."""
    sender = own(sender_id)
    states.end_alerts(sender)
    with system_scope(_WHY):
        delivery.cancel_of_sender(sender.id, "integration_removed")
        db.session.execute(delete(ChannelSetup).where(ChannelSetup.sender_id == sender.id))
        db.session.execute(delete(MessageTemplate).where(MessageTemplate.sender_id == sender.id))
    senders.retire(sender)
    audit.record(by, "integration.removed", f"sender:{sender.id}", name=sender.name)


def setups_of(listed: Sequence[Sender]) -> dict[int, ChannelSetup]:
    """What is known of how these are set up, by their ids."""
    with system_scope(_WHY):
        rows = db.session.execute(
            select(ChannelSetup).where(ChannelSetup.sender_id.in_([sender.id for sender in listed]))
        ).scalars()
        return {row.sender_id: row for row in rows}


def _locked(sender_id: int) -> Sender:
    sender = get(sender_id)
    query = select(Sender).where(Sender.id == sender.id).with_for_update().execution_options(populate_existing=True)
    with system_scope(_WHY):
        return db.session.execute(query).scalar_one()


def not_found() -> NotFound:
    """What is said of an integration that is not there."""
    return NotFound("integration_not_found", "There is no such integration.")


def _visible() -> tuple[Any, ...]:
    return (
        Sender.workspace_id == workspace_id_in_scope(),
        Sender.channel.in_(PLATFORMS),
        Sender.source.in_(("database", "environment")),
        Sender.deleted_at.is_(None),
        Sender.disabled_code.is_distinct_from(senders.NOT_CONFIGURED),
    )


@contextmanager
def _of_integrations() -> Iterator[None]:
    """What senders refuse, in the words of integrations."""
    try:
        yield
    except senders.SenderNameTaken:
        raise Conflict("integration_exists", "The workspace has an integration of that name.") from None
    except senders.AccountInUse as error:
        known = f", as “{error.own_name}”" if error.own_name is not None else ""
        raise Conflict("account_in_use", f"This instance has that account already{known}.") from None
