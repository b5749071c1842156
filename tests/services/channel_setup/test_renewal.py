"""Renewing tokens: at half their life, by one process, and nothing lost by one that dies."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from backend.core import clock, failpoints
from backend.core.database import db, system_scope
from backend.core.errors import Conflict, Invalid
from backend.models import ChannelSetup, Sender, Workspace
from backend.services import senders
from backend.services.channel_setup import catalog, renewal, states
from tests.services.channel_setup.integrations import BY
from tests.support.graph_api import LOGIN_TOKEN, Call, Graph, Refusal

RENEWED = "IGAA-EXAMPLE-renewed"


def setup_of(sender: Sender) -> ChannelSetup:
    with system_scope("a test"):
        return db.session.execute(
            select(ChannelSetup).where(ChannelSetup.sender_id == sender.id).execution_options(populate_existing=True)
        ).scalar_one()


def token_of(sender: Sender) -> str | None:
    with system_scope("a test"):
        return db.session.get_one(Sender, sender.id, populate_existing=True).credentials


def test_a_token_is_renewed_when_it_is_a_day_old_and_then_at_half_its_life(graph: Graph, profile: Sender) -> None:
    assert renewal.due() == []
    clock.move(25 * 3600)
    assert renewal.due() == [profile.id]
    assert renewal.renew_due(profile.id) == "renewed"
    assert token_of(profile) == RENEWED
    (call,) = graph.called("GET refresh_access_token")
    assert (call.query, call.token) == ({"grant_type": "ig_refresh_token"}, LOGIN_TOKEN)
    setup = setup_of(profile)
    assert setup.renew_at is not None
    assert setup.token_expires_at is not None
    assert timedelta(days=29) < setup.renew_at - clock.now() <= timedelta(days=30)
    assert timedelta(days=59) < setup.token_expires_at - clock.now() <= timedelta(days=60)
    assert renewal.due() == []


def test_only_tokens_that_can_be_renewed_are(graph: Graph, number: Sender, page: Sender) -> None:
    clock.move(40 * 86400)
    assert renewal.due() == []
    with pytest.raises(Conflict, match="not_renewable"):
        renewal.renew(BY, number.id)


def test_a_process_that_dies_after_the_answer_loses_nothing(
    graph: Graph, profile: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.move(25 * 3600)

    def die(name: str) -> None:
        if name == "channel_setup.renewed_not_stored":
            raise SystemExit

    monkeypatch.setattr(failpoints, "hit", die)
    with pytest.raises(SystemExit):
        renewal.renew_due(profile.id)
    db.session.rollback()
    monkeypatch.undo()
    assert token_of(profile) == LOGIN_TOKEN
    assert renewal.due() == []
    clock.move(renewal.CLAIM.total_seconds() + 1)
    assert renewal.renew_due(profile.id) == "renewed"
    assert token_of(profile) == RENEWED


def test_two_processes_renew_once(graph: Graph, profile: Sender) -> None:
    clock.move(25 * 3600)
    asked: list[Call] = []

    def answer(call: Call) -> dict[str, object]:
        asked.append(call)
        return {"access_token": RENEWED, "expires_in": 5184000}

    graph.answers["GET refresh_access_token"] = answer
    assert [renewal.renew_due(profile.id), renewal.renew_due(profile.id)] == ["renewed", "kept"]
    assert len(asked) == 1


def test_a_token_that_came_meanwhile_is_kept(graph: Graph, profile: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person saves another one while the old one is being renewed."""
    clock.move(25 * 3600)

    def meanwhile(name: str) -> None:
        if name == "channel_setup.renewed_not_stored":
            with system_scope("a test"):
                row = db.session.get_one(Sender, profile.id, populate_existing=True)
                senders.set_token(row, "IGAA-EXAMPLE-of-a-person")
                db.session.commit()

    monkeypatch.setattr(failpoints, "hit", meanwhile)
    assert renewal.renew_due(profile.id) == "kept"
    assert token_of(profile) == "IGAA-EXAMPLE-of-a-person"


@pytest.mark.parametrize(
    ("answer", "code", "hours"),
    [
        (Refusal(500), "platform_failed", 1),
        (Refusal(429, 4, "Slow down"), "rate_limited", 1),
        (Refusal(401, 190, "The password was changed"), "token_refused", 24),
        ({"access_token": "", "expires_in": 1}, "unreadable_answer", 1),
        ({"access_token": "IGAA-EXAMPLE-renewed", "expires_in": -5}, "unreadable_answer", 1),
        (b"<html>", "unreadable_answer", 1),
    ],
)
def test_a_failure_is_kept_and_tried_again(
    graph: Graph, profile: Sender, answer: object, code: str, hours: int
) -> None:
    clock.move(25 * 3600)
    graph.answers["GET refresh_access_token"] = answer
    assert renewal.renew_due(profile.id) == "failed"
    setup = setup_of(profile)
    assert (setup.renew_failures, setup.renew_error) == (1, code)
    assert setup.renew_at is not None
    assert round((setup.renew_at - clock.now()) / timedelta(hours=1)) == hours
    assert token_of(profile) == LOGIN_TOKEN


def test_a_person_may_renew_it_now_and_hears_why_not(graph: Graph, profile: Sender) -> None:
    assert renewal.renew(BY, profile.id) == "renewed"
    db.session.commit()
    graph.answers["GET refresh_access_token"] = Refusal(401, 190, "Revoked")
    with pytest.raises(Invalid, match="token_refused"):
        renewal.renew(BY, profile.id)
    assert setup_of(profile).renew_failures == 1


def test_the_environments_token_is_renewed_until_it_names_another(graph: Graph, home: Workspace) -> None:
    with system_scope("a test"):
        sender = Sender(
            workspace_id=home.id,
            channel="instagram",
            source="environment",
            name="default",
            external_id="1",
            is_active=True,
            facts={},
            created_at=home.created_at,
        )
        senders.set_token(sender, LOGIN_TOKEN)
        db.session.add(sender)
        db.session.flush()
        states.make_missing()
        db.session.commit()
    clock.move(25 * 3600)
    assert renewal.renew_due(sender.id) == "renewed"
    assert token_of(sender) == RENEWED
    with system_scope("a test"):
        row = db.session.get_one(Sender, sender.id, populate_existing=True)
        # What the environment says still is what it said.
        assert not senders.set_token(row, LOGIN_TOKEN)
        assert row.credentials == RENEWED
        assert senders.set_token(row, "IGAA-EXAMPLE-of-the-environment")
        assert row.credentials == "IGAA-EXAMPLE-of-the-environment"
    assert catalog.get(sender.id)
