"""Webhooks and keys in the console: secrets are shown once, the log can be delivered again, tokens are one's own."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from backend.core.database import db, workspace_scope
from backend.models import OutgoingDelivery, OutgoingWebhook, User
from backend.services import outgoing_webhooks
from tests.http import callers, holdings
from tests.http.console.conftest import Browser
from tests.support import factories

NEW = {"name": "crm", "url": "https://93.184.216.34/hooks", "event": "*"}
SHOWN = re.compile(r'id="shown-once">([^<]+)<')


@pytest.fixture
def address(browser: Browser, person: User) -> str:
    """That of an endpoint."""
    assert browser.post("/console/webhooks", NEW).status_code == 200
    with workspace_scope(person.workspace_id):
        return f"/console/webhooks/{db.session.query(OutgoingWebhook).one().id}"


def delivery_of(person: User, address: str) -> OutgoingDelivery:
    """A delivery to this endpoint, which has failed."""
    with workspace_scope(person.workspace_id):
        row = outgoing_webhooks.send_test(factories.by(), int(address.rsplit("/", 1)[1]))
        row.state, row.reason, row.attempts, row.status = "failed", "bad_status", 12, 503
        db.session.commit()
        return row


def test_nothing_is_there_at_first(browser: Browser) -> None:
    page = browser.get("/console/webhooks").text
    assert "No endpoints yet" in page
    assert "No tokens" in page


def test_the_secret_of_an_endpoint_is_shown_once(browser: Browser, person: User) -> None:
    made = browser.post("/console/webhooks", NEW)
    secret = SHOWN.search(made.text)
    assert secret is not None
    with workspace_scope(person.workspace_id):
        webhook = db.session.query(OutgoingWebhook).one()
        assert secret[1] == webhook.secret
        address = f"/console/webhooks/{webhook.id}"
    assert secret[1] not in browser.get(address).text
    rotated = SHOWN.search(browser.post(f"{address}/rotate").text)
    assert rotated is not None
    assert rotated[1] != secret[1]
    assert rotated[1] not in browser.get(address).text


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"url": ""}, "url"),
        ({"url": "http://127.0.0.1/x"}, "url"),
        ({"event": "no.such"}, "events"),
        ({"event": []}, "events"),
    ],
)
def test_a_mistake_is_said_at_its_field(browser: Browser, changes: dict[str, object], field: str) -> None:
    answer = browser.post("/console/webhooks", NEW | changes)
    assert answer.status_code == 422
    assert f'id="{field}-err"' in answer.text
    assert "https://93.184.216.34/hooks" in answer.text or "url" in changes


def test_a_failed_delivery_is_delivered_again(browser: Browser, person: User, address: str) -> None:
    delivery = delivery_of(person, address)
    assert "503" in browser.get(f"{address}?state=failed").text
    assert "Nothing delivered" in browser.get(f"{address}?state=delivered").text
    path = f"/console/webhooks/deliveries/{delivery.id}"
    assert delivery.event_id in browser.get(path).text
    assert browser.post(f"{path}/replay").status_code == 303
    with workspace_scope(person.workspace_id):
        row = db.session.get_one(OutgoingDelivery, delivery.id, populate_existing=True)
        assert (row.state, row.attempts) == ("due", 0)


def test_an_endpoint_is_switched_off_and_on_and_removed(browser: Browser, address: str) -> None:
    assert browser.post(f"{address}/test").status_code == 303
    assert browser.post(f"{address}/switch", {"on": "0"}).status_code == 303
    assert "Switch on" in browser.get(address).text
    assert browser.post(f"{address}/test").status_code == 303
    assert browser.post(f"{address}/switch", {"on": "1"}).status_code == 303
    assert "Switch off" in browser.get(address).text
    assert browser.post(f"{address}/remove").status_code == 303
    assert browser.get(address).status_code == 404


def test_a_token_is_shown_once_works_and_is_revoked(browser: Browser, client: FlaskClient, person: User) -> None:
    made = browser.post("/console/webhooks/tokens", {"name": "shop", "scope": ["read"], "days": "30"})
    token = SHOWN.search(made.text)
    assert token is not None
    headers = callers.bearer(token[1])
    assert client.get("/api/auth/me", headers=headers).status_code == 200
    page = browser.get("/console/webhooks").text
    assert token[1] not in page
    revoke = re.search(r"/console/webhooks/tokens/\d+/revoke", page)
    assert revoke is not None
    assert browser.post(revoke[0]).status_code == 303
    assert client.get("/api/auth/me", headers=headers).status_code == 401


def test_a_token_without_a_scope_is_refused(browser: Browser) -> None:
    answer = browser.post("/console/webhooks/tokens", {"name": "shop"})
    assert answer.status_code == 422
    assert 'id="scopes-err"' in answer.text


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_only_admins_see_endpoints_and_everybody_their_tokens(
    browser: Browser, app: Flask, person: User, address: str, role: str
) -> None:
    other = Browser(app, callers.member(holdings.home(person), role=role))
    page = other.get("/console/webhooks")
    assert page.status_code == 200
    assert "crm" not in page.text
    for path in (address, "/console/webhooks/new"):
        assert other.get(path).status_code == 403
    for path in (f"{address}/rotate", f"{address}/remove", f"{address}/switch", f"{address}/test", "/console/webhooks"):
        assert other.post(path, NEW).status_code == 403
    beyond = other.post("/console/webhooks/tokens", {"name": "x", "scope": ["jobs:trigger"]})
    assert beyond.status_code == 403
    assert other.post("/console/webhooks/tokens", {"name": "x", "scope": ["read"]}).status_code == 200


def test_another_workspaces_endpoint_is_not_there(browser: Browser, app: Flask, person: User, address: str) -> None:
    delivery = delivery_of(person, address)
    other = Browser(app, callers.member())
    assert other.get(address).status_code == 404
    assert other.get(f"/console/webhooks/deliveries/{delivery.id}").status_code == 404
    for path in (f"{address}/rotate", f"{address}/remove", f"/console/webhooks/deliveries/{delivery.id}/replay"):
        assert other.post(path).status_code == 404
