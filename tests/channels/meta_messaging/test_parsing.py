"""What Messenger's and Instagram's events say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from backend.channels.inbound import (
    AccountChanged,
    Chat,
    EchoReceived,
    Ignored,
    InboundEvent,
    MessageDeleted,
    MessageReceived,
    OptOutChanged,
    Parked,
    Person,
    ReactionChanged,
    ReadMarkReceived,
    ReceiptReceived,
    ThreadControlChanged,
    WatermarkReceived,
)
from backend.channels.inbound_contents import Choice, Location, Referral, Share, Story
from backend.channels.meta_messaging.applications import INSTAGRAM_INBOX, PAGE_INBOX
from backend.channels.meta_messaging.attachments import FileId
from backend.channels.meta_messaging.items import split
from backend.channels.meta_messaging.parsing import parse
from tests.channels.meta_messaging.bodies import AT, PERSON, attachment, body, collected, event, message

CHAT = Chat(PERSON, "private")
WHEN = datetime.fromtimestamp(AT / 1000, UTC)


def said(one: dict[str, Any], edge: str = "messaging") -> list[InboundEvent]:
    """What an event says."""
    return list(parse(split(body(one, edge=edge))[0].piece))


def received(**content: Any) -> MessageReceived:
    """A person's message, as it is understood."""
    (found,) = said(message(**content))
    assert isinstance(found, MessageReceived)
    return found


def test_a_text_and_what_it_replies_to():
    found = received(text="Is it \ud800there?\u0000", reply_to={"mid": "m_0"})
    assert (found.chat, found.sender, found.date) == (CHAT, Person(PERSON, ""), WHEN)
    assert (found.kind, found.message_id, found.reply_to) == ("text", "m_1", "m_0")
    assert found.text.startswith("Is it ")
    assert "\0" not in found.text
    assert not found.standby


@pytest.mark.parametrize(
    ("kind", "payload", "shown"),
    [
        ("image", {}, "photo"),
        ("image", {"sticker_id": 369239263222822}, "sticker"),
        ("sticker", {}, "sticker"),
        ("video", {}, "video"),
        ("audio", {}, "audio"),
        ("file", {}, "document"),
    ],
)
def test_files(kind: str, payload: dict[str, Any], shown: str):
    url = "https://cdn.example/a%20price.pdf?token=1"
    found = received(text="look", attachments=[attachment(kind, url=url, **payload)])
    (media,) = found.media
    assert (found.kind, media.kind, found.text) == (shown, shown, "look")
    assert FileId.read(media.external_file_id) == FileId("m_1", 0, url)
    assert media.filename == ("a price.pdf" if shown == "document" else None)


def test_a_file_without_a_usable_address_is_asked_for_by_its_message():
    for odd in (None, "javascript:alert(1)", "https://a b", 5, "https://x.example/" + "a" * 5000):
        (media,) = received(attachments=[attachment("image", url=odd)]).media
        assert FileId.read(media.external_file_id) == FileId("m_1", 0, "")


@pytest.mark.parametrize("kind", ["fallback", "share", "ig_post", "ig_reel", "reel", "post", "a_kind_of_tomorrow"])
def test_what_was_passed_on(kind: str):
    found = received(attachments=[attachment(kind, url="https://example.com/p/1", title="Boots")])
    assert (found.kind, found.shares) == ("share", (Share(kind, "https://example.com/p/1", "Boots"),))


def test_a_post_that_is_named_twice_is_one():
    twice = [attachment(kind, url="https://example.com/p/1", title="Boots") for kind in ("share", "ig_post")]
    assert received(attachments=twice).shares == (Share("ig_post", "https://example.com/p/1", "Boots"),)


def test_a_template_says_its_words():
    shown = attachment("template", template_type="generic", elements=[{"title": "Boots, size 42"}])
    assert received(attachments=[shown]).shares == (Share("template", "", "Boots, size 42"),)
    product = attachment("template", product={"elements": [{"title": "Boots", "id": "1"}]})
    assert received(attachments=[product]).shares == (Share("template", "", "Boots"),)


