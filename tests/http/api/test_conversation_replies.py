"""Answering over the API: once, by who may, while it can be said, and never into what somebody has not seen."""

from __future__ import annotations

import io
import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from backend.channels import registry
from backend.channels.capabilities import ReplyWindow
from backend.channels.errors import OutcomeUnknown, Rejected
from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.models import Conversation, Delivery, Message, MessageTemplate, MessageWords
from backend.services import files
from backend.services.housekeeping import sweep
from backend.services.inbox import state
from tests.http.api.inbox_api import Team
from tests.support import factories, inbox
from tests.support.engine import idle, run_until
from tests.support.fake_channel import FakeChannel


@pytest.fixture
def team(client: FlaskClient) -> Team:
    return Team(client)


@pytest.fixture
def provider(app: Flask) -> FakeChannel:
    return FakeChannel().install()


@pytest.fixture
def windowed(provider: FakeChannel) -> FakeChannel:
    """The channel has a reply window of a day, and templates after it."""
    spec = registry.spec("telegram_bot")
    window = ReplyWindow({"message_24h": timedelta(hours=24)})
    capabilities = replace(spec.capabilities, templates=True)
    registry.put("telegram_bot", provider, replace(spec, reply_window=window, capabilities=capabilities))
    return provider


def path(chat: Conversation) -> str:
    return f"/api/conversations/{chat.id}/messages"


def fresh(chat: Conversation) -> Conversation:
    with system_scope("a test looks"):
        return db.session.get_one(Conversation, chat.id, populate_existing=True)


def messages(chat: Conversation) -> list[Message]:
    with system_scope("a test looks"):
        query = select(Message).where(Message.conversation_id == chat.id, Message.direction == "out")
        return list(db.session.scalars(query.order_by(Message.id).execution_options(populate_existing=True)))


def run(app: Flask) -> None:
    with system_scope("a test's dispatch"):
        run_until(app, idle)
        db.session.rollback()


def test_an_answer_takes_over_and_is_sent_once(app: Flask, team: Team, provider: FakeChannel) -> None:
    chat = inbox.conversation(team.home, status="bot")
    asked = inbox.receive(chat)
    team.call("PUT", f"/api/conversations/{chat.id}/draft", json={"text": "Ye"})
    answer = team.post(path(chat), {"text": "Yes", "expect_last_message_id": asked.id}, 202)
    assert answer["state"] == "queued"
    found = fresh(chat)
    assert (found.status, found.assignee_id, found.waiting_since, found.unread_count) == (
        "waiting", team.admin.id, None, 0,
    )  # fmt: skip
    assert found.last_message_id == answer["message_id"]
    assert team.get(f"/api/conversations/{chat.id}/draft")["text"] == ""
    run(app)
    assert provider.texts() == ["Yes"]
    (shown,) = team.get(path(chat), query_string={"after": asked.id})["messages"]
    assert (shown["state"], shown["via"], shown["author"]["user_id"]) == ("sent", "api", team.admin.id)
    assert team.get("/api/search", query_string={"q": "yes"})["results"][0]["id"] == answer["message_id"]


def test_the_same_key_answers_once(team: Team, provider: FakeChannel) -> None:
    chat = inbox.conversation(team.home)
    headers = {"Idempotency-Key": "once"}
    first = team.post(path(chat), {"text": "Yes"}, 202, headers=headers)
    assert team.post(path(chat), {"text": "Yes"}, 202, headers=headers) == first
    assert team.call("POST", path(chat), 409, json={"text": "No"}, headers=headers)["code"] == "idempotency_mismatch"
    assert len(messages(chat)) == 1


def test_who_has_not_seen_the_newest_is_asked_first(team: Team, provider: FakeChannel) -> None:
    kim = team.person("Kim")
    chat = inbox.conversation(team.home)
    asked = inbox.receive(chat)
    seen = {"expect_last_message_id": asked.id}
    kims = team.post(path(chat), {"text": "Yes"} | seen, 202, by=kim)
    refused = team.call("POST", path(chat), 409, json={"text": "No"} | seen)
    assert refused["code"] == "conversation_moved"
    assert refused["detail"]["last_message_id"] == kims["message_id"]
    assert (refused["detail"]["author"], refused["detail"]["direction"]) == ("Kim", "out")
    # The second press says that the newest was seen.
    team.post(path(chat), {"text": "No", "expect_last_message_id": kims["message_id"]}, 202)
    assert [message.body["parts"][0]["text"] for message in messages(chat)] == ["Yes", "No"]


