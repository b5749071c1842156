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
from tests.channels.example_channel.spec import SIGNATURE
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

    def units(self, content: Content) -> tuple[int, int]:
        return len(content.text), TEXT_CHARACTERS
