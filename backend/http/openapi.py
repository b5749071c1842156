"""The OpenAPI document: what APIFlask draws from the views, completed with what their guards say."""

from __future__ import annotations

import re
from typing import Any, cast

from apiflask import APIFlask
from flask import Flask

from backend.http.guards import Guard, guard_of
from backend.http.idempotency import HEADER, REPLAYED
from backend.http.schemas.base import ErrorAnswer

_ERROR = {"$ref": "#/components/schemas/ErrorAnswer"}
_DESCRIPTION = """For an application and its team: link people's Telegram, report events, see what was delivered.

Send an access token (from `POST /api/auth/login`) or a personal access token as `Authorization: Bearer …`. Every error
has the shape `{"error": {"code", "message", "detail"}}`. Lists are pages: pass `next_cursor` as `cursor`. Times are RFC
3339 with `Z`. Fields and codes may be added at any time; ignore those you do not know."""
_SCHEMES = {
    "accessToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "Lives an hour."},
    "personalToken": {
        "type": "http",
        "scheme": "bearer",
        "description": "A personal access token, `sbp_…`: named, scoped and revocable.",
    },
    "refreshToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "For refreshing only."},
}
_REASONS = {
    "400": "The request cannot be parsed",
    "401": "No credentials, or invalid, expired or revoked ones",
    "403": "Not allowed for this role or token",
    "404": "Not found, or another workspace's",
    "409": "The present state does not allow it",
    "413": "Too large",
    "415": "A content type that is not accepted",
    "422": "Invalid values; `detail` lists the fields",
    "429": "Too many requests; see `Retry-After`",
    "503": "Not available at the moment; see `Retry-After`",
}


def install(app: APIFlask) -> None:
    """Sets the document's general part and has every operation completed."""
    app.description = _DESCRIPTION
    app.config["SECURITY_SCHEMES"] = _SCHEMES

    @app.spec_processor
    def complete(document: Any) -> Any:
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        _add_error_schema(schemas)
        schemas.pop("HTTPError", None)
        for path, method, guard, idempotent_parameter in _operations(app):
            operation = document["paths"].get(path, {}).get(method)
            if operation is not None:
                _complete(operation, guard, idempotent_parameter)
        return document


def document(app: Flask) -> dict[str, Any]:
    """The document of an application, drawn once and then kept."""
    made: dict[str, Any] = cast(APIFlask, app)._get_spec("json")  # type: ignore[assignment]
    return made


def path_of(rule: str) -> str:
    """A rule's address in the form of the document: `/api/people/{person_id}`."""
    return re.sub(r"<(?:[^<:]+:)?([^>]+)>", r"{\1}", rule)


def _operations(app: APIFlask) -> list[tuple[str, str, Guard, bool]]:
    found: list[tuple[str, str, Guard, bool]] = []
    for rule in app.url_map.iter_rules():
        guard = guard_of(app.view_functions[rule.endpoint])
        if guard is None:
            continue
        path = path_of(rule.rule)
        found.extend((path, method.lower(), guard, guard.idempotent) for method in rule.methods or ())
    return found


def _add_error_schema(schemas: dict[str, Any]) -> None:
    schema = ErrorAnswer.model_json_schema(ref_template="#/components/schemas/{model}")
    for name, inner in schema.pop("$defs", {}).items():
        schemas[name] = inner
    schemas["ErrorAnswer"] = schema


def _complete(operation: dict[str, Any], guard: Guard, idempotent: bool) -> None:
    parameters = operation.setdefault("parameters", [])
    responses = operation.setdefault("responses", {})
    expected = {"429", "503"}
    if not guard.is_public:
        schemes = ["accessToken", "personalToken"] if guard.tokens else ["accessToken"]
        operation["security"] = [{name: []} for name in schemes]
        expected |= {"401", "403"}
        operation["x-role"] = guard.role
        if guard.scope:
            operation["x-scope"] = guard.scope
    else:
        operation.setdefault("security", [])
    if any(parameter["in"] == "path" for parameter in parameters):
        expected.add("404")
    if "requestBody" in operation:
        operation["requestBody"].setdefault("required", True)
        expected |= {"400", "413", "415", "422"}
    elif parameters:
        expected.add("422")
    if idempotent:
        parameters.append(_IDEMPOTENCY_PARAMETER)
        expected |= {"400", "409"}
        for status, response in responses.items():
            if status.startswith("2"):
                response.setdefault("headers", {})[REPLAYED] = {
                    "schema": {"type": "string"},
                    "description": "`true` when this is the answer to an earlier request with the same key",
                }
    for status in sorted(expected | {status for status in responses if status[0] in "45"}):
        response = responses.setdefault(status, {"description": _REASONS[status]})
        response["content"] = {"application/json": {"schema": _ERROR}}


_IDEMPOTENCY_PARAMETER = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "description": "The same key and request within 24 hours get the first answer again, without a second effect",
}
