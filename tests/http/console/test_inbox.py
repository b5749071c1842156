"""The inbox's page: the list, a thread of every kind, what is written, and what is refused."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from backend.core import clock
from backend.core.database import db, system_scope
from backend.models import Conversation, ConversationNote, Message, MessageTemplate, Workspace
from tests.http import callers
from tests.http.console.conftest import Browser
from tests.support import factories, inbox


@pytest.fixture
def home(person) -> Workspace:
    """The admin's workspace."""
    with system_scope("a test"):
        return db.session.get_one(Workspace, person.workspace_id)


@pytest.fixture
def chat(home) -> Conversation:
    """Mina wrote to a bot of the workspace."""
    made = inbox.conversation(home, factories.bot(home), "Mina Park")
    said(made, "Is the room still free?")
    db.session.commit()
    return made


def said(chat: Conversation, text: str = "", *, ago: timedelta = timedelta(0), **values: Any) -> Message:
    """What the person wrote, or with `direction="out"` what we did."""
    moment = {"happened_at": clock.now() - ago}
    if values.pop("direction", "in") == "out":
        return inbox.say(chat, text, **moment | values)
    return inbox.receive(chat, text, **moment | values)


def at(chat: Conversation, rest: str = "") -> str:
    return f"/console/inbox/{chat.id}{rest}"


def test_the_list_shows_who_wrote_what_and_who_answers(browser, chat):
    page = browser.get("/console/inbox")
    assert page.status_code == 200
    assert "Mina Park" in page.text
    assert "Is the room still free?" in page.text
    assert "nobody yet" in page.text
    assert f'id="conv-{chat.id}"' in browser.get("/console/inbox", headers={"HX-Request": "true"}).text


@pytest.mark.parametrize(
    ("show", "status"),
    [("open", "open"), ("bot", "bot"), ("waiting", "waiting"), ("snoozed", "snoozed"), ("closed", "closed")],
)
def test_a_tab_shows_the_conversations_of_its_state(browser, home, show, status):
    sender = factories.bot(home)
    for state in ("open", "bot", "waiting", "snoozed", "closed"):
        inbox.conversation(home, sender, f"In {state}", status=state)
    db.session.commit()
    page = browser.get(f"/console/inbox?show={show}").text
    assert f"In {status}" in page
    assert page.count("data-row") == 1
    assert browser.get("/console/inbox?show=all").text.count("data-row") == 5


def test_a_list_without_anything_says_what_it_is_for(browser):
    assert "Nobody waits for you" in browser.get("/console/inbox").text
    assert "Nothing found" in browser.get("/console/inbox?channel=whatsapp").text
    assert browser.get("/console/inbox?q=x").status_code == 200


def test_a_conversation_stands_beside_the_list_and_comes_alone_for_the_script(browser, chat):
    page = browser.get(at(chat)).text
    assert 'id="inbox-rows"' in page
    assert 'aria-current="true"' in page
    alone = browser.get(at(chat), headers={"HX-Request": "true"}).text
    assert 'id="inbox-rows"' not in alone
    assert "Is the room still free?" in alone


def test_another_workspaces_conversation_is_not_there(browser, app):
    other = callers.member(role="admin", email="other@example.com")
    with system_scope("a test"):
        elsewhere = db.session.get_one(Workspace, other.workspace_id)
    made = inbox.conversation(elsewhere, factories.bot(elsewhere), "Not yours")
    db.session.commit()
    for rest in ("", "/thread", "/composer", "/presence"):
        assert browser.get(at(made, rest)).status_code == 404
    assert browser.post(at(made, "/close")).status_code == 404


def test_every_kind_of_message_is_shown(browser, home, chat):
    contents = {
        "location": ({"location": {"latitude": 48.1, "longitude": 16.2, "name": "Quay 9"}}, "Quay 9"),
        "contacts": ({"contacts": [{"name": "Eva Weiss", "phones": ["+43 660 1"]}]}, "Eva Weiss"),
        "choice": ({"choice": {"kind": "button", "id": "a", "title": "Talk to a person"}}, "Talk to a person"),
        "order": ({"order": {"items": [{"product_id": "lamp", "quantity": 2}]}}, "2 × lamp"),
        "referral": ({"referral": {"source": "ad", "headline": "Lamps of the year"}}, "Lamps of the year"),
        "story": ({"story": {"kind": "reply", "id": "1"}}, "Replied to your story"),
        "share": ({"shares": [{"kind": "post", "title": "A post"}]}, "A post"),
        "call": ({"call": {"state": "missed"}}, "missed"),
        "system": ({"system": {"kind": "number_changed"}}, "has a new number"),
        "unsupported": ({"kind": "poll"}, "cannot be shown here (poll)"),
    }
    for kind, (content, _) in contents.items():
        said(chat, kind=kind, content=content)
    db.session.commit()
    page = browser.get(at(chat)).text
    for kind, (_, words) in contents.items():
        assert words in page, kind