def test_of_two_who_answer_at_once_one_is_asked(app: Flask, team: Team, provider: FakeChannel) -> None:
    kim = team.person("Kim")
    chat = inbox.conversation(team.home)
    asked = inbox.receive(chat)
    with system_scope("a test's rows"):
        db.session.commit()
    together, answers = threading.Barrier(2), list[tuple[int, Any]]()

    def answer(person: Any, text: str) -> None:
        body = {"text": text, "expect_last_message_id": asked.id}
        with app.test_client() as client:
            together.wait(10)
            response = client.post(path(chat), json=body, headers=team.headers[person.id])
            answers.append((response.status_code, response.get_json()))

    people = [threading.Thread(target=answer, args=given) for given in ((kim, "Kim's"), (team.admin, "Ines's"))]
    for person in people:
        person.start()
    for person in people:
        person.join(30)
    assert sorted(status for status, _ in answers) == [202, 409]
    (refused,) = [body for status, body in answers if status == 409]
    assert refused["error"]["code"] == "conversation_moved"
    assert len(messages(chat)) == 1


def test_after_the_window_only_a_template_goes(team: Team, windowed: FakeChannel) -> None:
    chat = inbox.conversation(team.home)
    inbox.receive(chat)
    team.post(path(chat), {"text": "in time"}, 202)
    late = (clock.now() + timedelta(hours=25)).isoformat()
    refused = team.call("POST", path(chat), 409, json={"text": "tomorrow", "not_before": late})
    assert refused["code"] == "window_closed"
    assert refused["detail"]["reply_until"] is not None
    clock.move(24 * 3600)
    assert team.call("POST", path(chat), 409, json={"text": "late"})["code"] == "window_closed"
    body: dict[str, Any] = {"template": {"name": "viewing", "language": "en", "variables": ["Ada", "10:00"]}}
    assert team.call("POST", path(chat), 422, json=body)["code"] == "template_not_found"
    with system_scope("a test's rows"):
        components = [{"type": "BODY", "text": "Hello {{1}}, at {{2}}?"}]
        row = MessageTemplate(name="viewing", language="en", category="utility", state="pending", components=components)
        row.workspace_id, row.sender_id, row.external_id = team.home.id, chat.sender_id, "9"
        row.created_at = row.changed_at = clock.now()
        db.session.add(row)
        db.session.flush()
    assert team.call("POST", path(chat), 422, json=body)["code"] == "template_not_approved"
    with system_scope("a test's rows"):
        row.state = "approved"
        db.session.flush()
    team.post(path(chat), body, 202)
    stored = messages(chat)[-1].body["parts"][0]
    assert (stored["text"], stored["template"]["name"]) == ("Hello Ada, at 10:00?", "viewing")
    assert len(messages(chat)) == 2
    body["template"]["variables"] = ["Ada"]
    assert team.call("POST", path(chat), 422, json=body)["code"].startswith(("variable", "invalid"))


def test_what_was_written_in_time_and_is_due_too_late_is_not_sent(
    app: Flask, team: Team, windowed: FakeChannel
) -> None:
    chat = inbox.conversation(team.home)
    inbox.receive(chat)
    soon, where = clock.now() + timedelta(hours=1), path(chat)
    answer = team.post(where, {"text": "later", "not_before": soon.isoformat()}, 202)
    with system_scope("the provider says that the window is closed"):
        state.close_window(fresh(chat))
        db.session.commit()
    clock.move(2 * 3600)
    sweep()
    run(app)
    assert windowed.texts() == []
    (shown,) = [it for it in team.get(where)["messages"] if it["id"] == answer["message_id"]]
    assert (shown["state"], shown["reason"]) == ("canceled", "window_closed")
    assert "window" in shown["reason_text"] or "template" in shown["reason_text"]


def test_where_somebody_else_is_in_charge_nothing_is_said(team: Team, provider: FakeChannel) -> None:
    chat = inbox.conversation(team.home, in_charge="other")
    refused = team.call("POST", path(chat), 409, json={"text": "Yes"})
    assert (refused["code"], refused["detail"]) == ("not_in_charge", {"in_charge": "other"})
    team.post(f"/api/conversations/{chat.id}/take-control")
    team.post(path(chat), {"text": "Yes"}, 202)
    again = team.call("POST", f"/api/conversations/{chat.id}/take-control", 409)
    assert again["code"] == "already_in_charge"


def test_who_is_not_to_be_written_to_is_not(team: Team, provider: FakeChannel) -> None:
    chat = inbox.conversation(team.home, blocked_code="blocked")
    refused = team.call("POST", path(chat), 409, json={"text": "Yes"})
    assert refused["code"] == "blocked"
    assert messages(chat) == []


