"""Faults on demand: who is struck, what the client sees, and whether the call was accepted all the same."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from simulator.faults import Faults
from tests.simulator.wire import eventually, exchange, method, refusal
from tests.support.telegram_box import DEMO_TOKEN, TelegramBox

JSON = dict[str, Any]


def post(box: TelegramBox, person: JSON, **details: Any) -> requests.Response:
    return exchange(box, method("sendMessage"), json={"chat_id": person["id"], "text": "Hello"}, **details)


def outcomes(box: TelegramBox) -> list[tuple[str, str | None]]:
    return [(entry["outcome"], entry.get("fault")) for entry in box.log(method="sendMessage")]


def test_a_429(box: TelegramBox, mina: JSON) -> None:
    box.fault("error", method="SENDMESSAGE", error_code=429, retry_after=7, count=1)
    answer = post(box, mina)
    assert answer.json() == refusal(429, "Too Many Requests: retry after 7", retry_after=7)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert post(box, mina).status_code == 200
    assert outcomes(box) == [("rejected", "error"), ("accepted", None)]
    assert [rule["struck"] for rule in box.faults()] == [1]


def test_a_429_that_holds_for_the_whole_bot(box: TelegramBox, mina: JSON) -> None:
    box.fault("error", method="sendMessage", error_code=429, retry_after=3600, count=1, block_bot=True)
    assert [post(box, mina).status_code for _ in range(3)] == [429, 429, 429]
    assert box.call("getMe")["ok"]
    assert box.call("sendDocument", chat_id=mina["id"], document="x")["error_code"] == 429


def test_an_error_with_words_and_parameters_of_its_own(box: TelegramBox, mina: JSON) -> None:
    words = "Bad Request: group chat was upgraded to a supergroup chat"
    box.fault("error", error_code=400, description=words, migrate_to_chat_id=-1001234567890)
    assert post(box, mina).json() == refusal(400, words, migrate_to_chat_id=-1001234567890)


def test_a_hang_ends_with_the_answer(box: TelegramBox, mina: JSON) -> None:
    for accept in ("before", "after"):
        box.fault("hang", seconds=0.02, accept=accept, count=1)
        assert post(box, mina).json()["ok"]
    assert outcomes(box) == [("accepted", "hang")] * 2


def test_a_hang_that_never_accepts_ends_with_a_closed_connection(box: TelegramBox, mina: JSON) -> None:
    box.fault("hang", seconds=0.02, accept="never", count=1)
    with pytest.raises(requests.ConnectionError):
        post(box, mina)
    assert outcomes(box) == [("rejected", "hang")]
    assert len(box.transcript(mina)) == 1


@pytest.mark.parametrize("accept", ["before", "after"])
def test_a_hang_accepts_though_the_client_has_left(box: TelegramBox, mina: JSON, accept: str) -> None:
    box.fault("hang", seconds=0.3, accept=accept, count=1)
    with pytest.raises(requests.ReadTimeout):
        post(box, mina, timeout=(60, 0.05))
    eventually(lambda: outcomes(box), lambda found: found == [("accepted", "hang")])
    assert box.last_message(mina)["text"] == "Hello"


def test_latency(box: TelegramBox, mina: JSON) -> None:
    box.fault("latency", min=0.001, max=0.01)
    assert post(box, mina).json()["ok"]
    assert outcomes(box) == [("accepted", "latency")]


def test_a_connection_closed_before_accepting(box: TelegramBox, mina: JSON) -> None:
    box.fault("drop_before", count=1)
    with pytest.raises(requests.ConnectionError):
        post(box, mina)
    entry = box.log(method="sendMessage")[0]
    assert (entry["outcome"], entry["error_code"], entry["cost"], entry["fault"]) == ("rejected", 0, 0, "drop_before")
    assert len(box.transcript(mina)) == 1


def test_a_connection_closed_after_accepting(box: TelegramBox, mina: JSON) -> None:
    box.fault("drop_after", count=1)
    with pytest.raises(requests.ConnectionError):
        post(box, mina)
    entry = box.accepted("sendMessage")[0]
    assert (entry["fault"], entry["cost"], entry["text"]) == ("drop_after", 1, "Hello")
    assert box.last_message(mina)["message_id"] == entry["message_id"]


def test_an_answer_that_is_no_json(box: TelegramBox, mina: JSON) -> None:
    box.fault("garbage", status=502, count=1)
    answer = post(box, mina)
    assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (502, "text/html")
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    assert outcomes(box) == [("accepted", "garbage")]


def test_a_call_refused_anyway_is_logged_as_refused(box: TelegramBox, mina: JSON) -> None:
    box.block(mina)
    box.fault("drop_after")
    assert post(box, mina).status_code == 403
    assert outcomes(box) == [("rejected", "drop_after")]


# ---- who is struck


def test_by_bot_method_and_chat(box: TelegramBox, mina: JSON) -> None:
    box.fault("error", bot="other_demo_bot")
    box.fault("error", method="getChat")
    box.fault("error", chat_id=mina["id"] + 1)
    assert post(box, mina).status_code == 200
    assert box.call("getMe")["ok"]
    assert box.call("getChat", chat_id=mina["id"])["error_code"] == 500
    assert box.call("sendMessage", chat_id=mina["id"] + 1, text="Hello")["error_code"] == 500
    other = box.control("GET", "/bots")["bots"][1]["token"]
    assert other != DEMO_TOKEN
    assert box.call("getMe", other)["error_code"] == 500


def test_skip_and_count(box: TelegramBox, mina: JSON) -> None:
    number = box.fault("error", skip=2, count=2)
    assert [post(box, mina).status_code for _ in range(6)] == [200, 200, 500, 500, 200, 200]
    box.control("DELETE", f"/faults/{number}")
    assert box.faults() == []


def test_the_first_rule_that_strikes_plays(box: TelegramBox, mina: JSON) -> None:
    box.fault("error", error_code=502, count=1)
    box.fault("error", error_code=503, count=1)
    assert [post(box, mina).status_code for _ in range(3)] == [502, 503, 200]


def struck(probability: float, seed: int) -> list[bool]:
    faults = Faults()
    faults.add({"kind": "error", "probability": probability, "seed": seed})
    return [faults.strike(7, "sendmessage", 5) is not None for _ in range(400)]


def test_chance_is_repeatable() -> None:
    assert struck(0.3, 1) == struck(0.3, 1)
    assert struck(0.3, 1) != struck(0.3, 2)
    assert 80 < sum(struck(0.3, 1)) < 160
    assert sum(struck(0, 1)) == 0
    assert sum(struck(1, 1)) == 400


def test_chance_over_the_wire(box: TelegramBox, mina: JSON) -> None:
    box.fault("error", probability=0.5, seed=3)
    codes = [post(box, mina).status_code for _ in range(20)]
    expected = struck(0.5, 3)[:20]
    assert codes == [500 if hit else 200 for hit in expected]
