"""Integrations: added, found, changed, removed, and kept apart."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from backend.core.database import db, system_scope, workspace_scope
from backend.core.errors import Conflict, Invalid, NotFound
from backend.models import AuditEntry, ChannelSetup, Sender, Workspace
from backend.services import senders
from backend.services.channel_setup import catalog, described
from tests.services.channel_setup import integrations
from tests.services.channel_setup.integrations import BY
from tests.support import factories
from tests.support.bot_api import settings_with
from tests.support.graph_api import NUMBER_ID, SECRET, TOKEN, WABA_ID, Graph


def test_an_integration_is_a_sender_with_encrypted_settings(home: Workspace) -> None:
    added = catalog.create(
        BY,
        "whatsapp",
        {
            "name": "Lettings",
            "phone_number_id": NUMBER_ID,
            "waba_id": WABA_ID,
            "access_token": TOKEN,
            "app_secret": SECRET,
        },
    )
    db.session.commit()
    sender = catalog.get(added.integration.id)
    assert (sender.channel, sender.external_id, sender.credentials) == ("whatsapp", NUMBER_ID, TOKEN)
    assert sender.settings == {"app_secret": SECRET, "verify_token": added.verify_token, "waba_id": WABA_ID}
    assert SECRET.encode() not in (sender.settings_encrypted or b"")
    assert len(added.verify_token) >= 32
    assert added.verify_token not in repr(added)


def test_no_secret_is_shown_whole(number: Sender) -> None:
    shown = described.describe(catalog.get(number.id))
    assert (shown["access_token"], shown["app_secret"]) == (f"…{TOKEN[-4:]}", f"…{SECRET[-4:]}")
    assert "verify_token" not in shown
    assert shown["status"] == "setting_up"
    assert shown["webhook_url"].endswith(f"/whatsapp/webhook/{number.id}")
    with system_scope("a test"):
        details = [str(entry.detail) for entry in db.session.execute(select(AuditEntry)).scalars()]
    assert not any(secret in detail for secret in (TOKEN, SECRET) for detail in details)


def test_a_number_is_here_once(number: Sender, home: Workspace) -> None:
    with pytest.raises(Conflict, match="account_in_use"):
        integrations.whatsapp(name="Another")
    db.session.rollback()
    other = factories.workspace()
    db.session.commit()
    with workspace_scope(other.id), pytest.raises(Conflict, match="account_in_use"):
        integrations.whatsapp()


def test_a_name_is_taken_once_a_channel(number: Sender) -> None:
    with pytest.raises(Conflict, match="integration_exists"):
        integrations.whatsapp(name="LETTINGS", phone_number_id="5")


def test_a_workspace_has_so_many_and_no_more(number: Sender) -> None:
    with settings_with(workspace_caps="integrations=1"), pytest.raises(Conflict, match="too_many_integrations"):
        integrations.messenger()


def test_another_workspace_sees_and_changes_nothing(number: Sender) -> None:
    other = factories.workspace()
    db.session.commit()
    with workspace_scope(other.id):
        assert catalog.listing() == []
        for act in (
            lambda: catalog.get(number.id),
            lambda: catalog.change(BY, number.id, {"name": "x"}),
            lambda: catalog.remove(BY, number.id),
        ):
            with pytest.raises(NotFound, match="integration_not_found"):
                act()


def test_what_is_named_is_changed_and_nothing_else(number: Sender) -> None:
    before = catalog.get(number.id).settings
    changed = catalog.change(BY, number.id, {"name": "Sales", "app_secret": "another-app-secret"})
    db.session.commit()
    assert changed.name == "Sales"
    assert changed.settings == before | {"app_secret": "another-app-secret"}
    assert changed.credentials == TOKEN


def test_another_token_ends_a_disabling(number: Sender) -> None:
    with system_scope("a test"):
        senders.disable(number, "token_refused")
        db.session.commit()
    changed = catalog.change(BY, number.id, {"access_token": "EAAB-EXAMPLE-another-token"})
    assert (changed.is_active, changed.disabled_code) == (True, None)


def test_the_id_of_a_whatsapp_account_belongs_to_whatsapp(page: Sender) -> None:
    with pytest.raises(Invalid, match="wrong_platform"):
        catalog.change(BY, page.id, {"waba_id": WABA_ID})


def test_the_environments_is_shown_and_not_changed(home: Workspace, graph: Graph) -> None:
    with system_scope("a test"):
        sender = Sender(
            workspace_id=home.id,
            channel="messenger",
            source="environment",
            name="default",
            external_id="1",
            is_active=True,
            facts={},
            created_at=home.created_at,
        )
        senders.set_token(sender, TOKEN)
        db.session.add(sender)
        db.session.commit()
    assert [shown["source"] for shown in described.all_of(catalog.listing())] == ["environment"]
    with pytest.raises(Conflict, match="from_environment"):
        catalog.change(BY, sender.id, {"name": "x"})
    with pytest.raises(Conflict, match="from_environment"):
        catalog.remove(BY, sender.id)


def test_a_removed_integration_leaves_no_secret_and_a_free_name(number: Sender) -> None:
    catalog.remove(BY, number.id)
    db.session.commit()
    with system_scope("a test"):
        row = db.session.get_one(Sender, number.id, populate_existing=True)
        assert (row.credentials, row.settings) == (None, {})
        assert db.session.get(ChannelSetup, number.id) is None
    with pytest.raises(NotFound):
        catalog.get(number.id)
    assert integrations.whatsapp().id != number.id
