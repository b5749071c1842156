"""The application's routes as the tests walk them, and calling one by its example."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from backend.core.database import Base, db, system_scope
from backend.http.guards import Guard, guard_of
from backend.models import User
from tests.http import callers, objects
from tests.http import objects_accounts as objects_accounts  # registers its examples, as the next ones do
from tests.http import objects_alerts as objects_alerts
from tests.http import objects_bots as objects_bots
from tests.http import objects_campaigns as objects_campaigns
from tests.http import objects_contacts as objects_contacts
from tests.http import objects_inbox as objects_inbox
from tests.http import objects_integrations as objects_integrations
from tests.http import objects_posts as objects_posts
from tests.http.objects import Example


@dataclass(frozen=True)
class Route:
    """One method of one rule."""

    endpoint: str
    rule: str
    method: str
    guard: Guard

    def __str__(self) -> str:
        return f"{self.method} {self.rule}"


def walk(app: Flask, *, console: bool = False) -> list[Route]:
    """Every route of the API and the webhooks, or of the console; HEAD and OPTIONS aside."""
    found: list[Route] = []
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("console_") is not console:
            continue
        guard = guard_of(app.view_functions[rule.endpoint])
        assert guard is not None, f"{rule.rule} has no guard"
        methods = sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        found.extend(Route(rule.endpoint, rule.rule, method, guard) for method in methods)
    return found


def example_of(route: Route, caller: User) -> Example:
    """The registered example, stored. Fails where there is none."""
    assert route.endpoint in objects.EXAMPLES, f"tests/http/objects.py has no example of {route.endpoint} ({route})"
    made = objects.EXAMPLES[route.endpoint](caller)
    callers.commit()
    return made


def call(
    client: FlaskClient, route: Route, example: Example, headers: dict[str, str] | None = None, **changes: Any
) -> TestResponse:
    """Sends the example's request; `changes` replace parts of it."""
    path = route.rule
    for name, value in example.path.items():
        path = path.replace(f"<int:{name}>", str(value)).replace(f"<{name}>", str(value))
    assert "<" not in path, f"the example of {route.endpoint} fills no {path}"
    parts: dict[str, Any] = {"json": example.json, "query": example.query, "files": example.files} | changes
    body: dict[str, Any] = {}
    if parts["files"] is not None:
        form = {name: (io.BytesIO(content), filename) for name, (filename, content) in parts["files"].items()}
        body = {"data": form, "content_type": "multipart/form-data"}
    elif example.form is not None:
        body = {"data": example.form}
    elif parts["json"] is not None:
        body = {"json": parts["json"]}
    return client.open(
        path, method=route.method, query_string=parts["query"], headers={**(headers or {}), **example.headers}, **body
    )


_EVERYTHING = text(
    " UNION ALL ".join(
        f"SELECT '{table.name}', sum(hashtextextended(t::text, 0))::text FROM {table.name} t"
        for table in Base.metadata.sorted_tables
    )
)


def fingerprint() -> dict[str, str | None]:
    """What is in every table, as a digest each, None for an empty one: equal ones mean that nothing was changed in
    between. The digest is a sum over the rows, which need not be sorted for it."""
    with system_scope("a test compares everything"):
        found = {row[0]: row[1] for row in db.session.execute(_EVERYTHING)}
        db.session.rollback()
    return found