def test_an_address_that_is_none_of_the_web_is_no_link(browser, chat):
    said(chat, kind="share", content={"shares": [{"kind": "post", "title": "Bad", "url": "javascript:alert(1)"}]})
    db.session.commit()
    assert "javascript:" not in browser.get(at(chat)).text


def test_what_failed_says_why_in_words_and_may_be_tried_again(browser, chat):
    said(chat, "Too late", direction="out", state="failed", error="window_closed")
    db.session.commit()
    page = browser.get(at(chat)).text
    assert "Failed: the window is closed" in page
    assert "/retry" in page


def test_a_message_that_was_deleted_shows_no_words(browser, chat):
    said(chat, "Secret words", deleted_at=clock.now())
    db.session.commit()
    page = browser.get(at(chat)).text
    assert "Secret words" not in page
    assert "This message was deleted." in page


def test_a_reply_is_stored_and_takes_the_conversation_over(browser, chat, person):
    answer = browser.post_by_script(at(chat, "/messages"), {"text": "Yes, it is.", "mode": "reply"})
    assert answer.status_code == 204
    assert "written" in json.loads(answer.headers["HX-Trigger"])
    with system_scope("a test"):
        message = db.session.query(Message).filter_by(direction="out").one()
        db.session.refresh(chat)
    assert (message.via, message.author_user_id) == ("console", person.id)
    assert chat.assignee_id == person.id
    page = browser.get(at(chat)).text
    assert "Yes, it is." in page
    assert "You" in page


def test_something_newer_is_shown_first_and_a_second_press_sends(browser, chat):
    seen = chat.last_message_id
    said(chat, "And a balcony?")
    db.session.commit()
    form = {"text": "Yes", "mode": "reply", "expect_last_message_id": str(seen)}
    refused = browser.post_by_script(at(chat, "/messages"), form)
    assert refused.status_code == 409
    assert refused.headers["HX-Retarget"] == "#moved"
    assert "And a balcony?" in refused.text
    assert "Is the room still free?" not in refused.text
    assert f'value="{chat.last_message_id}"' in refused.text
    form["expect_last_message_id"] = str(chat.last_message_id)
    assert browser.post_by_script(at(chat, "/messages"), form).status_code == 204


def test_nothing_is_not_sent_and_a_form_without_the_script_keeps_the_words(browser, chat):
    refused = browser.post_by_script(at(chat, "/messages"), {"text": " ", "mode": "reply"})
    assert (refused.status_code, refused.headers["HX-Retarget"]) == (422, "#said")
    assert "Write something" in refused.text
    seen = chat.last_message_id
    said(chat, "Newer")
    db.session.commit()
    form = {"text": "Kept words", "mode": "reply", "expect_last_message_id": str(seen)}
    page = browser.post(at(chat, "/messages"), form)
    assert page.status_code == 409
    assert "Kept words" in page.text
    assert "Something newer arrived" in page.text


def test_a_note_stays_with_the_team(browser, chat, person):
    assert browser.post_by_script(at(chat, "/messages"), {"text": "Ask @Sam first", "mode": "note"}).status_code == 204
    with system_scope("a test"):
        note = db.session.query(ConversationNote).one()
        assert db.session.query(Message).filter_by(direction="out").count() == 0
    page = browser.get(at(chat)).text
    assert "Ask @Sam first" in page
    assert "Note, only for the team" in page
    assert browser.post_by_script(at(chat, f"/notes/{note.id}/delete")).status_code == 204
    assert "Ask @Sam first" not in browser.get(at(chat)).text


def test_a_draft_is_kept_with_the_person_until_it_is_sent(browser, chat):
    assert "Draft saved" in browser.post_by_script(at(chat, "/draft"), {"text": "Half a sent"}).text
    assert "Half a sent" in browser.get(at(chat)).text
    browser.post_by_script(at(chat, "/messages"), {"text": "Half a sentence", "mode": "reply"})
    assert ">Half a sent</textarea>" not in browser.get(at(chat)).text


@pytest.mark.parametrize(
    ("act", "data", "status"),
    [
        ("close", {}, "closed"),
        ("snooze", {"until_reply": "1"}, "snoozed"),
        ("snooze", {"local": "2999-01-01T09:00"}, None),
        ("take-over", {}, "open"),
    ],
)
def test_an_act_changes_the_state_and_refuses_what_cannot_be(browser, chat, act, data, status):
    answer = browser.post_by_script(at(chat, f"/{act}"), data)
    with system_scope("a test"):
        db.session.refresh(chat)
    if status is None:
        assert answer.status_code == 422
        assert chat.status == "open"
    else:
        assert answer.status_code == 204
        assert chat.status == status


def test_closing_is_undone_by_the_toast(browser, chat):
    toast = json.loads(browser.post_by_script(at(chat, "/close")).headers["HX-Trigger"])["toast"]
    assert toast["undo"] == at(chat, "/reopen")
    browser.post_by_script(toast["undo"])
    with system_scope("a test"):
        db.session.refresh(chat)
    assert chat.status == "open"


