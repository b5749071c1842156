"""`/api/files`: bounded, sniffed, given back as attachments, kept apart."""

from __future__ import annotations

import errno
import hashlib
import io
import os
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from backend.core.database import db, system_scope
from backend.models import StoredFile, User
from backend.services.files import stored_files
from tests.http import callers
from tests.support import factories

HTML = b"<html><script>alert(1)</script></html>"


@pytest.fixture
def operator(app: Any) -> User:
    return callers.member(factories.workspace(), "operator")


def upload(
    client: FlaskClient, person: User, content: bytes = b"words", name: str = "a.txt", key: str | None = None
) -> Any:
    form = {"file": (io.BytesIO(content), name)}
    headers = callers.signed_in(person) | ({"Idempotency-Key": key} if key else {})
    return client.post("/api/files", data=form, content_type="multipart/form-data", headers=headers)


def stored() -> int:
    with system_scope("a look from outside"):
        db.session.rollback()
        return db.session.scalars(select(func.count()).select_from(StoredFile)).one()


def test_a_file_is_stored_and_given_back_as_a_download(client: FlaskClient, operator: User) -> None:
    answer = upload(client, operator, HTML, "../../보고서 1.html")
    assert answer.status_code == 201
    made = answer.get_json()
    assert (made["filename"], made["size"]) == ("보고서 1.html", len(HTML))
    assert made["sha256"] == hashlib.sha256(HTML).hexdigest()
    assert made["mime"] == "text/plain"
    got = client.get(f"/api/files/{made['id']}", headers=callers.signed_in(operator))
    assert (got.status_code, got.data) == (200, HTML)
    assert got.headers["Content-Disposition"].startswith("attachment;")
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert got.mimetype == "text/plain"
    assert "sandbox" in got.headers["Content-Security-Policy"]
    info = client.get(f"/api/files/{made['id']}/info", headers=callers.signed_in(operator))
    assert info.get_json() == made


def test_another_workspaces_file_is_not_found(client: FlaskClient, operator: User) -> None:
    made = upload(client, operator).get_json()
    headers = callers.signed_in(callers.member(None, "admin"))
    callers.error_of(client.get(f"/api/files/{made['id']}", headers=headers), 404)
    callers.error_of(client.get(f"/api/files/{made['id']}/info", headers=headers), 404)
    answer = client.post(
        "/api/events",
        json={"type": "post_success", "attachment": {"kind": "document", "file_id": made["id"]}},
        headers=headers,
    )
    callers.error_of(answer, 404)


def test_a_viewer_may_not_upload(client: FlaskClient, operator: User) -> None:
    home = operator.workspace_id
    viewer = callers.member(None, "viewer", workspace_id=home)
    callers.error_of(upload(client, viewer), 403)
    made = upload(client, operator).get_json()
    assert client.get(f"/api/files/{made['id']}", headers=callers.signed_in(viewer)).status_code == 200


def test_what_is_no_file_is_refused(client: FlaskClient, operator: User) -> None:
    headers = callers.signed_in(operator)
    callers.error_of(client.post("/api/files", data={"file": "text"}, headers=headers), 422)
    callers.error_of(client.post("/api/files", headers=headers), 422)
    callers.error_of(upload(client, operator, b""), 422)
    assert stored() == 0


def test_a_body_over_the_bound_is_refused_before_it_is_read(client: FlaskClient, operator: User) -> None:
    read = 0

    class Endless(io.RawIOBase):
        def readinto(self, buffer: Any) -> int:
            nonlocal read
            read += len(buffer)
            buffer[:] = b"x" * len(buffer)
            return len(buffer)

        def readable(self) -> bool:
            return True

    answer = client.post(
        "/api/files",
        content_type="multipart/form-data; boundary=x",
        environ_overrides={"wsgi.input": Endless(), "CONTENT_LENGTH": str(200 * 1024 * 1024)},
        headers=callers.signed_in(operator),
    )
    callers.error_of(answer, 413)
    assert read == 0
    assert stored() == 0


def test_a_file_over_the_bound_is_refused(client: FlaskClient, operator: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_files, "MAX_DOCUMENT", 10)
    assert callers.error_of(upload(client, operator, b"x" * 11), 413)["code"] == "file_too_large"
    assert stored() == 0


def test_the_same_idempotency_key_stores_once(client: FlaskClient, operator: User) -> None:
    first = upload(client, operator, key="k").get_json()
    second = upload(client, operator, key="k").get_json()
    assert first == second
    assert stored() == 1


@pytest.mark.parametrize(
    ("number", "status", "code"),
    [
        (errno.ENOSPC, 507, "storage_full"),
        (errno.EDQUOT, 507, "storage_full"),
        (errno.EROFS, 503, "storage_unavailable"),
        (errno.EMFILE, 503, "storage_unavailable"),
    ],
)
@pytest.mark.parametrize("where", ["fsync", "open"])
def test_a_media_folder_that_takes_nothing_is_no_defect(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, number: int, status: int, code: str, where: str
) -> None:
    headers = callers.signed_in(callers.member())

    def full(*_: Any, **__: Any) -> None:
        raise OSError(number, "no")

    with monkeypatch.context() as patched:
        patched.setattr(os, where, full)
        data = {"file": (io.BytesIO(b"words"), "a.txt")}
        answer = client.post("/api/files", data=data, headers=headers | {"Idempotency-Key": "k"})
    assert callers.error_of(answer, status)["code"] == code
    with system_scope("test"):
        assert db.session.scalars(select(StoredFile)).all() == []
    data = {"file": (io.BytesIO(b"words"), "a.txt")}
    again = client.post("/api/files", data=data, headers=headers | {"Idempotency-Key": "k"})
    assert again.status_code == 201, "nothing of the refused try counts"
