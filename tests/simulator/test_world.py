"""What the simulated world promises to those who change it: topics, limits, reasons."""

from __future__ import annotations

import socket

import pytest

from tests.support.telegram_box import BoxError, TelegramBox


def test_the_first_topic_of_a_forum_leaves_general_alone(box: TelegramBox) -> None:
    person = box.person("Mina")
    forum = box.group("Operations", type="supergroup", is_forum=True, creator=person)
    topic = box.topic(forum, "Alerts")
    assert topic["id"] > 1
    found = box.control("GET", f"/chats/{forum['id']}")["topics"]
    assert [(one["id"], one["name"]) for one in found] == [(1, "General"), (topic["id"], "Alerts")]


def test_a_message_goes_into_the_first_topic(box: TelegramBox) -> None:
    person = box.person("Mina")
    forum = box.group("Operations", type="supergroup", is_forum=True, creator=person, bots=["switchboard_demo_bot"])
    topic = box.topic(forum, "Alerts")
    answer = box.call("sendMessage", chat_id=forum["id"], message_thread_id=topic["id"], text="Up")
    assert answer["ok"], answer
    assert answer["result"]["message_thread_id"] == topic["id"]


@pytest.mark.parametrize("limit", [[0.5, 1], [1.5, 1], [0, 1], [1, 0], [1], "1"])
def test_a_limit_that_cannot_be_kept_is_refused_and_changes_nothing(box: TelegramBox, limit: object) -> None:
    before = box.settings()
    with pytest.raises(BoxError) as refused:
        box.rates("strict", per_chat=limit)
    assert refused.value.status == 422
    assert box.settings() == before


def test_an_unreachable_webhook_is_reported_without_an_address(box: TelegramBox) -> None:
    person = box.person("Mina")
    # Bound and not listening: connections are refused for as long as the socket is held.
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        box.call("setWebhook", url=f"http://127.0.0.1:{held.getsockname()[1]}/hook")
        box.start(person)
        tries = next(found for _ in range(10_000) if (found := box.deliveries()))
        assert tries[0]["error"] == "Connection refused"
        assert box.call("getWebhookInfo")["result"]["last_error_message"] == "Connection refused"
