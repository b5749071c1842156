"""The inbox's list and a conversation's thread over the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.models import ConversationShare, MessageFile, MessageReaction, MessageVersion
from backend.services.inbox import settings
from tests.http.api.inbox_api import Team
from tests.support import factories, inbox


@pytest.fixture
def team(client: FlaskClient) -> Team:
    return Team(client)


def listed(team: Team, by: Any = None, **query: Any) -> list[int]:
    return [it["id"] for it in team.get("/api/conversations", by=by, query_string=query)["conversations"]]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_the_list_shows_who_wrote_what_and_since_when_they_wait(team: Team) -> None:
    chat = inbox.conversation(team.home, name="Ada Sample")
    first = inbox.receive(chat, "Is the flat\nstill free?")
    inbox.receive(chat, "Hello?")
    (shown,) = team.get("/api/conversations")["conversations"]
    assert shown["contact"] == {"id": None, "identity_id": chat.identity_id, "name": "Ada Sample", "username": None}
    assert (shown["channel"], shown["integration_id"]) == ("telegram_bot", chat.sender_id)
    assert (shown["status"], shown["in_charge"], shown["unread_count"]) == ("open", "us", 2)
    assert shown["last_message"]["text"] == "Hello?"
    assert shown["last_message"]["direction"] == "in"
    assert shown["last_message_id"] == shown["last_message"]["id"]
    assert moment(shown["waiting_since"]) - first.at < timedelta(seconds=1)
    assert shown["sla"] == {"first_response": None, "next_response": None}
    assert team.get(f"/api/conversations/{chat.id}") == shown


def test_a_contact_s_name_stands_before_the_provider_s(team: Team) -> None:
    chat = inbox.conversation(team.home, name="ada_2000")
    contact = inbox.contact(chat, first_name="Ada", last_name="Sample")
    assert team.get(f"/api/conversations/{chat.id}")["contact"]["name"] == "Ada Sample"
    assert listed(team, contact_id=contact.id) == [chat.id]
    assert listed(team, contact_id=contact.id + 1) == []


def test_the_latest_activity_is_first_and_pages_hold_each_once(team: Team) -> None:
    chats = [inbox.conversation(team.home) for _ in range(5)]
    for place in (3, 0, 4, 1, 2):
        clock.move(1)
        inbox.receive(chats[place])
    order = [chats[place].id for place in (2, 1, 4, 0, 3)]
    assert listed(team) == order
    found, cursor = list[int](), None
    for _ in range(3):
        answer = team.get("/api/conversations", query_string={"limit": 2} | ({"cursor": cursor} if cursor else {}))
        found += [it["id"] for it in answer["conversations"]]
        cursor = answer["next_cursor"]
    assert found == order
    assert cursor is None
    assert team.call("GET", "/api/conversations", 422, query_string={"cursor": "x"})["code"] == "invalid_cursor"


def test_filters_together(team: Team) -> None:
    kim = team.person()
    bot = factories.bot(team.home)
    mine = inbox.conversation(team.home, assignee_id=team.admin.id)
    kims = inbox.conversation(team.home, bot, assignee_id=kim.id, status="waiting")
    nobodys = inbox.conversation(team.home, bot, unread_count=2)
    closed = inbox.conversation(team.home, status="closed")
    label_id = team.post("/api/labels", {"name": "Urgent"}, 201)["id"]
    team.call("PUT", f"/api/conversations/{nobodys.id}/labels", json={"label_ids": [label_id]})
    assert set(listed(team)) == {mine.id, kims.id, nobodys.id, closed.id}
    assert listed(team, status="closed") == [closed.id]
    assert set(listed(team, status="open,waiting")) == {mine.id, kims.id, nobodys.id}
    assert listed(team, assignee="me") == [mine.id]
    assert listed(team, kim, assignee="me") == [kims.id]
    assert listed(team, assignee=str(kim.id)) == [kims.id]
    assert set(listed(team, assignee="none")) == {nobodys.id, closed.id}
    assert set(listed(team, integration_id=bot.id)) == {kims.id, nobodys.id}
    assert listed(team, label="urgent") == listed(team, label=label_id) == [nobodys.id]
    assert listed(team, unread="true") == [nobodys.id]
    assert nobodys.id not in listed(team, unread="false")
    assert listed(team, channel="whatsapp") == []
    assert listed(team, status="open", assignee="none", unread="true") == [nobodys.id]
    assert team.call("GET", "/api/conversations", 422, query_string={"assignee": "you"})["code"] == "invalid"
    counts = team.get("/api/conversations/counts")
    assert counts == {
        "bot": 0, "open": 2, "waiting": 1, "snoozed": 0, "closed": 1, "mine": 1, "unassigned": 1, "unread": 1,
        "late": 0,
    }  # fmt: skip


def test_words_and_names_find_a_conversation_in_the_list(team: Team) -> None:
    ada, mina = inbox.conversation(team.home, name="Ada Sample"), inbox.conversation(team.home, name="김미나")
    inbox.receive(ada, "보증금은 얼마인가요?")
    inbox.receive(mina, "Is the flat free?")
    assert listed(team, q="sampl") == [ada.id]
    assert listed(team, q="증금") == [ada.id]
    assert listed(team, q="미나") == [mina.id]
    assert listed(team, q="flat") == [mina.id]
    assert listed(team, q="nothing like it") == []
    assert team.call("GET", "/api/conversations", 422, query_string={"q": "!"})["code"] == "query_too_short"


def test_what_is_not_in_the_inbox_is_not_there(team: Team) -> None:
    chat = inbox.conversation(team.home, in_inbox=False, status=None)
    assert listed(team) == []
    for path in ("", "/messages", "/notes", "/draft"):
        assert team.call("GET", f"/api/conversations/{chat.id}{path}", 404)["code"] == "conversation_not_found"


def test_an_own_chat_exists_for_its_owner_and_those_it_is_shared_with(team: Team) -> None:
    kim, lee = team.person("Kim"), team.person("Lee", "admin")
    own = inbox.conversation(team.home, owner_user_id=kim.id, visibility="owner", unread_count=1)
    message = inbox.receive(own, "Only for Kim")

    def sees(person: Any) -> bool:
        by_list = own.id in listed(team, person)
        by_search = bool(team.get("/api/search", by=person, query_string={"q": "only"})["results"])
        by_count = team.get("/api/conversations/counts", by=person)["unread"] == 1
        by_name = own.id in listed(team, person, q="Only for")
        status = 200 if by_list else 404
        team.call("GET", f"/api/conversations/{own.id}", status, by=person)
        team.call("GET", f"/api/messages/{message.id}/versions", status, by=person)
        team.call("POST", f"/api/conversations/{own.id}/read", status, by=person, json={})
        with system_scope("a test"):
            own.unread_count = 1
            db.session.flush()
        assert by_list == by_search == by_count == by_name
        return by_list

    assert (sees(kim), sees(lee), sees(team.admin)) == (True, False, False)
    with system_scope("a test"):
        own.visibility = "people"
        shared = ConversationShare(workspace_id=team.home.id, conversation_id=own.id, user_id=lee.id)
        shared.created_at = clock.now()
        db.session.add(shared)
        db.session.flush()
    assert (sees(kim), sees(lee), sees(team.admin)) == (True, True, False)


def test_a_thread_is_in_the_provider_s_order(team: Team) -> None:
    chat = inbox.conversation(team.home)
    now = clock.now()
    late = inbox.receive(chat, "second", happened_at=now + timedelta(seconds=20))
    early = inbox.receive(chat, "first, and stored last", happened_at=now + timedelta(seconds=10))
    same = inbox.receive(chat, "at the same moment", happened_at=now + timedelta(seconds=20))
    path = f"/api/conversations/{chat.id}/messages"
    order = [same.id, late.id, early.id]
    assert [it["id"] for it in team.get(path)["messages"]] == order
    page = team.get(path, query_string={"limit": 2})
    rest = team.get(path, query_string={"limit": 2, "cursor": page["next_cursor"]})
    assert [it["id"] for it in (*page["messages"], *rest["messages"])] == order
    after = team.get(path, query_string={"after": early.id})
    assert [it["id"] for it in after["messages"]] == [same.id, late.id]
    around = team.get(path, query_string={"around": late.id, "limit": 2})
    assert [it["id"] for it in around["messages"]] == [same.id, late.id]
    assert around["next_cursor"] is not None
    other = inbox.receive(inbox.conversation(team.home))
    assert team.call("GET", path, 404, query_string={"around": other.id})["code"] == "message_not_found"
    both = {"around": late.id, "after": late.id}
    assert team.call("GET", path, 422, query_string=both)["code"] == "places_ambiguous"


def test_a_message_shows_all_that_belongs_to_it(team: Team) -> None:
    chat = inbox.conversation(team.home, name="Ada")
    asked = inbox.receive(chat, "Is this the room?", kind="photo")
    said = inbox.say(chat, "", author_user_id=team.admin.id, reply_to=asked.external_id, edited_at=clock.now(),
                     body={"parts": [{"text": "It <b>is</b> 👍 <a href=\"https://example.com\">here</a>",
                                      "format": "html"}]})  # fmt: skip
    now = clock.now()
    with system_scope("a test's rows"):
        place = {"workspace_id": team.home.id, "message_id": asked.id}
        db.session.add(MessageFile(**place, kind="photo", mime="image/jpeg", size=9, state="waiting", created_at=now))
        db.session.add(MessageReaction(**place, author="us", reaction="👍", at=now))
        db.session.add(MessageReaction(**place, author=str(chat.identity_id), reaction="👍", at=now))
        db.session.add(MessageReaction(**place, author="9", reaction=None, at=now))
        was = {"parts": [{"text": "It was", "format": "plain"}]}
        db.session.add(
            MessageVersion(workspace_id=team.home.id, message_id=said.id, version=1, body=was, edited_at=said.at)
        )
        db.session.flush()
    ours, theirs = team.get(f"/api/conversations/{chat.id}/messages")["messages"]
    assert theirs["author"] == {"identity_id": chat.identity_id, "contact_id": None, "user_id": None, "name": "Ada"}
    assert (theirs["kind"], theirs["via"], theirs["state"]) == ("photo", "provider", "received")
    assert theirs["files"][0] | {"state": "waiting", "file_id": None, "url": None} == theirs["files"][0]
    assert theirs["reactions"] == [{"reaction": "👍", "count": 2, "mine": True}]
    assert ours["author"]["name"] == "Ines"
    assert ours["reply_to"] == {
        "message_id": asked.id, "external_id": asked.external_id, "quote": "Is this the room?",
    }  # fmt: skip
    assert ours["text"] == "It is 👍 here"
    assert ours["entities"] == [
        {"type": "bold", "offset": 3, "length": 2, "url": None},
        {"type": "link", "offset": 9, "length": 4, "url": "https://example.com"},
    ]
    assert ours["versions"] == 2
    versions = team.get(f"/api/messages/{said.id}/versions")["versions"]
    assert [it["text"] for it in versions] == ["It is 👍 here (https://example.com)", "It was"]


def test_of_what_was_taken_back_only_that_is_told(team: Team) -> None:
    chat = inbox.conversation(team.home)
    message = inbox.receive(chat, "a secret", deleted_at=clock.now())
    (shown,) = team.get(f"/api/conversations/{chat.id}/messages")["messages"]
    assert shown["deleted_at"] is not None
    assert (shown["text"], shown["files"], shown["content"]) == ("", [], None)
    assert team.get(f"/api/messages/{message.id}/versions") == {"versions": []}
    assert team.get("/api/conversations")["conversations"][0]["last_message"]["text"] == ""
    assert team.get("/api/search", query_string={"q": "secret"})["results"] == []


def test_a_failure_says_why_in_the_reader_s_language(team: Team) -> None:
    chat = inbox.conversation(team.home)
    inbox.say(chat, state="failed", error="window_closed")
    path = f"/api/conversations/{chat.id}/messages"
    english = team.get(path)["messages"][0]
    korean = team.get(path, headers={"Accept-Language": "ko"})["messages"][0]
    assert english["reason"] == english["error"] == "window_closed"
    assert english["reason_text"] != korean["reason_text"]
    assert any("가" <= letter <= "힣" for letter in korean["reason_text"])


def test_timers_count_working_time_until_a_person_answers(team: Team) -> None:
    with workspace_scope(team.home.id):
        settings.change(factories.by("user:1"), {"first_response_minutes": 30, "next_response_minutes": 60})
    chat = inbox.conversation(team.home)
    message = inbox.receive(chat)
    first = team.get(f"/api/conversations/{chat.id}")["sla"]
    due = moment(first["first_response"]["due_at"])
    assert abs(due - (message.at.astimezone(UTC) + timedelta(minutes=30))) < timedelta(seconds=1)
    assert (first["first_response"]["late"], first["next_response"]) == (False, None)
    clock.move(31 * 60)
    assert team.get(f"/api/conversations/{chat.id}")["sla"]["first_response"]["late"] is True
    team.post(f"/api/conversations/{chat.id}/messages", {"text": "Yes"}, 202)
    answered = team.get(f"/api/conversations/{chat.id}")["sla"]
    assert answered["first_response"]["answered_at"] is not None
    assert (answered["first_response"]["late"], answered["next_response"]) == (True, None)
    inbox.receive(chat, "And when?")
    again = team.get(f"/api/conversations/{chat.id}")["sla"]
    assert again["next_response"]["late"] is False


def test_viewers_read_and_do_not_write(team: Team) -> None:
    viewer = team.person("Vi", "viewer")
    chat = inbox.conversation(team.home)
    inbox.receive(chat)
    assert listed(team, viewer) == [chat.id]
    team.get(f"/api/conversations/{chat.id}/messages", by=viewer)
    for path in ("take-over", "close", "read", "typing"):
        refused = team.call("POST", f"/api/conversations/{chat.id}/{path}", 403, by=viewer, json={})
        assert refused["code"] == "role_required"
    operator = team.person("Op", "operator")
    assert team.call("PATCH", "/api/inbox/settings", 403, by=operator, json={})["code"] == "role_required"
