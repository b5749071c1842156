"""Every answer that is not a success, in one shape: `{"error": {"code", "message", "detail"}}`.

The only place where errors become HTTP. An unexpected exception is logged with its traceback under the request's id and
answered without any of it.
"""

from __future__ import annotations

import re
from http import HTTPStatus

from apiflask import APIFlask, HTTPError
from flask import Response, jsonify, request
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from backend.core import errors, storage
from backend.core.errors import AppError
from backend.core.logging import get_logger
from backend.http.bodies import discard_rest

log = get_logger(__name__)

BY_STATUS: dict[int, type[AppError]] = {
    kind.status: kind
    for kind in (
        errors.BadRequest,
        errors.Unauthorized,
        errors.Forbidden,
        errors.NotFound,
        errors.MethodNotAllowed,
        errors.Conflict,
        errors.TooLarge,
        errors.UnsupportedMedia,
        errors.Invalid,
        errors.TooManyRequests,
        errors.Unavailable,
        errors.StorageFull,
    )
}


def answer(error: AppError) -> Response:
    """The response for an error. Views return it where what they stored has to stay; otherwise they raise."""
    if error.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.REQUEST_ENTITY_TOO_LARGE):
        discard_rest(request)
    response = jsonify(error.to_json())
    response.status_code = error.status
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    if error.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def register(app: APIFlask) -> None:
    """Installs the handlers."""
    app.register_error_handler(AppError, answer)
    app.register_error_handler(HTTPError, _from_apiflask)
    app.register_error_handler(HTTPException, _from_werkzeug)
    app.register_error_handler(OperationalError, _database_away)
    app.register_error_handler(InterfaceError, _database_away)
    app.register_error_handler(PoolTimeout, _database_away)
    app.register_error_handler(OSError, _machine_refuses)
    app.register_error_handler(Exception, _unexpected)


def _from_apiflask(error: HTTPError) -> Response:
    kind = BY_STATUS.get(error.status_code, errors.BadRequest)
    return answer(kind(message=error.message or None, detail=error.detail or None))


def _from_werkzeug(error: HTTPException) -> Response:
    status = error.code or 500
    if status < 400:
        return Response(headers=error.get_headers(), status=status)
    kind = BY_STATUS.get(status)
    if kind is not None:
        response = answer(kind())
    else:
        phrase = error.name
        code = re.sub(r"[^a-z]+", "_", phrase.lower()).strip("_")
        response = jsonify({"error": {"code": code, "message": f"{phrase}.", "detail": None}})
        response.status_code = status
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after", "content-range"):
            response.headers[name] = value
    return response


def _database_away(error: Exception) -> Response:
    log.error("database_unavailable", kind=type(error).__name__, path=request.path, exc_info=error)
    return answer(errors.Unavailable("database_unavailable", retry_after=2))


def _machine_refuses(error: OSError) -> Response:
    """No room for an upload's temporary file, or no file handles left: nothing of the request's own doing."""
    if not storage.is_machine_fault(error):
        return _unexpected(error)
    log.error("machine_out_of_resources", errno=error.errno, path=request.path)
    return answer(storage.storage_fault(error))


def _unexpected(error: Exception) -> Response:
    log.error("unexpected_error", kind=type(error).__name__, method=request.method, path=request.path, exc_info=error)
    return answer(AppError())
