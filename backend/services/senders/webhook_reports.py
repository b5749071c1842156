"""What an operator is told of the senders' webhooks: what is missing, what waits, and what came for nobody here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, select

from backend.channels import registry
from backend.core.database import db, system_scope
from backend.models import Sender, UnknownRecipient, WebhookEvent
from backend.services.senders.webhook import handshake_tokens_of, webhook_address, webhook_secrets_of

_MAX_RECIPIENTS: Final = 20


@dataclass(frozen=True, slots=True)
class DroppedItems:
    """How many items came to an address for a recipient that nobody here owns; they were dropped."""

    recipient_id: str
    count: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class WebhookReport:
    """A sender's webhook. Without a secret every request is refused; `has_token` is None where there is no handshake.
    `waiting` items wait for their owner's id, `parked` ones for a person."""

    sender_id: int
    workspace_id: int | None
    channel: str
    name: str
    address: str
    has_secret: bool
    has_token: bool | None
    waiting: int
    parked: int
    dropped: Sequence[DroppedItems]
    last_inbound_at: datetime | None


def webhook_reports() -> list[WebhookReport]:
    """Every sender that has an address for webhooks, by channel and id, in a constant number of statements."""
    with system_scope("the instance's operator sees every webhook"):
        rows = db.session.execute(
            select(Sender)
            .where(Sender.deleted_at.is_(None), Sender.source.in_(("database", "environment")))
            .order_by(Sender.channel, Sender.id)
        ).scalars()
        waiting, parked, dropped = _counts("waiting"), _counts("parked"), _dropped()
        return [
            WebhookReport(
                sender_id=row.id,
                workspace_id=row.workspace_id,
                channel=row.channel,
                name=row.name,
                address=webhook_address(row),
                has_secret=bool(webhook_secrets_of(row)),
                has_token=_has_token(row),
                waiting=waiting.get(row.id, 0),
                parked=parked.get(row.id, 0),
                dropped=dropped.get(row.id, [])[:_MAX_RECIPIENTS],
                last_inbound_at=row.last_inbound_at,
            )
            for row in rows
            if _has_address(row)
        ]


def _has_address(sender: Sender) -> bool:
    if sender.channel not in registry.names():
        return False
    webhook = registry.spec(sender.channel).webhook
    return webhook is not None and webhook.route(names_sender=sender.source != "environment") is not None


def _has_token(sender: Sender) -> bool | None:
    webhook = registry.spec(sender.channel).webhook
    return bool(handshake_tokens_of(sender)) if webhook is not None and webhook.handshake is not None else None


def _counts(state: str) -> dict[int, int]:
    rows = db.session.execute(
        select(WebhookEvent.sender_id, func.count().label("number"))
        .where(WebhookEvent.state == state)
        .group_by(WebhookEvent.sender_id)
    )
    return {row.sender_id: row.number for row in rows}


def _dropped() -> dict[int, list[DroppedItems]]:
    by_sender: dict[int, list[DroppedItems]] = {}
    rows = db.session.execute(select(UnknownRecipient).order_by(UnknownRecipient.last_at.desc()).limit(1000)).scalars()
    for row in rows:
        by_sender.setdefault(row.sender_id, []).append(DroppedItems(row.recipient_id, row.count, row.last_at))
    return by_sender
