"""A body's items: keys, recipients, order, and a bad one that spoils no other."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backend.channels.spec import UNPARSABLE
from backend.channels.whatsapp import people
from backend.channels.whatsapp.items import split
from tests.channels.whatsapp.bodies import BSUID, CONTACT, PERSON, body_of, inbound, message, status, value_of


def numbered(count: int) -> list[dict[str, Any]]:
    return [message("text", {"body": str(place)}, id=f"wamid.{place}") for place in range(count)]


def test_a_thousand_items_of_three_numbers_with_a_bad_one_in_the_middle() -> None:
    lists: list[list[Any]] = [numbered(1000)[place::3] for place in range(3)]
    lists[1][150] = "not a message"
    items = split(
        body_of(*(value_of(f"10{place}", contacts=[CONTACT], messages=found) for place, found in enumerate(lists)))
    )
    assert len(items) == 1000
    good = [item for item in items if item.kind != UNPARSABLE]
    assert len({item.dedupe_key for item in good}) == 999
    assert {item.recipient_id for item in items} == {"100", "101", "102"}
    assert {item.conversation_key for item in good} == {f"person:{BSUID}"}


def test_an_item_has_the_same_keys_in_any_batch() -> None:
    (alone,) = split(inbound("text", {"body": "1"}, id="wamid.1"))
    batch = split(body_of(value_of(contacts=[CONTACT], messages=numbered(3))))
    assert (alone.dedupe_key, alone.conversation_key) == (batch[1].dedupe_key, batch[1].conversation_key)
    assert alone.dedupe_key == "wamid.1"


def test_escaped_and_plain_letters_are_the_same_item() -> None:
    body = json.loads(inbound("text", {"body": "안녕 / <b>"}))
    plain, escaped = json.dumps(body, ensure_ascii=False).encode(), json.dumps(body).replace("/", "\\/").encode()
    assert split(plain) == split(escaped)


def test_states_are_unique_by_message_and_state_and_hold_up_nobody() -> None:
    (sent,), (again,), (delivered,) = (
        split(status("sent")),
        split(status("sent", timestamp="9")),
        split(status("delivered")),
    )
    assert sent.dedupe_key == again.dedupe_key == "wamid.out1:sent"
    assert delivered.dedupe_key == "wamid.out1:delivered"
    assert sent.conversation_key == delivered.conversation_key == "status:wamid.out1"


def test_each_piece_keeps_the_contact_it_is_about() -> None:
    other = {"profile": {"name": "Ann"}, "wa_id": "4915112345678"}
    messages = [
        message("text", {"body": "a"}, id="1"),
        message("text", {"body": "b"}, id="2") | {"from": other["wa_id"]},
    ]
    items = split(body_of(value_of(contacts=[CONTACT, other], messages=messages)))
    names = [
        json.loads(item.piece)["entry"][0]["changes"][0]["value"]["contacts"][0]["profile"]["name"] for item in items
    ]
    assert names == ["Mina", "Ann"]


def test_a_long_id_is_a_short_key() -> None:
    (item,) = split(inbound("text", {"body": "x"}, id="wamid." + "x" * 400))
    assert len(item.dedupe_key) <= 200


def test_what_is_nested_too_deeply_spoils_no_other() -> None:
    deep: Any = "x"
    for _ in range(400):
        deep = [deep]
    bad = message("text", {"body": "x"}, id="wamid.deep") | {"more": deep}
    items = split(body_of(value_of(contacts=[CONTACT], messages=[numbered(1)[0], bad, numbered(2)[1]])))
    assert [item.dedupe_key for item in items][::2] == ["wamid.0", "wamid.1"]


@pytest.mark.parametrize(
    ("written", "one"),
    [
        ("551187654321", "5511987654321"),
        ("5511987654321", "5511987654321"),
        ("551134567890", "551134567890"),  # a landline has eight digits
        ("541145678901", "5491145678901"),
        ("5491145678901", "5491145678901"),
        ("5215512345678", "525512345678"),
        ("525512345678", "525512345678"),
        (PERSON, PERSON),
        ("15215551234", "15215551234"),
    ],
)
def test_variants_of_a_number_are_one(written: str, one: str) -> None:
    assert people.canonical(written) == one
    assert people.canonical(one) == one
