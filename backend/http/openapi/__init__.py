"""The OpenAPI document: what APIFlask draws from the views, completed with what their guards say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from apiflask import APIFlask
from flask import Flask
from pydantic import BaseModel

from backend.compat import apiflask as drawn
from backend.core import errors
from backend.http.guards import Guard, guard_of
from backend.http.idempotency import HEADER, REPLAYED
from backend.http.openapi.components import plain_parameter, schemas_of
from backend.http.openapi.examples import example_of
from backend.http.openapi.operation_ids import operation_id
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
_KINDS = (
    errors.BadRequest,
    errors.Unauthorized,
    errors.Forbidden,
    errors.NotFound,
    errors.Conflict,
    errors.TooLarge,
    errors.UnsupportedMedia,
    errors.Invalid,
    errors.TooManyRequests,
    errors.Unavailable,
)
_UNKNOWN_FIELD = {
    "field": "subjct",
    "code": "unknown_field",
    "message": "There is no field subjct here. Did you mean subject?",
    "nearest": "subject",
}
_ERROR_EXAMPLES = {str(kind.status): kind().to_json() for kind in _KINDS} | {
    "422": errors.Invalid("unknown_field", "There is no such field.", detail=[_UNKNOWN_FIELD]).to_json()
}


def install(app: APIFlask) -> None:
    """Sets the document's general part and has every operation completed."""
    app.description = _DESCRIPTION
    app.config["SECURITY_SCHEMES"] = _SCHEMES

    @app.spec_processor
    def complete(document: Any) -> Any:
        schemas = document["components"]["schemas"] = schemas_of([ErrorAnswer, *_models(app)])
        document["tags"] = list({tag["name"]: tag for tag in document["tags"]}.values())
        for rule in app.url_map.iter_rules():
            guard = guard_of(app.view_functions[rule.endpoint])
            for method, operation in document["paths"].get(path_of(rule.rule), {}).items():
                if guard is not None and method.upper() in (rule.methods or ()):
                    operation["operationId"] = operation_id(rule.endpoint)
                    _complete(operation, guard, schemas)
                    _add_examples(operation, schemas)
        return document


def document(app: Flask) -> dict[str, Any]:
    """The document of an application, drawn once and then kept."""
    return drawn.document(app)


def path_of(rule: str) -> str:
    """A rule's address in the form of the document: `/api/people/{person_id}`."""
    return re.sub(r"<(?:[^<:]+:)?([^>]+)>", r"{\1}", rule)


def _models(app: APIFlask) -> Iterator[type[BaseModel]]:
    """Each model that a view takes as its body or answers."""
    for view in app.view_functions.values():
        spec = drawn.spec_of(view)
        for schema in (spec.get("body"), (spec.get("response") or {}).get("schema")):
            if isinstance(schema, type) and issubclass(schema, BaseModel):
                yield schema


def _add_examples(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Puts a whole example at the body and at each answer that is JSON."""
    body = operation.get("requestBody", {}).get("content", {})
    if "application/json" in body:
        body["application/json"].setdefault(
            "example", example_of(body["application/json"]["schema"], schemas, request=True)
        )
    for status, response in operation["responses"].items():
        answer = response.get("content", {}).get("application/json")
        if answer is not None and status[0] in "45":
            answer["example"] = _ERROR_EXAMPLES[status]
        elif answer is not None:
            answer.setdefault("example", example_of(answer["schema"], schemas, request=False))


def _is_needed(body: dict[str, Any], schemas: dict[str, Any]) -> bool:
    """Whether a request without this body is refused: whether any of its fields has to be there."""
    references = [content["schema"].get("$ref", "") for content in body["content"].values()]
    return any(schemas.get(reference.rpartition("/")[2], {}).get("required") for reference in references)


def _complete(operation: dict[str, Any], guard: Guard, schemas: dict[str, Any]) -> None:
    parameters = operation.setdefault("parameters", [])
    for parameter in parameters:
        plain_parameter(parameter)
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
        operation["requestBody"]["required"] = _is_needed(operation["requestBody"], schemas)
        expected |= {"400", "413", "415", "422"}
    elif parameters:
        expected.add("422")
    if guard.idempotent:
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
