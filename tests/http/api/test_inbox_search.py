"""The search over the API: what it finds, in which order, and for whom."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update

from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.core.work import Turn
from backend.models import Conversation, MessageWords
from backend.services.contacts import records
from backend.services.inbox import search_hits, search_index
from tests.http.api.inbox_api import Team
from tests.support import factories, inbox


@pytest.fixture
def team(client: FlaskClient) -> Team:
    return Team(client)


def found(team: Team, q: str, **query: Any) -> list[tuple[str, int]]:
    answer = team.get("/api/search", query_string={"q": q} | query)
    assert answer["partial"] is False
    return [(it["kind"], it["id"]) for it in answer["results"]]


def test_people_come_before_what_they_wrote(team: Team) -> None:
    chat = inbox.conversation(team.home, name="김미나")
    contact = inbox.contact(chat, last_name="김", first_name="미나", company="Harbour Row")
    older = inbox.receive(chat, "김미나입니다. 보증금은 얼마인가요?")
    clock.move(1)
    newer = inbox.receive(chat, "보증금을 두 번에 나눠 낼 수 있나요?")
    everything = [("contact", contact.id), ("conversation", chat.id), ("message", older.id)]
    assert found(team, "김미나") == everything
    assert found(team, "보증금") == [("message", newer.id), ("message", older.id)]
    assert found(team, "harbour") == [("contact", contact.id)]
    assert found(team, "김미나", **{"in": "contacts"}) == everything[:1]
    assert found(team, "김미나", **{"in": "contacts,messages"}) == [everything[0], everything[2]]
    (shown,) = team.get("/api/search", query_string={"q": "나눠"})["results"]
    assert shown["title"] == "김미나"
    assert "나눠" in shown["snippet"]
    assert (shown["conversation_id"], shown["contact_id"]) == (chat.id, contact.id)


def test_a_number_finds_its_contact_and_who_wrote_it(team: Team) -> None:
    with workspace_scope(team.home.id):
        contact = records.create(factories.by("user:1"), {"first_name": "Ada", "phone": "+82 10-2000-0001"})
    message = inbox.receive(inbox.conversation(team.home), "제 번호는 010 2000 0001 입니다")
    assert found(team, "+82 10 2000 0001") == [("contact", contact.id), ("message", message.id)]
    assert found(team, "20000001") == [("message", message.id)]


def test_messages_come_newest_first_page_by_page(team: Team) -> None:
    chat = inbox.conversation(team.home)
    ids = []
    for number in range(5):
        clock.move(1)
        ids.append(inbox.receive(chat, f"viewing {number}").id)
    pages, cursor = list[int](), None
    for _ in range(3):
        query = {"q": "viewing", "limit": 2} | ({"cursor": cursor} if cursor else {})
        answer = team.get("/api/search", query_string=query)
        pages += [it["id"] for it in answer["results"] if it["kind"] == "message"]
        cursor = answer["next_cursor"]
    assert pages == ids[::-1]
    assert cursor is None
    wrong = {"q": "viewing", "cursor": "x"}
    assert team.call("GET", "/api/search", 422, query_string=wrong)["code"] == "invalid_cursor"


def test_what_is_far_back_is_found_by_the_index(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_hits, "_NEWEST", 3)
    chat = inbox.conversation(team.home)
    needle = inbox.receive(chat, "a needle")
    for number in range(6):
        clock.move(1)
        inbox.receive(chat, f"straw {number}")
    assert found(team, "needle") == [("message", needle.id)]
    monkeypatch.setattr(search_hits, "_MAX_HITS", 2)
    answer = team.get("/api/search", query_string={"q": "straw"})
    assert (len(answer["results"]), answer["partial"]) == (3, True)


def test_a_search_is_narrowed(team: Team) -> None:
    chat, other = inbox.conversation(team.home), inbox.conversation(team.home)
    contact = inbox.contact(chat, first_name="Ada")
    mine = inbox.receive(chat, "the plan: https://example.com/plan")
    clock.move(3600)
    theirs = inbox.receive(other, "a plan")
    assert found(team, "plan", conversation_id=chat.id) == [("message", mine.id)]
    assert found(team, "plan", contact_id=contact.id) == [("message", mine.id)]
    later = (clock.now() - timedelta(minutes=5)).isoformat()
    assert found(team, "plan", **{"from": later}) == [("message", theirs.id)]
    assert found(team, "plan", to=later) == [("message", mine.id)]
    assert found(team, "plan", has="link") == [("message", mine.id)]
    assert found(team, "plan", has="file") == []


@pytest.mark.parametrize("q", ["a", "  ", "!!", "x" * 101])
def test_too_little_and_too_much_is_refused(team: Team, q: str) -> None:
    assert team.call("GET", "/api/search", 422, query_string={"q": q})["code"] in ("query_too_short", "invalid")


def test_another_workspace_s_messages_are_not_found(team: Team) -> None:
    other = factories.workspace()
    inbox.receive(inbox.conversation(other, name="Ada"), "a secret of theirs")
    assert found(team, "secret") == []
    assert found(team, "ada") == []


def test_what_is_missing_in_the_index_is_added_behind(team: Team) -> None:
    chat = inbox.conversation(team.home)
    message = inbox.receive(chat, "written before there was a search")
    with system_scope("an earlier release"):
        search_index.forget([message.id])
        db.session.execute(update(Conversation).values(words_due=True))
        db.session.commit()
    assert found(team, "written") == []
    assert search_index.WORK.is_due()
    search_index.complete(Turn(seconds=60))
    assert found(team, "written") == [("message", message.id)]
    assert not search_index.WORK.is_due()
    with system_scope("a test looks"):
        assert len(db.session.scalars(select(MessageWords.message_id)).all()) == 1
