"""The refusals of the Graph API, in its own shape."""

from __future__ import annotations

from typing import Any


class GraphError(Exception):
    """A call that Meta would refuse: HTTP status, `code`, perhaps a subcode, and the words for people."""

    def __init__(
        self, status: int, code: int, message: str, *, subcode: int = 0, details: str = "", transient: bool = False
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.subcode = subcode
        self.details = details
        self.transient = transient

    def body(self, platform: str = "") -> dict[str, Any]:
        """The JSON object that a client receives; `platform` is named where the call was one of WhatsApp's."""
        error: dict[str, Any] = {
            "message": f"(#{self.code}) {self.message}",
            "type": "OAuthException",
            "code": self.code,
            "fbtrace_id": "SIMULATED",
        }
        if self.subcode:
            error["error_subcode"] = self.subcode
        if self.details:
            error["error_data"] = {"messaging_product": platform, "details": self.details}
            if not platform:
                del error["error_data"]["messaging_product"]
        if self.transient:
            error["is_transient"] = True
        return {"error": error}


def bad_parameter(message: str, details: str = "") -> GraphError:
    """400, code 100: something in the call is missing or malformed."""
    return GraphError(400, 100, message, details=details)


def no_object(object_id: str) -> GraphError:
    """400, code 100 subcode 33: no such object, or the token may not see it."""
    message = f"Unsupported request. Object with ID '{object_id}' does not exist, or cannot be loaded"
    return GraphError(400, 100, message, subcode=33)


def no_permission(scope: str) -> GraphError:
    """403, code 200: the token lacks a scope."""
    return GraphError(403, 200, f"Requires {scope} permission to manage the object")
