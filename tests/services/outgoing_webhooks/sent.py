"""What the tests of sending begin with: an event, a turn of sending, what is stored of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from backend.core.database import db
from backend.core.work import Turn
from backend.models import OutgoingDelivery, OutgoingWebhook, Workspace
from backend.services import outgoing_webhooks
from tests.channels.scripted_server import answer
from tests.services.outgoing_webhooks.conftest import EVENT

OK = answer(200, b"", keep=False)


def emit(home: Workspace, key: str = "k", **payload: Any) -> int:
    told = outgoing_webhooks.emit(home.id, EVENT, payload or {"n": 1}, key=key)
    db.session.commit()
    return told


def send(seconds: float = 5.0) -> int:
    db.session.commit()
    return outgoing_webhooks.send_due(Turn(seconds))


def deliveries() -> list[OutgoingDelivery]:
    db.session.rollback()
    rows = select(OutgoingDelivery).order_by(OutgoingDelivery.id).execution_options(populate_existing=True)
    return list(db.session.scalars(rows))


def again(webhook: OutgoingWebhook) -> OutgoingWebhook:
    db.session.rollback()
    return db.session.get_one(OutgoingWebhook, webhook.id, populate_existing=True)
