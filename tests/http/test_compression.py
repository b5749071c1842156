"""Answers are compressed for those who take it, and only for those."""

from __future__ import annotations

import gzip
import io
import json

import pytest
from flask.testing import FlaskClient

from backend.http.console.kit import assets
from tests.http import callers

GZIP = {"Accept-Encoding": "gzip, deflate, br"}


def pages() -> list[str]:
    return [
        "/api/openapi.json",
        "/api/docs/swagger-ui.css",
        "/api/docs/swagger-ui-bundle.js",
        "/console/sign-in",
        assets.address("css/base.css"),
        assets.address("js/keyboard.js"),
        assets.address("icons.svg"),
    ]


@pytest.mark.parametrize("number", range(7))
def test_pages_json_and_static_files_are_compressed(client: FlaskClient, number: int) -> None:
    path = pages()[number]
    plain, packed = client.get(path), client.get(path, headers=GZIP)
    assert (plain.status_code, packed.status_code) == (200, 200)
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(packed.data) < len(plain.data) * 0.5
    assert int(packed.headers["Content-Length"]) == len(packed.data)
    assert packed.headers["Content-Type"] == plain.headers["Content-Type"]
    for answer in (plain, packed):
        assert "Accept-Encoding" in answer.headers["Vary"]
    if "sign-in" not in path:
        assert gzip.decompress(packed.data) == plain.data
    head = client.head(path, headers=GZIP)
    assert head.headers["Content-Encoding"] == "gzip"


@pytest.mark.parametrize("accepted", ["", "identity", "br", "gzip;q=0", "*;q=0", "deflate, br;q=1.0"])
def test_who_does_not_take_it_gets_it_plain(client: FlaskClient, accepted: str) -> None:
    for path in pages():
        assert "Content-Encoding" not in client.get(path, headers={"Accept-Encoding": accepted}).headers


def test_what_is_small_or_packed_already_stays_as_it_is(client: FlaskClient) -> None:
    assert "Content-Encoding" not in client.get("/health", headers=GZIP).headers
    icon = client.get("/api/docs/favicon-32x32.png", headers=GZIP)
    assert (icon.status_code, icon.headers.get("Content-Encoding")) == (200, None)


def test_errors_are_compressed_too_when_they_are_long(client: FlaskClient) -> None:
    body = {f"field{n}": n for n in range(300)}
    answer = client.post("/api/auth/register", json=body, headers=GZIP)
    raw = gzip.decompress(answer.data) if answer.headers.get("Content-Encoding") == "gzip" else answer.data
    assert json.loads(raw)["error"]["code"]


def test_a_static_file_that_is_known_is_not_sent_again(client: FlaskClient) -> None:
    path = assets.address("js/keyboard.js")
    for headers in ({}, GZIP):
        first = client.get(path, headers=headers)
        again = client.get(path, headers={**headers, "If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
    packed, plain = client.get(path, headers=GZIP), client.get(path)
    assert packed.headers["ETag"] != plain.headers["ETag"]


def test_a_download_is_what_was_uploaded(client: FlaskClient) -> None:
    headers = callers.signed_in(callers.member())
    content = b"line of a log\n" * 1000
    made = client.post("/api/files", data={"file": (io.BytesIO(content), "log.txt")}, headers=headers)
    answer = client.get(f"/api/files/{made.get_json()['id']}", headers=headers | GZIP)
    assert (answer.data, answer.headers.get("Content-Encoding")) == (content, None)


def test_an_answer_that_is_kept_for_a_repetition_is_kept_plain(client: FlaskClient) -> None:
    headers = callers.signed_in(callers.member()) | GZIP | {"Idempotency-Key": "k"}
    body = {"key": "large", "name": "n", "templates": {"en": "x" * 2000, "ko": "x" * 2000}}
    answers = [client.post("/api/notification-types", json=body, headers=headers) for _ in range(2)]
    read = [
        json.loads(gzip.decompress(one.data) if one.headers.get("Content-Encoding") == "gzip" else one.data)
        for one in answers
    ]
    assert answers[0].status_code == answers[1].status_code
    assert read[0] == read[1]
