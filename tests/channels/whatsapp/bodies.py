"""WhatsApp's webhook bodies for tests, made of few words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PAYLOADS = Path(__file__).resolve().parents[2] / "payloads" / "whatsapp"
NUMBER = "106540352242922"
ACCOUNT = "102290129340398"
PERSON = "821012345678"
BSUID = "KR.13491208655302741918"
CONTACT: dict[str, Any] = {"profile": {"name": "Mina"}, "wa_id": PERSON, "user_id": BSUID}


def value_of(number: str = NUMBER, **lists: Any) -> dict[str, Any]:
    """A change's value for a number."""
    metadata = {"display_phone_number": "15550001111", "phone_number_id": number}
    return {"messaging_product": "whatsapp", "metadata": metadata} | lists


def body_of(*changes: dict[str, Any], field: str = "messages") -> bytes:
    """A body of these values, each a change of `field`."""
    entry = {"id": ACCOUNT, "changes": [{"field": field, "value": value} for value in changes]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


def message(kind: str, block: Any = None, **more: Any) -> dict[str, Any]:
    """A message of a person, by default in the middle of 2023."""
    base = {"from": PERSON, "id": "wamid.in1", "timestamp": "1684356391", "type": kind}
    return base | ({kind: block} if block is not None else {}) | more


def inbound(kind: str, block: Any = None, **more: Any) -> bytes:
    """A body with one message."""
    return body_of(value_of(contacts=[CONTACT], messages=[message(kind, block, **more)]))


def status(state: str, **more: Any) -> bytes:
    """A body with one state of a message."""
    held = {"id": "wamid.out1", "status": state, "timestamp": "1684356391", "recipient_id": PERSON} | more
    return body_of(value_of(statuses=[held]))


def payload(name: str) -> bytes:
    """A body of the collection."""
    return (PAYLOADS / f"{name}.json").read_bytes()
