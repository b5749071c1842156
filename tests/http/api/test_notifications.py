"""`/api/notifications/settings` and `/api/notification-types`."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from backend.core.database import db, system_scope
from backend.models import AuditEntry, User
from tests.http import callers
from tests.support import factories

SETTINGS = "/api/notifications/settings"
TYPES = "/api/notification-types"
ORDER = {
    "name": "order_received",
    "title": "Orders",
    "templates": {"en": "<b>Order {order.id}</b>\nfrom {who|somebody}", "ko": "주문 {order.id}"},
    "button_label": "Open {order.id}",
    "button_url": "https://shop.test/orders/{order.id}",
}


@pytest.fixture
def viewer(app: Any) -> User:
    return callers.member(factories.workspace(), "viewer")


@pytest.fixture
def operator(viewer: User) -> User:
    return callers.member(None, "operator", workspace_id=viewer.workspace_id)


def test_the_defaults_have_the_contracts_shape(client: FlaskClient, viewer: User) -> None:
    assert client.get(SETTINGS, headers=callers.signed_in(viewer)).get_json() == {
        "locale": "en",
        "timezone": "UTC",
        "daily_summary_at": "09:00",
        "daily_summary_when_empty": False,
        "quiet_hours": None,
        "types": {
            "post_success": True,
            "post_failure": True,
            "automation_executed": True,
            "daily_summary": True,
            "alerts": False,
            "reports": True,
            "device_events": True,
            "new_message": True,
        },
    }


def test_a_patch_changes_what_it_names_and_nothing_else(client: FlaskClient, viewer: User) -> None:
    headers = callers.signed_in(viewer)
    first = {"locale": "ko", "quiet_hours": {"start": "22:00", "end": "07:00"}, "types": {"post_success": False}}
    client.patch(SETTINGS, json=first, headers=headers)
    second = {"timezone": "Asia/Seoul", "daily_summary_at": "08:30", "types": {"alerts": True}}
    answer = client.patch(SETTINGS, json=second, headers=headers)
    assert answer.status_code == 200
    body = answer.get_json()
    assert body == client.get(SETTINGS, headers=headers).get_json()
    assert (body["locale"], body["timezone"], body["daily_summary_at"]) == ("ko", "Asia/Seoul", "08:30")
    assert body["quiet_hours"] == {"start": "22:00", "end": "07:00"}
    assert (body["types"]["post_success"], body["types"]["alerts"], body["types"]["reports"]) == (False, True, True)
    off = client.patch(SETTINGS, json={"quiet_hours": None}, headers=headers).get_json()
    assert (off["quiet_hours"], off["types"]["post_success"]) == (None, False)
    assert client.patch(SETTINGS, json={}, headers=headers).get_json() == off


def test_locale_and_zone_are_the_persons_own(client: FlaskClient, viewer: User) -> None:
    headers = callers.signed_in(viewer)
    client.patch(SETTINGS, json={"locale": "ko", "timezone": "Asia/Seoul"}, headers=headers)
    me = client.get("/api/auth/me", headers=headers).get_json()
    me = me.get("user", me)
    assert (me["locale"], me["timezone"]) == ("ko", "Asia/Seoul")


@pytest.mark.parametrize(
    "body",
    [
        {"locale": "fr"},
        {"locale": None},
        {"timezone": "Mars/Olympus"},
        {"timezone": "../../etc/passwd"},
        {"timezone": "localtime"},
        {"timezone": ""},
        {"daily_summary_at": "24:00"},
        {"daily_summary_at": "9:00"},
        {"daily_summary_at": "09:00:00"},
        {"daily_summary_at": "０９:00"},
        {"daily_summary_at": None},
        {"quiet_hours": {"start": "22:00"}},
        {"quiet_hours": {"start": "22:00", "end": "22:00"}},
        {"quiet_hours": {"start": "22:00", "end": "7:00"}},
        {"quiet_hours": "22:00-07:00"},
        {"types": {"no_such_type": True}},
        {"types": {"post_success": "false"}},
        {"types": {"post_success": None}},
        {"types": []},
    ],
)
def test_bad_settings_are_refused_and_nothing_changes(client: FlaskClient, viewer: User, body: Any) -> None:
    headers = callers.signed_in(viewer)
    before = client.get(SETTINGS, headers=headers).get_json()
    refused = callers.error_of(client.patch(SETTINGS, json={"types": {"reports": False}} | body, headers=headers), 422)
    assert refused["detail"][0]["field"].split(".")[0] in body
    assert client.get(SETTINGS, headers=headers).get_json() == before


def test_settings_are_each_persons_own(client: FlaskClient, viewer: User, operator: User) -> None:
    client.patch(SETTINGS, json={"types": {"post_success": False}}, headers=callers.signed_in(viewer))
    assert client.get(SETTINGS, headers=callers.signed_in(operator)).get_json()["types"]["post_success"] is True


def test_a_change_is_audited_without_its_values(client: FlaskClient, viewer: User) -> None:
    client.patch(SETTINGS, json={"timezone": "Asia/Seoul"}, headers=callers.signed_in(viewer))
    with system_scope("a look from outside"):
        entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "notification_settings.changed")).one()
    assert (entry.actor, entry.detail) == (f"user:{viewer.id}", {"fields": ["timezone"]})


# --- types ------------------------------------------------------------------------------------------------


def test_a_type_is_made_shown_changed_and_deleted(client: FlaskClient, operator: User) -> None:
    headers = callers.signed_in(operator)
    answer = client.post(TYPES, json=ORDER, headers=headers)
    assert answer.status_code == 201
    made = answer.get_json()
    assert {name: made[name] for name in ORDER} == ORDER
    address = f"{TYPES}/{made['id']}"
    assert client.get(address, headers=headers).get_json() == made
    assert client.get(TYPES, headers=headers).get_json() == {"notification_types": [made], "next_cursor": None}
    assert client.get(SETTINGS, headers=headers).get_json()["types"]["order_received"] is True
    changed = client.patch(
        address, json={"templates": {"en": "New {x}"}, "button_url": None, "button_label": None}, headers=headers
    )
    assert (changed.status_code, changed.get_json()["templates"]) == (200, {"en": "New {x}"})
    assert (changed.get_json()["title"], changed.get_json()["button_url"]) == ("Orders", None)
    assert client.delete(address, headers=headers).status_code == 204
    callers.error_of(client.get(address, headers=headers), 404)
    assert "order_received" not in client.get(SETTINGS, headers=headers).get_json()["types"]


def test_a_viewer_may_look_and_preview_only(client: FlaskClient, viewer: User, operator: User) -> None:
    made = client.post(TYPES, json=ORDER, headers=callers.signed_in(operator)).get_json()
    headers = callers.signed_in(viewer)
    callers.error_of(client.post(TYPES, json=ORDER | {"name": "other"}, headers=headers), 403)
    callers.error_of(client.patch(f"{TYPES}/{made['id']}", json={"title": "x"}, headers=headers), 403)
    callers.error_of(client.delete(f"{TYPES}/{made['id']}", headers=headers), 403)
    assert client.get(f"{TYPES}/{made['id']}", headers=headers).status_code == 200
    assert client.post(f"{TYPES}/{made['id']}/preview", json={}, headers=headers).status_code == 200


def test_another_workspaces_type_is_not_found(client: FlaskClient, operator: User) -> None:
    made = client.post(TYPES, json=ORDER, headers=callers.signed_in(operator)).get_json()
    headers = callers.signed_in(callers.member(None, "admin"))
    address = f"{TYPES}/{made['id']}"
    for answer in (
        client.get(address, headers=headers),
        client.patch(address, json={"title": "x"}, headers=headers),
        client.delete(address, headers=headers),
        client.post(f"{address}/preview", json={}, headers=headers),
    ):
        callers.error_of(answer, 404)
    assert client.get(address, headers=callers.signed_in(operator)).get_json() == made
    assert client.post(TYPES, json=ORDER, headers=headers).status_code == 201


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": "Order"}, "name"),
        ({"name": "post_success"}, "name"),
        ({"name": "alerts"}, "name"),
        ({"name": "x" * 49}, "name"),
        ({"title": "two\nlines"}, "title"),
        ({"templates": {}}, "templates"),
        ({"templates": {"fr": "x"}}, "templates.fr"),
        ({"templates": {"en": ""}}, "templates.en"),
        ({"templates": {"en": "{a.b()}"}}, "templates.en"),
        ({"templates": {"en": 5}}, "templates.en"),
        ({"button_url": "javascript:alert(1)"}, "button_url"),
        ({"button_url": "https://{host}/"}, "button_url"),
        ({"button_url": None}, "button_url"),
        ({"button_label": "x" * 65}, "button_label"),
        ({"button_label": "{oops"}, "button_label"),
    ],
)
def test_what_is_wrong_with_a_type_is_named(client: FlaskClient, operator: User, change: Any, field: str) -> None:
    headers = callers.signed_in(operator)
    refused = callers.error_of(client.post(TYPES, json=ORDER | change, headers=headers), 422)
    assert field in [fault["field"] for fault in refused["detail"]]
    assert client.get(TYPES, headers=headers).get_json()["notification_types"] == []


def test_a_broken_template_is_named_with_line_and_column(client: FlaskClient, operator: User) -> None:
    broken = ORDER | {"templates": {"en": "ok\n  {a:>3}"}}
    refused = callers.error_of(client.post(TYPES, json=broken, headers=callers.signed_in(operator)), 422)
    (fault,) = refused["detail"]
    assert (fault["field"], fault["code"], fault["line"], fault["column"]) == (
        "templates.en",
        "placeholder_malformed",
        2,
        3,
    )


def test_a_name_is_taken_once_and_stays(client: FlaskClient, operator: User) -> None:
    headers = callers.signed_in(operator)
    made = client.post(TYPES, json=ORDER, headers=headers).get_json()
    assert callers.error_of(client.post(TYPES, json=ORDER, headers=headers), 409)["code"] == "type_exists"
    client.patch(f"{TYPES}/{made['id']}", json={"name": "renamed"}, headers=headers)
    assert client.get(f"{TYPES}/{made['id']}", headers=headers).get_json()["name"] == "order_received"
    callers.error_of(client.patch(f"{TYPES}/{made['id']}", json={"templates": {"en": "{"}}, headers=headers), 422)
    assert client.get(f"{TYPES}/{made['id']}", headers=headers).get_json() == made


def test_a_preview_shows_what_would_be_sent_and_what_is_missing(client: FlaskClient, operator: User) -> None:
    headers = callers.signed_in(operator)
    fields = {name: ORDER[name] for name in ("templates", "button_label", "button_url")}
    body = fields | {"data": {"order": {"id": "<7>"}}}
    shown = client.post(f"{TYPES}/preview", json=body, headers=headers).get_json()
    assert shown == {
        "text": "Order <7>\nfrom somebody",
        "html": "<b>Order &lt;7&gt;</b>\nfrom somebody",
        "button": {"label": "Open <7>", "url": "https://shop.test/orders/%3C7%3E"},
        "missing": ["who"],
    }
    made = client.post(TYPES, json=ORDER, headers=headers).get_json()
    korean = client.post(f"{TYPES}/{made['id']}/preview", json={"data": {}, "locale": "ko"}, headers=headers).get_json()
    assert (korean["text"], korean["missing"]) == ("주문", ["order.id"])
    callers.error_of(client.post(f"{TYPES}/preview", json=fields | {"templates": {"en": "{"}}, headers=headers), 422)
