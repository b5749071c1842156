"""Contacts over the API: what identifies them is unique, filters find them, consents and suppressions hold."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from backend.core.database import db, system_scope, workspace_scope
from backend.models import Contact, User
from backend.services.contacts import points
from tests.http import callers
from tests.http.callers import error_of, signed_in

PHONE = "+82 10-2000-0001"


@pytest.fixture
def member(client: FlaskClient) -> User:
    return callers.member()


@pytest.fixture
def api(client: FlaskClient, member: User) -> Any:
    headers = signed_in(member)

    def call(method: str, path: str, status: int = 200, **arguments: Any) -> Any:
        response = client.open(path, method=method, headers=headers, **arguments)
        if status >= 400:
            return error_of(response, status)
        assert response.status_code == status, response.get_data(as_text=True)
        return response.get_json() if response.is_json else response

    return call


def make(api: Any, **values: Any) -> dict[str, Any]:
    made: dict[str, Any] = api("POST", "/api/contacts", 201, json={"first_name": "Ada"} | values)
    return made


def found(api: Any, **query: Any) -> list[int]:
    return [shown["id"] for shown in api("GET", "/api/contacts", query_string=query)["contacts"]]


def test_a_contact_is_shown_as_it_was_given_with_normal_forms(api: Any) -> None:
    made = make(api, phone="010-2000-0001", region="KR", email="ADA@Example.com", telegram_username="t.me/Ada_Sample")
    shown = api("GET", f"/api/contacts/{made['id']}")
    assert shown == made
    assert (shown["phone"], shown["email"], shown["telegram_username"]) == (
        "+821020000001",
        "ada@example.com",
        "ada_sample",
    )
    assert (shown["timezone"], shown["timezone_source"], shown["zones"]) == ("Asia/Seoul", "number", ["Asia/Seoul"])
    assert all(point["is_primary"] for point in shown["points"])


def test_a_second_contact_with_the_same_point_is_refused_and_names_the_first(api: Any) -> None:
    first = make(api, phone=PHONE, email="ada@example.com", telegram_username="@ada_sample")
    for body in ({"phone": "+821020000001"}, {"email": "ADA@example.com"}, {"telegram_username": "Ada_Sample"}):
        refused = api("POST", "/api/contacts", 409, json=body)
        assert refused["code"] == "contact_exists"
        assert refused["detail"] == {"contact_id": first["id"], "field": next(iter(body))}
    other = make(api, first_name="Bob")
    assert api("PATCH", f"/api/contacts/{other['id']}", 409, json={"phone": PHONE})["code"] == "contact_exists"
    assert api("GET", f"/api/contacts/{other['id']}")["phone"] is None


def test_a_possible_number_is_taken_with_a_warning_and_an_impossible_one_is_not(api: Any) -> None:
    made = make(api, phone="07700 900123", region="GB")
    assert made["points"][0]["validity"] == "possible"
    for number, code in (("123", "phone_invalid"), ("8.21012E+11", "excel_number")):
        refused = api("POST", "/api/contacts", 422, json={"phone": number, "region": "KR"})
        assert refused["detail"][0]["field"] == "phone"
        assert refused["code"] == code


def test_the_workspaces_region_and_zone_hold_where_the_contact_has_none(api: Any) -> None:
    assert api("POST", "/api/contacts", 422, json={"phone": "010-2000-0001"})["code"] == "phone_invalid"
    api("PATCH", "/api/contacts/settings", json={"region": "KR", "timezone": "Asia/Tokyo"})
    assert make(api, phone="010-2000-0001")["phone"] == "+821020000001"
    bare = make(api, email="bob@example.com")
    assert (bare["timezone"], bare["timezone_source"]) == ("Asia/Tokyo", "workspace")
    own = make(api, email="eve@example.com", timezone="Europe/Berlin")
    assert (own["timezone"], own["timezone_source"]) == ("Europe/Berlin", "given")
    assert api("PATCH", "/api/contacts/settings", 422, json={"region": "XX"})["code"] == "region_unknown"
    assert api("PATCH", "/api/contacts/settings", 422, json={"timezone": "../etc"})["code"] == "timezone_unknown"


def test_a_changed_phone_takes_the_primary_ones_place_and_null_takes_it_away(api: Any) -> None:
    made = make(api, phone=PHONE)
    path = f"/api/contacts/{made['id']}"
    second = api("POST", f"{path}/points", 201, json={"kind": "phone", "value": "+82 10-2000-0002"})
    assert second["is_primary"] is False
    changed = api("PATCH", path, json={"phone": "+82 10-2000-0003"})
    assert changed["phone"] == "+821020000003"
    assert {point["value"] for point in changed["points"]} == {"+821020000002", "+821020000003"}
    changed = api("PATCH", path, json={"phone": None})
    assert changed["phone"] == "+821020000002"
    assert make(api, first_name="Bob", phone=PHONE)["phone"] == "+821020000001"
    api("DELETE", f"{path}/points/{second['id']}", 204)
    assert api("GET", path)["phone"] is None


def test_custom_fields_have_types_and_go_with_their_definition(api: Any) -> None:
    field = api("POST", "/api/contact-fields", 201, json={"key": "seats", "name": "Seats", "type": "number"})
    body = {"key": "grade", "name": "Grade", "type": "choice", "choices": ["A", "B"]}
    api("POST", "/api/contact-fields", 201, json=body)
    made = make(api, fields={"seats": 12, "grade": "a"})
    assert made["fields"] == {"seats": 12, "grade": "A"}
    assert found(api, field="seats:12") == [made["id"]]
    assert found(api, field="seats:13") == []
    assert api("POST", "/api/contacts", 422, json={"fields": {"seats": "many"}})["code"] == "bad_number"
    assert api("POST", "/api/contacts", 422, json={"fields": {"size": 1}})["detail"][0]["field"] == "fields.size"
    changed = api("PATCH", f"/api/contacts/{made['id']}", json={"fields": {"grade": None}})
    assert changed["fields"] == {"seats": 12}
    api("DELETE", f"/api/contact-fields/{field['id']}", 204)
    assert api("GET", f"/api/contacts/{made['id']}")["fields"] == {}
    refused = api("POST", "/api/contact-fields", 422, json={"key": "email", "name": "x"})
    assert refused["code"] == "key_reserved"


def test_tags_are_made_as_they_are_given_and_letter_case_does_not_tell_two_apart(api: Any) -> None:
    made = make(api, tags=["VIP", "vip", " Fair  2026 "])
    assert made["tags"] == ["Fair 2026", "VIP"]
    listed = api("GET", "/api/tags")["tags"]
    assert {tag["name"]: tag["contacts"] for tag in listed} == {"VIP": 1, "Fair 2026": 1}
    assert api("POST", "/api/tags", 409, json={"name": "Vip"})["code"] == "tag_exists"
    assert api("PATCH", f"/api/contacts/{made['id']}", json={"tags": ["İstanbul"]})["tags"] == ["İstanbul"]
    assert found(api, tag="istanbul") == []
    assert found(api, tag="İSTANBUL") == [made["id"]]


def test_filters_find_and_combine(api: Any, member: User) -> None:
    ada = make(api, first_name="Ada", last_name="Sample", phone=PHONE, tags=["VIP"], owner_id=member.id)["id"]
    kim = make(api, first_name="순이", last_name="가상", company="보기물산", email="kim@example.com", source="fair")[
        "id"
    ]
    assert found(api) == [kim, ada]
    assert found(api, q="samp") == [ada]
    assert found(api, q="가상순이") == [kim]
    assert found(api, q="010 2000 0001") == []
    assert found(api, q="+82 10 2000 0001") == [ada]
    assert found(api, q="KIM@example.com") == [kim]
    assert found(api, q="100%") == []
    assert found(api, has="phone") == [ada]
    assert found(api, tag="VIP", has="email") == []
    assert found(api, without_tag="VIP") == [kim]
    assert found(api, owner_id=member.id) == [ada]
    assert found(api, source="fair") == [kim]
    assert found(api, created_from="2999-01-01T00:00:00Z") == []
    api("POST", "/api/suppressions", 201, json={"contact_id": ada})
    assert found(api, suppressed="true") == [ada]
    assert found(api, suppressed="false") == [kim]


def test_a_segment_is_a_filter_with_a_name(api: Any) -> None:
    ada = make(api, phone=PHONE, tags=["VIP"])["id"]
    kim = make(api, email="kim@example.com", tags=["VIP"])["id"]
    body = {"name": "Reachable", "filter": {"has": ["phone"], "created_from": "2020-01-01T00:00:00Z"}}
    segment = api("POST", "/api/segments", 201, json=body)
    assert api("GET", f"/api/segments/{segment['id']}")["contacts"] == 1
    assert found(api, segment_id=segment["id"]) == [ada]
    assert found(api, segment_id=segment["id"], tag="VIP") == [ada]
    api("PATCH", f"/api/segments/{segment['id']}", json={"filter": {"tag": ["vip"]}})
    assert found(api, segment_id=segment["id"]) == [kim, ada]
    assert api("POST", "/api/segments", 409, json=body | {"name": "reachable"})["code"] == "segment_exists"
    refused = api("POST", "/api/segments", 422, json={"name": "x", "filter": {"field": ["nothing:1"]}})
    assert refused["code"] == "unknown_contact_field"


def test_a_list_takes_the_same_number_of_statements_for_any_number_of_contacts(api: Any) -> None:
    def statements() -> int:
        count = 0

        def note(*_arguments: Any) -> None:
            nonlocal count
            count += 1

        event.listen(db.engine, "before_cursor_execute", note)
        try:
            api("GET", "/api/contacts")
        finally:
            event.remove(db.engine, "before_cursor_execute", note)
        return count

    make(api, phone="+82 10-2000-0100", email="p100@example.com", tags=["a"])
    few = statements()
    for number in range(101, 112):
        made = make(api, phone=f"+82 10-2000-0{number}", email=f"p{number}@example.com", tags=["a", f"t{number}"])
        api("POST", f"/api/contacts/{made['id']}/consents", 201, json={"channel": "telegram"})
    assert statements() == few


def test_pages_neither_repeat_nor_leave_out(api: Any) -> None:
    ids = [make(api, first_name=f"P{number}")["id"] for number in range(5)]
    walked, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = api("GET", "/api/contacts", query_string=query)
        walked += [shown["id"] for shown in page["contacts"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert walked == ids[::-1]


def test_consents_are_added_and_the_one_obtained_last_counts(api: Any) -> None:
    made = make(api, email="ada@example.com")
    path = f"/api/contacts/{made['id']}/consents"
    api("POST", path, 201, json={"channel": "telegram", "state": "withdrawn", "obtained_at": "2026-03-01T00:00:00Z"})
    assert found(api, consent="marketing") == []
    # An older consent that is recorded later does not undo the withdrawal.
    api("POST", path, 201, json={"channel": "telegram", "source": "paper", "obtained_at": "2026-01-01T00:00:00Z"})
    assert found(api, consent="marketing") == []
    assert api("GET", f"/api/contacts/{made['id']}")["consents"][0]["state"] == "withdrawn"
    api("POST", path, 201, json={"channel": "telegram", "source": "form"})
    assert found(api, consent="marketing") == [made["id"]]
    assert found(api, consent="event") == []
    assert len(api("GET", path)["consents"]) == 3
    refused = api("POST", path, 422, json={"channel": "telegram", "obtained_at": "2999-01-01T00:00:00Z"})
    assert refused["code"] == "obtained_in_future"


def test_a_marketing_consent_of_a_korean_number_expires_after_two_years(api: Any) -> None:
    made = make(api, phone=PHONE)
    path = f"/api/contacts/{made['id']}/consents"
    given = {"channel": "telegram", "obtained_at": "2024-01-01T00:00:00Z"}
    assert api("POST", path, 201, json=given)["expires_at"] == "2026-01-01T00:00:00.000Z"
    assert api("GET", f"/api/contacts/{made['id']}")["consents"][0]["state"] == "expired"
    assert found(api, consent="marketing") == []
    service = api("POST", path, 201, json=given | {"purpose": "service"})
    assert service["expires_at"] is None
    api("PATCH", "/api/contacts/settings", json={"rules": "none"})
    assert api("POST", path, 201, json=given)["expires_at"] is None


def test_an_erased_person_who_comes_again_is_still_suppressed_also_under_what_is_new(api: Any) -> None:
    made = make(api, phone=PHONE, email="ada@example.com", company="Mills")
    api("POST", f"/api/contacts/{made['id']}/consents", 201, json={"channel": "telegram"})
    assert api("POST", "/api/suppressions", 201, json={"contact_id": made["id"], "code": "opted_out"})["added"] == 2
    api("DELETE", f"/api/contacts/{made['id']}", 204)
    assert api("GET", f"/api/contacts/{made['id']}", 404)["code"] == "contact_not_found"
    assert found(api) == []
    with workspace_scope(_workspace_of(made["id"])):
        row = db.session.get_one(Contact, made["id"])
        assert (row.first_name, row.company, row.fields) == (None, None, {})
        assert points.of_contacts([row.id]) == {}
    again = make(api, phone="+821020000001", telegram_username="ada_sample")
    assert again["suppressed"] is True
    assert all(point["suppressed"] for point in again["points"])
    listed = api("GET", "/api/suppressions", query_string={"contact_id": again["id"]})["suppressions"]
    assert {(row["kind"], row["source"], row["code"]) for row in listed} == {
        ("phone", "api", "opted_out"),
        ("username", "inherited", "opted_out"),
    }
    assert api("POST", f"/api/contacts/{again['id']}/points", 201, json={"kind": "email", "value": "new@example.com"})[
        "suppressed"
    ]


def _workspace_of(contact_id: int) -> int:
    with system_scope("a test"):
        return db.session.get_one(Contact, contact_id).workspace_id


def test_only_an_admin_lifts_a_suppression_with_a_reason_for_the_whole_person(
    api: Any, client: FlaskClient, member: User
) -> None:
    made = make(api, phone=PHONE, email="ada@example.com")
    api("POST", "/api/suppressions", 201, json={"kind": "phone", "value": PHONE})
    rows = api("GET", "/api/suppressions")["suppressions"]
    assert {row["kind"] for row in rows} == {"phone", "email"}
    path = f"/api/suppressions/{rows[0]['id']}/lift"
    reason = {"reason": "Asked on the phone to be written to again"}
    operator = callers.member(role="operator", workspace_id=member.workspace_id)
    assert error_of(client.post(path, json=reason, headers=signed_in(operator)), 403)["code"] == "role_required"
    api("POST", path, 422, json={"reason": "please"})
    assert api("POST", path, json=reason)["lifted"] == 2
    assert api("GET", f"/api/contacts/{made['id']}")["suppressed"] is False
    trail = api("GET", "/api/audit", query_string={"action": "suppression.lifted"})["entries"]
    assert trail[0]["detail"]["reason"] == reason["reason"]


def test_a_list_of_suppressions_is_hashed_line_by_line(api: Any) -> None:
    ada = make(api, email="ada@example.com", phone=PHONE)
    content = "email;phone\nADA@example.com;\n;+44 7700 900123\n@some_body;\nnobody\n;8.2E+11\nada@example.com\n"
    files = {"file": (io.BytesIO(content.encode("utf-8-sig")), "list.csv")}
    outcome = api("POST", "/api/suppressions/import", data=files, content_type="multipart/form-data")
    assert (outcome["rows"], outcome["added"], outcome["errors_total"]) == (7, 3, 3)
    assert [error["line"] for error in outcome["errors"]] == [1, 5, 6]
    assert api("GET", f"/api/contacts/{ada['id']}")["suppressed"] is True
    # What arrived is nowhere to be read.
    assert "example.com" not in str(api("GET", "/api/suppressions"))


def test_a_user_name_that_changes_hands_is_never_the_same_again(api: Any, member: User) -> None:
    made = make(api, telegram_username="ada_sample")
    with workspace_scope(member.workspace_id):
        point = points.of_contacts([made["id"]])[made["id"]][0]
        assert points.pin_username(point, "1000001")
        assert points.pin_username(point, "1000001")
        assert not points.pin_username(point, "1000002")
        assert not points.pin_username(point, "1000001")
        db.session.commit()
    assert api("GET", f"/api/contacts/{made['id']}")["points"][0]["state"] == "identity_changed"


def test_the_export_runs_no_formula_and_keeps_numbers_whole(api: Any) -> None:
    api("POST", "/api/contact-fields", 201, json={"key": "seats", "name": "Seats", "type": "number"})
    make(api, first_name="=HYPERLINK(1)", last_name="@x", company="-1+1", phone=PHONE, fields={"seats": -5})
    make(api, first_name="순이", email="kim@example.com", tags=["+tag"])
    response = api("GET", "/api/contacts/export", query_string={"has": "phone"})
    rows = list(csv.DictReader(io.StringIO(response.get_data().decode("utf-8-sig"))))
    assert len(rows) == 1
    assert rows[0]["first_name"] == "'=HYPERLINK(1)"
    assert rows[0]["last_name"] == "'@x"
    assert rows[0]["company"] == "'-1+1"
    assert rows[0]["phone"] == "+82 10 2000 0001"
    assert rows[0]["seats"] == "-5"
    everything = api("GET", "/api/contacts/export").get_data().decode("utf-8-sig")
    assert "순이" in everything
    assert "'+tag" in everything


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"first_name": "  "},
        {"first_name": "x", "region": "korea"},
        {"first_name": "x", "locale": "not a locale"},
        {"first_name": "x", "tags": [""]},
        {"first_name": "x", "tags": ["x" * 61]},
        {"first_name": "x" * 201},
        {"first_name": "x", "unknown": 1},
        {"first_name": "x", "telegram_user_id": "abc"},
    ],
)
def test_what_is_no_contact_is_refused_by_field(api: Any, body: dict[str, Any]) -> None:
    assert api("POST", "/api/contacts", 422, json=body)["detail"]
    assert found(api) == []
