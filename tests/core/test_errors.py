"""Errors carry a status, a code and a public message, and become one JSON shape."""

from __future__ import annotations

import ast
import json
import pickle
from pathlib import Path

import pytest

from backend.core import errors

STATUSES = [
    (errors.BadRequest, 400, "bad_request"),
    (errors.Unauthorized, 401, "unauthorized"),
    (errors.Forbidden, 403, "forbidden"),
    (errors.NotFound, 404, "not_found"),
    (errors.MethodNotAllowed, 405, "method_not_allowed"),
    (errors.Conflict, 409, "conflict"),
    (errors.TooLarge, 413, "too_large"),
    (errors.UnsupportedMedia, 415, "unsupported_media_type"),
    (errors.Invalid, 422, "invalid"),
    (errors.TooManyRequests, 429, "too_many_requests"),
    (errors.Unavailable, 503, "unavailable"),
    (errors.StorageFull, 507, "storage_full"),
]


@pytest.mark.parametrize(("kind", "status", "code"), STATUSES)
def test_each_error_has_its_status_and_default_code(kind: type[errors.AppError], status: int, code: str) -> None:
    error = kind()
    assert (error.status, error.code) == (status, code)
    assert kind.code == code
    body = json.loads(json.dumps(error.to_json()))
    assert body == {"error": {"code": code, "message": error.message, "detail": None}}
    assert error.message.endswith(".")


def test_every_subclass_is_in_the_table() -> None:
    mine = {kind for kind in errors.AppError.__subclasses__() if kind.__module__ == errors.__name__}
    assert mine == {kind for kind, _, _ in STATUSES}


def test_own_code_message_and_detail_are_kept() -> None:
    error = errors.Conflict("chat_linked_elsewhere", "Linked to somebody else.", detail={"bot": "demo"})
    assert error.to_json() == {
        "error": {
            "code": "chat_linked_elsewhere",
            "message": "Linked to somebody else.",
            "detail": {"bot": "demo"},
        }
    }
    assert str(error) == "chat_linked_elsewhere: Linked to somebody else."
    assert errors.Conflict.code == "conflict"


def test_an_error_survives_the_way_between_processes() -> None:
    error = errors.TooManyRequests("slow_down", "Later.", detail=[1], retry_after=7)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is errors.TooManyRequests
    assert (copy.code, copy.message, copy.detail, copy.retry_after) == ("slow_down", "Later.", [1], 7)


def test_a_field_s_error_is_told_under_its_own_code_or_the_general_one() -> None:
    fault = {"field": "media.0.url", "code": "address_malformed", "message": "An http(s) address."}
    error = errors.Invalid.of("media.0.url", "address_malformed", "An http(s) address.")
    assert error.to_json()["error"] == {
        "code": "address_malformed",
        "message": "An http(s) address.",
        "detail": [fault],
    }
    several = errors.Invalid.of_fields([fault, errors.field_error("name", "missing", "Needed.")])
    assert (several.code, [one["field"] for one in several.field_errors()]) == ("invalid", ["media.0.url", "name"])
    assert errors.Invalid("no_alerts", "There are none.").field_errors() == []


def test_nobody_builds_a_field_s_error_by_hand() -> None:
    backend = Path(errors.__file__).resolve().parents[1]
    by_hand = []
    for path in backend.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Dict):
                keys = [key.value for key in node.keys if isinstance(key, ast.Constant)]
                if sorted(map(str, keys)) == ["code", "field", "message"]:
                    by_hand.append(str(path.relative_to(backend)))
    assert by_hand == ["core/errors.py"]
