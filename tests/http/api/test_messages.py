"""`/api/messages`: states, reasons, filters."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from backend.channels.base import Content
from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.models import Conversation, Message, Sender, User
from backend.services import delivery
from tests.http import callers
from tests.support import factories
from tests.support.fake_channel import FakeChannel


@pytest.fixture
def person(app: Any) -> User:
    FakeChannel().install()
    return callers.member(factories.workspace(), "viewer")


def send(person: User, chat_id: str = "5001", **options: Any) -> Message:
    bot = factories.bot()
    linked = factories.link(person, bot, chat_id)
    with workspace_scope(person.workspace_id):
        chat = db.session.get_one(Conversation, linked.conversation_id)
        given: dict[str, Any] = {"kind": "notification", "user_id": person.id}
        made = delivery.send(chat, Content("hello"), **(given | options))
        callers.commit()
    return made


def test_a_waiting_message_says_why_and_until_when(client: FlaskClient, person: User) -> None:
    until = clock.now() + timedelta(hours=2)
    made = send(person, not_before=until, reason="quiet_hours")
    shown = client.get(f"/api/messages/{made.id}", headers=callers.signed_in(person)).get_json()
    assert (shown["state"], shown["reason"], shown["error"]) == ("queued", "quiet_hours", None)
    assert shown["next_attempt_at"] == until.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_a_canceled_message_says_why(client: FlaskClient, person: User) -> None:
    made = send(person)
    with workspace_scope(person.workspace_id):
        delivery.cancel(made, "unlinked")
        callers.commit()
    shown = client.get(f"/api/messages/{made.id}", headers=callers.signed_in(person)).get_json()
    assert (shown["state"], shown["reason"], shown["error"]) == ("canceled", "unlinked", "unlinked")
    assert shown["next_attempt_at"] is None


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (None, "The sender is switched off."),
        ("ko-KR,ko;q=0.9,en;q=0.5", "발신 계정이 꺼져 있습니다."),
        ("fr", "The sender is switched off."),
    ],
)
def test_the_reason_is_said_in_the_callers_language(
    client: FlaskClient, person: User, asked: str | None, words: str
) -> None:
    made = send(person)
    with system_scope("the token was refused"):
        db.session.get_one(Sender, made.sender_id).is_active = False
        callers.commit()
    headers = callers.signed_in(person) | ({"Accept-Language": asked} if asked else {})
    shown = client.get(f"/api/messages/{made.id}", headers=headers).get_json()
    assert (shown["reason"], shown["reason_text"]) == ("sender_disabled", words)
    (listed,) = client.get("/api/messages", headers=headers).get_json()["messages"]
    assert listed["reason_text"] == words


def test_the_list_filters_by_person_kind_and_conversation(client: FlaskClient, person: User) -> None:
    one = send(person)
    two = send(person, "5002", kind="test", user_id=None)
    headers = callers.signed_in(person)

    def ids(query: str) -> list[int]:
        return [
            message["id"] for message in client.get(f"/api/messages{query}", headers=headers).get_json()["messages"]
        ]

    assert ids("") == [two.id, one.id]
    assert ids(f"?user_id={person.id}") == [one.id]
    assert ids("?kind=test") == [two.id]
    assert ids(f"?conversation_id={one.conversation_id}") == [one.id]


def test_without_credentials_nothing_is_shown(client: FlaskClient, person: User) -> None:
    made = send(person)
    callers.error_of(client.get(f"/api/messages/{made.id}"), 401)
    callers.error_of(client.get("/api/messages"), 401)
    callers.error_of(client.get("/api/messages/99999999999999999999", headers=callers.signed_in(person)), 404)


def test_a_sent_message_that_its_reader_deleted_says_so_and_what_was_left_out(
    client: FlaskClient, person: User
) -> None:
    made = send(person)
    with workspace_scope(person.workspace_id):
        made.state, made.gone_code = "sent", "message_gone"
        made.body = {**made.body, "form": {"media_kept": 0, "refused": ["http://vm-1/"], "addresses_in_text": True}}
        delivery.cancel(made, "never mind")
        callers.commit()
    shown = client.get(f"/api/messages/{made.id}", headers=callers.signed_in(person)).get_json()
    assert (shown["state"], shown["reason"], shown["error"]) == ("sent", "message_gone", None)
    assert shown["left_out"] == ["attachment", "address_buttons"]
