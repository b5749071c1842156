"""What the tests of bots begin with: an admin, a Telegram that answers, a bot."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from backend.core.database import db, system_scope
from backend.models import AuditEntry, Sender, User, Workspace
from tests.http import callers
from tests.support.bot_api import BotApi, bot_api

TOKEN = "4242:FAKE-TOKEN-visibly-fake-for-tests"
BODY = {"name": "Deploy", "token": TOKEN, "chat_ids": ["-1001234567890"]}
Headers = dict[str, str]


@pytest.fixture
def api(client: FlaskClient) -> Iterator[BotApi]:
    with bot_api() as running:
        yield running


@pytest.fixture
def admin(api: BotApi) -> User:
    return callers.member()


@pytest.fixture
def home(admin: User) -> Workspace:
    with system_scope("a test"):
        return db.session.get_one(Workspace, admin.workspace_id)


@pytest.fixture
def headers(admin: User) -> Headers:
    return callers.signed_in(admin)


@pytest.fixture
def bot(client: FlaskClient, headers: Headers) -> dict[str, Any]:
    made = client.post("/api/telegram-bots/", json=BODY, headers=headers)
    assert made.status_code == 201, made.text
    return dict(made.get_json())


def stored(bot_id: int) -> Sender:
    db.session.rollback()
    with system_scope("a test"):
        return db.session.get_one(Sender, bot_id, populate_existing=True)


def audited() -> list[str]:
    with system_scope("a test"):
        return list(db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)))
