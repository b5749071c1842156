"""A provider that hangs takes nobody else's web threads, and what is not asked is shown as it was last known."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask

from backend.core import clock
from backend.core.database import db
from backend.models import User
from backend.services import senders
from tests.http import callers
from tests.support.bot_api import BotApi, Refusal
from tests.support.talking import Bot
from tests.support.telegram_callers import Headers, ada, api, bot, eve, home, me, sender

__all__ = ["ada", "api", "bot", "eve", "home", "me", "sender"]


@pytest.fixture
def hang(api: BotApi) -> Iterator[threading.Event]:
    """Has getMe say nothing until the event is set."""
    released = threading.Event()
    answer = api.answers["getMe"]

    def wait(_params: dict[str, Any]) -> Any:
        released.wait(60)
        return answer

    api.answers["getMe"] = wait
    yield released
    released.set()


def details(body: dict[str, Any]) -> dict[str, tuple[bool | None, str]]:
    return {one["check"]: (one["ok"], one["detail"]) for one in body["checks"]}


def diagnose(app: Flask, headers: Headers) -> tuple[int, dict[str, tuple[bool | None, str]]]:
    answer = app.test_client().get("/api/telegram/diagnostics", headers=headers)
    return answer.status_code, details(answer.get_json())


def test_of_many_who_look_few_wait_and_the_others_are_answered_at_once(
    app: Flask, me: Headers, ada: User, bot: Bot, api: BotApi, hang: threading.Event
) -> None:
    db.session.commit()
    with ThreadPoolExecutor(12) as pool:
        looking = [pool.submit(diagnose, app, me) for _ in range(12)]
        # All but the few that wait are through while Telegram still hangs.
        early = [one.result(60) for one in looking[:12] if _done(one)]
        assert len(early) >= 10
        assert len(api.called("getMe")) <= 2
        for status, checks in early:
            assert status == 200
            assert checks["bot_reachable"][0] is None
            assert checks["bot_reachable"][1].startswith("Not asked now, for ")
        hang.set()
        for one in looking:
            assert one.result(60)[0] == 200


def _done(future: Any) -> bool:
    """Whether a look is through, given a moment."""
    try:
        future.result(1.5)
    except TimeoutError:
        return False
    return True


def test_what_is_not_asked_is_shown_as_it_was_last_known(
    app: Flask, me: Headers, ada: User, bot: Bot, api: BotApi
) -> None:
    api.answers["getWebhookInfo"] = {"url": senders.webhook_address(bot.sender), "pending_update_count": 2}
    api.answers["getMe"] = api.answers["getMe"] | {"can_read_all_group_messages": False}
    first = diagnose(app, me)[1]
    assert first["bot_reachable"] == (True, "Telegram answers.")
    known = clock.now().strftime("%Y-%m-%d %H:%M")
    clock.move(60)
    api.answers["getWebhookInfo"] = Refusal(429, "Too Many Requests: retry after 60", {"retry_after": 60})
    diagnose(app, me)
    calls = len(api.calls)
    for _ in range(5):
        clock.move(5)
        later = diagnose(app, me)[1]
    assert len(api.calls) <= calls
    assert later["webhook_address"][0] is None
    assert later["webhook_address"][1].endswith("UTC)")
    assert f"not asked now, last known at {known}" in later["webhook_address"][1]
    clock.move(30)
    api.answers["getMe"] = Refusal(429, "Too Many Requests: retry after 60", {"retry_after": 60})
    diagnose(app, me)
    last = diagnose(app, me)[1]
    assert last["token_valid"][0] is None
    assert "Not asked now" in last["bot_reachable"][1]
    assert "last known at" in last["bot_reachable"][1]
    assert last["privacy_mode"][0] is True
    assert "last known at" in last["privacy_mode"][1]


def test_a_look_that_asks_nothing_writes_nothing(app: Flask, me: Headers, ada: User, bot: Bot, api: BotApi) -> None:
    api.answers["getMe"] = Refusal(429, "Too Many Requests: retry after 60", {"retry_after": 60})
    diagnose(app, me)
    db.session.expire_all()
    before = dict(bot.sender.facts)
    db.session.commit()
    clock.move(5)
    diagnose(app, me)
    db.session.expire_all()
    assert bot.sender.facts == before


@pytest.mark.parametrize("act", ["validate", "sync-info", "rotate-secret", "discover-chats"])
def test_what_is_pressed_says_that_telegram_was_not_asked(app: Flask, api: BotApi, act: str) -> None:
    client = app.test_client()
    headers = callers.signed_in(callers.member())
    token = "100001:EXAMPLE-visibly-fake-token-of-a-test"
    made = client.post("/api/telegram-bots/", json={"name": "news", "token": token}, headers=headers)
    assert made.status_code == 201, made.get_json()
    bot_id = made.get_json()["id"]
    for method in ("getMe", "getWebhookInfo", "setWebhook", "getUpdates"):
        api.answers[method] = Refusal(502, "Bad Gateway")
    ask = client.get if act == "discover-chats" else client.post
    answers = [ask(f"/api/telegram-bots/{bot_id}/{act}", headers=headers) for _ in range(5)]
    assert {one.status_code for one in answers} == {503}
    error = callers.error_of(answers[-1], 503)
    assert error["code"] == "bot_unavailable"
    assert error["detail"]["reason"] == "resting"
    assert "Telegram is not asked just now" in error["message"]
    assert int(answers[-1].headers["Retry-After"]) > 0
