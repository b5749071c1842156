"""Campaigns in the console: made by the form, checked, launched, stopped, and each person with why they wait."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.models import Account, Campaign, CampaignPreflight, CampaignRecipient, CampaignStep, Message, User
from backend.services.campaigns import records
from tests.http import callers, objects_campaigns
from tests.http.console.conftest import Browser
from tests.http.console.test_shell import person_workspace

LIST = "/console/campaigns"


@pytest.fixture
def operator(app: Flask, person: User) -> Browser:
    return Browser(app, callers.member(person_workspace(person), role="operator"))


@pytest.fixture
def viewer(app: Flask, person: User) -> Browser:
    return Browser(app, callers.member(person_workspace(person), role="viewer"))


def made(person: User, state: str = "draft", **values: Any) -> int:
    campaign_id = objects_campaigns.campaign(person, state, **values).id
    callers.commit()
    return campaign_id


def of(model: Any, **values: Any) -> Any:
    """The only row of a table with these values, as it is stored now."""
    db.session.rollback()
    with system_scope("a test"):
        return db.session.query(model).filter_by(**values).execution_options(populate_existing=True).one()


def words(browser: Browser, path: str) -> str:
    response = browser.get(path)
    assert response.status_code == 200, response.status_code
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.get_data(as_text=True)))


def checked(browser: Browser, campaign_id: int) -> str:
    """Has a campaign checked; the address of what came of it."""
    response = browser.post(f"{LIST}/{campaign_id}/check")
    assert response.status_code == 303
    assert "/check/" in response.location
    return response.location


def form(contact_id: int, sent_from: int, **values: Any) -> dict[str, Any]:
    return {
        "name": "Spring",
        "account_id": str(sent_from),
        "contact_ids": str(contact_id),
        "text_1": "Hello {first_name|there}",
        "text_2": "Shall I call?",
        "delay_2": "3",
        "day": ["0", "4"],
        "from": "09:00",
        "to": "18:00",
    } | values


@pytest.fixture
def ready(person: User) -> tuple[int, int]:
    """A contact whose Telegram account is known, and an account that everybody may use."""
    account_id = objects_campaigns.account(person).sender_id
    contact_id = objects_campaigns.person(person)
    callers.commit()
    return contact_id, account_id


def test_a_draft_is_made_by_the_form(operator: Browser, ready: tuple[int, int]) -> None:
    response = operator.post(LIST, form(*ready))
    assert response.status_code == 303
    campaign = of(Campaign)
    assert (campaign.name, campaign.state, campaign.audience) == ("Spring", "draft", {"contact_ids": [ready[0]]})
    assert campaign.window == {"days": [0, 4], "from": "09:00", "to": "18:00"}
    with system_scope("a test"):
        stored = [(step.template, step.delay_days) for step in db.session.query(CampaignStep).order_by("position")]
    assert stored == [("Hello {first_name|there}", 0), ("Shall I call?", 3)]
    assert "Shall I call?" in words(operator, response.location)


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"text_1": ""}, "text_1-err"),
        ({"text_1": "Hello {who}"}, "text_1-err"),
        ({"text_2": "Hello {first_name", "delay_2": "3"}, "text_2-err"),
        ({"delay_2": "31"}, "delay_2-err"),
        ({"delay_2": "soon"}, "delay_2-err"),
        ({"name": ""}, "name-err"),
        ({"contact_ids": "Ada"}, "contact_ids-err"),
        ({"contact_ids": "999999"}, "contact_ids-err"),
        ({"account_id": "999999"}, "account_id-err"),
        ({"from": "9 o'clock"}, "from-err"),
        ({"scheduled_at": "tomorrow"}, "scheduled_at-err"),
    ],
)
def test_what_is_wrong_stands_at_its_field_and_nothing_is_stored(
    operator: Browser, ready: tuple[int, int], values: dict[str, Any], fault: str
) -> None:
    response = operator.post(LIST, form(*ready, **values))
    page = response.get_data(as_text=True)
    assert response.status_code in (404, 422)
    assert f'id="{fault}"' in page
    assert "Shall I call?" in page or "text_2" in values
    with system_scope("a test"):
        assert db.session.query(Campaign).count() == 0


def test_a_campaign_is_checked_launched_paused_resumed_and_canceled(operator: Browser, person: User) -> None:
    campaign_id = made(person)
    address = checked(operator, campaign_id)
    assert "1 of 1 people will be written to" in words(operator, address)
    assert operator.post(f"{address}/launch").status_code == 303
    assert of(Campaign).state == "running"
    shown = words(operator, f"{LIST}/{campaign_id}")
    assert "Waits for its turn." in shown
    operator.post(f"{LIST}/{campaign_id}/pause")
    assert of(Campaign).state == "paused"
    assert "Somebody paused it" in words(operator, f"{LIST}/{campaign_id}")
    assert "Somebody paused it" in words(operator, f"{LIST}?state=paused")
    operator.post(f"{LIST}/{campaign_id}/resume")
    assert of(Campaign).state == "running"
    assert "One person still waits for a message" in words(operator, f"{LIST}/{campaign_id}")
    operator.post(f"{LIST}/{campaign_id}/cancel")
    assert (of(Campaign).state, of(CampaignRecipient).state) == ("canceled", "canceled")
    operator.post(f"{LIST}/{campaign_id}/archive")
    assert "Spring offer" not in words(operator, LIST)
    assert "Spring offer" in words(operator, f"{LIST}?state=archived")
    operator.post(f"{LIST}/{campaign_id}/restore")
    assert "Spring offer" in words(operator, LIST)


def test_the_form_keeps_what_it_cannot_show(operator: Browser, person: User, ready: tuple[int, int]) -> None:
    """A filter that the API gave, and a tag that is in use no longer, stay until somebody takes them out."""
    campaign_id = made(person)
    with system_scope("a test sets what only the API can"):
        campaign = db.session.get_one(Campaign, campaign_id)
        campaign.audience = {"filter": {"owner_id": 1}, "tags": ["Gone"]}
        db.session.commit()
    address = f"{LIST}/{campaign_id}/change"
    page = operator.get(address).get_data(as_text=True)
    assert 'name="filter" checked' in page
    assert 'value="Gone" checked' in page
    values = {"version": "1", "filter": "on", "tags": "Gone", "contact_ids": ""}
    kept = operator.post(address, form(*ready) | values)
    assert kept.status_code == 303, re.findall(
        r"id=.[a-z_0-9]+-err[^<]*<[^<]*<[^<]*<[^<]*", kept.get_data(as_text=True)
    )
    assert of(Campaign).audience == {"filter": {"owner_id": 1}, "tags": ["Gone"]}
    del values["filter"]
    version = str(of(Campaign).version)
    assert operator.post(address, form(*ready) | values | {"version": version}).status_code == 303
    assert of(Campaign).audience == {"tags": ["Gone"]}


def test_a_launch_sent_twice_launches_once(operator: Browser, person: User) -> None:
    campaign_id = made(person)
    address = checked(operator, campaign_id)
    for _ in range(2):
        assert operator.post(f"{address}/launch").location.endswith(f"{LIST}/{campaign_id}")
    assert of(CampaignRecipient).state == "waiting"


def test_a_check_that_holds_no_more_is_replaced_and_launches_nothing(operator: Browser, person: User) -> None:
    campaign_id = made(person)
    address = checked(operator, campaign_id)
    with workspace_scope(person.workspace_id):
        changed = {"steps": [{"template": "Good day", "delay_days": 0}]}
        records.change(callers.acting(person), campaign_id, 1, changed)
    callers.commit()
    assert "This check holds no more" in words(operator, address)
    response = operator.post(f"{address}/launch")
    assert response.status_code == 303
    assert "/check/" in response.location
    assert response.location != address
    assert of(Campaign).state == "draft"
    assert operator.post(f"{response.location}/launch").status_code == 303
    assert of(Campaign).state == "running"


def test_people_without_consent_need_a_basis(operator: Browser, person: User) -> None:
    campaign_id = made(person, lawful_basis=None)
    address = checked(operator, campaign_id)
    assert "Left out: This person has given no consent." in words(operator, address)
    refused = operator.post(f"{address}/launch")
    assert refused.status_code == 422
    assert of(Campaign).state == "draft"
    short = operator.post(f"{address}/basis", {"basis": "contract", "note": "short"})
    assert short.status_code == 422
    assert 'id="note-err"' in short.get_data(as_text=True)
    assert of(Campaign).lawful_basis is None
    given = operator.post(f"{address}/basis", {"basis": "contract", "note": "They ordered from us this year."})
    assert of(Campaign).lawful_basis["basis"] == "contract"
    assert "1 of 1 people will be written to" in words(operator, given.location)
    operator.post(f"{given.location}/launch")
    assert "They ordered from us this year." in words(operator, f"{LIST}/{campaign_id}")


def test_an_end_that_is_far_away_has_to_be_accepted(operator: Browser, person: User) -> None:
    campaign_id = made(person)
    address = checked(operator, campaign_id)
    far = (clock.now() + timedelta(days=120)).isoformat()
    with system_scope("a test"):
        preflight = db.session.query(CampaignPreflight).one()
        preflight.report = preflight.report | {"ends": {"earliest": far, "likely": far, "latest": far}}
    callers.commit()
    assert "accept_end_date" in operator.get(address).get_data(as_text=True)
    refused = operator.post(f"{address}/launch")
    assert refused.status_code == 422
    assert 'id="accept_end_date-err"' in refused.get_data(as_text=True)
    assert operator.post(f"{address}/launch", {"accept_end_date": far[:10]}).status_code == 303
    assert of(Campaign).state == "running"


def test_a_change_that_is_older_than_anothers_is_refused(operator: Browser, person: User) -> None:
    campaign_id = made(person)
    audience = of(Campaign).audience["contact_ids"][0]
    given = form(audience, of(Campaign).sender_id, version="1", name="Summer")
    assert operator.post(f"{LIST}/{campaign_id}/change", given).status_code == 303
    refused = operator.post(f"{LIST}/{campaign_id}/change", given | {"name": "Winter"})
    assert refused.status_code == 409
    assert "Somebody else changed it meanwhile" in refused.get_data(as_text=True)
    assert of(Campaign).name == "Summer"


def test_a_campaign_that_runs_keeps_its_audience_and_its_variants(operator: Browser, person: User) -> None:
    variants = [{"name": name, "template": f"Hello {name}", "weight": 1, "is_on": True} for name in ("a", "b")]
    campaign_id = made(person, "running", steps=[{"template": "Hello", "delay_days": 0, "variants": variants}])
    before = of(Campaign)
    page = operator.get(f"{LIST}/{campaign_id}/change").get_data(as_text=True)
    assert 'name="contact_ids"' not in page
    given = {"version": str(before.version), "name": "Summer", "text_1": "Good day", "contact_ids": "1"}
    assert operator.post(f"{LIST}/{campaign_id}/change", given).status_code == 303
    assert (of(Campaign).name, of(Campaign).audience) == ("Summer", before.audience)
    step = of(CampaignStep)
    assert (step.template, [entry["name"] for entry in step.variants]) == ("Good day", ["a", "b"])


def test_the_ledger_filters_by_its_address_and_says_why(operator: Browser, person: User) -> None:
    row = objects_campaigns.recipient(person, "unknown")
    campaign_id, recipient_id = row.campaign_id, row.id
    callers.commit()
    shown = words(operator, f"{LIST}/{campaign_id}?state=unknown&reason=outcome_unknown")
    assert "Nobody knows whether the message arrived" in shown
    assert "Nobody has this state and reason now." in words(operator, f"{LIST}/{campaign_id}?state=failed")
    assert "Hello Ada" in words(operator, f"{LIST}/{campaign_id}?state=nonsense&reason=nonsense")
    assert "Hello Ada" in operator.get(f"{LIST}/{campaign_id}/recipients").get_data(as_text=True)
    address = f"{LIST}/{campaign_id}/recipients/{recipient_id}"
    assert operator.post(f"{address}/resolve", {"outcome": "not_sent"}).status_code == 303
    assert of(CampaignRecipient).state == "waiting"
    assert operator.post(f"{address}/resolve", {"outcome": "sent"}).status_code == 303
    assert of(CampaignRecipient).state == "waiting"
    assert operator.post(f"{address}/take-out").status_code == 303
    assert (of(CampaignRecipient).state, of(CampaignRecipient).reason) == ("canceled", "taken_out")


def test_whoever_was_left_out_is_tried_again(operator: Browser, person: User) -> None:
    row = objects_campaigns.recipient(person)
    campaign_id = row.campaign_id
    row.state, row.reason, row.ended_at = "failed", "privacy", clock.now()
    callers.commit()
    assert "Try again" in words(operator, f"{LIST}/{campaign_id}")
    operator.post(f"{LIST}/{campaign_id}/retry")
    assert of(CampaignRecipient).state == "waiting"


def test_a_hold_of_the_account_is_said_above_all(operator: Browser, person: User) -> None:
    campaign_id = made(person, "running")
    with system_scope("a test"):
        account = db.session.query(Account).one()
        account.campaigns_pause_reason, account.campaigns_paused_until = "flood_wait", clock.now() + timedelta(hours=3)
    callers.commit()
    shown = words(operator, f"{LIST}/{campaign_id}")
    assert "Telegram asked the account to wait." in shown
    assert "One person keeps their place" in shown


def test_a_preview_is_the_poorest_persons_and_a_test_goes_to_oneself(operator: Browser, person: User) -> None:
    campaign_id = made(person)
    assert "Hello" in words(operator, f"{LIST}/{campaign_id}/preview?step=1")
    assert "There is nothing to show yet." in words(operator, f"{LIST}/{campaign_id}/preview?step=4")
    assert operator.post(f"{LIST}/{campaign_id}/test", {"step": "1"}).status_code == 303
    assert of(Message, kind="campaign_test").direction == "out"


def test_without_an_account_the_check_says_what_to_do(operator: Browser, person: User) -> None:
    contact_id = objects_campaigns.person(person)
    callers.commit()
    operator.post(LIST, form(contact_id, 0) | {"account_id": ""})
    response = operator.post_by_script(f"{LIST}/{of(Campaign).id}/check")
    assert "Connect a Telegram account first" in response.headers["HX-Trigger"]


def test_viewers_read_and_are_offered_nothing(viewer: Browser, person: User) -> None:
    campaign_id = made(person, "running")
    page = viewer.get(f"{LIST}/{campaign_id}").get_data(as_text=True)
    assert "Spring offer" in page
    assert f'action="{LIST}/{campaign_id}/pause"' not in page
    assert viewer.post(f"{LIST}/{campaign_id}/pause").status_code == 403
    assert viewer.get(f"{LIST}/new").status_code == 403
    assert of(Campaign).state == "running"


def test_other_workspaces_campaigns_are_not_there(app: Flask, person: User) -> None:
    campaign_id = made(person, "running")
    other = Browser(app, callers.member(role="admin"))
    assert other.get(f"{LIST}/{campaign_id}").status_code == 404
    assert other.post(f"{LIST}/{campaign_id}/pause").status_code == 404
    assert "Spring offer" not in words(other, LIST)


def test_the_pages_speak_korean(app: Flask, person: User) -> None:
    campaign_id = made(person, "running")
    with system_scope("a test"):
        db.session.get_one(User, person.id).locale = "ko"
    callers.commit()
    browser = Browser(app, person)
    assert "캠페인" in words(browser, LIST)
    assert "차례" in words(browser, f"{LIST}/{campaign_id}")


def test_a_scheduled_campaign_keeps_its_audience_and_takes_another_moment(person: User, operator: Browser) -> None:
    campaign_id = made(person)
    with workspace_scope(person.workspace_id):
        campaign = db.session.get_one(Campaign, campaign_id)
        campaign.state, campaign.launched_at, campaign.scheduled_at = "scheduled", clock.now(), clock.now()
        db.session.commit()
    page = operator.get(f"{LIST}/{campaign_id}/change").get_data(as_text=True)
    assert 'name="scheduled_at"' in page
    assert 'name="contact_ids"' not in page
    version = str(of(Campaign, id=campaign_id).version)
    values = form(0, 0, version=version, scheduled_at="2031-05-01T10:00")
    assert operator.post(f"{LIST}/{campaign_id}/change", values).status_code == 303
    stored = of(Campaign, id=campaign_id)
    assert (stored.scheduled_at.year, stored.next_turn_at, stored.state) == (2031, stored.scheduled_at, "scheduled")


def test_variants_are_made_shown_and_changed(operator: Browser, person: User) -> None:
    form = {"name": "Spring", "text_1": "Hello", "tags": []}
    form |= {"variant_1_1_name": "short", "variant_1_1_text": "Hi {first_name|there}", "variant_1_1_weight": "3"}
    form |= {"variant_1_1_on": "on", "variant_1_2_name": "long", "variant_1_2_text": "Good morning"}
    one = form | {"variant_1_2_name": "", "variant_1_2_text": ""}
    refused = operator.post(LIST, one)
    assert (refused.status_code, "variant_1_1_name-err" in refused.text) == (422, True)
    assert operator.post(LIST, form).status_code in (200, 302, 303)
    step = of(CampaignStep)
    assert step.variants == [
        {"name": "short", "template": "Hi {first_name|there}", "weight": 3, "is_on": True},
        {"name": "long", "template": "Good morning", "weight": 1, "is_on": False},
    ]
    page = operator.get(f"{LIST}/{step.campaign_id}/change").text
    assert 'value="short"' in page
    assert "Good morning" in page
    assert "short" in operator.get(f"{LIST}/{step.campaign_id}").text


def test_a_simulation_shows_who_gets_what_and_when(operator: Browser, viewer: Browser, person: User) -> None:
    campaign_id = made(person)
    page = operator.get(f"{LIST}/{campaign_id}/simulation?reply_rate=0,5")
    assert page.status_code == 200
    assert "<table" in page.text
    assert operator.get(f"{LIST}/{campaign_id}/simulation?reply_rate=2").status_code == 200
    assert "reply_rate-err" in operator.get(f"{LIST}/{campaign_id}/simulation?reply_rate=2").text
    assert viewer.get(f"{LIST}/{campaign_id}/simulation").status_code == 403
