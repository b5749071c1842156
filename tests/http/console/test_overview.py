"""The first page leads to what it counts: the messages that were not sent, filtered by what happened to them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from backend.channels.inbound import Chat
from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.models import Alert, AlertMessage, Message
from backend.services import conversations
from tests.http import holdings
from tests.support import factories


@pytest.fixture
def fail(person):
    """Stores a message of the person's workspace that was not sent."""
    home = holdings.home(person)
    bot = factories.bot(home, name="deploy")
    with workspace_scope(home.id):
        chat = conversations.find_or_create(bot, Chat("-2001", "group"), workspace_id=home.id)

    def store(state: str = "failed", error: str | None = "kicked", kind: str = "alert") -> Message:
        with workspace_scope(home.id):
            message = Message(
                workspace_id=home.id,
                conversation_id=chat.id,
                sender_id=bot.id,
                direction="out",
                kind=kind,
                lane=1,
                state=state,
                error=error,
                body={"parts": [{"text": "a secret", "format": "plain"}]},
                created_at=clock.now(),
            )
            db.session.add(message)
            db.session.commit()
        return message

    return store


def test_what_failed_leads_to_the_messages_that_failed_so(browser, fail):
    kicked, blocked = fail(), fail(error="blocked")
    unknown = fail("unknown", error=None, kind="scheduled")
    overview = browser.get("/console/").get_data(as_text=True)
    for query in ("state=failed&amp;reason=kicked", "state=failed&amp;reason=blocked", "state=unknown&amp;reason=–"):
        assert f'href="/console/unsent?{query}"' in overview.replace("%E2%80%93", "–")
    page = browser.get("/console/unsent?state=failed&reason=kicked").get_data(as_text=True)
    assert f'id="message-{kicked.id}"' in page
    assert f'id="message-{blocked.id}"' not in page
    assert "a secret" not in page
    assert "deploy" in page
    assert "The sender was removed from the group. (kicked)" in page
    page = browser.get("/console/unsent?state=unknown&reason=–").get_data(as_text=True)
    assert f'id="message-{unknown.id}"' in page
    assert f'id="message-{kicked.id}"' not in page
    everything = browser.get("/console/unsent").get_data(as_text=True)
    assert everything.count('id="message-') == 3


def test_a_message_of_an_alert_leads_to_the_alert(browser, person, fail):
    message = fail()
    home = holdings.home(person)
    with workspace_scope(home.id):
        now = clock.now()
        alert = Alert(
            workspace_id=home.id, group_key=b"g", source="api", bot_name="deploy", severity="error", title="Disk full",
            labels={}, links=[], opened_at=now, last_seen_at=now, notifications=1, parts=1, more=0, state="firing",
        )  # fmt: skip
        db.session.add(alert)
        db.session.flush()
        row = AlertMessage(
            workspace_id=home.id, alert_id=alert.id, message_id=message.id, conversation_id=message.conversation_id,
            role="route", locale="en", created_at=now,
        )  # fmt: skip
        db.session.add(row)
        db.session.commit()
        alert_id = alert.id
    assert f'href="/console/alerts/{alert_id}"' in browser.get("/console/unsent").get_data(as_text=True)


def test_old_messages_and_other_workspaces_are_not_listed(browser, fail):
    message = fail()
    with system_scope("a test"):
        db.session.get_one(Message, message.id).created_at = clock.now() - timedelta(days=2)
        db.session.commit()
    page = browser.get("/console/unsent?state=failed&reason=kicked").get_data(as_text=True)
    assert 'id="message-' not in page
    assert "Nothing of this kind" in page


@pytest.mark.parametrize(
    "query", ["?state=sent", "?reason=%00", "?state=failed&reason=" + "x" * 500, "?cursor=nonsense"]
)
def test_a_filter_that_means_nothing_breaks_no_page(browser, fail, query):
    fail()
    assert browser.get(f"/console/unsent{query}").status_code in (200, 422)
