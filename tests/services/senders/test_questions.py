"""Questions to providers: remembered, few at once, and none to one that hangs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from backend.channels.errors import OutcomeUnknown, Rejected, RetryLater, SenderDisabled
from backend.channels.provider import WebhookRegistration
from backend.core import clock
from backend.core.database import db
from backend.models import SenderLease
from backend.services.bots import bot_api as bots_api
from backend.services.senders import credentials_of, provider, questions
from backend.services.senders.questions import NotAsked, Questions
from tests.support import factories
from tests.support.bot_api import BotApi, Refusal, bot_api

pytestmark = pytest.mark.usefixtures("app")
A, B, C = b"bot-a", b"bot-b", b"bot-c"


class Provider:
    """Answers with a number that rises, hangs until it is let go, or raises."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: Exception | None = None
        self.hanging = threading.Event()
        self.hanging.set()
        self.arrived = threading.Semaphore(0)

    def __call__(self) -> int:
        self.calls += 1
        self.arrived.release()
        self.hanging.wait(60)
        if self.error is not None:
            raise self.error
        return self.calls


@pytest.fixture
def there() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.hanging.set()


def ask(asked: Questions, call: Callable[[], Any], bot: bytes = A, question: str = "getMe", **options: Any) -> Any:
    return asked.ask(bot, question, call, **{"patience": 10.0} | options)


def refused(asked: Questions, call: Callable[[], Any], bot: bytes = A, **options: Any) -> NotAsked:
    with pytest.raises(NotAsked) as caught:
        ask(asked, call, bot, **options)
    return caught.value


def test_an_answer_is_good_for_half_a_minute(there: Provider) -> None:
    asked = Questions()
    assert [ask(asked, there) for _ in range(5)] == [1] * 5
    assert ask(asked, there, question="getWebhookInfo") == 2
    assert ask(asked, there, bot=B) == 3
    clock.move(31)
    assert ask(asked, there) == 4


def test_who_presses_a_button_asks_anew_and_a_change_forgets_what_was_known(there: Provider) -> None:
    asked = Questions()
    assert [ask(asked, there, kept=0.0) for _ in range(2)] == [1, 2]
    assert ask(asked, there) == 2
    assert ask(asked, there, question="setWebhook", changes=True) == 3
    assert ask(asked, there) == 4


@pytest.mark.parametrize("error", [Rejected("x"), SenderDisabled("token_refused"), ValueError("a defect")])
def test_a_refusal_is_raised_and_not_remembered(there: Provider, error: Exception) -> None:
    asked = Questions()
    there.error = error
    for _ in range(6):
        with pytest.raises(type(error)):
            ask(asked, there)
    there.error = None
    assert ask(asked, there) == 7


def test_the_same_question_at_once_is_asked_once(there: Provider) -> None:
    asked = Questions()
    there.hanging.clear()
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(ask, asked, there) for _ in range(4)]
        assert there.arrived.acquire(timeout=60)
        while asked._waiting < 4:
            clock.time.sleep(0)
        there.hanging.set()
        assert [one.result(60) for one in waiting] == [1] * 4
    assert there.calls == 1


def test_a_hanging_provider_holds_few_threads_and_the_others_are_told_at_once(there: Provider) -> None:
    asked = Questions(2)
    assert ask(asked, there) == 1
    clock.move(31)
    there.hanging.clear()
    with ThreadPoolExecutor(2) as pool:
        held = [pool.submit(ask, asked, there, bot) for bot in (A, B)]
        for _ in held:
            assert there.arrived.acquire(timeout=60)
        while asked._waiting < 2:
            clock.time.sleep(0)
        told = [refused(asked, there, bot) for bot in (A, A, B, C)]
        assert {one.reason for one in told} == {"busy"}
        assert told[0].last is not None
        assert told[0].last.value == 1
        assert told[2].last is None
        there.hanging.set()
        assert [one.result(60) for one in held]


def test_what_does_not_answer_in_time_is_given_up_and_left_alone(there: Provider) -> None:
    asked = Questions()
    assert ask(asked, there) == 1
    clock.move(31)
    there.hanging.clear()
    with pytest.raises(OutcomeUnknown):
        ask(asked, there, patience=0.01)
    not_asked = refused(asked, there)
    assert (not_asked.reason, not_asked.last and not_asked.last.value) == ("resting", 1)
    assert 1 <= not_asked.seconds <= 15
    assert there.calls == 2
    there.hanging.set()
    other = Provider()
    assert ask(asked, other, bot=B) == 1, "another bot is not to blame"


@pytest.mark.parametrize("error", [RetryLater(2, "connect_failed"), OutcomeUnknown("server_error")])
def test_a_bot_that_fails_three_times_rests_longer_each_time(there: Provider, error: Exception) -> None:
    asked = Questions()
    there.error = error
    for _ in range(3):
        with pytest.raises(type(error)):
            ask(asked, there)
    rests = []
    for _ in range(5):
        rests.append(round(refused(asked, there).seconds))
        clock.move(rests[-1] + 1)
        with pytest.raises(type(error)):
            ask(asked, there)
    assert rests == [15, 30, 60, 120, 120]
    clock.move(121)
    there.error = None
    there_again = ask(asked, there)
    assert ask(asked, there) == there_again


