"""Examples of requests and answers, composed of the examples that stand at the fields of their schemas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_MOMENT: Final = "2026-02-26T10:30:00.000Z"
_TEXTS: Final = {
    "body": "<b>db-1</b> has not answered for 11 minutes.",
    "bot_name": "alerts",
    "bot_username": "example_bot",
    "chat_id": "-1001234567890",
    "chat_ids": "-1001234567890",
    "content": "Our spring menu is here",
    "filename": "menu.pdf",
    "expected_url": "https://switchboard.example.com/api/telegram/webhook/1",
    "html": "<b>Order</b> 17",
    "label": "service",
    "locale": "en",
    "message": "Done.",
    "mime": "application/pdf",
    "name": "Example",
    "op": "=",
    "platform": "telegram",
    "severity": "critical",
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "source": "api",
    "text": "Runbook",
    "timezone": "Asia/Seoul",
    "title": "Payments queue older than 5 min",
    "url": "https://example.com/p/1",
    "username": "example_bot",
    "value": "payments",
    "via": "api",
    "webhook_url": "https://switchboard.example.com/api/telegram/webhook/1",
}
"""What fields of these names say where their schema has no example."""
MISSING: Final = "…"
"""The text of a field without an example; a test does not let one pass."""


def example_of(schema: Mapping[str, Any], schemas: Mapping[str, Any], *, request: bool) -> Any:
    """A value that the schema allows. A request's has the fields that are needed or have an example of their own."""
    return _value(schema, schemas, "", request)


def _value(schema: Mapping[str, Any], schemas: Mapping[str, Any], name: str, request: bool) -> Any:
    for given in schema.get("examples", ()):
        if given is not None:
            return given
    if "$ref" in schema:
        return _value(schemas[schema["$ref"].rpartition("/")[2]], schemas, name, request)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return _of_several(schema[several], schemas, name, request)
    kind = schema.get("type")
    if kind == "object":
        return _record(schema, schemas, request)
    if kind == "array":
        return [_value(schema.get("items", {}), schemas, name, request)]
    if kind == "string":
        return _MOMENT if schema.get("format") == "date-time" else _TEXTS.get(name, MISSING)
    plain: dict[Any, Any] = {"integer": max(schema.get("minimum", 1), 1), "number": 0.5, "boolean": True}
    return plain.get(kind)


def _of_several(options: list[Any], schemas: Mapping[str, Any], name: str, request: bool) -> Any:
    """Null where an answer may have null: most of these fields are about what did not happen."""
    if not request and {"type": "null"} in options:
        return None
    return _value(options[0], schemas, name, request)


def _record(schema: Mapping[str, Any], schemas: Mapping[str, Any], request: bool) -> dict[str, Any]:
    needed = set(schema.get("required", ()))
    return {
        name: _value(field, schemas, name, request)
        for name, field in schema.get("properties", {}).items()
        if not request or name in needed or _has_example(field)
    }


def _has_example(field: Mapping[str, Any]) -> bool:
    given = (field, *field.get("anyOf", ()))
    return any(example is not None for schema in given for example in schema.get("examples", ()))
