"""The errors a service raises when it cannot do what was asked.

Each class stands for one answer a client can get; `code` is the stable, machine-readable name of the reason,
`message` is public text for a person. Neither may hold a secret or a message body. The mapping to HTTP is
made in one place, in `http`; nothing here knows Flask.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

FieldError = dict[str, Any]
"""What is wrong with one field: `field` (its path), `code`, `message`, and what a reader may need besides."""


def field_error(field: str, code: str, message: str) -> FieldError:
    """What is wrong with one field, as an entry of `detail`."""
    return {"field": field, "code": code, "message": message}


class AppError(Exception):
    """A refusal with a public reason.

    `status` is the HTTP status it becomes; `code` and `message` on the class are the defaults. `detail` is
    any JSON-serialisable addition (for instance field errors), `retry_after` whole seconds after which the
    same request may succeed.
    """

    status: ClassVar[int] = 500
    code: str = "internal_error"
    message: str = "Something went wrong."

    def __init__(
        self,
        code: str | None = None,
        message: str | None = None,
        *,
        detail: object = None,
        retry_after: int | None = None,
    ) -> None:
        self.code = code or type(self).code
        self.message = message or type(self).message
        self.detail = detail
        self.retry_after = retry_after
        super().__init__(self.code, self.message)

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"

    def __reduce__(self) -> tuple[object, ...]:
        # The default calls the class with `args` alone: detail and retry_after would not survive pickling.
        return (_rebuild, (type(self), self.code, self.message, self.detail, self.retry_after))

    def to_json(self) -> dict[str, dict[str, object]]:
        """The body of the answer: `{"error": {"code", "message", "detail"}}`."""
        return {"error": {"code": self.code, "message": self.message, "detail": self.detail}}


def _rebuild(kind: type[AppError], code: str, message: str, detail: object, retry_after: int | None) -> AppError:
    return kind(code, message, detail=detail, retry_after=retry_after)


class BadRequest(AppError):
    """400: the request cannot be parsed."""

    status = 400
    code = "bad_request"
    message = "The request could not be understood."


class Unauthorized(AppError):
    """401: no credentials, or ones that are not valid."""

    status = 401
    code = "unauthorized"
    message = "Valid credentials are required."


class Forbidden(AppError):
    """403: known, but not allowed."""

    status = 403
    code = "forbidden"
    message = "You are not allowed to do this."


class NotFound(AppError):
    """404: absent, or another workspace's; the two are not told apart."""

    status = 404
    code = "not_found"
    message = "There is no such thing here."


class MethodNotAllowed(AppError):
    """405: the address exists, the method does not."""

    status = 405
    code = "method_not_allowed"
    message = "This address does not take that method."


class Conflict(AppError):
    """409: the present state does not allow it."""

    status = 409
    code = "conflict"
    message = "This conflicts with the present state."


class TooLarge(AppError):
    """413: more than is accepted."""

    status = 413
    code = "too_large"
    message = "That is larger than what is accepted."


class UnsupportedMedia(AppError):
    """415: a content type that is not accepted."""

    status = 415
    code = "unsupported_media_type"
    message = "This type of content is not accepted."


class Invalid(AppError):
    """422: parsed, but not valid; `detail` is a list of what is wrong, field by field, where it belongs to fields."""

    status = 422
    code = "invalid"
    message = "Some values are not valid."

    @classmethod
    def of(cls, field: str, code: str, message: str) -> Invalid:
        """The error for one field, under the field's own code. `field` is a path, as `attachment.url` or `media.0`."""
        return cls(code, message, detail=[field_error(field, code, message)])

    @classmethod
    def of_fields(cls, errors: Iterable[FieldError]) -> Invalid:
        """The error for several fields, or for one that is told under the general code `invalid`."""
        return cls(detail=list(errors))

    def field_errors(self) -> list[FieldError]:
        """What is wrong, field by field; empty where it belongs to no field."""
        return list(self.detail) if isinstance(self.detail, list) else []


class TooManyRequests(AppError):
    """429: over a limit; `retry_after` says when to come back."""

    status = 429
    code = "too_many_requests"
    message = "Too many requests; try again later."


class Unavailable(AppError):
    """503: something this depends on is away for the moment."""

    status = 503
    code = "unavailable"
    message = "This is not available at the moment; try again shortly."


class StorageFull(AppError):
    """507: there is no room for what was sent; nothing of it was kept."""

    status = 507
    code = "storage_full"
    message = "There is no room left to store this."
