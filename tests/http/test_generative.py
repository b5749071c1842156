"""Every operation of the OpenAPI document, with values that nobody thought of.

Requests are drawn (from a fixed seed) out of the document itself: values its schemas allow, values next to them, and
plain nonsense, in place of each parameter, field and body. Whatever is sent, no answer is a 5xx, every error has the
one shape, and a refusal changes nothing. Each operation also gets its valid example, which has to succeed.

Drawn with hypothesis alone: a library that reads OpenAPI by itself does not know the objects of `objects.py`, without
which an operation on a real object hardly ever gets past its 404.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from backend.core.database import db
from backend.http import guards, openapi
from tests.http import callers, providers, routes
from tests.http.objects import Example
from tests.http.schemas import like, resolved
from tests.support.databases import Databases

EXAMPLES = int(os.environ.get("GENERATIVE_EXAMPLES", "6"))
"""For each operation. They are drawn from a fixed seed: more of them find more when a schema has changed."""
PARTS = 4
"""The operations are dealt into so many tests, so that several workers share them."""
SEED = 20260226
ELSEWHERE = {"live.listen", "metrics.read"}
"""Not served by Flask alone, or not without a setting: tests/front and tests/http/api ask where they are."""
STORING = {"token_reused", "confirmation_required", "bot_unavailable", "preflight_stale"}
"""Refusals that are meant to store something: the family that is revoked, the question that is asked, and when the
bot's provider could last not be reached."""

_ODD_TEXT = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["", "\0", "\ud800", "' OR 1=1 --", "../../etc/passwd", "%00", "𝕏" * 50, "x" * 5000, "<b>{", "ﷺ", "-1"]
    ),
)
_NONSENSE = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from([2**63, -(2**63) - 1, 10**30, 0, -1]),
        st.floats(allow_nan=False, allow_infinity=False),
        _ODD_TEXT,
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
_RAW = st.one_of(
    st.binary(max_size=60),
    st.sampled_from([b"", b"{", b"[" * 2000, b'{"a":NaN}', b"\xff", b'"\\ud800"', b"null", b"{}", b"[{}]"]),
)


@pytest.fixture(autouse=True)
def _telegram(app: Flask) -> Iterator[None]:
    """A Telegram that answers: some operations ask it before they store anything."""
    with providers.answering():
        yield


def operations(app: Flask) -> list[tuple[routes.Route, dict[str, Any]]]:
    """Each operation of the document with its route."""
    document = openapi.document(app)
    found = []
    for route in routes.walk(app):
        path = openapi.path_of(route.rule)
        operation = document["paths"].get(path, {}).get(route.method.lower())
        if operation is not None:
            found.append((route, operation))
    return found


def requests_of(operation: dict[str, Any], document: dict[str, Any], example: Example) -> st.SearchStrategy[Any]:
    """What is sent: replacements for path and query, a body or raw bytes, and sometimes a key."""
    parameters = {(item["in"], item["name"]): item.get("schema", {}) for item in operation.get("parameters", [])}
    path = {
        name: st.just(example.path[name]) | like(schema, document).map(str) | _ODD_TEXT
        for (place, name), schema in parameters.items()
        if place == "path"
    }
    query = {
        name: like(schema, document).map(str) | _ODD_TEXT
        for (place, name), schema in parameters.items()
        if place == "query"
    }
    content = operation.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema")
    body: st.SearchStrategy[Any] = st.none()
    if schema is not None:
        body = st.one_of(
            like(schema, document),
            st.builds(
                lambda base, changes: {**base, **changes}, st.just(example.json or {}), _changes(schema, document)
            ),
            _NONSENSE,
        )
    return st.fixed_dictionaries(
        {
            "path": st.fixed_dictionaries(path),
            "query": st.fixed_dictionaries({}, optional=query),
            "body": body,
            "raw": st.none() | _RAW if content else st.none(),
            "type": st.sampled_from(
                ["application/json", "application/json", "text/plain", "multipart/form-data; boundary=b"]
            ),
            "key": st.none() | st.sampled_from(["a-key", "k" * 300, "é"]),
        }
    )


