"""People who subscribe get alerts in their own chat, in their language, outside their quiet hours."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from backend.core.database import db
from backend.models import Delivery
from backend.services.notifications import settings
from tests.services.alerts.conftest import linked
from tests.support import factories


@pytest.fixture
def subscribe(room, home, default_bot):
    def make(chat: str, **values):
        quiet = values.pop("quiet_hours", None)
        person = linked(home, default_bot, chat, **values)
        settings.change(factories.by("user:1"), person, {"types": {"alerts": True}, "quiet_hours": quiet})
        db.session.commit()
        return person

    return make


def test_a_subscriber_gets_it_in_their_language(room, subscribe):
    person = subscribe("5020", locale="ko")
    room.raise_("Disk full")
    assert [message.user_id for message in room.messages()] == [None, person.id]
    assert "시작:" in room.texts()[1]


def test_nobody_is_subscribed_unless_they_asked(room, ada):
    room.raise_("Disk full")
    assert [message.user_id for message in room.messages()] == [None]


def test_quiet_hours_hold_it_back_unless_it_is_critical(room, subscribe):
    person = subscribe("5020", quiet_hours={"start": "00:00", "end": "23:59"})
    room.raise_("Disk full")
    room.raise_("House on fire", severity="critical")
    reasons = {
        row.message_id: row.reason for row in db.session.scalars(select(Delivery)) if row.conversation_id is not None
    }
    own = [message for message in room.messages() if message.user_id == person.id]
    assert [reasons[message.id] for message in own] == ["quiet_hours", "queued"]


def test_a_subscriber_whose_chat_is_the_bots_own_gets_it_once(room, default_bot, home, subscribe):
    room.sender.is_active = True
    default_bot.chat_ids = ("5020",)
    subscribe("5020")
    room.raise_("Disk full")
    assert len([message for message in room.messages() if message.user_id is not None]) == 1


def test_somebody_who_told_the_bot_to_stop_gets_nothing(room, subscribe, default_bot):
    from backend.core import clock
    from backend.services import linking

    person = subscribe("5020")
    link = linking.link_of(person.id, default_bot.id)
    assert link is not None
    link.paused_at = clock.now()
    db.session.commit()
    room.raise_("Disk full")
    assert len(room.messages()) == 1
