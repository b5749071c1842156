"""Instagram keeps what every channel promises, by the page's token and by its own login."""

from __future__ import annotations

from backend.channels.base import Content, Credentials, Operation
from backend.channels.instagram import spec
from backend.channels.meta_messaging.client import MetaMessaging
from backend.channels.meta_messaging.provider import MetaMessagingProvider
from tests.channels.contract import ChannelContract
from tests.channels.messenger.test_contract import file_at_server
from tests.channels.meta_messaging import answers, bodies
from tests.channels.provider_contract import PICTURE, REGISTRATION
from tests.channels.scripted_server import Step, answer

ACCOUNT = "17840000000000001"


class TestInstagramByItsLogin(ChannelContract):
    name = "instagram"
    account_id = ACCOUNT
    message_id = "aWdf_77"
    credentials = Credentials(
        "IGAA-example-token-of-an-account", ACCOUNT, {"app_id": "77", "app_secret": "a-secret-of-the-application"}
    )
    operation = Operation("send", chat_id=bodies.PERSON, content=Content("hello"))

    def channel_at(self, url: str) -> MetaMessaging:
        return spec.channel_at("http://127.0.0.1:9", url, answers.VERSION, timeouts=answers.TIMES)

    def accepted(self) -> Step:
        return answers.sent("aWdf_77")

    def signed(self, body: bytes) -> dict[str, str]:
        return answers.signature(self.secret, body)

    def handshake(self, token: str) -> dict[str, str]:
        return {"hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": "1158201444"}

    @property
    def bodies(self) -> list[bytes]:
        several = [bodies.body(*bodies.EVENTS[:4], name="instagram"), *bodies.collected("instagram")]
        changes = bodies.body({"field": "messages", "value": bodies.EVENTS[0]}, edge="changes", name="instagram")
        return [*several, changes, *(bodies.body(event, name="instagram") for event in bodies.EVENTS)]

    def provider_at(self, url: str) -> MetaMessagingProvider:
        return spec.provider_at(url, url, answers.VERSION, answers.TIMES)

    @property
    def provider_answers(self) -> dict[str, list[Step]]:
        done = answer(200, {"success": True})
        subscription = {"object": "instagram", "callback_url": REGISTRATION.address, "active": True}
        return {
            "probe": [answer(200, {"user_id": ACCOUNT, "username": "example.boots", "id": "9"})],
            "register_webhook": [done, done],
            "unregister_webhook": [done],
            "webhook_status": [
                answer(200, {"data": [{"subscribed_fields": ["messages"]}]}),
                answer(200, {"data": [subscription]}),
            ],
            "chat": [answer(200, {"id": "-1001", "name": "Team", "username": "team"})],
            "download": [file_at_server, answer(200, PICTURE)],
        }

    def units(self, content: Content) -> tuple[int, int]:
        return len(content.text.encode()), 1000


class TestInstagramByItsPage(TestInstagramByItsLogin):
    credentials = Credentials(
        "EAAB-example-token-of-a-page", ACCOUNT, {"app_id": "77", "app_secret": "a-secret-of-the-application"}
    )

    def channel_at(self, url: str) -> MetaMessaging:
        return spec.channel_at(url, "", answers.VERSION, timeouts=answers.TIMES)

    def provider_at(self, url: str) -> MetaMessagingProvider:
        return spec.provider_at(url, "", answers.VERSION, answers.TIMES)

    @property
    def provider_answers(self) -> dict[str, list[Step]]:
        given = super().provider_answers
        # The subscription is the page's, and Messenger's too.
        del given["unregister_webhook"]
        linked = {"id": ACCOUNT, "username": "example.boots", "name": "Example Boots"}
        return given | {"probe": [answer(200, {"id": bodies.PAGE, "instagram_business_account": linked})]}
