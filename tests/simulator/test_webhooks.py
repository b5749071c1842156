"""Delivering to a webhook: the secret, the order, refusals and what waits behind them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from simulator.webhooks import wait_after
from tests.simulator.receiver import Posted, Receiver, Reply
from tests.simulator.wire import eventually, refusal
from tests.support.telegram_box import TelegramBox

JSON = dict[str, Any]
BOT = "switchboard_demo_bot"
FAST = 100_000  # the waits between tries become nothing


@pytest.fixture
def jonas(box: TelegramBox) -> JSON:
    """Somebody else who has started the bot before there is a webhook."""
    person = box.person("Jonas")
    box.start(person)
    box.call("getUpdates", offset=box.updates()[-1]["update_id"] + 1)
    return person


def info(box: TelegramBox) -> JSON:
    found: JSON = box.call("getWebhookInfo")["result"]
    return found


def settled(box: TelegramBox) -> JSON:
    """getWebhookInfo, once nothing waits."""
    return eventually(lambda: info(box), lambda found: found["pending_update_count"] == 0)


def texts(receiver: Receiver) -> list[str]:
    return [posted.text for posted in receiver.posted]


def test_an_update_comes_as_json_with_the_secret(box: TelegramBox, mina: JSON, receiver: Receiver) -> None:
    answer = box.call("setWebhook", url=receiver.url, secret_token="a-Secret_1")
    assert answer == {"ok": True, "result": True, "description": "Webhook was set"}
    again = box.call("setWebhook", url=receiver.url, secret_token="a-Secret_1")
    assert again == {"ok": True, "result": True, "description": "Webhook is already set"}
    box.say(mina, "Hello, 세계")
    posted = receiver.wait_for(1)[0]
    assert posted.headers["X-Telegram-Bot-Api-Secret-Token"] == "a-Secret_1"
    assert posted.headers["Content-Type"] == "application/json"
    assert list(posted.update) == ["update_id", "message"]
    assert posted.text == "Hello, 세계"
    assert settled(box) == {
        "url": receiver.url,
        "has_custom_certificate": False,
        "pending_update_count": 0,
        "max_connections": 40,
    }
    assert "a-Secret_1" not in json.dumps(box.log()), "the log hides the secret"


def test_without_a_secret_there_is_no_header(box: TelegramBox, mina: JSON, receiver: Receiver) -> None:
    box.call("setWebhook", url=receiver.url)
    box.say(mina, "Hello")
    assert "X-Telegram-Bot-Api-Secret-Token" not in receiver.wait_for(1)[0].headers


def test_what_waited_before_comes_too_in_order(box: TelegramBox, mina: JSON, receiver: Receiver) -> None:
    for text in "abcde":
        box.say(mina, text)
    box.call("setWebhook", url=receiver.url)
    for text in "fghij":
        box.say(mina, text)
    receiver.wait_for(10)
    assert texts(receiver) == list("abcdefghij")
    numbers = [posted.update["update_id"] for posted in receiver.posted]
    assert numbers == list(range(numbers[0], numbers[0] + 10))


def test_a_failing_update_blocks_those_behind_it_and_no_others(
    box: TelegramBox, mina: JSON, jonas: JSON, receiver: Receiver
) -> None:
    def decide(posted: Posted) -> Reply:
        return Reply(500 if posted.text == "a" and "c" not in texts(receiver) else 200)

    receiver.decide = decide
    box.settings(webhook_speed=FAST)
    box.call("setWebhook", url=receiver.url)
    box.say(mina, "a")
    box.say(mina, "b")
    receiver.wait_for(3)
    box.say(jonas, "c")
    settled(box)
    tries = [text for text in texts(receiver) if text != "c"]
    assert tries.count("a") >= 4
    assert tries == ["a"] * (len(tries) - 1) + ["b"]
    first = {posted.update["update_id"] for posted in receiver.posted if posted.text == "a"}
    assert len(first) == 1, "it is the same update every time"


def test_a_single_queue_holds_everybody_up(box: TelegramBox, mina: JSON, jonas: JSON, receiver: Receiver) -> None:
    left = [500, 500, 500]
    receiver.decide = lambda posted: Reply(left.pop() if left else 200)
    box.settings(webhook_speed=FAST, webhook_order="single")
    box.call("setWebhook", url=receiver.url)
    box.say(mina, "a")
    box.say(jonas, "b")
    settled(box)
    assert texts(receiver) == ["a", "a", "a", "a", "b"]


def test_chats_come_side_by_side(box: TelegramBox, mina: JSON, jonas: JSON, receiver: Receiver) -> None:
    def decide(posted: Posted) -> Reply:
        if posted.text == "a":
            receiver.released.wait(60)
        else:
            receiver.released.set()
        return Reply()

    receiver.decide = decide
    box.call("setWebhook", url=receiver.url)
    box.say(mina, "a")
    receiver.wait_for(1)
    box.say(jonas, "b")
    settled(box)
    assert receiver.most_at_once == 2


def test_max_connections(box: TelegramBox, receiver: Receiver) -> None:
    box.call("setWebhook", url=receiver.url, max_connections=1)
    for number in range(8):
        box.start(box.person(f"Person {number}"))
    receiver.wait_for(8)
    assert receiver.most_at_once == 1
    assert info(box)["max_connections"] == 1
    box.call("setWebhook", url=receiver.url, max_connections=1000)
    assert info(box)["max_connections"] == 100


def test_the_waits_between_tries() -> None:
    assert [wait_after(failures, 0) for failures in range(1, 10)] == [0, 2, 4, 8, 16, 32, 60, 60, 60]
    assert [wait_after(failures, 7) for failures in (1, 5)] == [7, 7]
    assert wait_after(1, 100_000) == 3600


def test_retry_after_is_honored(box: TelegramBox, mina: JSON, jonas: JSON, receiver: Receiver) -> None:
    refused = {"a": Reply(503, {"Retry-After": "3600"}), "b": Reply(503)}

    def decide(posted: Posted) -> Reply:
        return refused[posted.text] if texts(receiver).count("b") < 2 else Reply()

    receiver.decide = decide
    box.call("setWebhook", url=receiver.url)
    box.say(mina, "a")
    receiver.wait_for(1)
    box.say(jonas, "b")
    eventually(lambda: info(box), lambda found: found["pending_update_count"] == 1)
    assert texts(receiver) == ["a", "b", "b"], "without it an update comes again at once"


def test_every_2xx_acknowledges_and_nothing_else(box: TelegramBox, mina: JSON, receiver: Receiver) -> None:
    codes = [302, 404, 500, 204]
    location = {"Location": receiver.url + "/elsewhere"}
    receiver.decide = lambda posted: Reply(codes.pop(0) if codes else 202, location)
    box.settings(webhook_speed=FAST)
    box.call("setWebhook", url=receiver.url)
    box.say(mina, "a")
    box.say(mina, "b")
    receiver.wait_for(5)
    settled(box)
    assert texts(receiver) == ["a", "a", "a", "a", "b"]
    assert [one["status"] for one in box.deliveries()] == [302, 404, 500, 204, 202]


def test_the_last_error_is_told(box: TelegramBox, mina: JSON, receiver: Receiver) -> None:
    receiver.decide = lambda posted: Reply(503, {"Retry-After": "3600"})
    box.call("setWebhook", url=receiver.url)
    assert "last_error_date" not in info(box)
    box.say(mina, "a")
    found = eventually(lambda: info(box), lambda found: "last_error_date" in found)
    assert found["last_error_message"] == "Wrong response from the webhook: 503 Service Unavailable"
    assert found["pending_update_count"] == 1
    box.call("deleteWebhook")
    assert info(box) == {"url": "", "has_custom_certificate": False, "pending_update_count": 1}
    assert box.call("getUpdates")["result"][0]["message"]["text"] == "a", "it waits for getUpdates now"


def test_a_webhook_that_does_not_answer(box: TelegramBox, mina: JSON, receiver: Receiver) -> None:
    receiver.decide = lambda posted: Reply() if receiver.released.wait(60) else Reply(500)
    box.settings(webhook_timeout=0.05, webhook_speed=FAST)
    box.call("setWebhook", url=receiver.url)
    box.say(mina, "a")
    found = eventually(lambda: info(box), lambda found: "last_error_date" in found)
    assert found["last_error_message"] == "Read timeout expired"
    receiver.released.set()
    assert set(texts(receiver)) == {"a"}


def test_an_update_that_expired_lets_the_next_one_through(box: TelegramBox, mina: JSON, receiver: Receiver) -> None:
    receiver.decide = lambda posted: Reply(500 if posted.text == "a" else 200)
    box.settings(webhook_speed=FAST, update_lifetime=0.2)
    box.call("setWebhook", url=receiver.url)
    box.say(mina, "a")
    box.settings(update_lifetime=600)
    box.say(mina, "b")
    eventually(lambda: texts(receiver), lambda found: "b" in found)
    assert settled(box)["pending_update_count"] == 0


def test_allowed_updates(box: TelegramBox, mina: JSON, receiver: Receiver) -> None:
    box.call("setWebhook", url=receiver.url, allowed_updates=["message"])
    assert info(box)["allowed_updates"] == ["message"]
    box.block(mina)
    box.unblock(mina)
    box.say(mina, "a")
    settled(box)
    box.call("setWebhook", url=receiver.url, max_connections=7)
    assert info(box)["allowed_updates"] == ["message"], "leaving it out keeps the choice"
    assert [list(posted.update)[1] for posted in receiver.posted] == ["message"]
    box.call("setWebhook", url=receiver.url, allowed_updates=[])
    assert "allowed_updates" not in info(box)
    box.block(mina)
    receiver.wait_for(2)
    assert receiver.posted[1].update["my_chat_member"]["new_chat_member"]["status"] == "kicked"


def test_dropping_what_waits(box: TelegramBox, mina: JSON, receiver: Receiver) -> None:
    box.say(mina, "old")
    assert info(box)["pending_update_count"] == 1
    box.call("setWebhook", url=receiver.url, drop_pending_updates=True)
    box.say(mina, "new")
    receiver.wait_for(1)
    settled(box)
    assert texts(receiver) == ["new"]
    box.call("deleteWebhook")
    box.say(mina, "older")
    box.call("deleteWebhook", drop_pending_updates=True)
    assert box.updates() == []


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"secret_token": "a" * 257}, "secret token is too long"),
        ({"secret_token": "a b"}, "secret token contains unallowed characters"),
        ({"url": "ftp://example.test/hook"}, "bad webhook: invalid URL specified"),
        ({"url": "http://example.test:99999/hook"}, "bad webhook: invalid URL specified"),
        ({"url": "http://[x/hook"}, "bad webhook: invalid URL specified"),
    ],
)
def test_what_setwebhook_refuses(box: TelegramBox, parameters: JSON, words: str) -> None:
    answer = box.call("setWebhook", **{"url": "http://127.0.0.1:9/hook", **parameters})
    assert answer == refusal(400, f"Bad Request: {words}")
    assert info(box)["url"] == ""


def test_strict_webhooks_want_https_and_telegrams_ports(box: TelegramBox) -> None:
    box.settings(strict_webhooks=True)
    plain = box.call("setWebhook", url="http://127.0.0.1/hook")
    assert plain == refusal(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
    port = box.call("setWebhook", url="https://127.0.0.1:9000/hook")
    words = "Bad Request: bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443"
    assert port == refusal(400, words)
    assert box.call("setWebhook", url="https://127.0.0.1:8443/hook", secret_token="a" * 256)["ok"]


def test_my_chat_member_has_a_queue_of_its_own(box: TelegramBox, mina: JSON, receiver: Receiver) -> None:
    receiver.decide = lambda posted: Reply(200 if "my_chat_member" in posted.update else 500)
    box.settings(webhook_speed=FAST)
    box.call("setWebhook", url=receiver.url)
    box.say(mina, "a")
    receiver.wait_for(2)
    box.block(mina)
    eventually(lambda: list(receiver.posted), lambda found: any("my_chat_member" in one.update for one in found))
    receiver.decide = lambda posted: Reply()
    settled(box)


def test_a_new_webhook_takes_over(box: TelegramBox, mina: JSON, receiver: Receiver) -> None:
    receiver.decide = lambda posted: Reply(503, {"Retry-After": "3600"})
    box.call("setWebhook", url=receiver.url)
    box.say(mina, "a")
    receiver.wait_for(1)
    with Receiver() as second:
        box.call("setWebhook", url=second.url)
        second.wait_for(1)
        assert texts(second) == ["a"]
        settled(box)
        box.call("deleteWebhook")


@pytest.mark.parametrize("host", ["a..test", "a" * 64 + ".test"])
def test_a_host_that_cannot_be_asked_for(box: TelegramBox, mina: JSON, receiver: Receiver, host: str) -> None:
    box.settings(webhook_speed=FAST)
    box.call("setWebhook", url=f"http://{host}/hook")
    box.say(mina, "a")
    found = eventually(lambda: info(box), lambda found: "last_error_date" in found)
    assert found["pending_update_count"] == 1
    eventually(lambda: box.deliveries(), lambda tries: len(tries) > 1)
    box.call("setWebhook", url=receiver.url)
    assert receiver.wait_for(1)[0].text == "a"
