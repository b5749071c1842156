"""Channels in the console: what is shown, who may do what, and that a secret is shown once or not at all."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask import Flask

from backend.core import clock
from backend.core.database import db, system_scope
from backend.models import ChannelSetup, Sender, User
from tests.http import callers, holdings, objects_integrations
from tests.http.console.conftest import Browser
from tests.support import channel_stand_ins
from tests.support.graph_api import NUMBER_ID, SECRET, TOKEN, WABA_ID, Graph, Refusal, graph_api

NEW = {
    "platform": "whatsapp",
    "name": "Lettings",
    "phone_number_id": NUMBER_ID,
    "waba_id": WABA_ID,
    "access_token": TOKEN,
    "app_secret": SECRET,
}
TEMPLATE = {
    "id": "1",
    "name": "reminder",
    "language": "en",
    "status": "APPROVED",
    "category": "UTILITY",
    "components": [{"type": "BODY", "text": "Hello {{1}}"}],
}


@pytest.fixture
def graph(app: Flask) -> Iterator[Graph]:
    with channel_stand_ins.added(), graph_api() as api:
        api.answers[f"GET {WABA_ID}/message_templates"] = {"data": [TEMPLATE]}
        yield api


@pytest.fixture
def browser(graph: Graph, app: Flask, person: User) -> Browser:
    return Browser(app, person)


@pytest.fixture
def channel(browser: Browser) -> str:
    """The address of a number."""
    assert browser.post("/console/channels", NEW).status_code == 200
    with system_scope("a test"):
        sender = db.session.query(Sender).filter_by(channel="whatsapp").one()
    return f"/console/channels/{sender.id}"


def test_nothing_is_connected_at_first(browser: Browser) -> None:
    page = browser.get("/console/channels")
    assert "Nothing connected yet" in page.text
    assert "platform=instagram" in page.text


def test_connecting_shows_address_and_token_this_once(browser: Browser) -> None:
    made = browser.post("/console/channels", NEW)
    assert made.status_code == 200
    token = re.search(r'id="verify-token">([^<]+)<', made.text)
    assert token is not None
    assert "/whatsapp/webhook/" in made.text
    with system_scope("a test"):
        sender = db.session.query(Sender).filter_by(channel="whatsapp").one()
        assert sender.settings["verify_token"] == token[1]
    again = browser.get(f"/console/channels/{sender.id}")
    assert token[1] not in again.text
    assert TOKEN not in made.text + again.text
    assert SECRET not in made.text + again.text


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"phone_number_id": "+1 202 555"},
        {"phone_number_id": ""},
        {"access_token": "short"},
        {"app_secret": "has spaces in it"},
    ],
)
def test_what_is_wrong_is_said_at_its_field_and_secrets_are_typed_again(
    browser: Browser, changes: dict[str, str]
) -> None:
    answer = browser.post("/console/channels", NEW | changes)
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    assert TOKEN not in answer.text
    assert SECRET not in answer.text


def test_checking_shows_each_line_and_what_to_do(browser: Browser, graph: Graph, channel: str) -> None:
    graph.answers[f"GET {WABA_ID}/subscribed_apps"] = {"data": []}
    said = browser.post(f"{channel}/check")
    assert said.status_code == 303
    page = browser.get(channel)
    assert "Messages are sent to us" in page.text
    assert "Meta sends nothing here" in page.text
    assert f"{channel}/subscribe" in page.text
    listed = browser.get("/console/channels")
    assert "Does not work" in listed.text
    assert "Meta sends nothing here" in listed.text


def test_a_press_repairs_the_subscription(browser: Browser, graph: Graph, channel: str) -> None:
    graph.answers[f"GET {WABA_ID}/subscribed_apps"] = {"data": []}
    browser.post(f"{channel}/check")
    graph.answers[f"GET {WABA_ID}/subscribed_apps"] = {"data": [{"whatsapp_business_api_data": {"id": "555"}}]}
    assert browser.post(f"{channel}/subscribe").status_code == 303
    assert "Meta sends nothing here" not in browser.get(channel).text


def test_a_refusal_is_said_where_it_happened(browser: Browser, graph: Graph, channel: str) -> None:
    graph.answers[f"POST {NUMBER_ID}/register"] = Refusal(400, 133005, "PIN mismatch")
    answer = browser.post(f"{channel}/register", {"pin": "123456"})
    assert answer.status_code == 422
    assert "not the number’s PIN" in answer.text
    assert browser.post(f"{channel}/register", {"pin": "12"}).status_code == 422
    graph.answers[f"POST {NUMBER_ID}/register"] = {"success": True}
    assert browser.post(f"{channel}/register", {"pin": "123456"}).status_code == 303


def test_templates_are_read_and_shown(browser: Browser, channel: str) -> None:
    assert "No templates" in browser.get(channel).text
    assert browser.post(f"{channel}/templates").status_code == 303
    page = browser.get(channel).text
    assert "reminder" in page
    assert "Hello {{1}}" in page
    assert "Approved" in page


def test_a_secret_that_is_left_empty_stays(browser: Browser, channel: str) -> None:
    assert (
        browser.post(f"{channel}/change", {"name": "Sales", "waba_id": WABA_ID, "is_active": "on"}).status_code == 303
    )
    with system_scope("a test"):
        sender = db.session.query(Sender).filter_by(channel="whatsapp").one()
        assert (sender.name, sender.credentials, sender.settings["app_secret"]) == ("Sales", TOKEN, SECRET)


def test_meta_being_away_changes_nothing_that_was_known(browser: Browser, graph: Graph, channel: str) -> None:
    browser.post(f"{channel}/check")
    graph.refuse(Refusal(503))
    clock.move(120)
    assert browser.post(f"{channel}/check").status_code == 303
    page = browser.get(channel)
    assert "Meta does not answer just now" in page.text
    assert "Messages are sent to us" in page.text


def test_removing_leaves_nothing_to_show(browser: Browser, channel: str) -> None:
    assert browser.post(f"{channel}/remove").status_code == 303
    assert browser.get(channel).status_code == 404
    with system_scope("a test"):
        assert db.session.query(ChannelSetup).count() == 0


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_only_admins_connect_and_change(browser: Browser, app: Flask, person: User, channel: str, role: str) -> None:
    other = Browser(app, callers.member(holdings.home(person), role=role))
    page = other.get(channel)
    assert page.status_code == 200
    assert "/change" not in page.text
    assert "verify" not in page.text.lower()
    for path in ("", "/change", "/remove", "/subscribe", "/register", "/renew"):
        address = f"{channel}{path}" if path else "/console/channels"
        assert other.post(address, NEW).status_code == 403, path
    assert other.post(f"{channel}/check").status_code == (403 if role == "viewer" else 303)


def test_another_workspaces_channel_is_not_there(browser: Browser, app: Flask, channel: str) -> None:
    other = Browser(app, callers.member())
    for path in ("", "/change"):
        assert other.get(f"{channel}{path}").status_code == 404
    for path in ("/check", "/change", "/remove", "/subscribe", "/register", "/templates"):
        assert other.post(f"{channel}{path}", NEW | {"pin": "123456"}).status_code == 404, path
    assert "Nothing connected yet" in other.get("/console/channels").text


def test_the_page_speaks_korean(browser: Browser, graph: Graph, channel: str, person: User) -> None:
    graph.answers[f"GET {WABA_ID}/subscribed_apps"] = {"data": []}
    browser.post(f"{channel}/check")
    with system_scope("a test"):
        db.session.get_one(User, person.id).locale = "ko"
        db.session.commit()
    page = browser.get(channel).text
    assert "메시지 수신 구독" in page
    assert "Meta가 여기로 아무것도 보내지 않습니다" in page
    assert "연결된 채널이 없습니다" not in browser.get("/console/channels").text


def test_whoever_asked_to_be_deleted_sees_how_it_stands(browser: Browser, app: Flask, person: User) -> None:
    integration_id = objects_integrations.integration(person, "messenger")
    callers.commit()
    form = {"signed_request": objects_integrations.signed_request()}
    answer = app.test_client().post(f"/meta/data-deletion/{integration_id}", data=form)
    assert answer.status_code == 200, answer.text
    path = answer.get_json()["url"].split("/", 3)[3]
    stranger = Browser(app, None)
    page = stranger.get(f"/{path}")
    assert page.status_code == 200
    assert "Nothing was kept" in page.text
    assert "77001" not in page.text
    assert stranger.get("/privacy/deletion/0000").status_code == 404
