"""How Meta answers, and the channels at an address, for the contract's tests."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from backend.channels.transport import Timeouts
from tests.channels.scripted_server import Step, answer

TIMES = Timeouts(connect=1.0, read=0.3, total=1.0)
VERSION = "v26.0"


def signature(secret: str, raw: bytes) -> dict[str, str]:
    """The header of a genuine body."""
    return {"X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()}


def sent(message_id: str) -> Step:
    """What a message that was taken is answered with."""
    return answer(200, {"recipient_id": "2000000002", "message_id": message_id})


def refusal(status: int, code: int, subcode: int = 0, message: str = "(#0) refused") -> Step:
    """A refusal by the Graph API."""
    error: dict[str, Any] = {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": "A1b2"}
    if subcode:
        error["error_subcode"] = subcode
    return answer(status, {"error": error})
