"""WhatsApp keeps what every channel promises."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence

from backend.channels.base import Content, Credentials, Operation
from backend.channels.graph import GraphApi
from backend.channels.transport import Timeouts
from backend.channels.whatsapp import errors
from backend.channels.whatsapp.channel import WhatsApp
from backend.channels.whatsapp.formatting import CAPTION_CHARACTERS, TEXT_CHARACTERS, body_of
from backend.channels.whatsapp.provider import WhatsAppProvider
from tests.channels.contract import ChannelContract
from tests.channels.provider_contract import PICTURE, REGISTRATION
from tests.channels.scripted_server import Connection, Step, answer
from tests.channels.whatsapp import bodies

TIMEOUTS = Timeouts(connect=1.0, read=0.3, total=1.0)


def api_at(url: str) -> GraphApi:
    return GraphApi(url, "v26.0", timeouts=TIMEOUTS, read_refusal=errors.read)


def address_of_a_file(connection: Connection) -> bool:
    host, port = connection.sock.getsockname()[:2]
    return answer(200, {"id": "file-1", "url": f"http://{host}:{port}/file"})(connection)


class TestWhatsApp(ChannelContract):
    name = "whatsapp"
    message_id = "wamid.HBgL"
    credentials = Credentials("EXAMPLE-token-that-stands-nowhere-else", bodies.NUMBER, {"waba_id": bodies.ACCOUNT})
    operation = Operation("send", chat_id=bodies.PERSON, content=Content("hello"))
    account_id = bodies.NUMBER

    def channel_at(self, url: str) -> WhatsApp:
        return WhatsApp(api_at(url))

    def accepted(self) -> Step:
        contact = {"input": bodies.PERSON, "wa_id": bodies.PERSON}
        return answer(200, {"messaging_product": "whatsapp", "contacts": [contact], "messages": [{"id": "wamid.HBgL"}]})

    def signed(self, body: bytes) -> dict[str, str]:
        return {"X-Hub-Signature-256": "sha256=" + hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()}

    def handshake(self, token: str) -> dict[str, str]:
        return {"hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": "1158201444"}

    @property
    def bodies(self) -> list[bytes]:
        samples = [path.read_bytes() for path in sorted(bodies.PAYLOADS.glob("*.json"))]
        merged = json.loads(samples[0])
        merged["entry"] = [entry for sample in samples for entry in json.loads(sample)["entry"]]
        return [json.dumps(merged).encode(), *samples]

    def provider_at(self, url: str) -> WhatsAppProvider:
        return WhatsAppProvider(api_at(url))

    @property
    def provider_answers(self) -> Mapping[str, Sequence[Step]]:
        done = answer(200, {"success": True})
        app = {"whatsapp_business_api_data": {"id": "1"}, "override_callback_uri": REGISTRATION.address}
        return {
            "probe": [answer(200, {"id": bodies.NUMBER, "verified_name": "A shop"})],
            "register_webhook": [done, done],
            "unregister_webhook": [done],
            "webhook_status": [answer(200, {"data": [app]})],
            "download": [address_of_a_file, answer(200, PICTURE)],
        }

    def units(self, content: Content) -> tuple[int, int]:
        if content.buttons:
            return len(body_of(content)), CAPTION_CHARACTERS
        return len(content.text), TEXT_CHARACTERS