def test_stories():
    url = "https://cdn.example/story"
    mention = received(attachments=[attachment("story_mention", url=url)])
    assert (mention.kind, mention.story) == ("story", Story("mention", "", url))
    assert FileId.read(mention.media[0].external_file_id) == FileId("m_1", 0, url)
    reply = received(text="nice", reply_to={"story": {"id": "77", "url": url}})
    assert (reply.kind, reply.story, reply.text) == ("story", Story("reply", "77", url), "nice")


def test_places_hearts_and_what_cannot_be_shown():
    place = attachment("location", coordinates={"lat": 37.5, "long": 127}, title="Seoul")
    assert received(attachments=[place]).location == Location(37.5, 127.0, "Seoul")
    heart = received(attachments=[{"type": "like_heart"}])
    assert (heart.kind, heart.text) == ("sticker", "\u2764\ufe0f")
    for odd in (
        {"is_unsupported": True},
        {"attachments": [{"type": "ephemeral"}]},
        {"attachments": [attachment("location", coordinates={"lat": 91, "long": 0})]},
        {"attachments": [7, None]},
        {},
    ):
        assert received(**odd).kind == "unsupported"


def test_choices_and_buttons():
    quick = received(text="Yes", quick_reply={"payload": "yes"})
    assert (quick.kind, quick.choice, quick.text) == ("choice", Choice("button", "yes", "Yes"), "Yes")
    (pressed,) = said(event("postback", {"mid": "m_2", "title": "More", "payload": "more"}))
    assert isinstance(pressed, MessageReceived)
    assert (pressed.message_id, pressed.text, pressed.choice) == ("m_2", "More", Choice("button", "more", "More"))
    first, again, later = (said(event("postback", {"payload": "start"}, at=at))[0] for at in (AT, AT, AT + 1))
    assert first == again
    assert isinstance(first, MessageReceived)
    assert isinstance(later, MessageReceived)
    assert first.message_id != later.message_id, "a button without a message's id has one of its own"


def test_where_somebody_comes_from():
    ad = {"source": "ADS", "ad_id": 9, "ref": "r", "ads_context_data": {"ad_title": "Boots"}, "type": "OPEN_THREAD"}
    expected = Referral("ads", "9", "r", headline="Boots")
    assert received(text="Hi", referral=ad).referral == expected
    (alone,) = said(event("referral", ad))
    assert isinstance(alone, MessageReceived)
    assert (alone.kind, alone.referral) == ("referral", expected)
    (pressed,) = said(event("postback", {"payload": "start", "referral": {"ref": "shop", "source": "SHORTLINK"}}))
    assert isinstance(pressed, MessageReceived)
    assert pressed.referral == Referral("shortlink", "", "shop")


def test_edits_and_deletions():
    (edited,) = said(event("message_edit", {"mid": "m_1", "text": "new", "num_edit": 1}))
    assert isinstance(edited, MessageReceived)
    assert (edited.edited, edited.message_id, edited.text) == (True, "m_1", "new")
    assert said(message(is_deleted=True)) == [MessageDeleted(("m_1",), CHAT, WHEN)]


def test_reactions():
    content = {"mid": "m_1", "action": "react", "reaction": "love"}
    assert said(event("reaction", content | {"emoji": "\u2764"})) == [
        ReactionChanged(CHAT, Person(PERSON, ""), "m_1", "\u2764", WHEN)
    ]
    (by_word,) = said(event("reaction", content))
    (taken_back,) = said(event("reaction", content | {"action": "unreact"}))
    (ours,) = said(event("reaction", content, from_page=True))
    assert isinstance(by_word, ReactionChanged)
    assert isinstance(taken_back, ReactionChanged)
    assert isinstance(ours, ReactionChanged)
    assert (by_word.emoji, taken_back.emoji, ours.person) == ("\u2764", None, None)


