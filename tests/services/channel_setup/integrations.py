"""Integrations as a workspace adds them, committed; in its scope."""

from __future__ import annotations

from typing import Any

from backend.core.database import db
from backend.models import Sender
from backend.services.channel_setup import catalog
from tests.support import factories
from tests.support.graph_api import INSTAGRAM_ID, LOGIN_TOKEN, NUMBER_ID, PAGE_ID, SECRET, TOKEN, WABA_ID

BY = factories.by()


def whatsapp(**changes: Any) -> Sender:
    """A WhatsApp number."""
    return _made("whatsapp", {"name": "Lettings", "phone_number_id": NUMBER_ID, "waba_id": WABA_ID} | changes)


def messenger(**changes: Any) -> Sender:
    """A page."""
    return _made("messenger", {"name": "Page", "page_id": PAGE_ID} | changes)


def instagram(**changes: Any) -> Sender:
    """An Instagram account by its own login."""
    return _made("instagram", {"name": "Account", "instagram_id": INSTAGRAM_ID, "access_token": LOGIN_TOKEN} | changes)


def _made(platform: str, fields: dict[str, Any]) -> Sender:
    added = catalog.create(BY, platform, {"access_token": TOKEN, "app_secret": SECRET} | fields)
    db.session.commit()
    return added.integration
