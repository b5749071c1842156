"""What a message says: readable whatever was given, whole items, in as many parts as it takes."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from backend.channels import richtext
from backend.channels.telegram_bot import formatting, limits
from backend.services.alerts.messages.texts import content, keyboard, superseded, text
from backend.services.alerts.state.reach import Reach
from backend.services.alerts.state.view import ItemView, View

NOW = datetime(2026, 11, 21, 13, 4, tzinfo=UTC)


def item(number: int = 1, **fields: Any) -> ItemView:
    name = f"host-{number:04}"
    given: dict[str, Any] = {
        "title": f"{name} is down", "body": f"No answer from <b>{name}</b>", "severity": "critical",
        "labels": {"host": name}, "count": 1,
    }  # fmt: skip
    return ItemView(**(given | fields))


def view(*items: ItemView, **fields: Any) -> View:
    title = items[0].title if len(items) == 1 else "Hosts"
    given: dict[str, Any] = {
        "id": 7, "title": title, "severity": "critical", "state": "firing", "labels": {}, "items": items,
        "opened_at": NOW, "grouped": len(items) > 1,
    }  # fmt: skip
    return View(**(given | fields))


def test_an_alert_in_english_and_korean():
    one = view(item(count=1234), by_name="Jonas", since=NOW, state="acknowledged")
    assert text(one, "en") == (
        "🔴 <b>host-0001 is down</b> ×1,234\n👀 Acknowledged by Jonas · 2026-11-21 13:04 UTC\n"
        "🕐 Since 2026-11-21 13:04 UTC\n\nNo answer from <b>host-0001</b>\n\nhost=host-0001"
    )
    assert "확인: Jonas" in text(one, "ko")


@pytest.mark.parametrize(
    ("state", "fields", "actions"),
    [
        ("firing", {}, ["ack", "snooze", "silence", "resolve"]),
        ("acknowledged", {}, ["unack", "snooze", "silence", "resolve"]),
        ("snoozed", {"snoozed_until": NOW}, ["wake", "silence", "resolve"]),
        ("resolved", {}, []),
    ],
)
def test_the_buttons_are_what_can_be_done(state, fields, actions):
    links = [{"text": "Runbook", "url": "https://example.com"}]
    rows = keyboard(view(item(), state=state, links=links, **fields), "en")
    assert rows[0][0].url == "https://example.com"
    assert [button.data for row in rows[1:] for button in row] == [f"alert:{action}:7" for action in actions]
    assert all(len(button.data or "") <= limits.CALLBACK_DATA_BYTES for row in rows for button in row)


def test_what_was_left_open_does_not_run_on():
    one = text(view(item(body="<b>open <i>and <code>open", labels={"a": "b"})), "en")
    assert "<b>open <i>and <code>open</code></i></b>\n\na=b" in one


def test_a_moved_message_says_so_and_has_no_actions():
    moved = superseded(view(item()), "en")
    assert moved.text.startswith("⬇️")
    assert moved.buttons == ()


def hostile(seed: int, length: int) -> str:
    """Broken markup, emoji made of several characters, right-to-left text, long words."""
    dice = random.Random(seed)
    pieces = [
        "<b>", "</i>", "<a href='https://example.com/?q=1&x=2'>", "</a>", "<script>", "&lt;", "&", "<", ">", "</b",
        "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇰🇷", "مرحبا بالعالم", "שלום עולם", "\u202eevil\u202c", "e\u0301", "각", "word ",
        "\n", "\n\n", "*_`[", "x" * 50 + " ",
    ]  # fmt: skip
    out: list[str] = []
    while len(richtext.visible(richtext.read("".join(out)))) < length:
        out += dice.choices(pieces, k=200)
    return "".join(out)


def parts_of(one: View) -> list[str]:
    split = formatting.split(content(one, "en"))
    assert formatting.split(split[0])[0].text == split[0].text
    return [part.text for part in split]


def plain(source: str) -> str:
    return "".join(richtext.visible(richtext.read(source)).split())


@pytest.mark.parametrize("seed", range(8))
def test_twenty_thousand_hostile_characters_arrive_whole_and_readable(seed):
    body = hostile(seed, 20_000)
    parts = parts_of(view(item(title="Broken", body=body, labels={})))
    for part in parts:
        runs = richtext.read(part)
        assert richtext.utf16_length(richtext.visible(runs)) <= limits.TEXT_UNITS
        assert richtext.count_tags(runs) <= limits.ENTITIES
        assert len(part.encode()) <= limits.TEXT_BYTES
        assert richtext.write(runs) == part, "markup that Telegram takes as it is"
    assert plain(body) in "".join(plain(part) for part in parts), "nothing is lost"
    assert 5 <= len(parts) <= 60


def test_no_item_is_cut_in_two():
    items = [
        item(number, body=f"No answer.\nSince {number} minutes.\n" + "detail " * (number % 40)) for number in range(500)
    ]
    parts = parts_of(view(*items))
    for number in range(500):
        holding = [part for part in parts if f"host-{number:04} is down" in part]
        assert len(holding) == 1
        block = next(block for block in holding[0].split("\n\n") if f"host-{number:04} is down" in block)
        assert f"Since {number} minutes." in block
        assert f"host=host-{number:04}" in block
    assert len(parts) > 10


def test_an_item_with_empty_lines_stays_one_block():
    parts = parts_of(view(item(1, body="one\n\n\ntwo"), item(2)))
    assert "one\ntwo" in parts[0]


def test_a_change_of_one_item_changes_one_part_beside_the_first():
    items = [item(number) for number in range(500)]
    before = parts_of(view(*items))
    after = parts_of(view(*items[:250], replace(items[250], count=1), *items[251:]))
    assert before == after
    resolved = parts_of(view(*items[:250], replace(items[250], resolved=True), *items[251:]))
    changed = [number for number, (one, other) in enumerate(zip(before, resolved, strict=True)) if one != other]
    assert len(changed) == 2


def test_the_content_can_be_kept_in_a_row():
    assert json.dumps(content(view(item()), "en").to_json())


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("http://4f1c7a9be2d0:9093/#/alerts?receiver=team", False),
        ("http://localhost:9090/graph?g0.expr=up", False),
        ("http://127.0.0.1:9093/", False),
        ("http://[::1]:9093/", False),
        ("http://grafana.localhost/d/1", False),
        ("http://vm-1.:9093/", False),
        ("http://[broken/", False),
        ("https://alerts.example.com/#/alerts", True),
        ("http://10.0.0.7:9093/#/alerts", True),
        ("http://[2001:db8::7]:9093/", True),
    ],
)
def test_a_monitoring_systems_idea_of_its_own_address_is_a_button_only_where_it_may_lead_somewhere(
    url: str, kept: bool
) -> None:
    links = [{"text": "Open rule", "url": url}, {"text": "Runbook", "url": "https://wiki.example.com/r"}]
    rows = keyboard(view(item(), links=links, is_monitored=True), "en")
    assert [button.url for button in rows[0]] == ([url] if kept else []) + ["https://wiki.example.com/r"]
    said = text(view(item(1, url=url), item(2)), "en")
    assert ("<a href=" in said) == kept
    assert "host-0001 is down" in said


def test_an_address_that_somebody_gave_is_not_lost_when_it_cannot_be_a_button() -> None:
    links = [{"text": "Runbook", "url": "http://wiki/runbook"}]
    (part,) = formatting.split(content(view(item(), links=links), "en"))
    assert part.text.endswith("Runbook: http://wiki/runbook")
    assert all(button.data for row in part.buttons for button in row)


def test_twenty_alerts_with_long_addresses_arrive_whole() -> None:
    """Each address has 460 characters; together Telegram takes them in no one message."""
    items = [item(number, url=f"https://graphs.example.com/{number:04}/{'q' * 428}") for number in range(20)]
    parts = formatting.split(content(view(*items), "en"))
    said = "".join(part.text for part in parts)
    assert all(str(one.url) in said for one in items)
    assert len(parts) == 2
    assert all(formatting.entity_bytes(richtext.read(part.text)) < 9_500 for part in parts)


def test_it_says_that_some_of_its_chats_do_not_have_it() -> None:
    one = view(item(), reach=Reach(3, 2, "kicked"))
    assert "⚠️ Not delivered to 2 of 3 chats (kicked)" in text(one, "en").split("\n")
    assert "⚠️ 대화방 3개 중 2개에 전달되지 않음(kicked)" in text(one, "ko").split("\n")
    for reach in (Reach(), Reach(2, 0), Reach(1, 1, "kicked"), Reach(2, 2, "kicked")):
        assert "⚠️" not in text(view(item(), reach=reach), "en")


def test_long_texts_of_many_items_are_shortened_and_every_item_is_named() -> None:
    many = view(*(item(number, body="<b>" + "disk &lt;full&gt; " * 800 + "</b>") for number in range(500)))
    parts = parts_of(many)
    assert len(parts) < 60
    whole = "".join(parts)
    assert [number for number in range(500) if f"host-{number:04} is down" not in whole] == []
    assert "disk<full>" in plain(parts[1])
    assert plain(parts[1]).count("…") > 1


def test_long_labels_of_many_items_are_shortened() -> None:
    labels = {f"label_{number}": "x" * 900 for number in range(50)}
    assert len(parts_of(view(*(item(number, labels=labels) for number in range(500))))) < 100


@pytest.mark.parametrize("count", [1, 20])
def test_few_items_keep_all_their_words(count: int) -> None:
    words = " ".join(f"word{number}" for number in range(500))
    shown = plain("".join(parts_of(view(*(item(number, body=words) for number in range(count))))))
    assert shown.count("word499") == count
