"""What WhatsApp's events say: every inbound kind, states, changes of people and of the account."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from backend.channels.inbound import (
    AccountChanged,
    CallReceived,
    Chat,
    EchoReceived,
    IdentityChanged,
    Ignored,
    InboundEvent,
    MessageDeleted,
    MessageReceived,
    OptOutChanged,
    Parked,
    Person,
    PersonId,
    ReactionChanged,
    ReceiptReceived,
    ReceivedMedia,
    ThreadControlChanged,
)
from backend.channels.inbound_contents import Choice, ContactCard, Location, Order, OrderItem, Referral, Share
from backend.channels.whatsapp.items import split
from backend.channels.whatsapp.reading import parse
from tests.channels.whatsapp.bodies import (
    BSUID,
    CONTACT,
    PERSON,
    body_of,
    inbound,
    message,
    payload,
    status,
    value_of,
)

AT = datetime(2023, 5, 17, 20, 46, 31, tzinfo=UTC)
MINA = Person(PERSON, "Mina", other_ids=(PersonId("bsuid", BSUID),), phone=f"+{PERSON}")
CHAT = Chat(PERSON, "private", name="Mina")
BASE = MessageReceived(CHAT, MINA, "wamid.in1", date=AT)


def only(body: bytes) -> InboundEvent:
    """The event of a body that holds one."""
    (item,) = split(body)
    (event,) = parse(item.piece)
    return event


def received(kind: str, block: Any = None, **more: Any) -> MessageReceived:
    """The message of a body that holds one."""
    event = only(inbound(kind, block, **more))
    assert isinstance(event, MessageReceived)
    return event


def test_a_text() -> None:
    assert received("text", {"body": "Hallo 안녕"}) == MessageReceived(CHAT, MINA, "wamid.in1", "Hallo 안녕", date=AT)


@pytest.mark.parametrize(
    ("kind", "block", "named", "text"),
    [
        ("image", {"id": "1", "mime_type": "image/jpeg", "sha256": "s", "caption": "look"}, "photo", "look"),
        ("video", {"id": "1", "mime_type": "video/mp4"}, "video", ""),
        ("audio", {"id": "1", "mime_type": "audio/ogg; codecs=opus", "voice": True}, "voice", ""),
        ("audio", {"id": "1", "mime_type": "audio/mpeg", "voice": False}, "audio", ""),
        ("document", {"id": "1", "filename": "a.pdf", "file_size": 7}, "document", ""),
        ("sticker", {"id": "1", "animated": True, "mime_type": "image/webp"}, "sticker", ""),
    ],
)
def test_files(kind: str, block: dict[str, Any], named: str, text: str) -> None:
    event = received(kind, block)
    assert (event.kind, event.text) == (named, text)
    expected = ReceivedMedia(
        named, "1", block.get("sha256"), block.get("filename"), block.get("mime_type"), block.get("file_size")
    )
    assert event.media == (expected,)


def test_a_file_that_meta_could_not_take_is_still_a_message() -> None:
    assert (received("video", {"caption": "x"}).kind, received("image").media) == ("video", ())


@pytest.mark.parametrize(
    ("kind", "block", "expected"),
    [
        ("button", {"payload": "yes", "text": "Yes"}, Choice("button", "yes", "Yes")),
        (
            "interactive",
            {"type": "button_reply", "button_reply": {"id": "a", "title": "A"}},
            Choice("button", "a", "A"),
        ),
        ("interactive", {"type": "list_reply", "list_reply": {"id": "r", "title": "R"}}, Choice("list", "r", "R")),
        (
            "interactive",
            {
                "type": "nfm_reply",
                "nfm_reply": {"name": "flow", "body": "Sent", "response_json": '{"flow_token": "t", "n": 3}'},
            },
            Choice("form", "t", "Sent", {"flow_token": "t", "n": "3"}),
        ),
        (
            "interactive",
            {"type": "nfm_reply", "nfm_reply": {"name": "flow", "response_json": "no json"}},
            Choice("form", "flow"),
        ),
    ],
)  # fmt: skip
def test_choices(kind: str, block: dict[str, Any], expected: Choice) -> None:
    event = received(kind, block)
    assert (event.kind, event.choice, event.text) == ("choice", expected, expected.title)


def test_a_place_cards_and_an_order() -> None:
    place = received("location", {"latitude": 37.5, "longitude": 127.0, "name": "Cafe", "address": "Seoul"})
    assert place.location == Location(37.5, 127.0, "Cafe", "Seoul")
    card = {"name": {"formatted_name": "Ann"}, "phones": [{"phone": "+1 555", "wa_id": "1555"}]}
    assert received("contacts", [card]).contacts == (ContactCard("Ann", ("1555",)),)
    product = {"product_retailer_id": "p", "quantity": 2, "item_price": 9.5, "currency": "EUR"}
    bought = {"catalog_id": "c", "product_items": [product]}
    assert received("order", bought).order == Order((OrderItem("p", 2, Decimal("9.5"), "EUR"),), "c")


def test_only_the_answer_to_our_question_proves_a_number() -> None:
    card = {"name": {"formatted_name": "Mina"}, "phones": [{"wa_id": PERSON}]}
    assert received("contacts", [card | {"origin": "contact_request"}]).contacts[0].proves_number
    assert not received("contacts", [card | {"origin": "other"}]).contacts[0].proves_number


def test_where_a_message_comes_from_and_what_it_answers() -> None:
    referral = {
        "source_type": "ad",
        "source_id": "7",
        "ctwa_clid": "click",
        "headline": "Sale",
        "source_url": "https://fb.me/1",
    }
    event = received(
        "text", {"body": "hi"}, referral=referral,
        context={"id": "wamid.out1", "forwarded": True, "referred_product": {"product_retailer_id": "sku"}},
    )  # fmt: skip
    assert event.referral == Referral("ad", "7", "", "click", "Sale", "https://fb.me/1")
    assert (event.reply_to, event.forwarded, event.shares) == ("wamid.out1", True, (Share("product", title="sku"),))


def test_reactions_and_their_removal() -> None:
    given = {"message_id": "wamid.out1", "emoji": "👍"}
    assert only(inbound("reaction", given)) == ReactionChanged(CHAT, MINA, "wamid.out1", "👍", AT)
    for removed in ({"message_id": "wamid.out1"}, {"message_id": "wamid.out1", "emoji": ""}):
        assert only(inbound("reaction", removed)) == ReactionChanged(CHAT, MINA, "wamid.out1", None, AT)


def test_edits_and_deletions_are_about_the_message_that_they_change() -> None:
    edit = {"original_message_id": "wamid.first", "message": {"type": "text", "text": {"body": "better"}}}
    assert only(inbound("edit", edit)) == MessageReceived(CHAT, MINA, "wamid.first", "better", edited=True, date=AT)
    assert only(inbound("revoke", {"original_message_id": "wamid.first"})) == MessageDeleted(("wamid.first",), CHAT, AT)


@pytest.mark.parametrize(
    ("kind", "block", "word"),
    [
        ("unsupported", {"type": "poll"}, "poll"),
        ("unsupported", None, "unsupported"),
        ("hologram", {"a": 1}, "hologram"),
    ],
)
def test_what_cannot_be_shown_keeps_its_kind(kind: str, block: Any, word: str) -> None:
    event = received(kind, block)
    assert (event.kind, event.provider_kind) == ("unsupported", word)


def test_a_new_number_and_a_new_id() -> None:
    number = {"type": "user_changed_number", "wa_id": "821099999999", "body": "changed"}
    assert only(inbound("system", number)) == IdentityChanged(
        (PersonId("number", PERSON),), (PersonId("number", "821099999999"),), date=AT
    )
    changed = {"type": "user_changed_user_id", "user_id": "KR.2", "previous_user_id": BSUID}
    assert only(inbound("system", changed)) == IdentityChanged(
        (PersonId("number", PERSON), PersonId("bsuid", BSUID)), (PersonId("bsuid", "KR.2"),), date=AT
    )
    assert received("system", {"type": "group_created", "body": "A group"}).kind == "system"


def test_a_person_without_a_number_is_known_by_the_id_of_the_business() -> None:
    contact = {"profile": {"name": "Mina", "username": "mina"}, "user_id": BSUID, "parent_user_id": "KR.ENT.1"}
    given = message("text", {"body": "hi"}, from_user_id=BSUID)
    del given["from"]
    event = only(body_of(value_of(contacts=[contact], messages=[given])))
    assert isinstance(event, MessageReceived)
    assert event.chat.id == BSUID
    assert event.sender == Person(BSUID, "Mina", "mina", other_ids=(PersonId("parent_bsuid", "KR.ENT.1"),))


def test_states_with_their_price() -> None:
    pricing = {"billable": False, "category": "service", "type": "free_customer_service", "pricing_model": "PMP"}
    event = only(status("delivered", pricing=pricing, biz_opaque_callback_data="12:0"))
    assert event == ReceiptReceived("wamid.out1", "delivered", AT, client_ref="12:0", category="service", is_free=True)
    assert only(status("played")) == ReceiptReceived("wamid.out1", "played", AT)
    assert only(status("deleted")) == MessageDeleted(("wamid.out1",), date=AT)
    assert only(status("warming")) == Ignored("status.warming")


def test_a_failure_says_why() -> None:
    error = {"code": 131047, "title": "Re-engagement message", "error_data": {"details": "More than 24 hours"}}
    event = only(status("failed", errors=[error]))
    assert isinstance(event, ReceiptReceived)
    assert (event.state, event.code, event.detail) == ("failed", "window_closed", "More than 24 hours (131047)")
    assert getattr(only(status("failed")), "code", None) == "refused"


def test_times_may_be_in_milliseconds() -> None:
    assert received("text", {"body": "x"}, timestamp="1684356391000").date == AT
    assert received("text", {"body": "x"}, timestamp=1684356391).date == AT
    assert received("text", {"body": "x"}, timestamp="soon").date is None


def test_texts_are_mended() -> None:
    assert received("text", {"body": "a\x00b\ud83d"}).text.encode()


def test_an_echo_is_what_somebody_wrote_in_the_phone() -> None:
    given = message("text", {"body": "from the shop"}, to=PERSON, to_user_id=BSUID) | {"from": "15550001111"}
    event = only(body_of(value_of(contacts=[CONTACT], message_echoes=[given]), field="smb_message_echoes"))
    assert event == EchoReceived(MessageReceived(CHAT, None, "wamid.in1", "from the shop", date=AT))
    revoke = message("revoke", {"original_message_id": "wamid.e1"}, to=PERSON) | {"from": "15550001111"}
    assert only(body_of(value_of(message_echoes=[revoke]), field="smb_message_echoes")) == MessageDeleted(
        ("wamid.e1",), Chat(PERSON, "private", name=PERSON), AT
    )


def test_standby_is_shown_and_never_answered() -> None:
    given = value_of(contacts=[CONTACT], messages=[message("text", {"body": "x"})])
    assert getattr(only(body_of(given, field="standby")), "standby", None) is True
    nested = value_of(standby={"messages": [message("text", {"body": "x"})]})
    assert getattr(only(body_of(nested, field="standby")), "standby", None) is True


def test_who_is_in_charge() -> None:
    def handover(kind: str, **about: str) -> InboundEvent:
        value = {
            "type": kind, "sender": {"phone_number": PERSON}, "recipient": {"phone_number_id": "1"}, kind: about,
            "timestamp": "1684356391",
        }  # fmt: skip
        (item,) = split(body_of(value, field="messaging_handovers"))
        assert item.recipient_id == "1"
        return parse(item.piece)[0]

    chat = Chat(PERSON, "private", name=PERSON)
    passed = handover("control_passed", previous_owner_app_role="meta_business_agent")
    assert passed == ThreadControlChanged(chat, "us", "meta_business_agent", AT)
    assert handover("control_taken", new_owner_app_role="escalation") == ThreadControlChanged(
        chat, "other", "escalation", AT
    )


def test_preferences_and_calls() -> None:
    stop = {"wa_id": PERSON, "category": "marketing_messages", "value": "stop", "timestamp": 1684356391}
    event = only(body_of(value_of(contacts=[CONTACT], user_preferences=[stop]), field="user_preferences"))
    assert event == OptOutChanged(CHAT, MINA, True, "marketing", AT)
    call = {"id": "wacid.1", "from": PERSON, "event": "terminate", "duration": 12, "timestamp": "1684356391"}
    assert only(body_of(value_of(contacts=[CONTACT], calls=[call]), field="calls")) == CallReceived(
        CHAT, MINA, "wacid.1", "terminate", 12, AT
    )


def test_the_account_and_its_templates() -> None:
    change = {"event": "REJECTED", "message_template_name": "hello", "reason": "NONE"}
    event = only(body_of(change, field="message_template_status_update"))
    assert isinstance(event, AccountChanged)
    assert (event.kind, event.facts["event"]) == ("message_template_status_update", "REJECTED")
    assert event.facts["business_account_id"] == "102290129340398"
    json.dumps(dict(event.facts))


@pytest.mark.parametrize("field", ["history", "smb_app_state_sync", "flows", "something_new"])
def test_what_nothing_reacts_to_is_ignored(field: str) -> None:
    assert only(body_of({"history": [{"a": 1}]}, field=field)) == Ignored(field)


@pytest.mark.parametrize(
    "body",
    [
        inbound("reaction", {"emoji": "x"}),
        inbound("edit", {}),
        inbound("revoke"),
        inbound("text", {"body": "x"}, id=None),
        body_of(value_of(messages=[{"id": "wamid.x", "type": "text", "text": {"body": "by nobody"}}])),
        body_of(value_of(messages=["text"])),
        status("sent", id=""),
    ],
)
def test_what_lacks_what_it_is_about_is_parked(body: bytes) -> None:
    assert isinstance(only(body), Parked)


@pytest.mark.parametrize("name", ["pywa_message_text", "pywa_message_media_with_url", "pywa_message_reply"])
def test_bodies_of_the_collection(name: str) -> None:
    event = only(payload(name))
    assert isinstance(event, MessageReceived)
    assert event.sender is not None
    assert event.sender.other_ids[-1].kind == "parent_bsuid"
