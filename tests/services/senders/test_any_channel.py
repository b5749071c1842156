"""A sender of any channel is added, asked about, registered, listed, given another token and removed by the same
functions: for Telegram's, and for a channel that was added by its folder and one line."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from backend.channels import registry
from backend.channels.base import Credentials, SenderFacts
from backend.channels.errors import Rejected, SenderDisabled
from backend.channels.provider import NOT_SUPPORTED, ProbeOnly, Provider
from backend.channels.telegram_bot import TelegramProvider
from backend.core.database import TenancyError, db, system_scope, workspace_scope
from backend.core.errors import Invalid, NotFound
from backend.models import Sender, Workspace
from backend.services import senders
from backend.services.senders import provider, questions
from tests.channels.example_channel.client import ExampleClient
from tests.channels.example_channel.provider import ExampleProvider
from tests.channels.scripted_server import Connection, Received, answer, scripted_server
from tests.support import accounts, example_provider, factories
from tests.support.bot_api import BotApi, Refusal, bot_api
from tests.support.talking import commit

BASE_URL = "https://here.example"


class Platform(ABC):
    """A channel with a provider that answers for as many accounts as there are tokens."""

    channel: str
    provider_class: type[Provider]
    settings: dict[str, str]

    @abstractmethod
    def token(self, account: int, number: int = 1) -> str:
        """A token of an account; each number is another one of the same."""

    @abstractmethod
    def refuse(self) -> None:
        """From now on the provider refuses every token."""

    @abstractmethod
    def registered(self) -> list[str]:
        """The addresses that were registered, in order."""

    @abstractmethod
    def told_token(self) -> str:
        """The token of a handshake that the last registration named; empty where the provider has none."""

    @abstractmethod
    def unregistered(self) -> int:
        """How often deliveries were ended."""

    @abstractmethod
    def questions(self) -> int:
        """How many requests there were."""


class Telegram(Platform):
    channel = "telegram_bot"
    provider_class = TelegramProvider

    def __init__(self, api: BotApi) -> None:
        self.settings = {}
        self._api = api
        ada = {"user": {"id": 5, "first_name": "Ada"}, "status": "creator"}
        api.answers["getChatAdministrators"] = [ada]
        # Other people are asked about in vain: the bot administers no group.
        api.answers["getChatMember"] = Refusal(400, "Bad Request: CHAT_ADMIN_REQUIRED")

    def token(self, account: int, number: int = 1) -> str:
        return f"{account}:FAKE-TOKEN-visibly-fake-{number}"

    def refuse(self) -> None:
        self._api.answers["getMe"] = Refusal(401, "Unauthorized")

    def registered(self) -> list[str]:
        return [params["url"] for params in self._api.called("setWebhook")]

    def told_token(self) -> str:
        return str(self._api.called("setWebhook")[-1].get("verify_token", ""))

    def unregistered(self) -> int:
        return len(self._api.called("deleteWebhook"))

    def questions(self) -> int:
        return len(self._api.calls)


class Example(Platform):
    channel = "example"
    provider_class = ExampleProvider

    def __init__(self) -> None:
        self.settings = {"app_secret": "the-secret-of-an-app", "verify_token": "a-token-of-ours"}
        self.received: list[Received] = []
        self._refuses = False

    def respond(self, connection: Connection) -> bool:
        """Answers the last request."""
        request = self.received[-1]
        account = request.headers["authorization"].removeprefix("Bearer ").rpartition(".")[0]
        if self._refuses:
            return answer(401, {"error": "unauthorized"})(connection)
        answers: dict[tuple[str, str], Any] = {
            ("GET", "/account"): {"id": account, "name": f"Account {account}"},
            ("POST", "/webhook"): {"done": True},
            ("DELETE", "/webhook"): {"done": True},
            ("GET", "/webhook"): {"url": next(reversed(self.registered()), "")},
            ("GET", "/chats/-1001/members"): {"members": [{"id": "5", "name": "Ada", "admin": True}]},
        }
        return answer(200, answers[request.method, request.path])(connection)

    def token(self, account: int, number: int = 1) -> str:
        return f"{account}.{number}"

    def refuse(self) -> None:
        self._refuses = True

    def registered(self) -> list[str]:
        return [given["url"] for given in self._registrations()]

    def told_token(self) -> str:
        return str(self._registrations()[-1]["verify_token"])

    def _registrations(self) -> list[dict[str, Any]]:
        posts = [request for request in self.received if (request.method, request.path) == ("POST", "/webhook")]
        return [request.json for request in posts]

    def unregistered(self) -> int:
        return sum(request.method == "DELETE" for request in self.received)

    def questions(self) -> int:
        return len(self.received)


@pytest.fixture(params=["telegram_bot", "example"])
def platform(request: pytest.FixtureRequest, app: Flask) -> Iterator[Platform]:
    if request.param == "telegram_bot":
        with bot_api() as api:
            yield Telegram(api)
        return
    with example_provider.added(), scripted_server() as server:
        registry.put("example", ExampleClient(server.url))
        made = Example()
        made.received = server.received
        server.script = [made.respond] * 50
        yield made


@pytest.fixture
def home(app: Flask) -> Workspace:
    return factories.workspace()


@pytest.fixture
def within(home: Workspace) -> Iterator[None]:
    with workspace_scope(home.id):
        yield


def add(platform: Platform, account: int = 400001, name: str = "Support", number: int = 1) -> Sender:
    token = platform.token(account, number)
    facts = senders.identify(platform.channel, token, platform.settings)
    made = senders.create(platform.channel, name=name, token=token, facts=facts, settings=platform.settings)
    db.session.commit()
    return made


def test_it_is_added_asked_about_registered_listed_and_removed(
    platform: Platform, home: Workspace, within: None
) -> None:
    made = add(platform)
    assert (made.workspace_id, made.channel, made.source) == (home.id, platform.channel, "database")
    assert made.is_active
    assert made.external_id == "400001"
    assert "probed_at" in made.facts
    assert platform.token(400001).encode() not in (made.credentials_encrypted or b"")
    assert senders.listing(platform.channel) == ([made], None)
    assert senders.get(platform.channel, made.id) is made

    assert senders.probe(made).external_id == "400001"
    address = senders.register_webhook(made, base_url=BASE_URL)
    assert address.startswith(f"{BASE_URL}/")
    assert str(made.id) in address
    assert platform.registered() == [address]
    assert senders.webhook_secret_of(made)
    assert [member.person.name for member in senders.members_of(made, "-1001")] == ["Ada"]
    assert senders.is_chat_admin(made, "-1001", "5") is True
    assert senders.is_chat_admin(made, "-1001", "6") is False
    assert platform.told_token() == platform.settings.get("verify_token", "")
    senders.unregister_webhook(made, drop_pending=True)
    assert platform.unregistered() == 1

    senders.retire(senders.get(platform.channel, made.id, lock=True))
    db.session.commit()
    assert senders.listing(platform.channel) == ([], None)
    assert senders.by_id(made.id) is None
    assert (made.credentials, made.settings, made.facts, made.chat_ids) == (None, {}, {}, ())
    assert senders.webhook_secret_of(made) == ""
    assert add(platform).id != made.id, "its name and its account are free"


def test_what_a_webhook_leads_to_is_the_providers_word(platform: Platform, within: None) -> None:
    made = add(platform)
    assert senders.webhook_status(made).url == ""
    if platform.channel == "example":
        address = senders.register_webhook(made, base_url=BASE_URL)
        assert senders.webhook_status(made).url == address


def test_its_provider_is_the_channels_own_and_asked_through_the_questions(platform: Platform, within: None) -> None:
    made = add(platform)
    assert isinstance(provider.quick(platform.channel).plain, platform.provider_class)
    before = platform.questions()
    questions.begin_request("looks")
    try:
        told = [senders.identify(platform.channel, platform.token(400001)) for _ in range(3)]
    finally:
        questions.end_request()
    assert {facts.external_id for facts in told} == {made.external_id}
    assert platform.questions() == before + 1, "three who look at a page ask once"


def test_a_refused_token_is_no_sender_and_stops_one_that_is(platform: Platform, within: None) -> None:
    made = add(platform)
    platform.refuse()
    with pytest.raises(SenderDisabled):
        add(platform, 400002, "Another")
    assert [sender.name for sender in senders.listing(platform.channel)[0]] == ["Support"]
    with pytest.raises(SenderDisabled):
        senders.probe(made)
    assert (made.is_active, made.disabled_code) == (False, "token_refused")


def test_a_name_and_an_account_are_had_once(platform: Platform, home: Workspace) -> None:
    away = factories.workspace()
    with workspace_scope(home.id):
        made = add(platform)
        with pytest.raises(senders.SenderNameTaken):
            add(platform, 400002, "SUPPORT")
        db.session.rollback()
        with pytest.raises(senders.AccountInUse) as caught:
            add(platform, name="Another", number=2)
        assert caught.value.own_name == "Support"
        db.session.rollback()
    with workspace_scope(away.id):
        with pytest.raises(senders.AccountInUse) as caught:
            add(platform)
        assert caught.value.own_name is None, "whose it is, is nobody else's business"
        db.session.rollback()
        assert senders.listing(platform.channel) == ([], None)
        with pytest.raises(NotFound, match="sender_not_found"):
            senders.get(platform.channel, made.id)
        assert add(platform, 400003).workspace_id == away.id


def test_a_new_token_is_the_same_accounts(platform: Platform, within: None) -> None:
    made = add(platform)
    fresh, others = platform.token(400001, 2), platform.token(400009)
    with pytest.raises(senders.AnotherAccount):
        senders.replace_token(made, others, senders.identify(platform.channel, others))
    assert made.credentials == platform.token(400001)
    senders.replace_token(made, fresh, senders.identify(platform.channel, fresh))
    db.session.commit()
    assert (made.credentials, made.external_id) == (fresh, "400001")


def test_a_channel_keeps_its_senders_apart_from_anothers(platform: Platform, within: None) -> None:
    made = add(platform)
    other = "example" if platform.channel == "telegram_bot" else "telegram_bot"
    assert senders.listing(other) == ([], None)
    with pytest.raises(NotFound):
        senders.get(other, made.id)


def test_outside_of_a_workspace_there_is_no_list(platform: Platform, app: Flask) -> None:
    for call in (senders.listing, senders.own):
        with system_scope("a test"), pytest.raises(TenancyError):
            call(platform.channel)


def test_an_address_that_the_provider_cannot_reach_is_refused_before_it_is_asked(
    app: Flask, home: Workspace, within: None
) -> None:
    with example_provider.added(), scripted_server() as server:
        registry.put("example", ExampleClient(server.url))
        made = example_provider.sender(home, "account-1")
        with pytest.raises(Invalid, match="https addresses only") as caught:
            senders.register_webhook(made, base_url="http://here.example")
        assert (caught.value.code, server.received) == ("webhook_address_refused", [])


def test_a_channel_that_nobody_calls_has_no_webhook_to_register(app: Flask, home: Workspace, within: None) -> None:
    account = accounts.account(home)
    sender = senders.get("telegram_user", account.sender_id)
    with pytest.raises(Rejected, match=NOT_SUPPORTED):
        senders.register_webhook(sender, base_url=BASE_URL)
    with pytest.raises(Rejected, match=NOT_SUPPORTED):
        senders.webhook_status(sender)


def test_without_a_secret_a_channel_whose_provider_chooses_it_registers_nothing(
    app: Flask, home: Workspace, within: None
) -> None:
    with example_provider.added(), scripted_server() as server:
        registry.put("example", ExampleClient(server.url))
        made = example_provider.sender(home, "account-1", secret="")
        with pytest.raises(Invalid, match="webhook_secret_missing"):
            senders.register_webhook(made, base_url=BASE_URL)
        assert (made.webhook_secret, server.received) == (None, [])


def test_a_channel_without_a_provider_of_its_own_can_be_probed_and_nothing_else() -> None:
    class Client:
        def probe(self, credentials: Credentials) -> SenderFacts:
            return SenderFacts(f"account of {credentials.token}", None, "Example")

    plain = ProbeOnly(Client())  # type: ignore[arg-type]  # only `probe` is asked for
    given = Credentials("a-token")
    assert plain.probe(given).external_id == "account of a-token"
    refused: tuple[Callable[[], Any], ...] = (
        lambda: plain.unregister_webhook(given),
        lambda: plain.webhook_status(given),
        lambda: plain.members(given, "-1001"),
    )
    for call in refused:
        with pytest.raises(Rejected, match=NOT_SUPPORTED):
            call()


def test_two_that_add_one_account_at_once_make_one_sender(platform: Platform, app: Flask, home: Workspace) -> None:
    home_id = home.id
    commit()
    gate = threading.Barrier(2)
    outcomes: list[str] = []
    facts = SenderFacts("400001", None, "Example")

    def run(name: str) -> None:
        with app.app_context(), workspace_scope(home_id):
            gate.wait(60)
            try:
                senders.create(platform.channel, name=name, token=platform.token(400001), facts=facts)
                db.session.commit()
                outcomes.append("made")
            except senders.AccountInUse:
                db.session.rollback()
                outcomes.append("in use")

    threads = [threading.Thread(target=run, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes) == ["in use", "made"]
    with system_scope("a test"):
        assert len(db.session.scalars(select(Sender).where(Sender.source == "database")).all()) == 1
