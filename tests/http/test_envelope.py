"""Request ids, security headers, other origins, and how many proxies are believed."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from backend.app import create_app
from backend.core import config
from backend.core.config import Settings
from backend.http import limits
from backend.http.guards import public


@pytest.fixture
def variant(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    """Makes an application with other settings; the process-wide ones come back afterwards."""
    yield lambda **changes: create_app(settings.model_copy(update=changes))
    config.use(settings)


@pytest.mark.parametrize("offered", ["abc-1.2_3", "x" * 64])
def test_a_plausible_request_id_is_kept(client: FlaskClient, offered: str) -> None:
    assert client.get("/health", headers={"X-Request-ID": offered}).headers["X-Request-ID"] == offered


@pytest.mark.parametrize("offered", ["", "x" * 65, "a b", "a;b", "é", "<script>"])
def test_any_other_request_id_is_replaced(client: FlaskClient, offered: str) -> None:
    given = client.get("/health", headers={"X-Request-ID": offered}).headers["X-Request-ID"]
    assert given != offered
    assert len(given) == 32


@pytest.mark.parametrize("path", ["/health", "/nope", "/api/docs", "/api/openapi.json"])
def test_every_answer_has_the_security_headers(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "Set-Cookie" not in headers


def test_transport_security_is_promised_only_behind_https(client: FlaskClient, variant) -> None:
    assert "Strict-Transport-Security" not in client.get("/health").headers
    secure = variant(site_url="https://switchboard.example.com").test_client()
    assert secure.get("/health").headers["Strict-Transport-Security"].startswith("max-age=")


def test_no_other_origin_may_read_by_default(client: FlaskClient) -> None:
    headers = client.get("/api/people", headers={"Origin": "https://app.example.com"}).headers
    assert "Access-Control-Allow-Origin" not in headers


def test_a_listed_origin_may_read_the_api_without_credentials(variant) -> None:
    listed = variant(cors_origins=("https://app.example.com",)).test_client()
    preflight = listed.options("/api/people", headers={"Origin": "https://app.example.com"})
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
    assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in preflight.headers
    refused = listed.get("/api/people", headers={"Origin": "https://app.example.com"})
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
    assert "Origin" in refused.headers["Vary"]
    other = listed.get("/api/people", headers={"Origin": "https://evil.example.com"})
    assert "Access-Control-Allow-Origin" not in other.headers
    elsewhere = listed.get("/health", headers={"Origin": "https://app.example.com"})
    assert "Access-Control-Allow-Origin" not in elsewhere.headers


@pytest.mark.parametrize(
    ("trusted", "forwarded", "expected"),
    [
        (0, "203.0.113.9", "127.0.0.1"),
        (1, "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        (2, "198.51.100.1, 203.0.113.9, 203.0.113.10", "203.0.113.9"),
        (1, "", "127.0.0.1"),
        (1, "203.0.113.9:4711", "203.0.113.9"),
        (1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        (1, "nonsense", "unknown"),
    ],
)
def test_only_the_entries_of_trusted_proxies_count(variant, trusted: int, forwarded: str, expected: str) -> None:
    behind: Flask = variant(trusted_proxies=trusted)
    behind.add_url_rule("/where", view_func=public("a test")(limits.network))
    headers = {"X-Forwarded-For": forwarded, "X-Forwarded-Host": "evil.example.com"}
    assert behind.test_client().get("/where", headers=headers).get_data(as_text=True) == expected
