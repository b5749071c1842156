"""The examples of integrations with WhatsApp, Messenger and Instagram; see `objects`."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from itertools import count

from backend.channels.graph.setup import TemplateFacts
from backend.core.database import db, workspace_scope
from backend.models import MessageTemplate, User
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
