"""The items of Messenger's and Instagram's bodies: one for each event, with keys that tell them apart."""

from __future__ import annotations

import json
from typing import Any

from backend.channels.meta_messaging.items import split
from backend.channels.spec import UNPARSABLE, Item
from tests.channels.meta_messaging.bodies import AT, EVENTS, PAGE, PERSON, body, collected, event, message


def only(raw: bytes) -> Item:
    """The one item of a body."""
    (item,) = split(raw)
    return item


def keys(*events: dict[str, Any]) -> list[str]:
    """What the events are unique by."""
    return [item.dedupe_key for item in split(body(*events))]


def test_a_body_holds_items_of_several_pages_in_its_order():
    entries = [
        {"id": "1", "time": 5, "messaging": [message("m_1"), message("m_2")]},
        {"id": 2, "messaging": [message("m_3")], "standby": [message("m_4")]},
        {"id": "1", "changes": [{"field": "feed", "value": {"item": "post"}}]},
    ]
    items = split(json.dumps({"object": "page", "entry": entries}).encode())
    assert [(item.recipient_id, item.dedupe_key) for item in items[:4]] == [
        ("1", "m_1"),
        ("1", "m_2"),
        ("2", "m_3"),
        ("2", "m_4"),
    ]
    assert (items[4].recipient_id, items[4].kind) == ("1", "change:feed")
    assert [item.conversation_key for item in items[:4]] == [f"person:{PERSON}"] * 4


def test_what_the_provider_tells_events_apart_by():
    assert keys(message("m_1"), message("m_1", is_deleted=True)) == ["m_1", "m_1:deleted"]
    assert keys(event("message_edit", {"mid": "m_1", "text": "b", "num_edit": 2})) == ["m_1:edit:2"]
    assert keys(event("reaction", {"mid": "m_1", "action": "react"})) == [f"m_1:{PERSON}:react:{AT}"]
    assert keys(event("read", {"watermark": AT + 1})) == [f"read:{PERSON}:{AT + 1}"]
    assert keys(event("read", {"mid": "m_9"})) == [f"read:{PERSON}:m_9"]
    assert keys(event("postback", {"mid": "m_2", "payload": "a"})) == ["postback:m_2"]


def test_everything_else_is_told_apart_by_what_it_says():
    first, second = event("postback", {"payload": "a"}), event("postback", {"payload": "b"})
    assert len(set(keys(first, second, first))) == 2
    deliveries = [event("delivery", {"mids": [mid], "watermark": AT}) for mid in ("m_1", "m_2")]
    assert len(set(keys(*deliveries))) == 2


def test_the_same_event_in_another_batch_is_the_same_item():
    alone = [only(body(one)) for one in EVENTS]
    together = split(body(*EVENTS, *EVENTS))
    assert together == alone + alone
    assert len({item.dedupe_key for item in together}) == len(EVENTS)


def test_escapes_and_the_order_of_names_make_no_difference():
    text = '{"object":"page","entry":[{"time":%s,"id":"1","messaging":[%s]}]}'
    first = text % (1, r'{"sender":{"id":"2"},"recipient":{"id":"1"},"optin":{"ref":"\u00e4\/b"}}')
    second = text % (2, '{"optin":{"ref":"ä/b"},"recipient":{"id":"1"},"sender":{"id":"2"}}')
    assert only(first.encode()) == only(second.encode())


def test_a_conversation_is_the_persons_whoever_writes():
    for one in (
        message("m_1"),
        message("m_2", from_page=True, is_echo=True),
        event("read", {"mid": "m"}, from_page=True),
    ):
        assert only(body(one)).conversation_key == f"person:{PERSON}"
    to_itself = {"sender": {"id": PAGE}, "recipient": {"id": PAGE}, "message": {"mid": "m_3"}}
    assert only(body(to_itself)).conversation_key == f"person:{PAGE}"
    without = only(body({"recipient": {"id": PAGE}, "optin": {"user_ref": "a browser"}}))
    assert without.conversation_key.startswith("item:")


def test_a_message_that_comes_as_a_change_is_a_message():
    change = {"field": "messages", "value": message("m_1", text="hi")}
    item = only(body(change, edge="changes", name="instagram"))
    assert (item.kind, item.dedupe_key, item.conversation_key) == ("message", "m_1", f"person:{PERSON}")


def test_one_that_cannot_be_read_keeps_back_no_other():
    events: list[Any] = [message(f"m_{number}") for number in range(1000)]
    events[500] = "not an event"
    items = split(body(*events))
    assert len(items) == 1000
    assert [number for number, item in enumerate(items) if item.kind == UNPARSABLE] == [500]
    assert (items[500].recipient_id, items[999].dedupe_key) == (PAGE, "m_999")


def test_bodies_without_events_are_kept():
    for raw, kind in (
        (b"nothing", UNPARSABLE),
        (b"{}", UNPARSABLE),
        (b'{"entry": []}', "empty"),
        (b'{"entry": [{"id": "1"}]}', "empty"),
        (b'{"entry": [{"id": "1", "messaging": []}]}', "empty"),
        (b'{"entry": [{"id": "1", "messaging": {"0": 1}}]}', UNPARSABLE),
    ):
        assert only(raw).kind == kind


def test_a_key_that_is_too_long_for_a_row_is_its_digest():
    first, second = keys(message("m" * 500 + "1"), message("m" * 500 + "2"))
    assert first != second
    assert first.startswith("sha256:")


def test_the_collected_bodies():
    kinds = {item.kind for folder in ("messenger", "instagram") for raw in collected(folder) for item in split(raw)}
    assert kinds == {"message", "read"}
