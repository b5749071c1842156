"""What people ask by way of Meta: proven by a signature, answered once, and nothing is kept that tells who."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import func, select

from backend.channels.inbound import Chat, MessageReceived, Person
from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import BadRequest, NotFound, Unauthorized
from backend.models import AuditEntry, ChannelSetup, Contact, Conversation, Identity, Message, MetaRequest, Sender
from backend.services import conversations
from backend.services.channel_setup import catalog, checks, people_requests
from backend.services.contacts import records
from tests.services.channel_setup.integrations import BY
from tests.support.bot_api import settings_with
from tests.support.graph_api import SECRET, Graph

GOOD = {"algorithm": "HMAC-SHA256", "user_id": "77001", "issued_at": 1764460800}


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def signed(payload: Any = GOOD, secret: str = SECRET) -> str:
    body = encoded(payload if isinstance(payload, bytes) else json.dumps(payload).encode())
    return encoded(hmac.new(secret.encode(), body.encode(), hashlib.sha256).digest()) + "." + body


def wrote(sender: Sender, person_id: str) -> Conversation:
    """Somebody wrote to this page, and became a contact."""
    assert sender.workspace_id is not None
    with system_scope("a test"):
        event = MessageReceived(Chat(person_id, "private"), Person(person_id, "Mina"), f"m-{person_id}", "hello")
        conversation = conversations.find_or_create(
            sender, event.chat, workspace_id=sender.workspace_id, person=event.sender
        )
        conversations.record_inbound(conversation, event, identity_id=conversation.identity_id)
        db.session.commit()
    with workspace_scope(sender.workspace_id):
        contact = records.create(BY, {"first_name": "Mina"})
        db.session.execute(select(Identity)).scalars().all()
        identity = db.session.get_one(Identity, conversation.identity_id)
        identity.contact_id = contact.id
        db.session.commit()
    return conversation


def count(model: Any) -> int:
    return int(db.session.execute(select(func.count()).select_from(model)).scalar_one())


def test_a_request_is_read_when_it_is_signed(graph: Graph) -> None:
    request = people_requests.read(signed(), ("another-secret", SECRET))
    assert (request.user_id, request.issued_at) == ("77001", datetime.fromtimestamp(1764460800, UTC))
    assert "77001" not in repr(request)


@pytest.mark.parametrize("secrets", [(), ("",), ("another-secret",)])
def test_one_that_no_application_of_ours_signed_is_refused(graph: Graph, secrets: tuple[str, ...]) -> None:
    with pytest.raises(Unauthorized, match="wrong_signature"):
        people_requests.read(signed(), secrets)


def test_a_payload_that_was_changed_is_refused(graph: Graph) -> None:
    signature = signed().partition(".")[0]
    with pytest.raises(Unauthorized):
        people_requests.read(signature + "." + encoded(json.dumps(GOOD | {"user_id": "1"}).encode()), (SECRET,))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a.b.c!",
        "é.b",
        "x" * 10_000,
        signed(b"no json"),
        signed([1]),
        signed({}),
        signed(GOOD | {"algorithm": "none"}),
        signed(GOOD | {"user_id": None}),
        signed(GOOD | {"user_id": {"a": 1}}),
        signed(GOOD | {"user_id": ""}),
        signed(GOOD | {"issued_at": "now"}),
        signed(GOOD | {"issued_at": 10**30}),
        signed(b"[" * 3000),
    ],
)
def test_what_has_not_the_form_is_refused(graph: Graph, text: str) -> None:
    with pytest.raises((BadRequest, Unauthorized)):
        people_requests.read(text, (SECRET,))


def test_a_person_of_a_page_is_erased_once(page: Sender) -> None:
    wrote(page, "77001")
    wrote(page, "88002")
    request = people_requests.read(signed(), people_requests.secrets_for(page.id))
    first = people_requests.delete_data(request, page.id)
    db.session.commit()
    assert (first.state, first.count) == ("done", 2)
    assert (count(Identity), count(Conversation), count(Message)) == (1, 1, 1)
    assert db.session.execute(select(func.count()).where(Contact.erased_at.is_not(None))).scalar_one() == 1
    again = people_requests.delete_data(request, page.id)
    assert again.code == first.code
    with system_scope("a test"):
        assert count(MetaRequest) == 1
        audited = db.session.execute(select(AuditEntry.action, AuditEntry.detail)).all()
    assert ("meta.deletion_requested", {"erased": 2}) in [tuple(row) for row in audited]
    assert "77001" not in str(audited)


def test_the_status_says_how_it_stands_and_of_whom_nothing(page: Sender) -> None:
    row = people_requests.delete_data(people_requests.read(signed(), (SECRET,)), page.id)
    assert row.state == "nothing_found"
    assert people_requests.by_code(row.code).id == row.id
    assert people_requests.status_address(row).endswith(f"/privacy/deletion/{row.code}")
    with pytest.raises(NotFound):
        people_requests.by_code("0" * 24)


def test_another_integrations_people_are_left_alone(page: Sender, number: Sender) -> None:
    wrote(page, "77001")
    row = people_requests.delete_data(people_requests.read(signed(), (SECRET,)), number.id)
    assert row.state == "nothing_found"
    assert count(Identity) == 1


def test_taking_back_a_permission_has_the_token_checked(number: Sender) -> None:
    checks.check(catalog.get(number.id))
    db.session.commit()
    with system_scope("a test"):
        assert db.session.execute(select(ChannelSetup.check_at)).scalar_one() > clock.now()
    row = people_requests.deauthorize(people_requests.read(signed(), (SECRET,)))
    db.session.commit()
    assert (row.state, row.count) == ("done", 1)
    with system_scope("a test"):
        assert db.session.execute(select(ChannelSetup.check_at)).scalar_one() <= clock.now()
    stranger = people_requests.read(signed(GOOD | {"user_id": "1"}), (SECRET,))
    assert people_requests.deauthorize(stranger).state == "nothing_found"


def test_the_environments_secrets_sign_at_the_instances_address(graph: Graph) -> None:
    with settings_with(meta_app_secret="of-facebook", instagram_app_secret="of-instagram"):
        assert people_requests.secrets_for() == ("of-facebook", "of-instagram")
    with pytest.raises(NotFound):
        people_requests.secrets_for(999999)
