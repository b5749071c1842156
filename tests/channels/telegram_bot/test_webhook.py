"""Updates: every body on file has its event, and odd ones harm nobody."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from backend.channels.inbound import (
    ButtonPressed,
    Chat,
    ChatMigrated,
    Command,
    Ignored,
    InboundEvent,
    MembershipChanged,
    MessageReceived,
    Parked,
    Person,
    ReceivedMedia,
)
from backend.channels.telegram_bot import webhook

PAYLOADS = Path(__file__).parents[2] / "payloads" / "telegram"


def body_of(name: str) -> bytes:
    return (PAYLOADS / f"{name}.json").read_bytes()


def event_of(body: bytes) -> InboundEvent:
    (event,) = webhook.parse(body)
    return event


def message(**fields: Any) -> MessageReceived:
    base = {
        "message_id": 5,
        "date": 1700000000,
        "chat": {"id": 42, "type": "private"},
        "from": {"id": 42, "first_name": "Ada"},
    }
    kind = fields.pop("kind", "message")
    event = event_of(json.dumps({"update_id": 1, kind: base | fields}).encode())
    assert isinstance(event, MessageReceived)
    return event


TEST_CHAT = Chat("7000000006", "private", username="example_5", name="Elin Example")
TEST_PERSON = Person("7000000006", "Elin Example", username="example_5")
OLD_DATE = datetime(2015, 9, 7, 17, 5, 32, tzinfo=UTC)

EVENTS: dict[str, InboundEvent] = {
    "bottender_callback_query": ButtonPressed(
        callback_id="123",
        data="data",
        person=Person("7000000014", "Ana Example", language="en"),
        chat=Chat("7000000014", "private", name="Cleo Example"),
        message_id="666",
    ),
    "bottender_channel_post": MessageReceived(
        Chat("-1007000000004", "channel", title="Example group"),
        None,
        "2",
        text="post~~~",
        channel_post=True,
        date=datetime(2018, 1, 12, 12, 33, 2, tzinfo=UTC),
    ),
    "bottender_group_message": MessageReceived(
        Chat("-7000000016", "group", title="Example group"),
        Person("7000000014", "Ana Example", language="en"),
        "238",
        text="hi",
        date=datetime(2018, 1, 12, 11, 55, 46, tzinfo=UTC),
    ),
    "edited_message": MessageReceived(TEST_CHAT, TEST_PERSON, "1365", text="Edited text", edited=True, date=OLD_DATE),
    "forwarded_start": MessageReceived(
        TEST_CHAT, TEST_PERSON, "1365", text="/start", command=Command("start"), forwarded=True, date=OLD_DATE
    ),
    "message_reaction": Ignored("message_reaction"),
    "migrate_from_group": ChatMigrated("-7000000001", "-1007000000003"),
    "migrate_to_supergroup": ChatMigrated("-7000000001", "-1007000000003"),
    "my_chat_member_kicked_zero_ids": MembershipChanged(
        Chat("0", "private", username="example_2", name="Ben Example"),
        status="kicked",
        was="member",
        by=Person("0", "Ben Example", username="example_2"),
        date=datetime(2022, 2, 12, 14, 55, 26, tzinfo=UTC),
    ),
    "official_start_chat_without_type": MessageReceived(
        Chat("7000000006", "private", username="example_10", name="Jun Example"),
        Person("7000000006", "Jun Example", username="example_10"),
        "1365",
        text="/start",
        command=Command("start"),
        date=OLD_DATE,
    ),
    "photo_with_caption": MessageReceived(
        Chat("7000000017", "private", username="example_12", name="Dario"),
        Person("7000000017", "Dario", username="example_12", language="en"),
        "3460",
        text="www.example.com",
        kind="photo",
        media=(
            ReceivedMedia(
                "photo",
                "AgACAgQAAxkBAAINhGKvijUVSn2i3980bQIIc1fqWGNCAAJpvDEbEmaBUfuA43fR-BnlAQADAgADeQADJAQ",
                "AQADabwxGxJmgVF-",
                size=162061,
            ),
        ),
        date=datetime(2022, 6, 19, 20, 42, 29, tzinfo=UTC),
    ),
    "pinned_message_service": Ignored("message.pinned_message"),
    "text_with_link_preview": MessageReceived(
        Chat("7000000018", "private", username="example_13", name="Elin"),
        Person("7000000018", "Elin", username="example_13", language="en"),
        "6557",
        text="hello there",
        date=datetime(2019, 9, 26, 17, 19, 2, tzinfo=UTC),
    ),
    "topic_message": MessageReceived(
        Chat("-1007000000007", "supergroup", title="Example group", is_forum=True),
        Person("7000000008", "Farid", username="example_6", language="en"),
        "5",
        text="blah",
        thread_id="4",
        reply_to="4",
        date=datetime(2023, 2, 1, 5, 25, 40, tzinfo=UTC),
    ),
    "unknown_future_update_type": Ignored("new_update_kind"),
}


def test_every_body_on_file_has_its_event_here() -> None:
    assert sorted(EVENTS) == sorted(path.stem for path in PAYLOADS.glob("*.json"))


def people_and_chats(value: Any) -> list[dict[str, Any]]:
    """Every object in a body that stands for a person or a chat."""
    if isinstance(value, list):
        return [found for one in value for found in people_and_chats(one)]
    if not isinstance(value, dict):
        return []
    mine = [value] if "id" in value and value.keys() & {"first_name", "title", "username", "is_bot"} else []
    return mine + [found for one in value.values() for found in people_and_chats(one)]


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_nobody_in_a_body_on_file_is_real(name: str) -> None:
    for one in people_and_chats(json.loads(body_of(name))):
        assert re.fullmatch(r"[01]|-?(100)?70000000\d\d", str(one["id"])), one["id"]
        assert re.fullmatch(r"example_\d+", one.get("username", "example_1"))
        assert one.get("title", "Example group") == "Example group"
        assert one.get("last_name", "Example") == "Example"


@pytest.mark.parametrize("name", sorted(EVENTS))
def test_bodies_on_file(name: str) -> None:
    assert event_of(body_of(name)) == EVENTS[name]


@pytest.mark.parametrize(
    ("name", "conversation", "kind"),
    [
        ("bottender_callback_query", "chat:7000000014", "callback_query"),
        ("topic_message", "chat:-1007000000007", "message"),
        ("my_chat_member_kicked_zero_ids", "chat:0", "my_chat_member"),
        ("migrate_to_supergroup", "chat:-7000000001", "message"),
        ("message_reaction", "chat:-1007000000012", "message_reaction"),
    ],
)
def test_the_conversation_is_the_chat(name: str, conversation: str, kind: str) -> None:
    item = webhook.split(body_of(name))[0]
    assert (item.conversation_key, item.kind) == (conversation, kind)


def test_an_update_of_no_chat_is_a_conversation_of_its_own() -> None:
    keys = {webhook.split(b'{"update_id": %d, "new_kind": {"a": 1}}' % number)[0].conversation_key for number in (1, 2)}
    assert len(keys) == 2
    inline = b'{"update_id": 1, "callback_query": {"id": "1", "from": {"id": 0}}}'
    assert webhook.split(inline)[0].conversation_key == "person:0"


def test_the_same_update_has_one_key_however_it_is_written() -> None:
    body = body_of("topic_message")
    update = json.loads(body)
    reordered = json.dumps(dict(reversed(update.items())), indent=3).encode()
    assert webhook.split(reordered)[0].dedupe_key == webhook.split(body)[0].dedupe_key
    assert webhook.split(body)[0].dedupe_key.startswith("700000001:")


def test_a_restarted_id_with_another_content_is_another_update() -> None:
    body = body_of("topic_message")
    assert webhook.split(body.replace(b'"blah"', b'"bluh"'))[0].dedupe_key != webhook.split(body)[0].dedupe_key


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/start", Command("start")),
        ("/START user_1_abc", Command("start", payload="user_1_abc")),
        ("/start@my_bot user_1_abc", Command("start", "my_bot", "user_1_abc")),
        ("/link\n  two words \n", Command("link", payload="two words")),
        ("/stop_it2", Command("stop_it2")),
        ("/", None),
        ("/start@ x", None),
        ("/start-now", None),
        (" /start", None),
        ("start", None),
        ("/home/ada", None),
    ],
)
def test_commands(text: str, command: Command | None) -> None:
    assert message(text=text).command == command


def test_a_caption_is_no_command() -> None:
    event = message(document={"file_id": "F", "file_name": "a.txt"}, caption="/start x")
    assert (event.text, event.command, event.kind) == ("/start x", None, "document")


@pytest.mark.parametrize(
    "fields",
    [
        {"forward_origin": {"type": "user"}},
        {"forward_date": 1},
        {"forward_sender_name": "x"},
        {"is_automatic_forward": True},
        {"via_bot": {"id": 9, "is_bot": True, "first_name": "Inline"}},
    ],
)
def test_forwarded_messages(fields: dict[str, Any]) -> None:
    assert message(text="x", **fields).forwarded


@pytest.mark.parametrize(
    ("fields", "anonymous"),
    [
        ({}, False),
        ({"sender_chat": {"id": -1001, "type": "supergroup"}}, True),
        ({"from": {"id": 1087968824, "is_bot": True, "first_name": "Group"}}, True),
        ({"from": {"id": 136817688, "is_bot": True, "first_name": "Channel"}}, True),
    ],
)
def test_anonymous_messages(fields: dict[str, Any], anonymous: bool) -> None:
    event = message(text="/start x", **fields)
    assert event.anonymous is anonymous
    assert event.proves_sender is not anonymous


def test_edited_channel_posts_are_both() -> None:
    event = message(kind="edited_channel_post", text="x")
    assert event.edited
    assert event.channel_post


def test_a_thread_outside_of_a_topic_is_not_echoed() -> None:
    assert message(text="x", message_thread_id=4).thread_id is None
    assert message(text="x", message_thread_id=4, is_topic_message=True).thread_id == "4"


@pytest.mark.parametrize("kind", ["document", "video", "audio", "voice", "video_note", "sticker", "animation"])
def test_files_of_every_kind(kind: str) -> None:
    file = {"file_id": "F", "file_unique_id": "U", "file_name": "n", "mime_type": "m/t", "file_size": 3}
    event = message(**{kind: file})
    assert event.kind == kind
    assert event.media == (ReceivedMedia(kind, "F", "U", "n", "m/t", 3),)


@pytest.mark.parametrize("kind", ["location", "contact", "poll", "dice", "venue"])
def test_messages_without_text_or_file(kind: str) -> None:
    event = message(**{kind: {"x": 1}})
    assert (event.kind, event.text, event.media) == (kind, "", ())


def test_text_that_cannot_be_stored_is_replaced() -> None:
    body = b'{"update_id":1,"message":{"message_id":1,"chat":{"id":1},"text":"a\\u0000b\\ud800c \\ud83d\\ude00"}}'
    event = event_of(body)
    assert isinstance(event, MessageReceived)
    assert event.text == "a\ufffdb\ufffdc 😀"


def test_an_inaccessible_message_under_a_button() -> None:
    query = {
        "id": "1",
        "from": {"id": 2, "first_name": "A"},
        "data": "d",
        "message": {"chat": {"id": -5}, "message_id": 3, "date": 0},
    }
    event = event_of(json.dumps({"update_id": 1, "callback_query": query}).encode())
    assert event == ButtonPressed("1", "d", Person("2", "A"), Chat("-5", "group"), "3")
    del query["message"]
    assert event_of(json.dumps({"update_id": 1, "callback_query": query}).encode()) == ButtonPressed(
        "1", "d", Person("2", "A")
    )


@pytest.mark.parametrize(
    ("chat_id", "chat_type"), [(5, "private"), (0, "private"), (-5, "group"), (-1001847508954, "supergroup")]
)
def test_a_chat_without_a_type(chat_id: int, chat_type: str) -> None:
    assert message(text="x", chat={"id": chat_id}).chat.type == chat_type


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "unparsable"),
        (b"{", "unparsable"),
        (b"\xff\xfe", "unparsable"),
        (b"[]", "not_an_object"),
        (b"5", "not_an_object"),
        (b'{"update_id": 1, "message": 5}', "malformed"),
        (b'{"update_id": 1, "message": {}}', "malformed"),
        (b'{"update_id": 1, "message": {"chat": {"id": true}, "message_id": 1}}', "malformed"),
        (b'{"update_id": 1, "message": {"chat": {"id": 1}}}', "malformed"),
        (b'{"update_id": 1, "callback_query": []}', "malformed"),
        (b'{"update_id": 1, "callback_query": {"id": "1"}}', "malformed"),
        (b'{"update_id": 1, "my_chat_member": {"chat": {"id": 1}}}', "malformed"),
    ],
)
def test_malformed_updates_are_parked(body: bytes, reason: str) -> None:
    event = event_of(body)
    assert isinstance(event, Parked)
    assert event.reason == reason


@pytest.mark.parametrize(
    "field", ["chat", "from", "text", "photo", "document", "reply_to_message", "date", "sender_chat"]
)
@pytest.mark.parametrize("value", [None, 0, -1, 10**30, True, "x", "", [], [None], {}, {"id": {}}, {"file_id": 3}, 1.5])
def test_a_field_of_any_shape_raises_nothing(field: str, value: object) -> None:
    update = json.loads(body_of("photo_with_caption"))
    update["message"][field] = value
    body = json.dumps(update).encode()
    assert isinstance(event_of(body), MessageReceived | Parked | Ignored)
    assert webhook.split(body)[0].dedupe_key


def test_an_empty_update_is_ignored() -> None:
    assert event_of(b'{"update_id": 5}') == Ignored("empty")


@pytest.mark.parametrize(
    ("chat", "news"),
    [
        ({"id": 5001, "type": "private", "first_name": "Sam"}, {"migrate_to_chat_id": -1001555296434}),
        ({"id": 5001}, {"migrate_to_chat_id": -1001555296434}),
        ({"id": -1001555296434, "type": "supergroup", "title": "T"}, {"migrate_to_chat_id": -1001555296435}),
        ({"id": -1001555296434, "type": "channel", "title": "T"}, {"migrate_from_chat_id": -599075523}),
        ({"id": -599075523, "type": "group", "title": "T"}, {"migrate_to_chat_id": 5001}),
        ({"id": -599075523, "type": "group", "title": "T"}, {"migrate_to_chat_id": -599075524}),
        ({"id": -599075523, "type": "group", "title": "T"}, {"migrate_to_chat_id": "@elsewhere"}),
        ({"id": -599075523, "type": "group", "title": "T"}, {"migrate_to_chat_id": -(2**60)}),
        ({"id": -599075523, "type": "group", "title": "T"}, {"migrate_to_chat_id": True}),
        ({"id": -1001555296434, "type": "supergroup", "title": "T"}, {"migrate_from_chat_id": 5001}),
        ({"id": -1001555296434, "type": "supergroup", "title": "T"}, {"migrate_from_chat_id": -1001555296435}),
        ({"id": 5001, "type": "group", "title": "T"}, {"migrate_to_chat_id": -1001555296434}),
    ],
)
def test_only_a_group_becomes_a_supergroup(chat: dict[str, object], news: dict[str, object]) -> None:
    update = {"update_id": 1, "message": {"message_id": 2, "date": 1_700_000_000, "chat": chat, **news}}
    (event,) = webhook.parse(json.dumps(update).encode())
    assert isinstance(event, Ignored)