def test_what_a_channel_lacks_is_not_supported(team: Team, provider: FakeChannel) -> None:
    chat = inbox.conversation(team.home)
    template = {"name": "viewing", "language": "en"}
    refused = team.call("POST", path(chat), 409, json={"template": template})
    assert (refused["code"], refused["detail"]) == ("not_supported", {"what": "template"})
    assert team.call("POST", path(chat), 422, json={"text": " "})["code"] == "empty_message"
    assert team.call("POST", path(chat), 404, json={"text": "x", "file_ids": [999]})["code"] == "file_not_found"
    assert team.call("POST", path(chat), 404, json={"text": "x", "reply_to": 999})["code"] == "message_not_found"


def test_files_go_as_what_they_are(app: Flask, team: Team, provider: FakeChannel) -> None:
    chat = inbox.conversation(team.home)
    with workspace_scope(team.home.id):
        picture = files.upload(factories.by("user:1"), "room.png", io.BytesIO(b"\x89PNG\r\n\x1a\n" + b"\0" * 64)).id
        notes = files.upload(factories.by("user:1"), "terms.txt", io.BytesIO(b"Two rents.")).id
        db.session.commit()
    team.post(path(chat), {"text": "See", "file_ids": [picture, notes]}, 202)
    media = messages(chat)[0].body["parts"][0]["media"]
    assert [(it["kind"], it["filename"]) for it in media] == [("photo", "room.png"), ("document", "terms.txt")]
    (shown,) = team.get(path(chat))["messages"]
    assert [(it["file_id"], it["state"]) for it in shown["files"]] == [(picture, "stored"), (notes, "stored")]
    twice = team.call("POST", path(chat), 422, json={"file_ids": [notes, notes]})
    assert twice["code"] == "file_twice"


def test_an_answer_whose_outcome_is_unknown_is_never_repeated_by_itself(
    app: Flask, team: Team, provider: FakeChannel
) -> None:
    chat = inbox.conversation(team.home)
    provider.script = lambda op: OutcomeUnknown("read_timeout")
    answer = team.post(path(chat), {"text": "Yes"}, 202)
    run(app)
    provider.script = None
    (shown,) = team.get(path(chat))["messages"]
    assert shown["state"] == "unknown"
    clock.move(3600)
    run(app)
    assert provider.accepted == []
    retry = f"/api/messages/{answer['message_id']}/retry"
    assert team.call("POST", retry, 409, json={})["code"] == "outcome_unknown"
    again = team.post(retry, {"although_unknown": True}, 202)
    assert team.post(retry, {"although_unknown": True}, 202) == again
    run(app)
    assert provider.texts() == ["Yes"]


def test_a_failed_answer_is_tried_again_by_a_person(app: Flask, team: Team, provider: FakeChannel) -> None:
    chat = inbox.conversation(team.home)
    provider.part_chars = 4
    provider.script = lambda op: Rejected("refused") if op.content and op.content.text == "part" else None
    answer = team.post(path(chat), {"text": "one part two"}, 202)
    run(app)
    (failed,) = team.get(path(chat))["messages"]
    assert (failed["state"], failed["error"]) == ("failed", "refused")
    provider.script, sent = None, list(provider.texts())
    team.post(f"/api/messages/{answer['message_id']}/retry", {}, 202)
    run(app)
    # What had arrived is not said twice.
    assert "".join(provider.texts()).replace(" ", "").count("one") == 1
    assert "part" in "".join(provider.texts()[len(sent) :])
    fine = messages(chat)[-1]
    assert team.call("POST", f"/api/messages/{fine.id}/retry", 409, json={})["code"] == "not_failed"


def test_what_is_to_be_sent_later_can_be_edited_and_taken_back(app: Flask, team: Team, provider: FakeChannel) -> None:
    chat = inbox.conversation(team.home)
    inbox.receive(chat)
    later = (clock.now() + timedelta(hours=2)).isoformat()
    answer = team.post(path(chat), {"text": "tomorrow", "not_before": later}, 202)
    shown = team.get(path(chat))["messages"][0]
    assert (shown["state"], shown["reason"]) == ("queued", "send_later")
    assert shown["reason_text"]
    # The person still waits, until it is sent.
    assert (fresh(chat).status, fresh(chat).waiting_since is None) == ("open", False)
    message = f"/api/messages/{answer['message_id']}"
    team.call("PATCH", message, json={"text": "the day after"})
    gone = team.call("DELETE", message)
    assert gone["state"] == "canceled"
    other = team.post(path(chat), {"text": "in two hours", "not_before": later}, 202)
    clock.move(2 * 3600 + 1)
    run(app)
    assert provider.texts() == ["in two hours"]
    assert (fresh(chat).status, fresh(chat).last_message_id) == ("waiting", other["message_id"])
    with system_scope("a test looks"):
        words = db.session.scalars(select(MessageWords.message_id)).all()
    assert answer["message_id"] not in words


