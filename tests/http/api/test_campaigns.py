"""Campaigns over the API: from a draft to its recipients, and the calls of existing clients."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.models import Account, Campaign, CampaignPreflight, CampaignRecipient, User
from backend.services.campaigns import release
from backend.services.contacts import suppressions
from tests.http import callers, holdings, objects_campaigns
from tests.http.objects_contacts import contact
from tests.support import accounts, factories
from tests.support.campaigns import BASIS

STEP = {"template": "Hello {first_name|there}", "delay_days": 0}


@pytest.fixture
def owner(app: Flask) -> User:
    return callers.member()


class Api:
    """Calls of one person."""

    def __init__(self, client: FlaskClient, person: User) -> None:
        self.client, self.headers = client, callers.signed_in(person)

    def __call__(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = self.client.open(f"/api{path}", method=method, json=body, headers=self.headers)
        assert answer.status_code == status, answer.json
        return answer.json


@pytest.fixture
def api(client: FlaskClient, owner: User) -> Api:
    return Api(client, owner)


def account(owner: User) -> int:
    made: int = objects_campaigns.account(owner).sender_id
    callers.commit()
    return made


def people(owner: User, many: int) -> list[int]:
    made = [objects_campaigns.person(owner) for _ in range(many)]
    callers.commit()
    return made


def draft(api: Api, contact_ids: list[int], **values: Any) -> Any:
    body = {"name": "Spring", "steps": [STEP], "audience": {"contact_ids": contact_ids}, "lawful_basis": BASIS}
    return api("POST", "/campaigns", body | values, 201)


def test_from_a_draft_to_its_recipients(api: Api, owner: User) -> None:
    account(owner)
    made = draft(api, people(owner, 3))
    found = api("POST", f"/campaigns/{made['id']}/preflight")
    assert (found["groups"]["reachable"], found["messages"], found["binding_limit"]) == (3, 3, "hour"), found
    launched = api("POST", f"/campaigns/{made['id']}/launch", {"preflight_id": found["id"]})
    assert (launched["state"], launched["counts"], launched["total"]) == ("running", {"waiting": 3}, 3)
    again = api("POST", f"/campaigns/{made['id']}/launch", {"preflight_id": found["id"]})
    assert again["launched_at"] == launched["launched_at"]
    page = api("GET", f"/campaigns/{made['id']}/recipients?limit=2")
    assert [row["state"] for row in page["recipients"]] == ["waiting", "waiting"]
    assert page["recipients"][0]["reason_text"]
    rest = api("GET", f"/campaigns/{made['id']}/recipients?limit=2&cursor={page['next_cursor']}")
    assert len(rest["recipients"]) == 1
    assert rest["next_cursor"] is None
    paused = api("POST", f"/campaigns/{made['id']}/pause")
    assert (paused["state"], paused["pause_reason"]) == ("paused", "operator")
    row = api("GET", f"/campaigns/{made['id']}/recipients")["recipients"][0]
    assert (row["reason"], row["next_attempt_at"]) == ("paused", None)
    assert api("POST", f"/campaigns/{made['id']}/resume")["state"] == "running"
    assert api("POST", f"/campaigns/{made['id']}/cancel")["counts"] == {"canceled": 3}
    refused = api("POST", f"/campaigns/{made['id']}/resume", status=409)
    assert refused["error"]["code"] == "campaign_state"


def test_a_preflight_that_holds_no_more_comes_with_a_new_one(api: Api, owner: User) -> None:
    account(owner)
    made = draft(api, people(owner, 1))
    old = api("POST", f"/campaigns/{made['id']}/preflight")
    api("PATCH", f"/campaigns/{made['id']}", {"version": made["version"], "steps": [{"template": "Other"}]})
    refused = api("POST", f"/campaigns/{made['id']}/launch", {"preflight_id": old["id"]}, 409)
    assert refused["error"]["code"] == "preflight_stale"
    new = refused["error"]["detail"]["preflight"]
    with workspace_scope(owner.workspace_id):
        assert db.session.get(CampaignPreflight, new["id"]) is not None
    clock.move(16 * 60)
    assert api("POST", f"/campaigns/{made['id']}/launch", {"preflight_id": new["id"]}, 409)["error"]["detail"]
    fresh = api("POST", f"/campaigns/{made['id']}/preflight")
    assert api("POST", f"/campaigns/{made['id']}/launch", {"preflight_id": fresh["id"]})["state"] == "running"


def test_a_template_that_cannot_be_used_says_where(api: Api, owner: User) -> None:
    body = {"name": "Spring", "steps": [{"template": "Hello\n  {first_name.__class__}"}], "audience": {}}
    error = api("POST", "/campaigns", body, 422)["error"]
    assert error["code"] == "template_invalid"
    assert (error["detail"][0]["line"], error["detail"][0]["column"]) == (2, 3)
    assert error["detail"][0]["field"] == "steps.0.template"


def test_an_old_version_changes_nothing(api: Api, owner: User) -> None:
    account(owner)
    made = draft(api, people(owner, 1))
    api("PATCH", f"/campaigns/{made['id']}", {"version": made["version"], "name": "Summer"})
    error = api("PATCH", f"/campaigns/{made['id']}", {"version": made["version"], "name": "Autumn"}, 409)["error"]
    assert (error["code"], error["detail"]["version"]) == ("version_conflict", made["version"] + 1)
    assert api("GET", f"/campaigns/{made['id']}")["name"] == "Summer"


def test_people_without_a_consent_need_a_lawful_basis(api: Api, owner: User) -> None:
    account(owner)
    made = draft(api, people(owner, 1), lawful_basis=None)
    found = api("POST", f"/campaigns/{made['id']}/preflight")
    assert found["groups"]["no_consent"] == 1
    error = api("POST", f"/campaigns/{made['id']}/launch", {"preflight_id": found["id"]}, 422)["error"]
    assert error["code"] == "no_lawful_basis"
    short = api("POST", "/campaigns", {"name": "x", "steps": [STEP], "lawful_basis": BASIS | {"note": "why"}}, 422)
    assert short["error"]["code"] == "no_lawful_basis"


def test_a_long_campaign_needs_its_end_accepted(api: Api, owner: User) -> None:
    account(owner)
    steps = [STEP, *({"template": "Again", "delay_days": 30} for _ in range(4))]
    made = draft(api, people(owner, 1), steps=steps)
    found = api("POST", f"/campaigns/{made['id']}/preflight")
    error = api("POST", f"/campaigns/{made['id']}/launch", {"preflight_id": found["id"]}, 422)["error"]
    assert error["code"] == "end_date_not_accepted"
    body = {"preflight_id": found["id"], "accept_end_date": error["detail"]["latest"]}
    assert api("POST", f"/campaigns/{made['id']}/launch", body)["state"] == "running"


def test_an_account_that_is_somebody_elses_cannot_be_used(client: FlaskClient, api: Api, owner: User) -> None:
    made_for = account(owner)
    with system_scope("a test"):
        db.session.query(Account).filter_by(sender_id=made_for).one().allowed_senders = []
        db.session.commit()
    other = callers.member(holdings.home(owner), role="operator")
    body = {"name": "x", "steps": [STEP], "account_id": made_for}
    assert Api(client, other)("POST", "/campaigns", body, 403)["error"]["code"] == "account_not_yours"


def test_removing_an_account_asks_what_becomes_of_its_campaigns(api: Api, owner: User) -> None:
    made_for = account(owner)
    made = draft(api, people(owner, 2))
    found = api("POST", f"/campaigns/{made['id']}/preflight")
    api("POST", f"/campaigns/{made['id']}/launch", {"preflight_id": found["id"]})
    error = api("DELETE", f"/integrations/{made_for}", status=409)["error"]
    assert error["code"] == "account_in_use"
    assert error["detail"] == {"campaigns": 1, "pending": 2, "under_way": 0}
    api("DELETE", f"/integrations/{made_for}?pending=pause", status=204)
    paused = api("GET", f"/campaigns/{made['id']}")
    assert (paused["state"], paused["pause_reason"], paused["counts"]) == ("paused", "account", {"waiting": 2})


def owned(owner: User, number: int) -> int:
    """An account that nobody but this person may use."""
    with system_scope("a test"):
        session = accounts.SESSION[:-6] + f"{number:06x}"
        made = accounts.account(holdings.home(owner), owner, number, session, caught_up_at=clock.now())
        sender_id: int = made.sender_id
        db.session.commit()
        return sender_id


def test_nobody_else_changes_what_an_account_sends_after_the_launch(client: FlaskClient, api: Api, owner: User) -> None:
    mine = owned(owner, 5001)
    first, second = people(owner, 2)
    made = draft(api, [first], account_id=mine)
    found = api("POST", f"/campaigns/{made['id']}/preflight")
    launched = api("POST", f"/campaigns/{made['id']}/launch", {"preflight_id": found["id"]})
    other = Api(client, callers.member(holdings.home(owner), role="operator"))
    path = f"/campaigns/{made['id']}"
    text = {"version": launched["version"], "steps": [{"template": "Other words"}]}
    for method, ending, body in (
        ("PATCH", "", text),
        ("POST", "/recipients", {"contact_ids": [second]}),
        ("POST", "/recipients/retry", {}),
    ):
        assert other(method, path + ending, body, 403)["error"]["code"] == "account_not_yours", ending
    assert other("POST", f"{path}/pause")["state"] == "paused"
    assert other("POST", f"{path}/resume", status=403)["error"]["code"] == "account_not_yours"
    assert api("GET", path)["steps"][0]["template"] == STEP["template"]


def test_a_campaign_is_not_moved_to_an_account_of_somebody_else(client: FlaskClient, api: Api, owner: User) -> None:
    theirs = owned(owner, 5002)
    other = callers.member(holdings.home(owner), role="operator")
    mine = owned(other, 5003)
    path = f"/integrations/{mine}?pending=move&to={theirs}"
    assert Api(client, other)("DELETE", path, status=403)["error"]["code"] == "account_not_yours"
    assert len(api("GET", "/integrations")["integrations"]) == 2


def test_a_campaign_whose_account_was_removed_goes_on_from_another(api: Api, owner: User) -> None:
    gone, other = owned(owner, 5004), owned(owner, 5005)
    made = draft(api, people(owner, 1), account_id=gone)
    found = api("POST", f"/campaigns/{made['id']}/preflight")
    api("POST", f"/campaigns/{made['id']}/launch", {"preflight_id": found["id"]})
    api("DELETE", f"/integrations/{gone}?pending=pause", status=204)
    assert api("POST", f"/campaigns/{made['id']}/resume", status=409)["error"]["code"] == "no_account"
    version = api("GET", f"/campaigns/{made['id']}")["version"]
    assert api("PATCH", f"/campaigns/{made['id']}", {"version": version, "account_id": other})["account_id"] == other
    assert api("POST", f"/campaigns/{made['id']}/resume")["state"] == "running"


def test_a_scheduled_campaign_begins_when_it_is_said_last(api: Api, owner: User) -> None:
    account(owner)
    later = (clock.now() + timedelta(days=2)).isoformat()
    made = draft(api, people(owner, 1), scheduled_at=later)
    found = api("POST", f"/campaigns/{made['id']}/preflight")
    launched = api("POST", f"/campaigns/{made['id']}/launch", {"preflight_id": found["id"]})
    assert launched["state"] == "scheduled"
    path, version = f"/campaigns/{made['id']}", launched["version"]
    fixed = api("PATCH", path, {"version": version, "audience": {}}, 409)
    assert fixed["error"]["code"] == "campaign_state"
    api("PATCH", path, {"version": version, "scheduled_at": None})
    with workspace_scope(owner.workspace_id):
        campaign = db.session.get_one(Campaign, made["id"], populate_existing=True)
        release.serve_account(campaign.sender_id)
        db.session.commit()
    assert api("GET", path)["state"] == "running"


def test_what_does_not_apply_is_absent_from_an_integration(api: Api, owner: User) -> None:
    account(owner)
    (shown,) = api("GET", "/integrations")["integrations"]
    assert {"id", "platform", "status", "ramp", "signals", "device"} <= set(shown)
    assert not {"reason", "until", "appeal_url", "service_notice", "last_used"} & set(shown)
    assert None not in shown.values()


# --- the calls that existing clients use ------------------------------------------------------------------------------


def test_start_answers_as_existing_clients_expect(api: Api, owner: User) -> None:
    made_for = account(owner)
    good, suppressed = people(owner, 2)
    with workspace_scope(owner.workspace_id):
        suppressions.suppress_contact(factories.by(), suppressed, code="requested", source="api")
        db.session.commit()
    body = {"contact_ids": [good, suppressed, good], "message_template": "Hello {first_name}", "lawful_basis": BASIS}
    answer = api("POST", "/telegram/campaign/start", body, 202)
    assert answer == {
        "message": "Telegram campaign started",
        "total_contacts": 1,
        "status": "processing",
        "campaign_id": answer["campaign_id"],
        "skipped": [{"contact_id": suppressed, "reason": "suppressed"}],
    }
    (message,) = api("GET", "/telegram/messages?limit=50")["messages"]
    assert set(message) == {
        "id", "campaign_id", "contact_id", "integration_id", "phone_number", "telegram_user_id", "telegram_username",
        "message_text", "message_id", "status", "error_message", "sent_at", "created_at",
    }  # fmt: skip
    assert (message["status"], message["contact_id"], message["integration_id"]) == ("pending", good, made_for)


def test_what_waits_is_shown_as_the_person_would_get_it(api: Api, owner: User) -> None:
    account(owner)
    (first,) = people(owner, 1)
    body = {"contact_ids": [first], "message_template": "Hello {first_name}, {company|you}", "lawful_basis": BASIS}
    started = api("POST", "/telegram/campaign/start", body, 202)["campaign_id"]
    (message,) = api("GET", "/telegram/messages")["messages"]
    (row,) = api("GET", f"/campaigns/{started}/recipients")["recipients"]
    assert message["message_text"] == row["text"] == "Hello Ada, you"
    api("PATCH", f"/contacts/{first}", {"company": "Acme"})
    (message,) = api("GET", "/telegram/messages")["messages"]
    assert message["message_text"] == "Hello Ada, Acme"


def test_messages_show_what_was_sent_and_nothing_that_was_taken_back(api: Api, owner: User) -> None:
    account(owner)
    first, second = people(owner, 2)
    body = {"contact_ids": [first, second], "message_template": "Hello", "lawful_basis": BASIS}
    started = api("POST", "/telegram/campaign/start", body, 202)["campaign_id"]
    with workspace_scope(owner.workspace_id):
        rows = list(db.session.scalars(select(CampaignRecipient).order_by(CampaignRecipient.id)))
        for row, state in zip(rows, ("sent", "canceled"), strict=True):
            db.session.add(objects_campaigns.message(row, state))
        rows[1].state, rows[1].reason = "stopped", "taken_over"
        db.session.commit()
    api("POST", f"/campaigns/{started}/cancel")
    listed = api("GET", "/telegram/messages")["messages"]
    assert [(message["contact_id"], message["status"]) for message in listed] == [(first, "sent")]


def test_start_refuses_what_cannot_be_started(api: Api, owner: User) -> None:
    (good,) = people(owner, 1)
    body = {"contact_ids": [good], "message_template": "Hello", "lawful_basis": BASIS}
    assert api("POST", "/telegram/campaign/start", body, 409)["error"]["code"] == "no_account"
    account(owner)
    unknown = api("POST", "/telegram/campaign/start", body | {"contact_ids": [good, 999_999]}, 404)["error"]
    assert unknown["detail"] == {"contact_ids": [999_999]}
    nobody = contact(owner, phone=None, first_name="Ada")
    callers.commit()
    error = api("POST", "/telegram/campaign/start", body | {"contact_ids": [nobody]}, 422)["error"]
    assert error["code"] == "no_telegram"
    without = api("POST", "/telegram/campaign/start", {**body, "lawful_basis": None}, 422)["error"]
    assert without["code"] == "no_consent"


def test_status_without_an_account(api: Api, owner: User) -> None:
    assert api("GET", "/telegram/campaign/status") == {
        "connected": False,
        "phone": None,
        "messages_sent_today": 0,
        "daily_limit": 10,
        "messages_remaining_today": 0,
        "total_sent": 0,
        "total_failed": 0,
        "total_no_telegram": 0,
        "last_used": None,
        "next_send_at": None,
        "reset_at": None,
        "reason": "not_connected",
    }


def test_status_of_an_account_and_of_several(api: Api, owner: User) -> None:
    first = account(owner)
    status = api("GET", "/telegram/campaign/status")
    assert (status["connected"], status["daily_limit"], status["messages_remaining_today"]) == (True, 10, 10)
    with system_scope("a test"):
        home = holdings.home(owner)
        session = accounts.SESSION[:-6] + "abcdef"
        other = accounts.account(home, owner, telegram_id=1234567, session=session, caught_up_at=clock.now())
        row = other.sender_id
        db.session.commit()
    error = api("GET", "/telegram/campaign/status", status=409)["error"]
    assert (error["code"], error["detail"]) == ("account_ambiguous", {"accounts": [first, row]})
    assert api("GET", f"/telegram/campaign/status?account_id={first}")["connected"]


def test_the_export_neutralises_formulas(api: Api, owner: User, client: FlaskClient) -> None:
    account(owner)
    telegram_id = "6990001"
    with workspace_scope(owner.workspace_id):
        made_contact = contact(owner, first_name="=1+1", telegram_user_id=telegram_id)
        callers.commit()
    made = draft(api, [made_contact])
    found = api("POST", f"/campaigns/{made['id']}/preflight")
    api("POST", f"/campaigns/{made['id']}/launch", {"preflight_id": found["id"]})
    answer = client.get(f"/api/campaigns/{made['id']}/recipients/export", headers=api.headers)
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert "'=1+1" in answer.text


def test_simulate_shows_each_minute(api: Api, owner: User) -> None:
    account(owner)
    made = draft(api, people(owner, 3))
    shown = api("POST", f"/campaigns/{made['id']}/simulate", {})
    assert [entry["step"] for entry in shown["recipients"]] == [1, 1, 1]
    assert sum(day["first"] for day in shown["days"]) == 3
    assert shown["messages"] == 3


def test_an_audience_is_the_union_of_what_is_named(api: Api, owner: User) -> None:
    account(owner)
    first, second, third = people(owner, 3)
    for audience, expected in (
        ({"contact_ids": [third, first, third]}, 2),
        ({"filter": {}}, 3),
        ({"filter": {"q": "nobody of this name"}}, 0),
        ({"contact_ids": [second], "tags": ["VIP"]}, 3),
    ):
        made = draft(api, [], audience=audience)
        assert api("POST", f"/campaigns/{made['id']}/preflight")["total"] == expected, audience
    refused = api("POST", "/campaigns", {"name": "x", "steps": [STEP], "audience": {"filter": {"q": 5}}}, 422)
    assert refused["error"]["code"] == "invalid"
