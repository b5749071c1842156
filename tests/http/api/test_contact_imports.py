"""Imports over the API: a file comes in two ways, is checked, changed, run, and undone."""

from __future__ import annotations

import io
from typing import Any

import pytest
from flask.testing import FlaskClient

from backend.core.work import Turn
from backend.services.contacts.imports import administration, work
from tests.http import callers
from tests.http.callers import error_of, signed_in

CONTENT = "이름;휴대폰;수신거부\n가상;010-2000-0001;\n보기;8.21012E+11;\n예시;010-2000-0003;Y\n".encode("cp949")


@pytest.fixture
def api(client: FlaskClient) -> Any:
    headers = signed_in(callers.member())

    def call(method: str, path: str = "", status: int = 200, **arguments: Any) -> Any:
        response = client.open(f"/api/contacts/imports{path}", method=method, headers=headers, **arguments)
        if status >= 400:
            return error_of(response, status)
        assert response.status_code == status, response.get_data(as_text=True)
        return response.get_json()

    return call


def upload(api: Any, content: bytes = CONTENT, status: int = 202) -> Any:
    data = {"file": (io.BytesIO(content), "people.csv")}
    return api("POST", "", status, data=data, content_type="multipart/form-data")


def finish() -> None:
    work.work_on(Turn(seconds=600))


def test_a_file_from_its_upload_to_its_undo(api: Any, client: FlaskClient) -> None:
    begun = upload(api)
    assert (begun["state"], begun["report"], begun["columns"]) == ("reading", None, [])
    finish()
    path = f"/{begun['id']}"
    shown = api("GET", path)
    assert (shown["state"], shown["encoding"], shown["delimiter"], shown["header_row"]) == ("checked", "cp949", ";", 1)
    assert shown["columns"][1] == {
        "name": "휴대폰",
        "samples": ["010-2000-0001", "8.21012E+11", "010-2000-0003"],
        "field": "phone",
    }
    assert {error["code"] for error in shown["report"]["errors"]} == {"phone_invalid", "excel_number", "no_point"}
    changed = api("PATCH", path, json={"region": "KR", "tags": ["Fair"]})
    assert changed["state"] == "reading"
    finish()
    shown = api("GET", path)
    assert [(error["line"], error["code"]) for error in shown["report"]["errors"]] == [
        (3, "excel_number"),
        (3, "no_point"),
    ]
    assert (shown["report"]["create"], shown["report"]["suppressed"]) == (2, 1)
    assert shown["progress"] == {"rows_done": 0, "rows_total": 3}
    assert api("POST", f"{path}/run", 202)["state"] == "running"
    finish()
    shown = api("GET", path)
    assert (shown["state"], shown["progress"], shown["report"]["suppressions"]) == (
        "done",
        {"rows_done": 3, "rows_total": 3},
        1,
    )
    assert shown["undo_until"] is not None
    assert error_of_call(api, "PATCH", path, json={"region": "KR"}) == "import_state"
    assert error_of_call(api, "POST", f"{path}/run") == "import_state"
    assert api("POST", f"{path}/undo", 202)["task"] == "undo"
    finish()
    shown = api("GET", path)
    assert (shown["state"], shown["report"]["suppressions_kept"]) == ("undone", 1)
    assert api("GET", "", query_string={"limit": 1})["imports"][0]["counts"]["create"] == 2


def error_of_call(api: Any, method: str, path: str, **arguments: Any) -> str:
    return str(api(method, path, 409, **arguments)["code"])


def test_a_stored_file_is_named_by_json_or_by_the_form(api: Any, client: FlaskClient) -> None:
    owner = callers.member()
    headers = signed_in(owner)
    data = {"file": (io.BytesIO(b"Name,Phone\nAda,+821020000001\n"), "people.csv")}
    file_id = client.post("/api/files", data=data, headers=headers).get_json()["id"]
    for arguments in ({"json": {"file_id": file_id}}, {"data": {"file_id": str(file_id)}}):
        response = client.post("/api/contacts/imports", headers=headers, **arguments)
        assert response.status_code == 202, response.get_data(as_text=True)
        assert response.get_json()["filename"] == "people.csv"
    assert api("POST", "", 404, json={"file_id": file_id})["code"] == "file_not_found"
    assert api("POST", "", 422, json={})["detail"]
    assert api("POST", "", 422, json={"file": "x", "file_id": 1})["detail"]


def test_what_is_no_file_of_contacts_is_refused_at_once(api: Any) -> None:
    assert upload(api, b"%PDF-1.7\n", 422)["code"] == "import_unreadable"
    assert upload(api, b"", 422)["code"] == "file_empty"
    assert api("GET")["imports"] == []


def test_a_file_over_the_bound_is_refused(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(administration, "MAX_BYTES", 1000)
    assert upload(api, b"Name,Phone\n" + b"x" * 2000, 413)["code"] == "file_too_large"


@pytest.mark.parametrize(
    "body",
    [
        {"mapping": {"휴대폰": "nothing"}},
        {"mapping": {"nothing": "phone"}},
        {"mapping": {"이름": "first_name", "휴대폰": "first_name"}},
        {"mode": "replace"},
        {"update_by": []},
        {"update_by": ["name"]},
        {"region": "XX"},
        {"encoding": "rot13"},
        {"delimiter": "ab"},
        {"delimiter": "\n"},
        {"header_row": -1},
        {"tags": [""]},
    ],
)
def test_what_cannot_be_chosen_is_refused_and_changes_nothing(api: Any, body: dict[str, Any]) -> None:
    import_id = upload(api)["id"]
    finish()
    before = api("GET", f"/{import_id}")
    assert api("PATCH", f"/{import_id}", 422, json=body)["detail"]
    assert api("GET", f"/{import_id}") == before
