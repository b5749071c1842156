"""Messenger keeps what every channel promises."""

from __future__ import annotations

from backend.channels.base import Content, Credentials, Operation
from backend.channels.messenger import spec
from backend.channels.meta_messaging.client import MetaMessaging
from backend.channels.meta_messaging.provider import MetaMessagingProvider
from tests.channels.contract import ChannelContract
from tests.channels.meta_messaging import answers, bodies
from tests.channels.provider_contract import PICTURE, REGISTRATION
from tests.channels.scripted_server import Connection, Step, answer


def file_at_server(connection: Connection) -> bool:
    """A message whose file stands at the server that was asked."""
    url = "http://{}:{}/file".format(*connection.sock.getsockname()[:2])
    data = [{"id": "1", "mime_type": "image/jpeg", "image_data": {"url": url}}]
    return answer(200, {"attachments": {"data": data}, "id": "m_1"})(connection)


class TestMessenger(ChannelContract):
    name = "messenger"
    account_id = bodies.PAGE
    message_id = "m_77"
    credentials = Credentials(
        "EAAB-example-token-of-a-page", bodies.PAGE, {"app_id": "77", "app_secret": "a-secret-of-the-application"}
    )
    operation = Operation("send", chat_id=bodies.PERSON, content=Content("hello"), client_ref="12:0")

    def channel_at(self, url: str) -> MetaMessaging:
        return spec.channel_at(url, answers.VERSION, timeouts=answers.TIMES)

    def accepted(self) -> Step:
        return answers.sent("m_77")

    def signed(self, body: bytes) -> dict[str, str]:
        return answers.signature(self.secret, body)

    def handshake(self, token: str) -> dict[str, str]:
        return {"hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": "1158201444"}

    @property
    def bodies(self) -> list[bytes]:
        several = [bodies.body(*bodies.EVENTS[:4]), bodies.body(*bodies.EVENTS, edge="standby")]
        return [*several, *map(bodies.body, bodies.EVENTS), *bodies.collected("messenger")]

    def provider_at(self, url: str) -> MetaMessagingProvider:
        return spec.provider_at(url, answers.VERSION, answers.TIMES)

    @property
    def provider_answers(self) -> dict[str, list[Step]]:
        done = answer(200, {"success": True})
        subscription = {"object": "page", "callback_url": REGISTRATION.address, "active": True}
        return {
            "probe": [answer(200, {"id": bodies.PAGE, "name": "Example Boots"})],
            "register_webhook": [done, done],
            "unregister_webhook": [done],
            "webhook_status": [
                answer(200, {"data": [{"id": "77", "subscribed_fields": ["messages", "standby"]}]}),
                answer(200, {"data": [{"object": "user"}, subscription]}),
            ],
            "chat": [answer(200, {"id": "-1001", "name": "Team"})],
            "download": [file_at_server, answer(200, PICTURE)],
        }

    def units(self, content: Content) -> tuple[int, int]:
        return len(content.text), 2000