def test_a_label_is_made_put_on_and_taken_off(browser, chat):
    assert browser.post_by_script(at(chat, "/label"), {"name": "Office"}).status_code == 204
    assert browser.post_by_script(at(chat, "/label"), {"name": "office"}).status_code == 204
    page = browser.get(at(chat)).text
    assert '<span class="label-chip">Office</span>' in page
    label_id = page.split('name="label_id" value="')[1].split('"')[0]
    assert browser.post_by_script(at(chat, "/unlabel"), {"label_id": label_id}).status_code == 204
    assert '<span class="label-chip">Office</span>' not in browser.get(at(chat)).text


def test_somebody_is_given_the_conversation(browser, chat, person):
    assert browser.post_by_script(at(chat, "/assign"), {"user_id": str(person.id)}).status_code == 204
    assert "Mina Park" in browser.get("/console/inbox?show=mine").text
    assert browser.post_by_script(at(chat, "/assign"), {"user_id": ""}).status_code == 204
    assert "Mina Park" not in browser.get("/console/inbox?show=mine").text


def test_opening_does_not_read_and_reading_does(browser, chat):
    browser.get(at(chat))
    assert "1" in browser.get("/console/inbox/count").text
    assert browser.post_by_script(at(chat, "/read"), {"up_to": str(chat.last_message_id)}).status_code == 204
    assert browser.get("/console/inbox/count").text.strip() == ""


def test_a_canned_reply_is_written_once_and_said_by_name(browser, chat):
    refused = browser.post("/console/inbox/canned", {"name": "Hi", "shortcut": "hi", "text": "Hello {contact.nick}"})
    assert refused.status_code == 422
    assert "Hello {contact.nick}" in refused.text
    made = browser.post(
        "/console/inbox/canned", {"name": "Hi", "shortcut": "hi", "text": "Hello {contact.first_name}!"}
    )
    assert made.status_code == 303
    assert "Hello Mina!" in browser.get(at(chat, "/canned")).text
    page = browser.get("/console/inbox/canned").text
    canned_id = page.split("/console/inbox/canned/")[-1].split('"')[0]
    assert browser.get(f"/console/inbox/canned/{canned_id}").status_code == 200
    assert browser.post(f"/console/inbox/canned/{canned_id}/delete").status_code == 303
    assert "There are none yet." in browser.get("/console/inbox/canned").text


def test_viewers_read_and_are_offered_nothing_to_press(app, chat, home):
    with system_scope("a test"):
        viewer = callers.member(role="viewer", email="v@example.com", of=home)
    browser = Browser(app, viewer)
    page = browser.get(at(chat)).text
    assert "Is the room still free?" in page
    assert "Viewers read conversations" in page
    assert 'id="composer"' not in page
    assert 'popovertarget="snooze"' not in page


def test_search_finds_people_and_what_was_said(browser, chat):
    assert "Mina Park" in browser.get("/console/inbox?q=mina").text


def test_older_messages_and_the_place_of_one(browser, chat):
    for number in range(60):
        said(chat, f"Line {number}.", ago=timedelta(minutes=60 - number))
    db.session.commit()
    page = browser.get(at(chat)).text
    assert "Line 59." in page
    assert "Line 2." not in page
    assert "limit=100" in page
    assert "Line 2." in browser.get(at(chat, "?limit=100")).text
    with system_scope("a test"):
        first = db.session.query(Message).filter(Message.body["parts"][0]["text"].astext == "Line 5.").one()
    around = browser.get(at(chat, f"?message={first.id}")).text
    assert f'id="m-{first.id}"' in around
    assert "To the newest messages" in around


def test_where_the_window_is_closed_a_template_is_offered_with_its_values(browser, home):
    number = factories.bot(home, channel="whatsapp")
    chat = inbox.conversation(home, number, "Karl Weiss", reply_until=clock.now() - timedelta(hours=1))
    now = clock.now()
    template = {"name": "viewing", "language": "de", "category": "utility", "state": "approved", "external_id": "1"}
    with system_scope("a test"):
        db.session.add(
            MessageTemplate(
                workspace_id=home.id,
                sender_id=number.id,
                components=[{"type": "BODY", "text": "Guten Tag {{1}}"}],
                created_at=now,
                changed_at=now,
                **template,
            )
        )
        db.session.commit()
    page = browser.get(at(chat)).text
    assert "WhatsApp takes only an approved template now" in page
    assert 'name="variable:viewing/de:1"' in page
    refused = browser.post_by_script(at(chat, "/messages"), {"text": "Hello", "mode": "reply"})
    assert (refused.status_code, refused.headers["HX-Retarget"]) == (409, "#said")
    assert "The window is closed: nothing was sent." in refused.text
    refused = browser.post_by_script(at(chat, "/messages"), {"mode": "template"})
    assert "Choose a template." in refused.text
    form = {"mode": "template", "template": "viewing/de", "variable:viewing/de:1": "Karl"}
    assert browser.post_by_script(at(chat, "/messages"), form).status_code == 204
    assert "Guten Tag Karl" in browser.get(at(chat)).text
