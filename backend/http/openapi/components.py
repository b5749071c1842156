"""The schemas of the document: one for each Pydantic model that a view takes or answers, under its class's name.

APIFlask writes a model's inner models once for every outer one (`AlertDetail.AlertOut`), which generators cannot tell
apart. Here all models are written together, so that each stands there once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from backend.http.schemas.base import Input

REFERENCE: Final = "#/components/schemas/{model}"


class _Untitled(GenerateJsonSchema):
    """Leaves out the titles: a generator that finds one takes it for the name of a class, and many fields share one."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never."""
        return False


def schemas_of(models: Iterable[type[BaseModel]]) -> dict[str, Any]:
    """The schemas of these models and all inside them, by class name. Raises RuntimeError where two share a name."""
    wanted: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        (model, "validation" if issubclass(model, Input) else "serialization") for model in dict.fromkeys(models)
    ]
    _, together = models_json_schema(wanted, ref_template=REFERENCE, schema_generator=_Untitled)
    definitions: dict[str, Any] = together.get("$defs", {})
    shared = sorted(name for name in definitions if not name.isidentifier() or "__" in name)
    if shared:
        raise RuntimeError(f"several schemas have the same name: {', '.join(shared)}")
    taken = {model.__name__ for model in _subclasses(Input)}
    for name, schema in definitions.items():
        schema.pop("title", None)
        _without_defaults(schema, is_taken=name in taken)
    return definitions


def plain_parameter(parameter: dict[str, Any]) -> None:
    """Brings a query parameter's schema into its plain form: no title, and no null, which an address cannot say."""
    schema = parameter.get("schema", {})
    schema.pop("title", None)
    if schema.get("default", ...) is None:
        del schema["default"]
    options = [option for option in schema.get("anyOf", ()) if option != {"type": "null"}]
    if len(options) == 1:
        del schema["anyOf"]
        parameter["schema"] = options[0] | schema
    if parameter["schema"].get("examples") == [None]:
        del parameter["schema"]["examples"]


def _subclasses(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for subclass in model.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


def _without_defaults(schema: dict[str, Any], is_taken: bool) -> None:
    """Says in words what a field is when left out: a generator takes a field with `default` for one always there."""
    for field in schema.get("properties", {}).values():
        if "default" not in field:
            continue
        value = field.pop("default")
        if is_taken and value not in (None, [], {}):
            text = f"By default `{json.dumps(value, ensure_ascii=False)}`"
            field["description"] = f"{field['description']}. {text}" if "description" in field else text
