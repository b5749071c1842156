"""How APIFlask reads a request into a Pydantic model here: strict about content types and text, one shape of 422."""

from __future__ import annotations

import types
from dataclasses import dataclass
from typing import Any, Union, get_args, get_origin

from apiflask.schema_adapters import registry
from apiflask.schema_adapters.pydantic import PydanticAdapter
from flask import Request, g
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError

from backend.core.errors import Invalid, UnsupportedMedia, field_error
from backend.http import bodies, tolerant_json, unknown_fields


@dataclass(frozen=True, slots=True)
class Written:
    """An answer's body that is JSON already."""

    text: bytes


class RequestAdapter(PydanticAdapter):
    """Takes the place of APIFlask's own adapter, which accepts any content type and repeats what was sent."""

    def serialize_output(self, data: Any, many: bool = False) -> Any:
        """The answer by its schema, as JSON in one pass where it can be written that way."""
        if many or isinstance(data, list | tuple):
            return super().serialize_output(data, many=many)
        model = data if isinstance(data, BaseModel) else self.model_class.model_validate(data)
        sparse = getattr(model, "leaves_out_null", False)
        try:
            return Written(model.__pydantic_serializer__.to_json(model, by_alias=True, exclude_none=sparse))
        except PydanticSerializationError:
            # A text that is no UTF-8, which only an escape can hold.
            return model.model_dump(mode="json", by_alias=True, exclude_none=sparse)

    def validate_input(self, request: Request, location: str, **kwargs: Any) -> BaseModel:
        """The model for `location`; raises BadRequest, UnsupportedMedia or Invalid."""
        if location == "json" and getattr(self.model_class, "repaired", False):
            value, g.repairs = tolerant_json.read(request)
            return self._validate(value)
        if location == "json":
            return self._validate(bodies.read_json(request))
        if location in ("query", "querystring"):
            bodies.check_pairs(request.args.items(multi=True))
            return self._validate(self._collect(request.args))
        if location == "form_and_files" and request.is_json and getattr(self.model_class, "takes_json", False):
            return self._validate(bodies.read_json(request))
        if location in ("form", "files", "form_and_files"):
            return self._validate(self._form(request))
        raise NotImplementedError(f"no views read their {location}")

    def _form(self, request: Request) -> dict[str, Any]:
        if request.mimetype not in ("", "multipart/form-data", "application/x-www-form-urlencoded"):
            raise UnsupportedMedia(message="The body has to be a form, with the content type multipart/form-data.")
        bodies.check_pairs(request.form.items(multi=True))
        bodies.check_pairs((name, upload.filename or "") for name, upload in request.files.items(multi=True))
        # What the form has and the model has not is given to it as it is, so that the model refuses it by name.
        unknown = {name: request.form[name] for name in request.form if name not in self.model_class.model_fields}
        return unknown | self._collect(request.form) | {name: request.files[name] for name in request.files}

    def _collect(self, values: Any) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for name, field in self.model_class.model_fields.items():
            key = field.alias or name
            if key in values:
                data[key] = values.getlist(key) if _is_list(field.annotation) else values[key]
        return data

    def _validate(self, data: Any) -> BaseModel:
        try:
            return self.model_class.model_validate(data)
        except ValidationError as error:
            raise refusal(error, self.model_class) from None


def refusal(error: ValidationError, model: type[BaseModel]) -> Invalid:
    """The 422 for what is wrong, field by field, without the values that were sent.

    Its code is `unknown_field` where there is such a field: a misspelled name is why another field is missing.
    """
    faults = [
        _fault(item, model) for item in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    if any(fault["code"] == unknown_fields.CODE for fault in faults):
        return unknown_fields.refusal(faults)
    return Invalid.of_fields(faults)


def _fault(item: Any, model: type[BaseModel]) -> dict[str, Any]:
    place = item["loc"]
    field = ".".join(str(part) for part in place)
    if item["type"] == "extra_forbidden":
        return unknown_fields.fault(field, str(place[-1]), unknown_fields.known_at(model, place[:-1]))
    return field_error(field, item["type"], item["msg"].removeprefix("Value error, "))


def _is_list(annotation: Any) -> bool:
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        return any(_is_list(part) for part in get_args(annotation))
    return annotation is list or origin in (list, tuple, set, frozenset)


def register() -> None:
    """Makes APIFlask use this adapter for every Pydantic model; before any view is declared."""
    registry.register("pydantic", RequestAdapter)
