"""A workspace has at most so many of each kind: beyond it a Conflict says so, and nothing is changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from flask.testing import FlaskClient

from backend.core import caps, config
from backend.core.database import db, workspace_scope
from backend.core.errors import Conflict
from backend.services import outgoing_webhooks
from tests.http import callers, routes
from tests.support import factories
from tests.support.bot_api import bot_api

CREATE = {
    "alert_rules.create_policy": "policies",
    "alert_rules.create_silence": "silences",
    "alert_rules.create_template": "templates",
    "assignment_rules.create": "assignment_rules",
    "automation_rules.create": "automation_rules",
    "bots.create": "bots",
    "canned_replies.create": "canned_replies",
    "contact_fields.create": "contact_fields",
    "contact_imports.create": "contact_imports",
    "contacts.create": "contacts",
    "files.upload": "file_bytes",
    "integration_setup.create": "integrations",
    "labels.create": "labels",
    "notifications.create_type": "notification_types",
    "outgoing_webhooks.create": "webhooks",
    "posts.create": "posts",
    "scheduled_messages.create": "scheduled_messages",
    "segments.create": "segments",
    "tags.create": "tags",
}
"""What adds something to each cap."""


@pytest.fixture(autouse=True)
def _telegram(app: Flask) -> Iterator[None]:
    with bot_api():
        yield


@pytest.fixture
def capped(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sets WORKSPACE_CAPS."""

    def set_caps(setting: str) -> None:
        monkeypatch.setattr(config, "_current", config.get().model_copy(update={"workspace_caps": setting}))

    return set_caps


def test_every_cap_is_tried() -> None:
    assert set(CREATE.values()) == set(caps.DEFAULTS)


@pytest.mark.parametrize("endpoint", sorted(CREATE))
def test_one_more_than_the_cap_is_refused_and_changes_nothing(
    app: Flask, client: FlaskClient, capped: Callable[[str], None], endpoint: str
) -> None:
    name = CREATE[endpoint]
    person = callers.member()
    (route,) = [one for one in routes.walk(app) if one.endpoint == endpoint]
    example = routes.example_of(route, person)
    headers = callers.signed_in(person)
    capped(f"{name}=0")
    before = routes.fingerprint()
    refused = callers.error_of(routes.call(client, route, example, headers), 409)
    assert refused["code"] == caps.DEFAULTS[name].code
    assert refused["detail"] == {"cap": name, "limit": 0}
    assert refused["message"] == f"A workspace has at most 0 {caps.DEFAULTS[name].what}."
    assert routes.fingerprint() == before
    capped("")
    assert routes.call(client, route, example, headers).status_code == example.status


def test_another_workspace_has_its_own(client: FlaskClient, capped: Callable[[str], None]) -> None:
    capped("webhooks=1")
    body = {"url": "https://93.184.216.34/hooks", "events": ["post.*"]}
    first, second = callers.signed_in(callers.member()), callers.signed_in(callers.member())
    statuses = [client.post("/api/webhooks", json=body, headers=who).status_code for who in (first, first, second)]
    assert statuses == [201, 409, 201]


def test_of_two_at_once_one_is_refused(app: Flask, capped: Callable[[str], None]) -> None:
    capped("webhooks=1")
    workspace_id = callers.member().workspace_id

    def add(_number: int) -> bool:
        with app.app_context(), workspace_scope(workspace_id):
            try:
                outgoing_webhooks.create(factories.by("user:1"), "https://93.184.216.34/hooks", ["*"])
                db.session.commit()
            except Conflict:
                db.session.rollback()
                return False
            return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(add, range(4))) == 1
