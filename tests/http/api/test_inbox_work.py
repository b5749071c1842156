"""What a team does in the inbox over the API: labels, notes, drafts, canned replies, snoozes, bulk with undo."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.models import AuditEntry, Contact, Conversation, ConversationNote, Delivery, LiveEvent, Message
from backend.services import files
from tests.http import holdings
from tests.http.api.inbox_api import Team
from tests.support import factories, inbox


@pytest.fixture
def team(client: FlaskClient) -> Team:
    return Team(client)


def fresh(chat: Conversation) -> Conversation:
    with system_scope("a test looks"):
        return db.session.get_one(Conversation, chat.id, populate_existing=True)


def audited(team: Team) -> list[str]:
    with system_scope("a test looks"):
        query = select(AuditEntry.action).where(AuditEntry.workspace_id == team.home.id).order_by(AuditEntry.id)
        return [action for action in db.session.scalars(query) if not action.startswith(("person", "token"))]


def test_labels_are_told_apart_without_letter_case(team: Team) -> None:
    made = team.post("/api/labels", {"name": " Two  rooms ", "color": "teal"}, 201)
    assert (made["name"], made["color"]) == ("Two rooms", "teal")
    again = team.call("POST", "/api/labels", 409, json={"name": "TWO ROOMS"})
    assert (again["code"], again["detail"]) == ("label_exists", {"label_id": made["id"]})
    changed = team.call("PATCH", f"/api/labels/{made['id']}", json={"name": "three rooms"})
    assert (changed["name"], changed["color"]) == ("three rooms", "teal")
    chat = inbox.conversation(team.home)
    labels = f"/api/conversations/{chat.id}/labels"
    shown = team.call("PUT", labels, json={"label_ids": [made["id"]]})
    assert [label["name"] for label in shown["labels"]] == ["three rooms"]
    assert team.call("PUT", labels, 404, json={"label_ids": [made["id"], 999]})["code"] == "label_not_found"
    assert len(team.get(f"/api/conversations/{chat.id}")["labels"]) == 1
    team.call("DELETE", f"/api/labels/{made['id']}", 204)
    assert team.get(f"/api/conversations/{chat.id}")["labels"] == []
    assert audited(team) == ["label.created", "label.changed", "conversation.labelled", "label.deleted"]


def test_a_note_is_for_the_team_and_tells_who_is_mentioned(team: Team) -> None:
    kim = team.person("Kim")
    with system_scope("a test's rows"):
        factories.link(kim, holdings.default_bot(kim), "7000001")
    chat = inbox.conversation(team.home)
    notes = f"/api/conversations/{chat.id}/notes"
    note = team.post(notes, {"text": "Two parts are fine. @Kim", "mentions": [kim.id, team.admin.id]}, 201)
    assert [it["text"] for it in team.get(notes)["notes"]] == ["Two parts are fine. @Kim"]
    with system_scope("a test looks"):
        (told,) = db.session.scalars(select(Message).where(Message.direction == "out")).all()
        assert (told.kind, told.user_id) == ("mention", kim.id)
        assert "Ines" in told.body["parts"][0]["text"]
        assert "Two parts" not in told.body["parts"][0]["text"]
        assert told.conversation_id != chat.id
    stranger = factories.user()
    outside = team.call("POST", notes, 422, json={"text": "Hello", "mentions": [stranger.id]})
    assert outside["code"] == "mention_unknown"
    refused = team.call("DELETE", f"{notes}/{note['id']}", 403, by=kim)
    assert refused["code"] == "not_the_author"
    team.call("DELETE", f"{notes}/{note['id']}", 204)
    assert team.get(notes)["notes"] == []
    with system_scope("a test looks"):
        assert db.session.scalars(select(ConversationNote.text)).all() == [""]


def test_a_mute_is_heard_when_somebody_is_mentioned(team: Team) -> None:
    kim = team.person("Kim")
    with system_scope("a test's rows"):
        factories.link(kim, holdings.default_bot(kim), "7000001")
    team.call("PATCH", "/api/notifications/settings", by=kim, json={"types": {"new_message": False}})
    chat = inbox.conversation(team.home)
    team.post(f"/api/conversations/{chat.id}/notes", {"text": "@Kim", "mentions": [kim.id]}, 201)
    with system_scope("a test looks"):
        assert db.session.scalars(select(Message).where(Message.direction == "out")).all() == []


def test_a_draft_is_a_person_s_own(team: Team) -> None:
    kim = team.person("Kim")
    chat = inbox.conversation(team.home)
    asked = inbox.receive(chat)
    draft = f"/api/conversations/{chat.id}/draft"
    kept = team.call("PUT", draft, json={"text": "Ye", "reply_to": asked.id})
    team.call("PUT", draft, json={"text": "Yes"})
    assert (kept["text"], kept["reply_to"]) == ("Ye", asked.id)
    assert team.get(draft)["text"] == "Yes"
    assert team.get(draft, by=kim)["text"] == ""
    with system_scope("a test looks"):
        heard = db.session.scalars(select(LiveEvent).where(LiveEvent.topic == "drafts")).all()
        assert {event.only_for for event in heard} == {team.admin.id}
    team.call("PUT", draft, json={"text": ""})
    assert team.get(draft) == {"text": "", "file_ids": [], "reply_to": None, "updated_at": None}


def test_canned_replies_know_whom_they_are_said_to(team: Team) -> None:
    kim = team.person("Kim")
    with workspace_scope(team.home.id):
        plan = files.upload(factories.by("user:1"), "plan.txt", io.BytesIO(b"A plan")).id
    text = "Hello {contact.first_name|there}, {contact.fields.flat|your flat} is free. {agent.name}"
    body = {"name": "Free", "shortcut": "/Free", "text": text, "file_ids": [plan]}
    shared = team.post("/api/canned-replies", body, 201)
    assert (shared["shortcut"], shared["personal"]) == ("free", False)
    own = team.post("/api/canned-replies", body | {"personal": True}, 201)
    taken = team.call("POST", "/api/canned-replies", 409, json=body, by=kim)
    assert (taken["code"], taken["detail"]) == ("shortcut_taken", {"canned_reply_id": shared["id"]})
    assert [it["id"] for it in team.get("/api/canned-replies")["canned_replies"]] == [shared["id"], own["id"]]
    assert [it["id"] for it in team.get("/api/canned-replies", by=kim)["canned_replies"]] == [shared["id"]]
    assert team.call("GET", f"/api/canned-replies/{own['id']}", 404, by=kim)["code"] == "canned_reply_not_found"
    unknown = team.call("POST", "/api/canned-replies", 422, json=body | {"text": "{contact.salary}", "shortcut": None})
    assert unknown["code"] == "unknown_variable"

    chat = inbox.conversation(team.home, name="")
    render = f"/api/canned-replies/{shared['id']}/render"
    query = {"conversation_id": chat.id}
    assert team.get(render, query_string=query)["text"] == "Hello there, your flat is free. Ines"
    inbox.contact(chat, first_name="Ada", fields={"flat": "4B"})
    said = team.get(render, by=kim, query_string=query)
    assert (said["text"], said["file_ids"]) == ("Hello Ada, 4B is free. Kim", [plan])
    assert [it["id"] for it in team.get("/api/canned-replies", query_string={"q": "/fre"})["canned_replies"]] == [
        shared["id"], own["id"],
    ]  # fmt: skip


def test_values_are_escaped_in_rich_text(team: Team) -> None:
    chat = inbox.conversation(team.home)
    inbox.contact(chat, first_name="<b>Ada</b>")
    reply = team.post("/api/canned-replies", {"name": "x", "text": "{contact.first_name}", "format": "html"}, 201)
    said = team.get(f"/api/canned-replies/{reply['id']}/render", query_string={"conversation_id": chat.id})
    assert said["text"] == "&lt;b&gt;Ada&lt;/b&gt;"


def test_a_conversation_is_put_off_closed_and_opened(team: Team) -> None:
    chat = inbox.conversation(team.home)
    inbox.receive(chat)
    base = f"/api/conversations/{chat.id}"
    until = clock.now() + timedelta(hours=3)
    shown = team.post(base + "/snooze", {"until": until.isoformat()})
    assert (shown["status"], shown["snoozed_until_reply"]) == ("snoozed", False)
    for wrong in ({}, {"until": until.isoformat(), "until_reply": True}, {"until": clock.now().isoformat()}):
        assert team.call("POST", base + "/snooze", 422, json=wrong)["code"] == "snooze_end"
    inbox.receive(fresh(chat), "Are you there?")
    assert team.get(base)["status"] == "open"
    team.post(base + "/snooze", {"until_reply": True})
    assert team.post(base + "/close")["status"] == "closed"
    assert team.call("POST", base + "/snooze", 409, json={"until_reply": True})["code"] == "already_closed"
    assert team.post(base + "/reopen")["status"] == "open"
    assert team.call("POST", base + "/hand-back", 409)["code"] == "no_assistant"


def test_giving_a_conversation_to_somebody(team: Team) -> None:
    kim, viewer = team.person("Kim"), team.person("Vi", "viewer")
    chat = inbox.conversation(team.home, status="bot")
    assign = f"/api/conversations/{chat.id}/assign"
    shown = team.post(assign, {"assignee_id": kim.id})
    assert (shown["assignee_id"], shown["assignee_name"], shown["status"]) == (kim.id, "Kim", "open")
    assert team.post(assign, {"assignee_id": None})["assignee_id"] is None
    assert team.call("POST", assign, 422, json={"assignee_id": viewer.id})["code"] == "person_cannot_answer"
    stranger = factories.user()
    assert team.call("POST", assign, 404, json={"assignee_id": stranger.id})["code"] == "person_not_found"
    own = inbox.conversation(team.home, owner_user_id=team.admin.id, visibility="owner")
    elsewhere = team.call("POST", f"/api/conversations/{own.id}/assign", 404, json={"assignee_id": kim.id})
    assert elsewhere["code"] == "person_not_found"


def test_what_was_seen_is_not_unread(team: Team) -> None:
    chat = inbox.conversation(team.home)
    first = inbox.receive(chat)
    inbox.receive(chat, "second")
    read = f"/api/conversations/{chat.id}/read"
    assert team.post(read, {"up_to": first.id})["unread_count"] == 1
    assert team.post(read, {})["unread_count"] == 0
    assert team.call("POST", read, 404, json={"up_to": 999_999})["code"] == "message_not_found"


def test_many_are_changed_at_once_and_it_is_taken_back(team: Team) -> None:
    kim = team.person("Kim")
    chats = [inbox.conversation(team.home, status=status) for status in ("open", "waiting", "closed")]
    hidden = inbox.conversation(team.home, owner_user_id=kim.id, visibility="owner")
    ids = [chat.id for chat in (*chats, hidden)]
    done = team.post("/api/conversations/bulk", {"action": "close", "ids": ids})
    assert (done["matched"], done["changed"]) == (3, 2)
    assert [fresh(chat).status for chat in chats] == ["closed"] * 3
    assert fresh(hidden).status == "open"
    undo = f"/api/undo/{done['undo']['id']}"
    assert team.call("POST", undo, 404, by=kim)["code"] == "undo_not_found"
    assert team.post(undo) == {"restored": 2}
    assert [fresh(chat).status for chat in chats] == ["open", "waiting", "closed"]
    assert team.call("POST", undo, 409)["code"] == "already_undone"


def test_what_somebody_changed_since_is_not_overwritten_by_an_undo(team: Team) -> None:
    chats = [inbox.conversation(team.home) for _ in range(2)]
    done = team.post("/api/conversations/bulk", {"action": "close", "ids": [chat.id for chat in chats]})
    team.post(f"/api/conversations/{chats[1].id}/reopen")
    refused = team.call("POST", f"/api/undo/{done['undo']['id']}", 409)
    assert (refused["code"], refused["detail"]) == ("undo_conflict", {"ids": [chats[1].id]})
    assert [fresh(chat).status for chat in chats] == ["closed", "open"]
    clock.move(31 * 60)
    assert team.call("POST", f"/api/undo/{done['undo']['id']}", 404)["code"] == "undo_not_found"


def test_labels_people_and_snoozes_of_many(team: Team) -> None:
    kim = team.person("Kim")
    label_id = team.post("/api/labels", {"name": "urgent"}, 201)["id"]
    chats = [inbox.conversation(team.home) for _ in range(3)]
    bulk, everything = "/api/conversations/bulk", {"filter": {"status": ["open"]}}
    labelled = team.post(bulk, {"action": "label", "add_labels": [label_id]} | everything)
    assert labelled["changed"] == 3
    assert team.post(bulk, {"action": "label", "add_labels": [label_id]} | everything)["undo"] is None
    team.post(f"/api/undo/{labelled['undo']['id']}")
    assert team.get(f"/api/conversations/{chats[0].id}")["labels"] == []
    assert team.post(bulk, {"action": "assign", "assignee_id": kim.id} | everything)["changed"] == 3
    until = (clock.now() + timedelta(hours=1)).isoformat()
    snoozed = team.post(bulk, {"action": "snooze", "until": until} | everything)
    assert {fresh(chat).status for chat in chats} == {"snoozed"}
    team.post(f"/api/undo/{snoozed['undo']['id']}")
    assert {(fresh(chat).status, fresh(chat).snoozed_until, fresh(chat).assignee_id) for chat in chats} == {
        ("open", None, kim.id)
    }
    for wrong, code in (
        ({"action": "close"}, "ids_or_filter"),
        ({"action": "close", "ids": [chats[0].id]} | everything, "ids_or_filter"),
        ({"action": "label", "ids": [chats[0].id]}, "no_labels"),
        ({"action": "snooze", "ids": [chats[0].id]}, "snooze_end"),
    ):
        assert team.call("POST", bulk, 422, json=wrong)["code"] == code


def test_who_else_is_there(team: Team) -> None:
    kim = team.person("Kim")
    chat = inbox.conversation(team.home)
    base = f"/api/conversations/{chat.id}"
    assert team.get(base + "/viewers")["viewers"] == []
    team.call("POST", base + "/presence", 204, by=kim, json={})
    seen = {"user_id": kim.id, "name": "Kim", "is_writing": False}
    assert team.get(base + "/viewers")["viewers"] == [seen]
    assert team.get(base + "/viewers", by=kim)["viewers"] == []
    team.call("POST", base + "/typing", 204, by=kim)
    assert team.get(base + "/viewers")["viewers"] == [seen | {"is_writing": True}]
    with system_scope("a test looks"):
        typing = db.session.scalars(select(Delivery.operation)).all()
    assert typing == ["chat_action"]
    team.call("POST", base + "/presence", 204, by=kim, json={"state": "gone"})
    assert team.get(base + "/viewers")["viewers"] == []
    team.call("POST", base + "/presence", 204, by=kim, json={})
    clock.move(26)
    assert team.get(base + "/viewers")["viewers"] == []
    # Nothing of it is stored.
    with system_scope("a test looks"):
        topics = {event.topic for event in db.session.scalars(select(LiveEvent))}
        assert topics.isdisjoint({"typing", "presence"})


def test_an_erased_contact_s_name_is_gone(team: Team) -> None:
    chat = inbox.conversation(team.home, name="person")
    contact = inbox.contact(chat, first_name="Ada")
    with system_scope("a test"):
        db.session.get_one(Contact, contact.id).erased_at = clock.now()
        db.session.flush()
    shown: dict[str, Any] = team.get(f"/api/conversations/{chat.id}")["contact"]
    assert (shown["id"], shown["name"]) == (None, "person")