def test_after_a_rest_one_question_goes_first(there: Provider) -> None:
    asked = Questions()
    there.error = OutcomeUnknown("server_error")
    for _ in range(3):
        with pytest.raises(OutcomeUnknown):
            ask(asked, there)
    clock.move(16)
    there.error = None
    there.hanging.clear()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask, asked, there)
        while there.calls < 4:
            clock.time.sleep(0)
        assert refused(asked, there, question="getWebhookInfo").reason == "resting"
        there.hanging.set()
        assert first.result(60) == 4
    assert ask(asked, there, question="getWebhookInfo") == 5


def test_a_provider_that_fails_for_everybody_is_left_alone(there: Provider) -> None:
    asked = Questions()
    there.error = RetryLater(2, "connect_failed")
    for number in range(6):
        with pytest.raises(RetryLater):
            ask(asked, there, bot=b"bot-%d" % number)
    assert refused(asked, there, bot=b"another").reason == "resting"
    clock.move(-3600)
    there.error = None
    assert ask(asked, there, bot=b"another") == 7, "a clock that was set back keeps nobody waiting"


@pytest.mark.parametrize("seconds", [1, 60, 10**9])
def test_a_429_pauses_the_bot_alone(there: Provider, seconds: int) -> None:
    asked = Questions()
    there.error = RetryLater(seconds, "rate_limited")
    with pytest.raises(RetryLater):
        ask(asked, there)
    there.error = None
    assert refused(asked, there).seconds == pytest.approx(min(seconds, 86_400), abs=2)
    assert ask(asked, there, bot=B) == 2


def test_a_bot_keeps_its_pace(there: Provider) -> None:
    asked = Questions()
    met: NotAsked | None = None
    while met is None and there.calls < 500:
        try:
            ask(asked, there, kept=0.0)
        except NotAsked as error:
            met = error
    assert met is not None
    assert met.reason == "too_fast"
    assert there.calls >= 30
    assert ask(asked, there, bot=B)
    clock.move(2)
    assert ask(asked, there, kept=0.0)


def test_without_threads_nothing_is_counted(there: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Questions()

    def none(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", none)
        for _ in range(10):
            assert refused(asked, there).reason == "busy"
    assert ask(asked, there) == 1


# --- Telegram, asked within a web request ---


@pytest.fixture
def api(app: Flask) -> Iterator[BotApi]:
    with bot_api() as made:
        yield made


@pytest.fixture(params=["looks", "acts"])
def within_a_request(request: pytest.FixtureRequest) -> Iterator[str]:
    questions.begin_request(request.param)
    yield request.param
    questions.end_request()


def test_every_method_goes_through_the_questions(api: BotApi, within_a_request: str) -> None:
    bot = credentials_of(factories.bot(factories.workspace()))
    db.session.commit()
    api.admin(5)
    api.answers["getChatAdministrators"] = []
    for _ in range(3):
        telegram = provider.quick("telegram_bot")
        assert telegram.probe(bot).username == "example_bot"
        assert telegram.webhook_status(bot).url == ""
        assert telegram.chat(bot, "-1001234567890").title == "Team"
        assert telegram.member(bot, "-1", "5").is_admin
        assert telegram.members(bot, "-1") == []
        assert bots_api.waiting_updates(bot) == []
    once = 1 if within_a_request == "looks" else 3
    assert {name: len(api.called(name)) for name, _ in api.calls} == {
        "getMe": once, "getWebhookInfo": once, "getChat": once, "getChatMember": once, "getChatAdministrators": once,
        "getUpdates": 3,
    }  # fmt: skip
    telegram = provider.patient("telegram_bot")
    telegram.register_webhook(bot, WebhookRegistration("https://example.com/", "s"))
    telegram.unregister_webhook(bot)
    bots_api.set_commands(bot, [], language=None)
    assert len(api.calls) == 5 * once + 6


def test_outside_of_a_request_nothing_is_remembered(api: BotApi) -> None:
    bot = credentials_of(factories.bot(factories.workspace()))
    for _ in range(3):
        provider.quick("telegram_bot").probe(bot)
    assert len(api.called("getMe")) == 3


def test_a_bot_that_sending_was_told_to_pause_is_not_asked(api: BotApi, within_a_request: str) -> None:
    sender = factories.bot(factories.workspace())
    bot = credentials_of(sender)
    until = clock.now() + timedelta(seconds=90)
    db.session.add(SenderLease(sender_id=sender.id, owner="", epoch=1, until=clock.now(), paused_until=until))
    db.session.commit()
    with pytest.raises(NotAsked) as caught:
        provider.quick("telegram_bot").probe(bot)
    assert caught.value.reason == "paused"
    assert 80 < caught.value.seconds <= 90
    assert api.calls == []
    clock.move(91)
    assert provider.quick("telegram_bot").probe(bot)


def test_telegrams_429_to_a_question_is_kept(api: BotApi, within_a_request: str) -> None:
    bot = credentials_of(factories.bot(factories.workspace()))
    db.session.commit()
    api.answers["getMe"] = Refusal(429, "Too Many Requests: retry after 40", {"retry_after": 40})
    with pytest.raises(RetryLater):
        provider.quick("telegram_bot").probe(bot)
    with pytest.raises(NotAsked):
        provider.quick("telegram_bot").webhook_status(bot)
    assert len(api.calls) == 1
