"""The limits on sending under each policy; times are given, not waited for."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.journal import rate_violations
from simulator.rates import Limiter
from simulator.settings import Rates
from tests.simulator.wire import OTHER_TOKEN, exchange, method
from tests.support.telegram_box import TelegramBox

JSON = dict[str, Any]
BOT, CHAT = 7, 5
LONG = 3600  # a window that no test outlives


def taken(rates: Rates, moments: list[float], *, chats: int = 1, group: bool = False) -> list[int]:
    """What the limiter says to one message at each moment, the chats in turn."""
    limiter = Limiter()
    return [limiter.take(rates, BOT, CHAT + at % chats, group, 1, now) for at, now in enumerate(moments)]


def test_three_at_once_in_a_chat_then_one_a_second() -> None:
    assert taken(Rates(), [0, 0, 0, 0, 2.9, 3.0, 3.0]) == [0, 0, 0, 3, 1, 0, 0]


def test_without_a_burst_one_a_second() -> None:
    assert taken(Rates(chat_burst=1), [0, 0.5, 0.99, 1.0, 1.5]) == [0, 1, 1, 0, 1]


def test_thirty_a_second_for_a_bot() -> None:
    moments = [number / 1000 for number in range(31)]
    assert taken(Rates(), [*moments, 1.0], chats=40) == [0] * 30 + [1, 0]


def test_twenty_a_minute_in_a_group() -> None:
    moments = [number * 2.0 for number in range(21)]
    assert taken(Rates(), [*moments, 59.9, 60.0], group=True) == [0] * 20 + [20, 1, 0]


def test_what_is_refused_is_not_counted() -> None:
    assert taken(Rates(chat_burst=1), [0, 0.9, 1.0]) == [0, 1, 0]


def test_the_bucket_fills_up_evenly() -> None:
    bucket = Rates(policy="bucket")
    assert taken(bucket, [0, 0, 0, 0, 1.0, 1.0, 3.0, 3.0]) == [0, 0, 0, 1, 0, 1, 0, 0]


def test_after_a_429_the_blocking_policy_refuses_the_whole_bot() -> None:
    for policy, blocked in (("blocking", 3), ("strict", 0)):
        limiter = Limiter()
        rates = Rates(policy=policy)
        answers = [limiter.take(rates, BOT, CHAT, False, 1, 0.0) for _ in range(4)]
        assert answers == [0, 0, 0, 3]
        assert limiter.blocked_for(BOT, 0.0) == blocked
        assert limiter.blocked_for(BOT + 1, 0.0) == 0
        assert limiter.blocked_for(BOT, 3.0) == 0


def test_an_album_counts_as_many() -> None:
    limiter = Limiter()
    assert limiter.take(Rates(), BOT, CHAT, False, 3, 0.0) == 0
    assert limiter.take(Rates(), BOT, CHAT, False, 1, 0.0) == 3


def test_off() -> None:
    assert taken(Rates(policy="off"), [0.0] * 100) == [0] * 100


# ---- over the wire


@pytest.mark.parametrize("policy", ["strict", "blocking", "bucket"])
def test_a_429_says_how_long(box: TelegramBox, mina: JSON, policy: str) -> None:
    box.rates(policy, per_chat=[1, LONG], chat_burst=2)
    message = {"chat_id": mina["id"], "text": "Hello"}
    assert [box.call("sendMessage", **message)["ok"] for _ in range(2)] == [True, True]
    answer = exchange(box, method("sendMessage"), json=message)
    body = answer.json()
    wait = body["parameters"]["retry_after"]
    assert answer.status_code == body["error_code"] == 429
    assert 0 < wait <= 2 * LONG
    assert body["description"] == f"Too Many Requests: retry after {wait}"
    assert answer.headers["Retry-After"] == str(wait)
    entry = box.log(outcome="rejected")[-1]
    assert (entry["error_code"], entry["cost"], entry["parameters"]) == (429, 0, {"retry_after": wait})


def test_who_is_still_served(box: TelegramBox, mina: JSON) -> None:
    jonas = box.person("Jonas")
    box.start(jonas)
    box.start(mina, bot="other_demo_bot")

    def codes() -> list[int]:
        calls = [
            box.call("sendMessage", chat_id=mina["id"], text="Hello"),
            box.call("sendMessage", chat_id=jonas["id"], text="Hello"),
            box.call("sendMessage", OTHER_TOKEN, chat_id=mina["id"], text="Hello"),
            box.call("getChat", chat_id=mina["id"]),
        ]
        return [call.get("error_code", 200) for call in calls]

    box.rates("strict", per_chat=[1, LONG], chat_burst=1)
    assert (codes(), codes()) == ([200, 200, 200, 200], [429, 429, 429, 200])
    box.rates("strict")
    box.rates("blocking", per_chat=[1, LONG], chat_burst=1)
    box.call("sendMessage", chat_id=mina["id"], text="Hello")
    assert codes() == [429, 429, 200, 200], "one chat too fast blocks the bot everywhere"


def test_the_limit_of_a_bot(box: TelegramBox) -> None:
    box.rates("strict", per_bot=[3, LONG])
    people = [box.person(f"Person {number}") for number in range(4)]
    for person in people:
        box.start(person)
    answers = [box.call("sendMessage", chat_id=person["id"], text="Hello") for person in people]
    assert [answer["ok"] for answer in answers] == [True, True, True, False]


def test_edits_count_when_they_should(box: TelegramBox, mina: JSON) -> None:
    number = box.call("sendMessage", chat_id=mina["id"], text="0")["result"]["message_id"]
    edit = {"chat_id": mina["id"], "message_id": number}
    box.rates("strict", per_chat=[1, LONG], chat_burst=1)
    assert all(box.call("editMessageText", text=text, **edit)["ok"] for text in "123")
    box.rates("strict", count_edits=True)
    assert box.call("editMessageText", text="4", **edit)["ok"]
    assert box.call("editMessageText", text="5", **edit)["error_code"] == 429


# ---- what tests of clients measure with


def entry(monotonic: float, chat_id: int = 1, cost: int = 1, outcome: str = "accepted") -> JSON:
    return {"outcome": outcome, "monotonic": monotonic, "chat_id": chat_id, "bot": 7, "cost": cost}


def test_rate_violations_names_what_came_too_fast() -> None:
    log = [entry(0.0), entry(0.5), entry(1.0), entry(1.2, chat_id=2), entry(1.9)]
    assert rate_violations(log, 1, 1.0) == [log[1], log[2], log[4]]
    assert rate_violations(log, 2, 1.0) == []
    assert rate_violations(log, 2, 1.0, key="bot") == [log[3], log[4]]
    assert rate_violations(log, 2, 1.0, key=None) == [log[3], log[4]]
    assert rate_violations([entry(0.0), entry(0.95)], 1, 1.0, tolerance=0.1) == []


def test_rate_violations_counts_albums_and_leaves_out_refusals() -> None:
    assert rate_violations([entry(0.0, cost=2), entry(0.1, cost=2)], 3, 1.0) == [entry(0.1, cost=2)]
    refused = [entry(0.0), entry(0.1, outcome="rejected"), entry(0.2, cost=0)]
    assert rate_violations(refused, 1, 1.0) == []


def test_an_over_pacing_client_is_caught(box: TelegramBox, mina: JSON) -> None:
    for _ in range(5):
        box.call("sendMessage", chat_id=mina["id"], text="Hello")
    caught = rate_violations(box.accepted(), 3, LONG)
    assert [one["seq"] for one in caught] == [one["seq"] for one in box.accepted("sendMessage")[3:]]
