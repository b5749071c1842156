"""What Meta says of a sender, asked for its checks: several questions, each answered or not by itself.

Within a web request each question goes through `services.senders.provider`, so that a platform that hangs takes no web
threads. No transaction may be open.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar

from backend.channels.base import Credentials
from backend.channels.errors import ChannelError, Rejected
from backend.channels.graph import GraphApi, GraphClient
from backend.channels.graph import setup as graph
from backend.channels.transport import Timeouts
from backend.core import config
from backend.services.channel_setup.platforms import APP_SECRET, Rules
from backend.services.senders import provider

INSTAGRAM_GRAPH_URL: Final = "https://graph.instagram.com"
NO_OBJECT: Final = "object_unknown"
"""The code for what cannot be asked because an id is missing."""
_QUICK: Final = Timeouts(connect=2.0, read=4.0, total=6.0)
_PATIENT: Final = Timeouts(connect=5.0, read=20.0, total=30.0)

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Asked(Generic[Value]):
    """An answer, or the error with which there was none; neither where nothing was asked."""

    value: Value | None = None
    error: ChannelError | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """What Meta said of a sender. `app` is what the sender's application is told of such accounts."""

    token: Asked[graph.TokenFacts] = Asked()
    account: Asked[graph.AccountFacts] = Asked()
    number: Asked[graph.NumberFacts] = Asked()
    subscriptions: Asked[tuple[graph.Subscription, ...]] = Asked()
    app: Asked[graph.Subscription] = Asked()

    @property
    def errors(self) -> list[ChannelError]:
        """Whatever was not answered."""
        every = (self.token, self.account, self.number, self.subscriptions, self.app)
        return [asked.error for asked in every if asked.error is not None]


class Connection:
    """Meta, asked for one sender."""

    def __init__(self, rules: Rules, credentials: Credentials) -> None:
        self.rules = rules
        self.credentials = credentials
        self._guarded = provider.quick(rules.platform)

    @property
    def object_id(self) -> str:
        """What is subscribed; empty where its id is not known."""
        name = self.rules.object_setting
        known = self.credentials.settings.get(name) if name else self.credentials.external_id
        return known or ("me" if self.rules.own_object else "")

    @property
    def app_id(self) -> str:
        """The application, where the settings name it; else empty."""
        return self.credentials.settings.get("app_id", "")

    def client(self, *, patient: bool = False, token: str | None = None) -> GraphClient:
        """A client with the sender's token, or with another one."""
        return api(own_login=self.rules.own_login, patient=patient).client(token or self.credentials.token)

    def read(self, question: Hashable, call: Callable[[GraphClient], Value]) -> Value:
        """The answer to a question, asked now. Raises one of the five errors, and NotAsked within a web request."""
        client = self.client()
        return self._guarded.read(self.credentials, ("setup", question), lambda: call(client), kept=0.0)

    def change(self, question: Hashable, call: Callable[[GraphClient], Any]) -> None:
        """Has something changed at the platform. Raises as `read` does."""
        client = self.client(patient=True)
        self._guarded.change(self.credentials, ("setup", question), lambda: call(client))

    def renew(self, client: GraphClient) -> graph.NewToken:
        """A new token in this one's place; what was known of the account stays. Raises as `read` does."""
        return self._guarded.read(self.credentials, ("setup", "renew"), lambda: graph.renew_token(client), kept=0.0)

    def require_object(self) -> str:
        """The id of what is subscribed. Raises Rejected(`object_unknown`)."""
        if not self.object_id:
            raise Rejected(NO_OBJECT)
        return self.object_id


def everything(connection: Connection) -> Answers:
    """Asks all that the checks of a sender need. Raises nothing that the platform answers."""
    rules, token = connection.rules, connection.credentials.token
    sender_id = connection.credentials.external_id or ""
    about_token: Asked[graph.TokenFacts] = Asked()
    about_number: Asked[graph.NumberFacts] = Asked()
    about_account: Asked[graph.AccountFacts] = Asked()
    if rules.can_debug:
        about_token = _ask(connection, "token", lambda client: graph.token_facts(client, token))
    if rules.platform == "whatsapp":
        if sender_id:
            about_number = _ask(connection, "number", lambda client: graph.number_facts(client, sender_id))
    else:
        asked, names = ("me", "user_id,username") if rules.own_login else (sender_id or "me", "name")
        if rules.platform == "instagram" and not rules.own_login:
            names = "username"
        about_account = _ask(connection, "account", lambda client: graph.account_facts(client, asked, names))
    about_object = _ask(
        connection, "subscriptions", lambda client: graph.subscriptions(client, connection.require_object())
    )
    return Answers(about_token, about_account, about_number, about_object, _ask_app(connection, about_token.value))


def _ask_app(connection: Connection, token: graph.TokenFacts | None) -> Asked[graph.Subscription]:
    """What the application is told; asked with the application's own token, where its secret is known."""
    app_id = connection.app_id or (token.app_id if token is not None else "")
    secret = connection.credentials.settings.get(APP_SECRET)
    if connection.rules.own_login or not app_id or not secret:
        return Asked()
    client = connection.client(token=f"{app_id}|{secret}")
    kind = connection.rules.object_kind
    return _ask(connection, "app", lambda _: graph.app_subscription(client, app_id, kind))


def _ask(connection: Connection, question: str, call: Callable[[GraphClient], Value | None]) -> Asked[Value]:
    try:
        return Asked(connection.read(question, call))
    except ChannelError as error:
        return Asked(error=error)


def api(*, own_login: bool, patient: bool = False, versioned: bool = True) -> GraphApi:
    """The Graph API of a login, as the settings say now."""
    settings = config.get()
    base = (settings.instagram_graph_url or INSTAGRAM_GRAPH_URL) if own_login else settings.meta_graph_url
    return _api(base, settings.meta_api_version, _PATIENT if patient else _QUICK, versioned)


@lru_cache(maxsize=16)
def _api(base: str, version: str, timeouts: Timeouts, versioned: bool) -> GraphApi:
    graph_api = GraphApi(base, version, timeouts=timeouts, read_refusal=graph.REFUSALS.read)
    if not versioned:
        graph_api.root = graph_api.base_url
    return graph_api
