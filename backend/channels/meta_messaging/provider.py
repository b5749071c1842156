"""Meta asked and told about pages and Instagram accounts: who they are, where events go, people, files, control."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, Final

from backend.channels.base import Credentials, SenderFacts
from backend.channels.errors import OutcomeUnknown, Rejected
from backend.channels.graph import GraphApi, GraphClient, reading
from backend.channels.inbound import Chat
from backend.channels.meta_messaging import accounts, files
from backend.channels.meta_messaging.accounts import INSTAGRAM, INSTAGRAM_LOGIN, MESSENGER, Access
from backend.channels.provider import NOT_SUPPORTED, Provider, WebhookRegistration, WebhookStatus

PAGE_FIELDS: Final = (
    "messages",
    "message_echoes",
    "message_edits",
    "message_reactions",
    "message_deliveries",
    "message_reads",
    "messaging_postbacks",
    "messaging_referrals",
    "messaging_optins",
    "messaging_handovers",
    "messaging_policy_enforcement",
    "messaging_feedback",
    "standby",
)
INSTAGRAM_FIELDS: Final = (
    "messages",
    "message_edit",
    "message_reactions",
    "messaging_seen",
    "messaging_postbacks",
    "messaging_referral",
    "messaging_handover",
    "messaging_optins",
    "standby",
)
_OBJECTS: Final = {MESSENGER: "page", INSTAGRAM: "instagram", INSTAGRAM_LOGIN: "instagram"}
_APPLICATION_FIELDS: Final = {"page": PAGE_FIELDS, "instagram": INSTAGRAM_FIELDS}
_PROFILES: Final = {
    MESSENGER: ("first_name,last_name,name", "name"),
    INSTAGRAM: ("name,username", "name"),
    INSTAGRAM_LOGIN: ("name,username", "name"),
}
"""The fields of a person; where one may not be read Meta refuses them all, so the second is asked for alone."""


class MetaMessagingProvider(Provider):
    """See `backend.channels.provider.Provider`. `applications` is where applications are asked about themselves."""

    def __init__(
        self,
        address: str,
        access_of: Callable[[str], Access],
        applications: GraphApi,
        *,
        file_seconds: float = 30.0,
        private_files: bool = False,
    ) -> None:
        self._address = address
        self._access_of = access_of
        self._applications = applications
        self._file_seconds = file_seconds
        self._private_files = private_files

    @property
    def address(self) -> str:
        """That of the Graph API."""
        return self._address

    def probe(self, credentials: Credentials) -> SenderFacts:
        """The page or the account."""
        client, kind = self._client(credentials)
        return accounts.probe(client, kind)

    def refusal_of(self, address: str) -> str | None:
        """Meta calls https addresses only; another address of the Graph API is a simulator's."""
        if address.startswith("https://") or not self._address.startswith("https://"):
            return None
        return f"Meta delivers only to https addresses, not to {address}."

    def register_webhook(
        self, credentials: Credentials, registration: WebhookRegistration, *, drop_pending: bool = False
    ) -> None:
        """Where the application's id and secret are known, it is told the address; then the page is subscribed. Without
        them a person enters the address in the application's settings."""
        client, kind = self._client(credentials)
        application = self._application(credentials)
        if application is not None:
            name = _OBJECTS[kind]
            answer = application[0].post(
                f"{application[1]}/subscriptions",
                {
                    "object": name,
                    "callback_url": registration.address,
                    "verify_token": registration.token,
                    "fields": ",".join(_APPLICATION_FIELDS[name]),
                    "include_values": True,
                },
            )
            _confirmed(answer)
        _confirmed(client.post("me/subscribed_apps", {"subscribed_fields": ",".join(fields_of(kind))}))

    def unregister_webhook(self, credentials: Credentials, *, drop_pending: bool = False) -> None:
        """Ends the page's subscription; that of an Instagram account of a page is the page's, and Messenger's too."""
        client, kind = self._client(credentials)
        if kind == INSTAGRAM:
            raise Rejected(NOT_SUPPORTED)
        _confirmed(client.delete("me/subscribed_apps"))

    def webhook_status(self, credentials: Credentials) -> WebhookStatus:
        """Whether the page is subscribed, with its fields, and the address that the application gave. The address is
        empty where it is not subscribed, or the application's id and secret are not known."""
        client, kind = self._client(credentials)
        fields = _fields(client.get("me/subscribed_apps"))
        application = self._application(credentials)
        if application is None or not fields:
            return WebhookStatus("", events=fields)
        answer = application[0].get(f"{application[1]}/subscriptions")
        for subscription in _objects(answer):
            if subscription.get("object") == _OBJECTS[kind]:
                error = None if subscription.get("active") is not False else "The subscription is switched off."
                return WebhookStatus(reading.text(subscription.get("callback_url"), 2000), 0, error, None, fields)
        return WebhookStatus("", events=fields)

    def chat(self, credentials: Credentials, chat_id: str) -> Chat:
        """The person's profile, as far as it may be read."""
        client, kind = self._client(credentials)
        fields, alone = _PROFILES[kind]
        refused = False
        answer: dict[str, Any] = {}
        try:
            answer = client.get(chat_id, fields)
        except Rejected as error:
            refused = error.code in ("refused", "permission_missing")
            if not refused:
                raise
        if refused:
            answer = client.get(chat_id, alone)
        if not reading.identifier(answer.get("id")):
            raise OutcomeUnknown("unreadable_answer")
        name = reading.text(answer.get("name"), 200) or " ".join(
            part for part in (reading.text(answer.get(word), 100) for word in ("first_name", "last_name")) if part
        )
        username = reading.text(answer.get("username"), 100) or None
        return Chat(chat_id, "private", title=name or None, username=username, name=name or None)

    def download(self, credentials: Credentials, file_id: str, sink: BinaryIO, *, max_bytes: int) -> int:
        """A file of a message, from the address that came with it or from a new one."""
        client, kind = self._client(credentials)
        fields = "attachments" if kind == MESSENGER else "attachments,story"
        return files.download(
            client,
            self._address,
            file_id,
            sink,
            fields=fields,
            max_bytes=max_bytes,
            timeout=self._file_seconds,
            private=self._private_files,
        )

    def take_control(self, credentials: Credentials, chat_id: str) -> None:
        """From the application that is in charge, where ours may take it (as the primary or default application)."""
        client, _ = self._client(credentials)
        _confirmed(client.post("me/take_thread_control", {"recipient": {"id": chat_id}}))

    def pass_control(self, credentials: Credentials, chat_id: str, application_id: str) -> None:
        """To an application by its id, such as the page's own inbox."""
        client, _ = self._client(credentials)
        params = {"recipient": {"id": chat_id}, "target_app_id": application_id}
        _confirmed(client.post("me/pass_thread_control", params))

    def _client(self, credentials: Credentials) -> tuple[GraphClient, accounts.Kind]:
        access = self._access_of(credentials.token)
        return access.api.client(credentials.token), access.kind

    def _application(self, credentials: Credentials) -> tuple[GraphClient, str] | None:
        """The application's own client and its id; None where we do not know them."""
        application_id, secret = credentials.settings.get("app_id"), credentials.settings.get("app_secret")
        if not application_id or not secret:
            return None
        return self._applications.client(f"{application_id}|{secret}"), application_id


def fields_of(kind: accounts.Kind) -> Sequence[str]:
    """What a page or an account is subscribed to. A subscription replaces the one before, so an Instagram account of a
    page asks for all that its page has."""
    return INSTAGRAM_FIELDS if kind == INSTAGRAM_LOGIN else PAGE_FIELDS


def _confirmed(answer: dict[str, Any]) -> None:
    if answer.get("success") is not True and answer.get("result") != "success":
        raise OutcomeUnknown("unreadable_answer")


def _objects(answer: dict[str, Any]) -> list[dict[str, Any]]:
    listed = answer.get("data")
    if not isinstance(listed, list):
        raise OutcomeUnknown("unreadable_answer")
    return list(reading.objects(listed))


def _fields(answer: dict[str, Any]) -> tuple[str, ...]:
    """The fields of the subscription; none where there is no subscription."""
    for application in _objects(answer):
        fields = application.get("subscribed_fields")
        named = tuple(reading.text(field, 60) for field in fields[:60]) if isinstance(fields, list) else ()
        return tuple(field for field in named if field) or ("subscribed",)
    return ()