def _changes(schema: dict[str, Any], document: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """One or two fields of a valid body, replaced by what the schema allows or by nonsense."""
    fields = resolved(schema, document).get("properties", {})
    options = {name: like(inner, document) | _NONSENSE for name, inner in fields.items()}
    return st.fixed_dictionaries({}, optional=options)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_no_operation_breaks(app: Flask, client: FlaskClient, databases: Databases, part: int) -> None:
    document = openapi.document(app)
    answers: dict[str, Counter[int]] = {}
    chosen = [one for one in operations(app) if one[0].endpoint not in ELSEWHERE][part::PARTS]
    for route, operation in chosen:
        databases.clean()
        db.session.remove()
        caller = callers.member(is_owner=True)
        example = routes.example_of(route, caller)
        valid = routes.call(client, route, example, _headers(route, caller))
        assert 200 <= valid.status_code < 300, f"{route}: its example gave {valid.status_code}: {valid.text[:300]}"
        answers[str(route)] = _explore(client, route, requests_of(operation, document, example), example.headers)
    assert len(answers) == len(chosen)
    for name, statuses in answers.items():
        assert statuses.total() >= EXAMPLES, f"{name} was asked only {statuses.total()} times"
    together = sum(answers.values(), Counter())
    # With twelve examples each operation, one of them; the valid one is not among these.
    assert sum(count for status, count in together.items() if status < 300) * 12 > len(answers) * EXAMPLES, together
    assert sum(count for status, count in together.items() if status >= 400) * 12 > len(answers) * EXAMPLES, together


def _explore(
    client: FlaskClient, route: routes.Route, drawn_requests: st.SearchStrategy[Any], own_headers: dict[str, str]
) -> Counter[int]:
    """Sends the drawn requests, each from a new caller, and returns how often each status came back."""
    statuses: Counter[int] = Counter()

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(drawn=drawn_requests)
    def run(drawn: dict[str, Any]) -> None:
        headers = _headers(route, callers.member(is_owner=True)) | own_headers
        before = routes.fingerprint()
        response = _send(client, route, drawn, headers)
        statuses[response.status_code] += 1
        where = f"{route} with {drawn!r}"
        # 503 is how an operation says that Telegram, which these tests do not have, did not answer.
        assert response.status_code < 500 or response.status_code == 503, f"{where}: {response.text[:300]}"
        if response.status_code >= 400:
            callers.check_shape(response)
            if response.get_json()["error"]["code"] not in STORING:
                assert routes.fingerprint() == before, f"{where}: refused, and yet something changed"

    run()
    while statuses.total() < EXAMPLES:
        # An operation without parameters has fewer different requests than that.
        before_run = statuses.total()
        run()
        assert statuses.total() > before_run
    return statuses


def _headers(route: routes.Route, caller: Any) -> dict[str, str]:
    return {} if route.guard.is_public else callers.signed_in(caller)


def _send(client: FlaskClient, route: routes.Route, drawn: dict[str, Any], headers: dict[str, str]) -> Any:
    path = route.rule
    for name, value in drawn["path"].items():
        text = quote(str(value).encode("utf-8", "surrogatepass"), safe="")
        path = path.replace(f"<int:{name}>", text).replace(f"<{name}>", text)
    query = "&".join(
        f"{name}={quote(value.encode('utf-8', 'surrogatepass'), safe='')}" for name, value in drawn["query"].items()
    )
    given_headers = dict(headers)
    if drawn["key"] is not None:
        given_headers["Idempotency-Key"] = drawn["key"]
    data = drawn["raw"]
    kind = drawn["type"]
    if data is None and drawn["body"] is not None:
        data, kind = json.dumps(drawn["body"]), "application/json"
    if data is not None:
        given_headers["Content-Type"] = kind
    return client.open(path, method=route.method, query_string=query, data=data, headers=given_headers)


def test_no_operation_of_the_document_is_left_out(app: Flask) -> None:
    paths = openapi.document(app)["paths"]
    assert len(operations(app)) == sum(len(methods) for methods in paths.values())


def test_the_document_describes_every_open_and_guarded_api_route(app: Flask) -> None:
    described = {route.endpoint for route, _ in operations(app)}
    api = {
        route.endpoint for route in routes.walk(app) if not route.endpoint.startswith(("docs.", "provider_webhooks."))
    }
    assert described == api


def test_each_operation_says_who_may_call_it_and_what_errors_look_like(app: Flask) -> None:
    for route, operation in operations(app):
        assert operation["summary"], str(route)
        assert operation["tags"], str(route)
        errors = {status: answer for status, answer in operation["responses"].items() if status[0] in "45"}
        assert {"429", "503"} <= set(errors), str(route)
        for answer in errors.values():
            assert answer["content"]["application/json"]["schema"]["$ref"].endswith("/ErrorAnswer")
        if route.guard.is_public:
            assert operation["security"] in ([], [{"refreshToken": []}])
        else:
            assert {"401", "403"} <= set(errors)
            assert {"accessToken": []} in operation["security"]
            assert ({"personalToken": []} in operation["security"]) == route.guard.tokens
        named = {item["name"] for item in operation["parameters"]}
        assert ("Idempotency-Key" in named) == route.guard.idempotent


def test_every_reference_of_the_document_resolves(app: Flask) -> None:
    document = openapi.document(app)
    assert document["openapi"].startswith("3.1")

    def check(value: Any) -> None:
        if isinstance(value, dict):
            reference = value.get("$ref")
            if isinstance(reference, str):
                place: Any = document
                for part in reference.removeprefix("#/").split("/"):
                    place = place[part]
            for inner in value.values():
                check(inner)
        elif isinstance(value, list):
            for inner in value:
                check(inner)

    check(document)
    assert guards.guard_of(app.view_functions["docs.document"]) is not None
