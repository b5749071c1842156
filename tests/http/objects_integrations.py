"""The examples of integrations with WhatsApp, Messenger and Instagram; see `objects`."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from itertools import count

from flask import current_app
from sqlalchemy import select

from backend.channels.graph.setup import TemplateFacts
from backend.core import clock
from backend.core.database import db, next_id, system_scope, workspace_scope
from backend.models import MessageTemplate, Sender, User
from backend.services.channel_setup import catalog, templates
from tests.http.objects import Example, example
from tests.support import factories

SECRET = "example-app-secret"
COMPONENTS = ({"type": "BODY", "text": "Hello {{1}}"},)
_numbers = count(1000)


def integration(caller: User, platform: str = "whatsapp", **changes: str) -> int:
    """The id of an integration of the caller's workspace."""
    number = str(next(_numbers))
    ids = {"whatsapp": "phone_number_id", "messenger": "page_id", "instagram": "instagram_id"}
    fields = {"name": f"{platform} {number}", ids[platform]: number, "app_secret": SECRET}
    fields["access_token"] = ("IGAA" if platform == "instagram" else "EAAB") + "-EXAMPLE-not-a-real-token"
    if platform == "whatsapp":
        fields["waba_id"] = "102290129340398"
    with workspace_scope(caller.workspace_id):
        return catalog.create(factories.by(), platform, fields | changes).integration.id


def template(caller: User, sender_id: int) -> MessageTemplate:
    """A template of this integration."""
    with workspace_scope(caller.workspace_id):
        facts = TemplateFacts("1", "reminder", "en", "utility", "approved", "green", None, COMPONENTS)
        templates.store(sender_id, [facts])
        db.session.flush()
        return templates.require_approved(sender_id, "reminder", "en")


def signed_request(user_id: str = "77001", secret: str = SECRET) -> str:
    """A request as Meta signs it."""
    payload = json.dumps({"algorithm": "HMAC-SHA256", "user_id": user_id, "issued_at": 1764460800}).encode()
    body = base64.urlsafe_b64encode(payload).decode().rstrip("=")
    signature = hmac.new(secret.encode(), body.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(signature).decode().rstrip("=") + "." + body


@example("integration_setup.create")
def _create(_caller: User) -> Example:
    number = str(next(_numbers))
    body = {"platform": "messenger", "name": f"Page {number}", "page_id": number, "app_secret": SECRET}
    return Example(json=body | {"access_token": "EAAB-EXAMPLE-not-a-real-token"}, status=201)


@example("integration_setup.diagnostics")
def _diagnostics(caller: User) -> Example:
    integration(caller)
    return Example()


@example("integration_setup.show", "integration_setup.check", "integration_setup.list_templates")
def _integration(caller: User) -> Example:
    return Example({"integration_id": integration(caller)})


@example("integration_setup.subscribe", "integration_setup.refresh_templates")
def _act(caller: User) -> Example:
    return Example({"integration_id": integration(caller)})


@example("integration_setup.register")
def _register(caller: User) -> Example:
    return Example({"integration_id": integration(caller)}, json={"pin": "123456"})


@example("integration_setup.renew")
def _renew(caller: User) -> Example:
    return Example({"integration_id": integration(caller, "instagram")})


@example("integration_setup.show_template")
def _template(caller: User) -> Example:
    sender_id = integration(caller)
    return Example({"integration_id": sender_id, "template_id": template(caller, sender_id).id})


@example("integration_setup.preview_template")
def _preview(caller: User) -> Example:
    sender_id = integration(caller)
    path = {"integration_id": sender_id, "template_id": template(caller, sender_id).id}
    return Example(path, json={"variables": ["Mina"]})


@example("meta.delete_data", "meta.deauthorize")
def _signed(_caller: User) -> Example:
    return Example(form={"signed_request": signed_request()})


@example("meta.delete_data_of", "meta.deauthorize_of")
def _signed_of(caller: User) -> Example:
    return Example({"integration_id": integration(caller)}, form={"signed_request": signed_request()})


# --- what Meta calls ---------------------------------------------------------------------------------------

VERIFY_TOKEN = "example-verify-token"
_OBJECTS = {"whatsapp": "whatsapp_business_account", "messenger": "page", "instagram": "instagram"}


def _environments(platform: str) -> None:
    """The environment's sender of a channel, as its variables would make it."""
    if db.session.scalar(select(Sender.id).where(Sender.source == "environment", Sender.channel == platform)) is None:
        sender = Sender(channel=platform, source="environment", name="default", created_at=clock.now())
        sender.id = next_id("senders")
        sender.settings = {"app_secret": SECRET, "verify_token": VERIFY_TOKEN}
        db.session.add(sender)
        db.session.flush()


def _body(platform: str, **path: int) -> Example:
    """A signed body without an event."""
    body = {"object": _OBJECTS[platform], "entry": []}
    digest = hmac.new(SECRET.encode(), current_app.json.dumps(body).encode(), hashlib.sha256).hexdigest()
    return Example(path=path, json=body, headers={"X-Hub-Signature-256": f"sha256={digest}"})


def _handshake(**path: int) -> Example:
    query = {"hub.mode": "subscribe", "hub.verify_token": VERIFY_TOKEN, "hub.challenge": "1158201444"}
    return Example(path=path, query=query)


def _calls_of(platform: str) -> None:
    @example(f"provider_webhooks.{platform}")
    def _default(_caller: User) -> Example:
        with system_scope("the environment's sender"):
            _environments(platform)
        return _body(platform)

    @example(f"provider_webhooks.{platform}_handshake")
    def _default_handshake(_caller: User) -> Example:
        with system_scope("the environment's sender"):
            _environments(platform)
        return _handshake()

    @example(f"provider_webhooks.{platform}_by_id")
    def _own(caller: User) -> Example:
        return _body(platform, sender_id=integration(caller, platform))

    @example(f"provider_webhooks.{platform}_by_id_handshake")
    def _own_handshake(caller: User) -> Example:
        return _handshake(sender_id=integration(caller, platform, verify_token=VERIFY_TOKEN))


for _platform in _OBJECTS:
    _calls_of(_platform)
