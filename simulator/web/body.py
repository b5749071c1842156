"""Reading requests to the control API, and answering them: one shape for bodies, results and errors."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import orjson
from aiohttp import web

from simulator.engine import Engine
from simulator.errors import ApiError, ControlError, invalid
from simulator.parameters import Upload
from simulator.web.bot_api import ENGINE

Kind = TypeVar("Kind")
_MISSING = object()
NUMBER = re.compile(r"-?[0-9]{1,19}")


class Body:
    """The JSON object (or form) of a request, read field by field. Every reader raises ControlError 422."""

    def __init__(self, values: dict[str, Any], files: dict[str, Upload] | None = None) -> None:
        self.values = values
        self.files = files or {}

    def get(self, name: str, kind: type[Kind], default: Any = _MISSING) -> Kind:
        """A field of one type; required unless there is a default."""
        value = self.values.get(name)
        if value is None:
            if default is _MISSING:
                raise invalid(f"{name} is required")
            return default  # type: ignore[no-any-return]
        if kind is int and isinstance(value, str) and NUMBER.fullmatch(value):
            value = int(value)
        if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
            raise invalid(f"{name} must be of type {kind.__name__}")
        return value

    def reference(self, name: str) -> int | str | None:
        """An id or a username; None when absent."""
        value = self.values.get(name)
        if value is None or (isinstance(value, (int, str)) and not isinstance(value, bool)):
            return value
        raise invalid(f"{name} must be an id or a username")

    def upload(self) -> Upload:
        """The file: a multipart part `file`, or `content` (base64) with `file_name` and `mime_type`."""
        if "file" in self.files:
            return self.files["file"]
        try:
            data = base64.b64decode(self.get("content", str), validate=True)
        except binascii.Error:
            raise invalid("content must be base64") from None
        return Upload(self.get("file_name", str, "file.bin"), self.get("mime_type", str, ""), data)


async def read(request: web.Request) -> Body:
    """The body of a request; an empty one is an empty object."""
    if request.content_type == "multipart/form-data":
        values: dict[str, Any] = {}
        files: dict[str, Upload] = {}
        for name, value in (await request.post()).items():
            if isinstance(value, web.FileField):
                files[name] = Upload(value.filename, value.content_type, value.file.read())
            else:
                values[name] = value
        return Body(values, files)
    content = await request.read()
    if not content.strip():
        return Body({})
    try:
        given = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise ControlError(400, "unparsable", "the body is not JSON") from None
    if not isinstance(given, dict):
        raise invalid("the body must be an object")
    return Body(given)


Action = Callable[[Engine, Body, web.Request], Any]


def answering(action: Action) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """A handler around an action: its result as JSON, or the error in the control API's shape."""

    async def handler(request: web.Request) -> web.StreamResponse:
        try:
            result = action(request.app[ENGINE], await read(request), request)
            if isinstance(result, Awaitable):
                result = await result
        except ControlError as error:
            return reply({"error": {"code": error.code, "message": error.message}}, error.status)
        except ApiError as error:
            return reply({"error": {"code": "invalid", "message": error.description}}, 422)
        if isinstance(result, web.StreamResponse):
            return result
        return reply(result)

    return handler


def reply(value: Any, status: int = 200) -> web.Response:
    """A JSON answer."""
    body = value if isinstance(value, bytes) else orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    return web.Response(body=body, status=status, content_type="application/json")
