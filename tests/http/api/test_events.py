"""`/api/events` and `/api/messages`: what is answered, to whom, and what is stored."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from backend.core.database import db, system_scope
from backend.models import (
    AuditEntry,
    Conversation,
    Delivery,
    Message,
    MessageKey,
    MessagePart,
    NotificationEvent,
    NotificationSubject,
    User,
    Workspace,
)
from backend.services import linking
from tests.http import callers
from tests.support import factories
from tests.support.fake_channel import FakeChannel
from tests.support.statements import recorded

EVENT = {"type": "post_success", "data": {"platform": "instagram", "likes": 3}}


@pytest.fixture
def home(app: Any) -> Workspace:
    FakeChannel(part_chars=4096).install()
    made = factories.workspace()
    factories.bot(made, source="environment")
    callers.commit()
    return made


@pytest.fixture
def admin(home: Workspace) -> User:
    return callers.member(home, "admin")


def link(person: User, chat_id: str = "5001") -> None:
    bot = linking.default_bot()
    assert bot is not None
    factories.link(person, bot, chat_id)
    callers.commit()


def count(model: Any) -> int:
    with system_scope("a look from outside"):
        db.session.rollback()
        return db.session.scalars(select(func.count()).select_from(model)).one()


def test_an_event_is_accepted_with_its_decision_and_can_be_followed(client: FlaskClient, admin: User) -> None:
    link(admin)
    headers = callers.signed_in(admin)
    answer = client.post("/api/events", json=EVENT, headers=headers)
    assert answer.status_code == 202
    body = answer.get_json()
    assert set(body) == {"event_id", "decision", "reason", "reason_text", "message_id"}
    assert (body["decision"], body["reason"]) == ("queued", None)
    event = client.get(f"/api/events/{body['event_id']}", headers=headers).get_json()
    assert event["data"] == EVENT["data"]
    assert (event["type"], event["user_id"], event["message_id"]) == ("post_success", admin.id, body["message_id"])
    assert event["created_at"].endswith("Z")
    message = client.get(f"/api/messages/{body['message_id']}", headers=headers).get_json()
    assert {"state", "reason", "next_attempt_at", "attempts", "external_id", "error"} <= set(message)
    assert (message["state"], message["reason"], message["attempts"]) == ("queued", "queued", 0)
    assert message["next_attempt_at"].endswith("Z")
    assert "body" not in message


def test_an_unlinked_person_is_a_reason_and_no_message(client: FlaskClient, admin: User) -> None:
    answer = client.post("/api/events", json=EVENT, headers=callers.signed_in(admin))
    assert answer.status_code == 202
    assert answer.get_json() | {"event_id": 0} == {
        "event_id": 0,
        "decision": "suppressed",
        "reason": "not_linked",
        "reason_text": "No linked Telegram.",
        "message_id": None,
    }


def test_a_viewer_may_look_but_not_report(client: FlaskClient, home: Workspace, admin: User) -> None:
    headers = callers.signed_in(callers.member(home, "viewer"))
    callers.error_of(client.post("/api/events", json=EVENT, headers=headers), 403)
    made = client.post("/api/events", json=EVENT, headers=callers.signed_in(admin)).get_json()
    assert client.get(f"/api/events/{made['event_id']}", headers=headers).status_code == 200


def test_naming_somebody_else_needs_people_act(client: FlaskClient, home: Workspace, admin: User) -> None:
    other = callers.member(home, "viewer")
    without = callers.with_token(admin, ["read", "write"])
    granted = callers.with_token(admin, ["read", "write", "people:act"])
    for named in ({"user_id": other.id}, {"external_user_id": "host-1"}):
        assert callers.error_of(client.post("/api/events", json=EVENT | named, headers=without), 403)["code"] == (
            "scope_missing"
        )
    assert client.post("/api/events", json=EVENT, headers=without).status_code == 202
    assert client.post("/api/events", json=EVENT | {"user_id": other.id}, headers=granted).status_code == 202
    first, second = (
        client.post("/api/events", json=EVENT | {"external_user_id": "host-1"}, headers=granted).get_json()
        for _ in range(2)
    )
    events = client.get("/api/events", headers=granted).get_json()["events"]
    people = {event["event_id"]: event["user_id"] for event in events}
    assert people[first["event_id"]] == people[second["event_id"]] not in (admin.id, other.id)


def test_critical_needs_its_scope(client: FlaskClient, admin: User) -> None:
    without = callers.with_token(admin, ["write"])
    granted = callers.with_token(admin, ["write", "notify:critical"])
    callers.error_of(client.post("/api/events", json=EVENT | {"critical": True}, headers=without), 403)
    assert client.post("/api/events", json=EVENT | {"critical": True}, headers=granted).status_code == 202
    assert count(NotificationEvent) == 1


def test_a_person_of_another_workspace_is_not_found(client: FlaskClient, admin: User) -> None:
    stranger = callers.member(None, "admin")
    answer = client.post("/api/events", json=EVENT | {"user_id": stranger.id}, headers=callers.signed_in(admin))
    callers.error_of(answer, 404)
    assert count(NotificationEvent) == 0


def test_events_and_messages_of_another_workspace_are_not_found(client: FlaskClient, admin: User) -> None:
    link(admin)
    made = client.post("/api/events", json=EVENT, headers=callers.signed_in(admin)).get_json()
    foreign = callers.signed_in(callers.member(None, "admin"))
    callers.error_of(client.get(f"/api/events/{made['event_id']}", headers=foreign), 404)
    callers.error_of(client.get(f"/api/messages/{made['message_id']}", headers=foreign), 404)
    assert client.get("/api/events", headers=foreign).get_json() == {"events": [], "next_cursor": None}
    assert client.get("/api/messages", headers=foreign).get_json() == {"messages": [], "next_cursor": None}


def test_the_same_idempotency_key_reports_once(client: FlaskClient, admin: User) -> None:
    link(admin)
    headers = callers.signed_in(admin) | {"Idempotency-Key": "k-1"}
    first = client.post("/api/events", json=EVENT, headers=headers)
    second = client.post("/api/events", json=EVENT, headers=headers)
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.get_json() == second.get_json()
    callers.error_of(client.post("/api/events", json=EVENT | {"critical": True}, headers=headers), 409)
    assert (count(NotificationEvent), count(Message)) == (1, 1)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"type": "no_such_type"}, 422),
        ({"type": "alerts"}, 422),
        ({"type": 5}, 422),
        ({"type": ""}, 422),
        ({"type": "post_success", "data": []}, 422),
        ({"type": "post_success", "data": "x"}, 422),
        ({"type": "post_success", "data": {"content": "x" * 70_000}}, 422),
        ({"type": "post_success", "data": {"content": "\x00"}}, 422),
        ({"type": "post_success", "subject": ""}, 422),
        ({"type": "post_success", "version": "1"}, 422),
        ({"type": "post_success", "version": 2**63}, 422),
        ({"type": "post_success", "version": True}, 422),
        ({"type": "post_success", "critical": "yes"}, 422),
        ({"type": "post_success", "user_id": 0}, 422),
        ({"type": "post_success", "attachment": {"kind": "photo"}}, 422),
        ({"type": "post_success", "attachment": {"kind": "video", "file_id": 1}}, 422),
        ({"type": "post_success", "attachment": {"kind": "photo", "file_id": 1, "url": "https://x.test"}}, 422),
        ({"type": "post_success", "attachment": {"kind": "photo", "url": "http://127.0.0.1/"}}, 422),
        ({"type": "post_success", "attachment": {"kind": "photo", "file_id": 999}}, 404),
        ({"type": "post_success", "user_id": 10**15}, 404),
        ([], 422),
    ],
)
def test_bad_input_is_refused_and_changes_nothing(client: FlaskClient, admin: User, body: Any, status: int) -> None:
    callers.error_of(client.post("/api/events", json=body, headers=callers.signed_in(admin)), status)
    assert (count(NotificationEvent), count(Message)) == (0, 0)


def test_an_unknown_type_has_a_code_of_its_own(client: FlaskClient, admin: User) -> None:
    answer = client.post("/api/events", json={"type": "nope"}, headers=callers.signed_in(admin))
    assert callers.error_of(answer, 422)["code"] == "unknown_event_type"


@pytest.mark.parametrize("data", [None, {}, {"likes": {"a": [None]}, "content": 5, "post_url": ["x"], "platform": {}}])
def test_data_of_any_shape_is_taken(client: FlaskClient, admin: User, data: Any) -> None:
    link(admin)
    answer = client.post("/api/events", json={"type": "post_success", "data": data}, headers=callers.signed_in(admin))
    assert answer.status_code == 202


def test_lists_are_pages_newest_first_with_filters(client: FlaskClient, home: Workspace, admin: User) -> None:
    link(admin)
    other = callers.member(home, "viewer")
    headers = callers.signed_in(admin)
    for body in (EVENT, EVENT | {"type": "post_failure"}, EVENT | {"user_id": other.id}):
        client.post("/api/events", json=body, headers=headers)
    page = client.get("/api/events?limit=2", headers=headers).get_json()
    rest = client.get(f"/api/events?limit=2&cursor={page['next_cursor']}", headers=headers).get_json()
    ids = [event["event_id"] for event in page["events"] + rest["events"]]
    assert (ids, rest["next_cursor"]) == (sorted(ids, reverse=True), None)
    assert len(ids) == 3
    failures = client.get("/api/events?type=post_failure", headers=headers).get_json()["events"]
    others = client.get(f"/api/events?user_id={other.id}", headers=headers).get_json()["events"]
    assert [len(failures), len(others)] == [1, 1]
    callers.error_of(client.get("/api/events?cursor=nonsense", headers=headers), 422)


def test_reporting_leaves_an_audit_entry(client: FlaskClient, admin: User) -> None:
    made = client.post("/api/events", json=EVENT, headers=callers.signed_in(admin)).get_json()
    with system_scope("a look from outside"):
        entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "event.reported")).one()
    assert (entry.actor, entry.subject) == (f"user:{admin.id}", f"event:{made['event_id']}")


@pytest.mark.parametrize(
    ("body", "headers", "most"),
    [
        ({}, {}, 6),
        ({}, {"Idempotency-Key": "once"}, 8),
        ({"subject": "post:1", "version": 1}, {}, 8),
    ],
)
def test_an_event_is_stored_with_its_message_by_few_statements(
    client: FlaskClient, admin: User, body: dict[str, Any], headers: dict[str, str], most: int
) -> None:
    link(admin)
    signed_in = callers.signed_in(admin)
    client.post("/api/events", json=EVENT, headers=signed_in)  # what the process learns once
    db.session.remove()
    with recorded() as statements:
        answer = client.post("/api/events", json=EVENT | body, headers=signed_in | headers)
    assert answer.get_json()["decision"] == "queued"
    assert len(statements) <= most, statements


@pytest.mark.parametrize("is_sent", [False, True])
def test_an_event_that_edits_its_subjects_message_takes_as_few(client: FlaskClient, admin: User, is_sent: bool) -> None:
    link(admin)
    signed_in = callers.signed_in(admin)
    told = EVENT | {"subject": "post:1", "version": 1}
    first = client.post("/api/events", json=told, headers=signed_in).get_json()
    client.post("/api/events", json=EVENT | {"subject": "post:2"}, headers=signed_in)
    if is_sent:
        _record_as_sent(first["message_id"])
    db.session.remove()
    newer = told | {"version": 2, "data": {"platform": "instagram", "likes": 9}}
    with recorded() as statements:
        answer = client.post("/api/events", json=newer, headers=signed_in)
    assert (answer.get_json()["decision"], answer.get_json()["message_id"]) == ("queued", first["message_id"])
    assert len(statements) <= 8, statements
    with system_scope("a look from outside"):
        message = db.session.get_one(Message, first["message_id"], populate_existing=True)
        event = db.session.get_one(NotificationEvent, answer.get_json()["event_id"])
        subject = db.session.scalars(
            select(NotificationSubject).where(NotificationSubject.message_id == message.id)
        ).one()
        (waiting,) = db.session.scalars(select(Delivery).where(Delivery.message_id == message.id))
    assert (message.version, waiting.operation, waiting.state) == (2, "edit" if is_sent else "send", "due")
    assert "9" in message.body["parts"][0]["text"]
    assert (event.message_id, event.version, subject.version) == (message.id, 2, 2)


def _record_as_sent(message_id: int) -> None:
    """What the dispatch loop leaves of a message that the provider took."""
    with system_scope("the dispatch loop serves every workspace"):
        message = db.session.get_one(Message, message_id)
        row = db.session.scalars(select(Delivery).where(Delivery.message_id == message_id)).one()
        message.state, message.sent_at = "accepted", message.created_at
        part = MessagePart(
            workspace_id=message.workspace_id,
            message_id=message_id,
            part=0,
            sender_id=message.sender_id,
            chat_key=row.chat_key,
            box="",
            external_id="7",
            state="accepted",
            sent_version=1,
            sent_at=message.created_at,
        )
        db.session.add(part)
        db.session.delete(row)
        db.session.commit()


def test_what_is_stored_at_once_is_whole(client: FlaskClient, admin: User) -> None:
    link(admin)
    accepted = client.post("/api/events", json=EVENT, headers=callers.signed_in(admin)).get_json()
    db.session.remove()
    with system_scope("a look from outside"):
        event = db.session.get_one(NotificationEvent, accepted["event_id"])
        message = db.session.get_one(Message, accepted["message_id"])
        key = db.session.scalars(select(MessageKey).where(MessageKey.message_id == message.id)).one()
        (delivery,) = db.session.scalars(select(Delivery).where(Delivery.message_id == message.id))
        conversation = db.session.get_one(Conversation, message.conversation_id)
    assert (event.message_id, key.key, key.workspace_id) == (message.id, f"event:{event.id}", admin.workspace_id)
    assert (message.direction, message.state, message.version, message.user_id) == ("out", "queued", 1, admin.id)
    assert (delivery.part, delivery.state, delivery.reason, delivery.chat_key) == (
        0,
        "due",
        "queued",
        conversation.chat_key,
    )
    assert delivery.expires_at is not None
    assert delivery.expires_at - delivery.due_at == timedelta(hours=24)
    assert conversation.last_message_at == message.created_at