def test_reads_and_deliveries():
    assert said(event("read", {"watermark": AT})) == [WatermarkReceived(CHAT, "read", WHEN)]
    assert said(event("read", {"mid": "m_1"})) == [ReadMarkReceived(CHAT, "m_1", WHEN)]
    assert said(event("delivery", {"mids": ["m_1", 5, None], "watermark": AT})) == [
        ReceiptReceived("m_1", "delivered", WHEN),
        ReceiptReceived("5", "delivered", WHEN),
        WatermarkReceived(CHAT, "delivered", WHEN),
    ]


def test_echoes_say_who_sent_them():
    (ours,) = said(message(from_page=True, text="hello", is_echo=True, app_id=77, metadata="12:0"))
    assert isinstance(ours, EchoReceived)
    assert (ours.client_ref, ours.application_id, ours.message.sender, ours.message.chat) == ("12:0", "77", None, CHAT)
    (standby,) = said(message(from_page=True, text="hello", is_echo=True, app_id=PAGE_INBOX), "standby")
    assert isinstance(standby, EchoReceived)
    assert (standby.client_ref, standby.application_id, standby.message.standby) == (None, PAGE_INBOX, True)


def test_standby_is_said():
    (found,) = said(message(text="hi"), "standby")
    assert isinstance(found, MessageReceived)
    assert found.standby


@pytest.mark.parametrize(
    ("name", "owner", "edge", "in_charge"),
    [
        ("pass_thread_control", "77", "messaging", "us"),
        ("pass_thread_control", PAGE_INBOX, "messaging", "page_inbox"),
        ("pass_thread_control", 1217981644879628, "messaging", "page_inbox"),
        ("pass_thread_control", "77", "standby", "other"),
        ("take_thread_control", "77", "messaging", "other"),
        ("take_thread_control", INSTAGRAM_INBOX, "messaging", "page_inbox"),
        ("take_thread_control", None, "messaging", "other"),
    ],
)
def test_who_is_in_charge(name: str, owner: Any, edge: str, in_charge: str):
    (found,) = said(event(name, {"previous_owner_app_id": "1", "new_owner_app_id": owner}), edge)
    assert isinstance(found, ThreadControlChanged)
    assert (found.in_charge, found.application_id) == (in_charge, None if owner is None else str(owner))


def test_opt_ins_feedback_and_accounts():
    stop = {"type": "notification_messages", "title": "News", "notification_messages_status": "STOP_NOTIFICATIONS"}
    assert said(event("optin", stop)) == [OptOutChanged(CHAT, Person(PERSON, ""), True, "News", WHEN)]
    assert said(event("optin", {"ref": "a-plugin"})) == [
        OptOutChanged(CHAT, Person(PERSON, ""), False, "a-plugin", WHEN)
    ]
    (answered,) = said(event("messaging_feedback", {"feedback_screens": [{"questions": {"q1": {"payload": "5"}}}]}))
    assert isinstance(answered, MessageReceived)
    assert answered.choice == Choice("form", "feedback", values={"q1": "5"})
    roles = {"recipient": {"id": "1"}, "timestamp": AT, "app_roles": {"77": ["primary_receiver", 5]}}
    assert said(roles) == [AccountChanged("app_roles", {"77": ["primary_receiver"]}, WHEN)]


def test_what_nothing_reacts_to_and_what_is_malformed():
    assert said(event("account_linking", {"status": "linked"})) == [Ignored("account_linking")]
    assert said(event("request_thread_control", {"requested_owner_app_id": "1"})) == [Ignored("request_thread_control")]
    assert said({"recipient": {"id": "1"}, "optin": {"user_ref": "a browser"}}) == [Ignored("optin")]
    assert said({"field": "feed", "value": {}}, "changes") == [Ignored("change:feed")]
    assert said(event("message", {"text": "without an id"})) == [Parked("malformed", "message")]
    assert parse(b"nothing") == [Parked("unparsable")]


def test_times_as_some_examples_write_them():
    (found,) = (parse(split(raw)[0].piece)[0] for raw in collected("instagram") if b"read" in raw)
    assert isinstance(found, ReadMarkReceived)
    assert found.date == datetime(2021, 9, 8, 6, 34, 4, tzinfo=UTC)
