"""The OpenAPI document is valid, and a generator can make a client of it: one name for each thing, and no surprises."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel

from backend.http import openapi
from backend.http.openapi import components, examples, operation_ids
from backend.http.schemas.base import Input, Output, SparseOutput

Document = dict[str, Any]


@pytest.fixture
def document(app: Flask) -> Document:
    return openapi.document(app)


def operations(document: Document) -> Iterator[dict[str, Any]]:
    for methods in document["paths"].values():
        yield from methods.values()


def contents(document: Document) -> Iterator[tuple[str, bool, str, dict[str, Any]]]:
    """Each body and answer: the operation with the status, whether it is a request, its media type, its content."""
    for operation in operations(document):
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            yield f"{operation['operationId']} request", True, media_type, content
        for status, response in operation["responses"].items():
            for media_type, content in response.get("content", {}).items():
                yield f"{operation['operationId']} {status}", False, media_type, content


def texts_of(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in inner for text in texts_of(one)]


def properties(document: Document) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, schema in document["components"]["schemas"].items():
        for field, value in schema.get("properties", {}).items():
            yield f"{name}.{field}", value


def test_a_validator_takes_it(document: Document) -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_each_tag_stands_there_once_and_all_that_are_used(document: Document) -> None:
    names = [tag["name"] for tag in document["tags"]]
    assert len(names) == len(set(names))
    assert {tag for operation in operations(document) for tag in operation["tags"]} == set(names)


def test_each_operation_has_a_name_of_its_own(document: Document) -> None:
    names = Counter(operation.get("operationId") for operation in operations(document))
    assert None not in names
    assert [name for name, count in names.items() if count > 1] == []
    assert [name for name in names if not re.fullmatch(r"[a-z]+([A-Z][a-z]*)*", str(name))] == []


def test_each_operation_s_name_is_written_down_and_none_is_left_over(app: Flask, document: Document) -> None:
    named = {operation["operationId"] for operation in operations(document)}
    assert named == set(operation_ids.OPERATION_IDS.values())
    assert set(operation_ids.OPERATION_IDS) <= set(app.view_functions)


def test_a_view_without_a_written_name_is_called_after_itself() -> None:
    assert operation_ids.operation_id("posts.mark_as_read") == "postsMarkAsRead"


def test_schemas_have_plain_names_and_no_titles(document: Document) -> None:
    for name, schema in document["components"]["schemas"].items():
        assert re.fullmatch(r"[A-Z][A-Za-z0-9]*", name), name
        assert "title" not in schema, name
    assert [place for place, schema in properties(document) if "title" in schema] == []
    lowered = Counter(name.lower() for name in document["components"]["schemas"])
    assert [name for name, count in lowered.items() if count > 1] == []


def test_two_schemas_of_one_name_are_found_out() -> None:
    first = type("Twin", (Output,), {"__annotations__": {"a": int}, "__module__": "one"})
    second = type("Twin", (Output,), {"__annotations__": {"b": int}, "__module__": "two"})
    with pytest.raises(RuntimeError, match="same name"):
        components.schemas_of([first, second])


def test_what_may_be_left_out_is_needed_by_no_client(document: Document) -> None:
    """Generators take a field with a `default` for one that is always there, and so for one that has to be given."""
    schemas = document["components"]["schemas"]
    taken = {one.__name__ for one in _subclasses(Input)} & set(schemas)
    assert len(taken) > 30
    defaults = [
        f"{name}.{field}"
        for name in sorted(taken)
        for field, schema in schemas[name].get("properties", {}).items()
        if "default" in schema
    ]
    assert defaults == []
    nulls = [place for place, schema in properties(document) if schema.get("default", ...) is None]
    assert nulls == []
    assert "By default `warning`" in schemas["AlertIn"]["properties"]["severity"]["description"].replace('"', "")


def test_what_an_answer_always_has_is_said_to_be_there(document: Document) -> None:
    schemas = document["components"]["schemas"]
    by_name = {one.__name__: one for one in _subclasses(Output)}
    for name in sorted(set(by_name) & set(schemas)):
        fields = set(schemas[name].get("properties", {}))
        if issubclass(by_name[name], SparseOutput):
            fields -= {field for field, info in by_name[name].model_fields.items() if not info.is_required()}
        assert set(schemas[name].get("required", ())) == fields, name


def test_the_old_names_of_a_silence_s_fields_are_deprecated(document: Document) -> None:
    fields = document["components"]["schemas"]["AlertSilenceOut"]["properties"]
    deprecated = {name for name, schema in fields.items() if schema.get("deprecated")}
    assert deprecated == {"by_name", "hushing", "hushed"}
    assert {"created_by_name", "silencing_now", "silenced_count"} <= fields.keys()


def test_the_severities_that_are_taken_are_listed(document: Document) -> None:
    schemas = document["components"]["schemas"]
    for name in ("AlertIn", "AlertFields"):
        assert schemas[name]["properties"]["severity"]["enum"] == ["critical", "error", "warning", "info", "debug"]
    # What is answered may be a word of another time: enumerations of answers are open.
    assert "enum" not in schemas["AlertOut"]["properties"]["severity"]


def test_times_are_said_to_be_times(document: Document) -> None:
    told = document["components"]["schemas"]["MessageOut"]["properties"]
    assert told["created_at"] == {"type": "string", "format": "date-time"}
    assert {"type": "string", "format": "date-time"} in told["sent_at"]["anyOf"]


def test_a_body_may_be_left_out_where_none_of_its_fields_is_needed(document: Document) -> None:
    bodies = {
        one["operationId"]: one["requestBody"]["required"] for one in operations(document) if "requestBody" in one
    }
    assert {bodies[name] for name in ("login", "reportEvent", "uploadFile")} == {True}
    assert {bodies[name] for name in ("snoozeAlert", "resolveAlert", "registerBotWebhook")} == {False}


def test_query_parameters_are_plain(document: Document) -> None:
    seen = 0
    for operation in operations(document):
        for parameter in operation["parameters"]:
            schema = parameter["schema"]
            seen += 1
            assert {"type": "null"} not in schema.get("anyOf", []), parameter
            assert schema.get("default", ...) is not None, parameter
            assert "title" not in schema, parameter
    assert seen > 100


def test_every_body_and_answer_in_json_has_an_example_that_its_schema_allows(document: Document) -> None:
    count = 0
    for where, _, media_type, content in contents(document):
        if media_type != "application/json":
            continue
        count += 1
        assert "example" in content, where
        schema = content["schema"] | {"components": document["components"]}
        faults = [fault.message for fault in OAS31Validator(schema).iter_errors(content["example"])]
        assert faults == [], (where, content["example"])
    assert count > 500


def test_every_example_says_something(document: Document) -> None:
    empty = [
        where for where, _, _, content in contents(document) if examples.MISSING in texts_of(content.get("example"))
    ]
    assert empty == []


def test_every_request_s_example_is_taken_by_its_schema(app: Flask, document: Document) -> None:
    specs: dict[str, Any] = {
        operation_ids.operation_id(name): getattr(view, "_spec", {}) for name, view in app.view_functions.items()
    }
    count = 0
    for operation in operations(document):
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is None:
            continue
        count += 1
        specs[operation["operationId"]]["body"].model_validate(content["example"])
    assert count > 40


def test_errors_have_an_example_of_their_status(document: Document) -> None:
    for where, request, _, content in contents(document):
        status = where.rpartition(" ")[2]
        if request or status[0] == "2":
            continue
        assert content["schema"]["$ref"].endswith("/ErrorAnswer"), where
        assert set(content["example"]["error"]) == {"code", "message", "detail"}, where
    answers = {one["operationId"]: set(one["responses"]) for one in operations(document)}
    assert {"202", "400", "401", "403", "409", "413", "415", "422", "429", "503"} <= answers["reportEvent"]
    assert "404" in answers["getEvent"]


def test_what_is_no_json_and_no_text_is_bytes(document: Document) -> None:
    for where, _, media_type, content in contents(document):
        if media_type in ("application/json", "text/plain", "text/csv", "text/event-stream"):
            continue
        if media_type in ("multipart/form-data", "application/x-www-form-urlencoded"):
            assert "$ref" in content["schema"], where
            continue
        assert media_type == "application/octet-stream", where
        assert content["schema"] == {"type": "string", "format": "binary"}, where


def _subclasses(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for one in model.__subclasses__():
        yield one
        yield from _subclasses(one)
