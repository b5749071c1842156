"""What the tests of the pages about alerts begin with: a workspace, an alert, a policy."""

from __future__ import annotations

from typing import Any

from backend.core.database import workspace_scope
from backend.models import User
from backend.services import alerts
from backend.services.alerts import AlertInput, Attribution
from backend.services.alerts.rules import policies
from tests.http import callers, holdings
from tests.support import factories
from tests.support.fake_channel import FakeChannel

HX = {"HX-Request": "true"}
HOST = {"label": "host", "op": "=", "value": "db-1"}


def furnish(person: User) -> None:
    FakeChannel(part_chars=4096).install()
    holdings.default_bot(person)
    bot = factories.bot(holdings.home(person), name="alerts")
    bot.chat_ids = ("-2001",)
    callers.commit()


def raised(person: User, title: str = "Disk full", **fields: Any) -> int:
    """An alert as a program reports it."""
    with workspace_scope(person.workspace_id):
        outcome = alerts.raise_input(AlertInput(title=title, **fields), Attribution("api", "user:1"))
        callers.commit()
    assert outcome.alert_id is not None
    return outcome.alert_id


def policy(person: User) -> int:
    return policies.create(factories.by("user:1"), {"name": "Payments", "matchers": [HOST]}).id
