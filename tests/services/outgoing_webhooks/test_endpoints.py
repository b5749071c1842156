"""Adding endpoints: what is refused, and what is kept how."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import Conflict, Invalid, NotFound
from backend.models import Workspace
from backend.services import caps, outgoing_webhooks
from tests.services.outgoing_webhooks.conftest import EVENT, Endpoint
from tests.support import factories

ADDRESS = "https://93.184.216.34/hook"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://127.0.0.1/hook", "private_address"),
        ("http://169.254.169.254/latest", "private_address"),
        ("http://10.0.0.8/", "private_address"),
        ("ftp://example.com/", "invalid_url"),
        ("https://user:secret@example.com/", "invalid_url"),
        ("https://example.com:22/", "forbidden_port"),
        ("nonsense", "invalid_url"),
    ],
)
def test_addresses_that_may_not_be_asked_are_refused(home: Workspace, url: str, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        outgoing_webhooks.create(factories.by("user:1"), url, ["*"])
    assert refused.value.code == code
    assert outgoing_webhooks.listing() == ([], None)


def test_events_that_do_not_exist_are_refused(home: Workspace) -> None:
    with pytest.raises(Invalid) as refused:
        outgoing_webhooks.create(factories.by("user:1"), ADDRESS, [EVENT, "tset.happened"])
    assert refused.value.code == "unknown_event_type"
    assert refused.value.detail == [
        {"field": "events.1", "code": "unknown_event_type", "message": "No event has that type."}
    ]


def test_there_is_a_limit(home: Workspace) -> None:
    for _ in range(caps.limit_of("webhooks")):
        outgoing_webhooks.create(factories.by("user:1"), ADDRESS, ["*"])
    with pytest.raises(Conflict):
        outgoing_webhooks.create(factories.by("user:1"), ADDRESS, ["*"])


def test_the_secret_is_encrypted(home: Workspace) -> None:
    made, secret = outgoing_webhooks.create(factories.by("user:1"), ADDRESS, ["*"])
    assert made.secret == secret
    with system_scope("test"):
        stored = db.session.execute(text("SELECT secret_encrypted FROM outgoing_webhooks")).scalar_one()
    assert secret.encode() not in bytes(stored)


def test_another_workspaces_endpoint_is_not_there(home: Workspace, endpoint: Endpoint) -> None:
    made = endpoint("http://127.0.0.1:9999/")
    with workspace_scope(factories.workspace().id):
        for call in (
            lambda: outgoing_webhooks.get(made.id),
            lambda: outgoing_webhooks.remove(factories.by("x"), made.id),
            lambda: outgoing_webhooks.deliveries(webhook_id=made.id),
        ):
            with pytest.raises(NotFound):
                call()


def test_an_undeclared_type_is_a_defect(home: Workspace) -> None:
    with pytest.raises(ValueError, match="was not declared"):
        outgoing_webhooks.emit(home.id, "no.such", {}, key="k")
