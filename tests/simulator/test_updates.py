"""getUpdates: numbers, offsets, kinds, waiting, and the two 409s."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from simulator.engine import Engine
from simulator.errors import ApiError
from simulator.parameters import Call
from simulator.settings import Settings
from simulator.updates import KNOWN, OPT_IN
from tests.simulator.wire import OTHER_TOKEN, WITHIN, eventually, refusal
from tests.support.telegram_box import BoxError, TelegramBox

JSON = dict[str, Any]
BOT = "switchboard_demo_bot"
RIVAL = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
WEBHOOK = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"


def take(box: TelegramBox, **parameters: Any) -> list[JSON]:
    found: list[JSON] = box.call("getUpdates", **parameters)["result"]
    return found


def numbers(updates: list[JSON]) -> list[int]:
    return [update["update_id"] for update in updates]


def test_numbers_rise_by_one_and_an_offset_confirms(box: TelegramBox, mina: JSON) -> None:
    for text in "abcde":
        box.say(mina, text)
    first = numbers(take(box))
    assert first == list(range(first[0], first[0] + 5))
    assert numbers(take(box)) == first, "unconfirmed ones come again"
    assert numbers(take(box, limit=2)) == first[:2]
    assert numbers(take(box, offset=first[2])) == first[2:]
    assert numbers(take(box, offset=first[0])) == first[2:], "what was confirmed is gone"
    assert numbers(take(box, offset=-1)) == first[-1:]
    assert take(box, offset=first[-1] + 1) == []
    box.say(mina, "f")
    assert numbers(take(box)) == [first[-1] + 1]


@pytest.mark.parametrize("beyond", [12, 1000, 2**31, 2**62, 2**70])
def test_an_offset_from_elsewhere_confirms_nothing(box: TelegramBox, mina: JSON, beyond: int) -> None:
    for text in "abc":
        box.say(mina, text)
    first = numbers(take(box))
    assert numbers(take(box, offset=first[-1] + beyond)) == first
    assert numbers(take(box, offset=str(first[-1] + beyond))) == first
    assert take(box, offset=first[-1] + 11) == [], "one that an update may have soon is believed"


@pytest.mark.parametrize(("offset", "left"), [(-1, 1), (-2, 2), (-3, 3), (-100, 3), (-(2**62), 3), (0, 3), (1, 3)])
def test_an_offset_from_the_end(box: TelegramBox, mina: JSON, offset: int, left: int) -> None:
    for text in "abc":
        box.say(mina, text)
    everything = numbers(take(box))
    assert numbers(take(box, offset=offset)) == everything[-left:]
    assert numbers(take(box)) == everything[-left:], "those before are forgotten"


def test_an_offset_while_nothing_waits(box: TelegramBox, mina: JSON) -> None:
    for offset in (-5, 5, 2**40):
        assert take(box, offset=offset) == []
    box.say(mina, "a")
    assert len(take(box)) == 1


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["MESSAGE", "Callback_Query"], ["message", "callback_query"]),
        (["callback_query", "message", "message"], ["message", "callback_query"]),
        (["message", "no_such_kind"], ["message"]),
        (["no_such_kind"], None),
        ([], None),
        ('["poll"]', ["poll"]),
        ("message", ["edited_message"]),
        ("{", ["edited_message"]),
        ({"message": True}, ["edited_message"]),
        (["message", 5], ["edited_message"]),
        ("", ["edited_message"]),
    ],
)
def test_which_kinds_are_understood(box: TelegramBox, given: Any, kept: list[str] | None) -> None:
    take(box, allowed_updates=["edited_message"])
    take(box, allowed_updates=given)
    assert box.call("getWebhookInfo")["result"].get("allowed_updates") == kept


def test_all_the_usual_kinds_are_the_usual_choice(box: TelegramBox) -> None:
    take(box, allowed_updates=[kind for kind in KNOWN if kind not in OPT_IN])
    assert "allowed_updates" not in box.call("getWebhookInfo")["result"]
    take(box, allowed_updates=KNOWN)
    assert box.call("getWebhookInfo")["result"]["allowed_updates"] == list(KNOWN)


def test_a_hundred_at_most(box: TelegramBox) -> None:
    for _ in range(101):
        box.push_update({"unheard_of": {}})
    assert len(take(box)) == len(take(box, limit=1000)) == len(take(box, limit=0)) == 100


def test_each_bot_has_its_own(box: TelegramBox, mina: JSON) -> None:
    box.start(mina, bot="other_demo_bot")
    assert take(box) == []
    assert box.call("getUpdates", OTHER_TOKEN)["result"][0]["message"]["text"] == "/start"


def test_waiting_ends_with_an_update(box: TelegramBox, mina: JSON) -> None:
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(box.call, "getUpdates", timeout=50)
        box.say(mina, "Hello")
        assert [update["message"]["text"] for update in waiting.result()["result"]] == ["Hello"]


def test_a_second_call_ends_the_first(box: TelegramBox, mina: JSON) -> None:
    with ThreadPoolExecutor() as pool:
        polls = [pool.submit(box.call, "getUpdates", timeout=50) for _ in range(2)]
        ended = eventually(lambda: [poll for poll in polls if poll.done()], lambda found: bool(found))
        assert ended[0].result() == refusal(409, RIVAL)
        box.say(mina, "Hello")
        other = polls[1 - polls.index(ended[0])]
        assert other.result()["result"][0]["message"]["text"] == "Hello"


def test_two_calls_at_the_same_instant() -> None:
    async def rivals() -> str:
        engine = Engine(Settings(), None, 1)
        bot = engine.world.add_bot("7000000001:DEMO-simulated-bot-token-not-real", BOT)
        first, second = (asyncio.create_task(engine.run(Call(bot, "getupdates", {"timeout": 50}))) for _ in range(2))
        with pytest.raises(ApiError) as refused:
            async with asyncio.timeout(WITHIN):
                await first
        engine.world.queue_update(bot, "message", {}, "chat 1")
        assert b"message" in await second
        return refused.value.description

    assert asyncio.run(rivals()) == RIVAL


def test_refused_while_there_is_a_webhook(box: TelegramBox) -> None:
    box.call("setWebhook", url="http://127.0.0.1:9/hook")
    assert box.call("getUpdates") == refusal(409, WEBHOOK)
    assert box.call("deleteWebhook") == {"ok": True, "result": True, "description": "Webhook was deleted"}
    assert box.call("deleteWebhook")["description"] == "Webhook is already deleted"
    assert take(box) == []


def test_a_webhook_ends_a_waiting_call(box: TelegramBox) -> None:
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(box.call, "getUpdates", timeout=50)
        # Until the poll has begun there is nothing to end: then the webhook itself refuses it.
        box.call("setWebhook", url="http://127.0.0.1:9/hook")
        answer = waiting.result()
    assert answer in (refusal(409, WEBHOOK), refusal(409, "Conflict: terminated by setWebhook request"))


def test_kinds_are_chosen_and_the_choice_is_kept(box: TelegramBox, mina: JSON) -> None:
    take(box, allowed_updates=["message"])
    box.block(mina)
    box.unblock(mina)
    box.say(mina, "Hello")
    assert [list(update)[1] for update in take(box)] == ["message"]
    box.block(mina)
    assert len(take(box)) == 1, "leaving it out keeps the choice"
    take(box, allowed_updates=[])
    box.unblock(mina)
    assert [list(update)[1] for update in take(box)] == ["message", "my_chat_member"]


def test_chat_member_comes_only_when_asked_for(box: TelegramBox, mina: JSON) -> None:
    group = box.group(type="supergroup", creator=mina, bots=[BOT])
    box.member(group, BOT, "administrator")
    jonas = box.person("Jonas")
    take(box, offset=-1)
    box.member(group, jonas, "member")
    assert "chat_member" not in [list(update)[1] for update in take(box)]
    take(box, allowed_updates=["chat_member"])
    box.member(group, jonas, "left")
    assert take(box)[-1]["chat_member"]["new_chat_member"]["status"] == "left"


def test_an_unheard_of_kind_comes_as_it_is(box: TelegramBox) -> None:
    number = box.push_update({"quantum_message": {"spin": 0.5}})
    assert take(box) == [{"update_id": number, "quantum_message": {"spin": 0.5}}]


def test_a_number_of_its_own(box: TelegramBox, mina: JSON) -> None:
    box.say(mina, "a")
    following = take(box)[0]["update_id"] + 1
    assert box.push_update({"update_id": following, "message": {}}) == following
    with pytest.raises(BoxError, match="waiting already"):
        box.push_update({"update_id": following, "message": {}})
    box.say(mina, "b")
    assert numbers(take(box)) == [following - 1, following, following + 1], "neither takes the other's place"


def test_an_update_waits_for_its_lifetime(box: TelegramBox, mina: JSON) -> None:
    box.settings(update_lifetime=0)
    box.say(mina, "Hello")
    assert take(box) == []
