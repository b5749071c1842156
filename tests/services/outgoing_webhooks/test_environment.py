"""The endpoints that the environment names."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import select

from backend.core import config
from backend.core.database import db, workspace_scope
from backend.core.errors import Conflict
from backend.models import OutgoingWebhook, Workspace
from backend.services import outgoing_webhooks
from tests.support import factories
from tests.support.statements import recorded

CRM = "http://10.0.0.7/leads"
SHEETS = "https://script.google.com/macros/s/demo/exec"
Configure = Callable[..., None]


@pytest.fixture
def configure(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Changes the variables, and has the rows follow."""

    def change(crm: str = "", sheets: str = "") -> None:
        update = {"crm_webhook_url": crm, "sheets_webhook_url": sheets}
        monkeypatch.setattr(config, "_current", config.get().model_copy(update=update))
        outgoing_webhooks.ensure_environment_endpoints()
        db.session.commit()

    return change


def rows(workspace: Workspace) -> dict[str | None, OutgoingWebhook]:
    with workspace_scope(workspace.id):
        query = select(OutgoingWebhook).execution_options(populate_existing=True)
        return {row.environment_name: row for row in db.session.scalars(query)}


def test_they_are_made_once_for_the_first_workspace(configure: Configure) -> None:
    configure(CRM, SHEETS)
    first, second = factories.workspace(), factories.workspace()
    configure(CRM, SHEETS)
    configure(CRM, SHEETS)
    made = rows(first)
    assert {name: (row.kind, row.url) for name, row in made.items()} == {
        "CRM_WEBHOOK_URL": ("webhook", CRM),
        "SHEETS_WEBHOOK_URL": ("sheets", SHEETS),
    }
    assert made["CRM_WEBHOOK_URL"].events == ["lead.*", "message.*", "conversation.*"]
    assert rows(second) == {}


def test_rows_that_are_in_step_cost_one_statement(configure: Configure) -> None:
    factories.workspace()
    configure(CRM, SHEETS)
    with recorded() as counted:
        outgoing_webhooks.ensure_environment_endpoints()
    assert len(counted) == 1


def test_they_follow_their_variables(configure: Configure) -> None:
    home = factories.workspace()
    configure(CRM, SHEETS)
    secret = rows(home)["CRM_WEBHOOK_URL"].secret
    configure("http://10.0.0.8/leads", "")
    made = rows(home)
    assert (made["CRM_WEBHOOK_URL"].url, made["CRM_WEBHOOK_URL"].secret) == ("http://10.0.0.8/leads", secret)
    assert (made["SHEETS_WEBHOOK_URL"].disabled_code, made["SHEETS_WEBHOOK_URL"].is_served) == ("not_configured", False)
    configure("", SHEETS)
    made = rows(home)
    assert made["SHEETS_WEBHOOK_URL"].is_served
    assert not made["CRM_WEBHOOK_URL"].is_served


def test_the_address_is_the_variables_and_the_rest_the_admins(configure: Configure) -> None:
    home = factories.workspace()
    configure(CRM)
    by, row = factories.by("user:1"), rows(home)["CRM_WEBHOOK_URL"]
    with workspace_scope(home.id):
        with pytest.raises(Conflict, match="CRM_WEBHOOK_URL"):
            outgoing_webhooks.change(by, row.id, {"url": "https://example.com/x"})
        with pytest.raises(Conflict, match="CRM_WEBHOOK_URL"):
            outgoing_webhooks.remove(by, row.id)
        db.session.rollback()
        assert not outgoing_webhooks.change(by, row.id, {"enabled": False}).is_served


def test_one_that_is_not_configured_is_not_switched_on_by_hand(configure: Configure) -> None:
    home = factories.workspace()
    configure(CRM)
    configure()
    with workspace_scope(home.id):
        row = rows(home)["CRM_WEBHOOK_URL"]
        assert not outgoing_webhooks.change(factories.by("user:1"), row.id, {"enabled": True}).is_served


def test_the_secret_is_read_once(configure: Configure) -> None:
    home = factories.workspace()
    configure(CRM)
    by, row = factories.by("user:1"), rows(home)["CRM_WEBHOOK_URL"]
    with workspace_scope(home.id):
        _, secret = outgoing_webhooks.reveal_secret(by, row.id)
        assert secret == row.secret
        with pytest.raises(Conflict):
            outgoing_webhooks.reveal_secret(by, row.id)
        _, rotated = outgoing_webhooks.rotate_secret(by, row.id)
        assert rotated != secret


def test_a_workspaces_own_secret_is_not_read_again(configure: Configure) -> None:
    home = factories.workspace()
    by = factories.by("user:1")
    with workspace_scope(home.id):
        webhook, _ = outgoing_webhooks.create(by, "https://example.com/hook", ["*"])
        with pytest.raises(Conflict):
            outgoing_webhooks.reveal_secret(by, webhook.id)
