"""The errors of the Bot API, with Telegram's own codes and wording."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """A call that Telegram would refuse: HTTP status, the public description, and optional parameters."""

    def __init__(self, code: int, description: str, parameters: dict[str, Any] | None = None) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.parameters = parameters

    def body(self) -> dict[str, Any]:
        """The JSON object a client receives."""
        answer: dict[str, Any] = {"ok": False, "error_code": self.code, "description": self.description}
        if self.parameters:
            answer["parameters"] = self.parameters
        return answer


def bad_request(text: str, **parameters: Any) -> ApiError:
    """400; `text` follows the words "Bad Request: "."""
    return ApiError(400, f"Bad Request: {text}", parameters or None)


def forbidden(text: str) -> ApiError:
    """403; `text` follows the word "Forbidden: "."""
    return ApiError(403, f"Forbidden: {text}")


def conflict(text: str) -> ApiError:
    """409; `text` follows the word "Conflict: "."""
    return ApiError(409, f"Conflict: {text}")


def too_many_requests(retry_after: int) -> ApiError:
    """429 with `parameters.retry_after` in whole seconds."""
    text = f"Too Many Requests: retry after {retry_after}"
    return ApiError(429, text, {"retry_after": retry_after})


class ControlError(Exception):
    """A request to the control API that makes no sense: HTTP status, a code and a sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def not_found(what: str) -> ControlError:
    """404: nothing of that name in the simulated world."""
    return ControlError(404, "not_found", f"{what} does not exist")


def invalid(message: str) -> ControlError:
    """422: the request was understood and cannot be done."""
    return ControlError(422, "invalid", message)
