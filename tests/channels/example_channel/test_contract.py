"""The example channel keeps what every channel promises."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator

import pytest

from backend.channels import registry
from backend.channels.base import Content, Credentials, Operation
from backend.channels.transport import Timeouts
from tests.channels.contract import ChannelContract
from tests.channels.example_channel.client import TEXT_CHARACTERS, ExampleClient
from tests.channels.example_channel.provider import ExampleProvider
from tests.channels.example_channel.spec import SIGNATURE
from tests.channels.provider_contract import PICTURE, REGISTRATION
from tests.channels.scripted_server import Step, answer

FOLDER = "tests.channels.example_channel"


@pytest.fixture(autouse=True, scope="module")
def _registered() -> Iterator[None]:
    registry.add(FOLDER)
    yield
    registry.remove(FOLDER)


class TestExample(ChannelContract):
    name = "example"
    message_id = "example-77"
    credentials = Credentials("example-token-that-stands-nowhere-else", "account-1")
    operation = Operation("send", chat_id="person-1", content=Content("hello"))

    def channel_at(self, url: str) -> ExampleClient:
        return ExampleClient(url, Timeouts(connect=1.0, read=0.3, total=1.0))

    def accepted(self) -> Step:
        return answer(200, {"id": "example-77"})

    def signed(self, body: bytes) -> dict[str, str]:
        return {SIGNATURE: "sha256=" + hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()}

    def handshake(self, token: str) -> dict[str, str]:
        return {"hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": "1158201444"}

    @property
    def bodies(self) -> list[bytes]:
        events = [
            {"type": "message", "id": "m1", "from": {"id": "person-1", "name": "Ann"}, "text": "hi", "at": 1700000000},
            {"type": "status", "message": "example-77", "status": "delivered", "at": 1700000001},
            {"type": "echo", "id": "m2", "to": "person-1", "text": "hello", "ref": "12:0"},
            {"type": "read", "chat": "person-1", "until": 1700000002},
            {"type": "poke", "from": {"id": "person-1"}},
        ]
        several = {"accounts": [{"account": "a", "events": events[:2]}, {"account": "b", "events": events[2:]}]}
        single = [{"accounts": [{"account": "a", "events": [event]}]} for event in events]
        return [json.dumps(body).encode() for body in (several, *single)]

    def provider_at(self, url: str) -> ExampleProvider:
        return ExampleProvider(self.channel_at(url))

    account_id = "account-1"

    @property
    def provider_answers(self) -> dict[str, list[Step]]:
        ada = {"id": "5", "name": "Ada", "admin": True}
        return {
            "probe": [answer(200, {"id": "account-1", "name": "Example"})],
            "register_webhook": [answer(200, {"done": True})],
            "unregister_webhook": [answer(200, {"done": True})],
            "webhook_status": [answer(200, {"url": REGISTRATION.address, "waiting": 2})],
            "chat": [answer(200, {"id": "-1001", "title": "Team"})],
            "members": [answer(200, {"members": [ada]})],
            "download": [answer(200, PICTURE)],
        }

    def units(self, content: Content) -> tuple[int, int]:
        return len(content.text), TEXT_CHARACTERS
