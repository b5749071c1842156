"""The example channel in a test: added for as long as it takes, with senders and genuine bodies."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from backend.channels import registry
from backend.core import clock
from backend.core.database import db, system_scope
from backend.models import Sender, Workspace
from backend.services import senders
from backend.services.senders import webhook_verifier
from tests.channels.example_channel.spec import ENVIRONMENT, SIGNATURE

FOLDER = "tests.channels.example_channel"
SECRET = "the-secret-of-an-app"
ENVIRONMENT_SECRET = ENVIRONMENT.settings["app_secret"]


@contextmanager
def added() -> Iterator[None]:
    """The channel is in the registry."""
    registry.add(FOLDER)
    webhook_verifier.forget()
    try:
        yield
    finally:
        registry.remove(FOLDER)
        webhook_verifier.forget()


def sender(home: Workspace, account: str | None, secret: str = SECRET, **settings: str) -> Sender:
    """A workspace's sender at the example provider, committed."""
    with system_scope("a test"):
        made = Sender(
            workspace_id=home.id,
            channel="example",
            source="database",
            name=f"example {account} {secret}",
            external_id=account,
            created_at=clock.now(),
        )
        db.session.add(made)
        senders.set_token(made, f"token-of-{account}-{secret}")
        senders.change_settings(made, {"app_secret": secret or None} | settings)
        db.session.commit()
    return made


def message(number: int | str, person: str = "person-1", text: str = "hello") -> dict[str, Any]:
    """A person's message, written just now."""
    at = int(clock.now().timestamp())
    return {"type": "message", "id": f"m{number}", "from": {"id": person, "name": "Ann"}, "text": text, "at": at}


def body(*events: tuple[str, dict[str, Any]]) -> bytes:
    """A body with these events, each with the account that it is for."""
    return json.dumps({"accounts": [{"account": account, "events": [event]} for account, event in events]}).encode()


def signed(raw: bytes, secret: str = SECRET) -> dict[str, str]:
    """The headers that make a body genuine."""
    return {SIGNATURE: "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()}
