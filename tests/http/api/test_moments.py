"""Moments at the edge of what a clock shows: refused by name, never a 5xx, in every body of the API that takes one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from backend.http import openapi
from tests.http import callers, routes
from tests.http.schemas import resolved
from tests.support.bot_api import bot_api

ODD: list[Any] = [
    "9999-12-31T23:59:59-12:00",
    "9999-12-31T23:59:59.999999Z",
    "0001-01-01T00:00:00+12:00",
    "3000-01-01T00:00:00Z",
    253402300799,
    1e300,
    -62135596801,
]


@pytest.fixture(autouse=True)
def _telegram(app: Flask) -> Iterator[None]:
    with bot_api():
        yield


def moments(schema: dict[str, Any], document: dict[str, Any], depth: int = 0) -> Iterator[tuple[str, ...]]:
    """The paths of a schema's fields that are moments."""
    schema = resolved(schema, document)
    if schema.get("format") == "date-time":
        yield ()
    for choice in schema.get("anyOf", []):
        yield from moments(choice, document, depth)
    if depth < 3:
        for name, inner in schema.get("properties", {}).items():
            for path in moments(inner, document, depth + 1):
                yield (name, *path)


def test_no_moment_of_any_body_breaks_anything(app: Flask, client: FlaskClient) -> None:
    document = openapi.document(app)
    asked = set()
    caller = callers.member(is_owner=True)
    for route in routes.walk(app):
        operation = document["paths"].get(openapi.path_of(route.rule), {}).get(route.method.lower(), {})
        schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        for path in set(moments(schema, document)) if schema else ():
            example = routes.example_of(route, caller)
            for odd in ODD:
                body: dict[str, Any] = {**(example.json or {})}
                place = body
                for name in path[:-1]:
                    place[name] = {**place.get(name, {})}
                    place = place[name]
                place[path[-1]] = odd
                response = routes.call(client, route, example, callers.signed_in(caller), json=body)
                assert response.status_code < 500, (str(route), path, odd, response.text)
            asked.add((str(route), ".".join(path)))
    assert {field for _, field in asked} >= {"expires_at", "scheduled_at", "starts_at", "ends_at", "run_at"}, asked


@pytest.mark.parametrize("odd", ODD)
def test_a_token_that_ends_beyond_the_calendar_is_refused_by_name(client: FlaskClient, odd: Any) -> None:
    headers = callers.signed_in(callers.member())
    body = {"name": "ci", "scopes": ["read"], "expires_at": odd}
    error = callers.error_of(client.post("/api/tokens", json=body, headers=headers), 422)
    assert error["detail"][0]["field"] == "expires_at"
    assert client.get("/api/tokens", headers=headers).get_json()["tokens"] == []


def test_a_moment_is_taken_in_any_zone_up_to_the_bound(client: FlaskClient) -> None:
    headers = callers.signed_in(callers.member())
    body = {"name": "ci", "scopes": ["read"], "expires_at": "2999-12-31T23:59:59+09:00"}
    made = client.post("/api/tokens", json=body, headers=headers).get_json()
    assert made["expires_at"] == "2999-12-31T14:59:59.000Z"
    assert datetime.fromisoformat(made["expires_at"]) < datetime(3000, 1, 1, tzinfo=UTC)
