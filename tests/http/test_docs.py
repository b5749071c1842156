"""The page that shows the API works without a network and runs no script but its own."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from tests.http import callers


def test_everything_the_page_needs_comes_from_here(client: FlaskClient) -> None:
    page = client.get("/api/docs").get_data(as_text=True)
    addresses = re.findall(r'(?:src|href|data-document)="([^"]+)"', page)
    assert len(addresses) >= 5
    for address in addresses:
        assert address.startswith("/api/"), address
        assert client.get(address).status_code == 200, address
    assert "<script>" not in page


@pytest.mark.parametrize(
    ("name", "kind"),
    [("swagger-ui.css", "text/css"), ("swagger-ui-bundle.js", "text/javascript"), ("favicon-32x32.png", "image/png")],
)
def test_assets_have_their_types(client: FlaskClient, name: str, kind: str) -> None:
    response = client.get(f"/api/docs/{name}")
    assert response.mimetype == kind
    assert response.content_length


@pytest.mark.parametrize("name", ["index.html", "..%2f..%2fapp.py", "LICENSE", "swagger-ui.js.map"])
def test_nothing_else_of_the_library_is_served(client: FlaskClient, name: str) -> None:
    callers.error_of(client.get(f"/api/docs/{name}"), 404)


def test_the_pages_policy_allows_no_script_from_elsewhere(client: FlaskClient) -> None:
    policy = client.get("/api/docs").headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe-eval" not in policy
    assert "http" not in policy


def test_the_document_names_its_security_schemes(client: FlaskClient) -> None:
    document = client.get("/api/openapi.json").get_json()
    assert set(document["components"]["securitySchemes"]) == {"accessToken", "personalToken", "refreshToken"}
    assert document["info"]["title"] == "Switchboard"
    tags = {tag["name"] for tag in document["tags"]}
    for methods in document["paths"].values():
        for operation in methods.values():
            assert set(operation["tags"]) <= tags