def test_a_sent_answer_is_edited_and_taken_back_where_the_channel_can(
    app: Flask, team: Team, provider: FakeChannel
) -> None:
    chat = inbox.conversation(team.home)
    answer = team.post(path(chat), {"text": "two rents"}, 202)
    run(app)
    message = f"/api/messages/{answer['message_id']}"
    team.call("PATCH", message, json={"text": "three rents"})
    run(app)
    assert provider.texts("edit") == ["three rents"]
    assert [it["text"] for it in team.get(message + "/versions")["versions"]] == ["three rents", "two rents"]
    assert team.get("/api/search", query_string={"q": "three"})["results"]
    assert not team.get("/api/search", query_string={"q": "two"})["results"]
    team.call("DELETE", message)
    run(app)
    assert provider.accepted[-1].kind == "delete"
    spec = registry.spec("telegram_bot")
    registry.put(
        "telegram_bot", provider, replace(spec, capabilities=replace(spec.capabilities, edit=False, delete=False))
    )
    plain = team.post(path(chat), {"text": "final"}, 202)
    run(app)
    for method, body in (("PATCH", {"json": {"text": "x"}}), ("DELETE", {})):
        refused = team.call(method, f"/api/messages/{plain['message_id']}", 409, **body)
        assert refused["code"] == "not_supported"


def test_a_stranger_s_message_is_neither_edited_nor_taken_back(team: Team) -> None:
    theirs = inbox.receive(inbox.conversation(team.home))
    assert team.call("PATCH", f"/api/messages/{theirs.id}", 409, json={"text": "x"})["code"] == "not_editable"
    assert team.call("DELETE", f"/api/messages/{theirs.id}", 409)["code"] == "not_deletable"
    assert team.call("POST", f"/api/messages/{theirs.id}/retry", 409, json={})["code"] == "not_failed"


def test_writing_first_uses_the_conversation_that_there_is(team: Team, provider: FakeChannel) -> None:
    chat = inbox.conversation(team.home)
    contact = inbox.contact(chat, first_name="Ada")
    body = {"integration_id": chat.sender_id, "contact_id": contact.id, "text": "Good morning"}
    answer = team.post("/api/conversations", body, 202)
    assert answer["conversation_id"] == chat.id
    other = factories.bot(team.home)
    refused = team.call("POST", "/api/conversations", 409, json=body | {"integration_id": other.id})
    assert refused["code"] in ("no_number", "not_supported")
    by_phone = {"integration_id": other.id, "phone": "+44 7700 900123", "text": "Good morning"}
    assert team.call("POST", "/api/conversations", 409, json=by_phone)["code"] == "not_supported"
    elsewhere = factories.bot(factories.workspace())
    foreign = team.call("POST", "/api/conversations", 404, json=body | {"integration_id": elsewhere.id})
    assert foreign["code"] == "integration_not_found"


def test_nothing_is_stored_of_what_is_refused(team: Team, windowed: FakeChannel) -> None:
    chat = inbox.conversation(team.home)
    inbox.receive(chat)
    clock.move(25 * 3600)
    team.call("POST", path(chat), 409, json={"text": "late"})
    with system_scope("a test looks"):
        assert db.session.scalars(select(Delivery)).all() == []
    assert messages(chat) == []
    assert fresh(chat).status == "open"


def test_what_waits_when_somebody_else_takes_charge_is_not_sent(app: Flask, team: Team, provider: FakeChannel) -> None:
    chat = inbox.conversation(team.home)
    where, soon = path(chat), (clock.now() + timedelta(minutes=5)).isoformat()
    team.post(where, {"text": "soon", "not_before": soon}, 202)
    with system_scope("the provider says that another application is in charge"):
        state.set_in_charge(fresh(chat), "other")
        db.session.commit()
    clock.move(600)
    sweep()
    run(app)
    assert provider.texts() == []
    (shown,) = team.get(where)["messages"]
    assert (shown["state"], shown["reason"]) == ("canceled", "not_in_charge")
