"""The parameters of a Bot API call, whichever way they came (query, form, multipart, JSON), read with
Telegram's leniency.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any

import orjson

from simulator.errors import ApiError, bad_request
from simulator.model import Bot

_NUMBER = re.compile(r"\s*([+-]?[0-9]{1,19})")
_BITS = 63


def whole_number(value: Any, default: int = 0) -> int:
    """What a JSON value or a text begins with as a number of 64 bits; the default for anything else."""
    match = _NUMBER.match(str(value))
    number = int(match[1]) if match else default
    return number if -(2**_BITS) <= number < 2**_BITS else default


@dataclass(slots=True)
class Upload:
    """A file in a multipart body."""

    name: str
    mime_type: str
    data: bytes


@dataclass(slots=True)
class Call:
    """One call of a method by a bot. `cost` is how many messages it sent, for the log."""

    bot: Bot
    method: str
    values: dict[str, Any]
    files: dict[str, Upload] = field(default_factory=dict)
    fetched: dict[str, Upload | ApiError] = field(default_factory=dict)
    via: str = "http"
    cost: int = 0
    chat_id: int = 0
    message_id: int = 0
    message_ids: list[int] = field(default_factory=list)
    text: str | None = None
    markup: Any = None

    def string(self, name: str, default: str = "") -> str:
        """A text; numbers and booleans in JSON count as text."""
        value = self.values.get(name)
        if value is None:
            return default
        if isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, (int, float)):
            return str(value)
        return orjson.dumps(value).decode()

    def integer(self, name: str, default: int = 0) -> int:
        """A whole number; what is none counts as the default."""
        value = self.values.get(name)
        if isinstance(value, bool) or value is None:
            return default
        return whole_number(value, default)

    def boolean(self, name: str) -> bool:
        """True for true, "true", "yes", "1" and 1."""
        return self.string(name).strip().lower() in ("true", "yes", "1")

    def structure(self, name: str, what: str) -> Any:
        """A JSON value, itself or serialized as text; None when absent. Raises ApiError 400 naming `what`."""
        value = self.values.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            return value
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            raise bad_request(f"can't parse {what} JSON object") from None

    def listed(self, name: str, what: str) -> list[Any] | None:
        """A JSON array; None when absent. Raises ApiError 400 for anything else."""
        value = self.structure(name, what)
        if value is not None and not isinstance(value, list):
            raise bad_request(f"expected an Array of {what}")
        return value

    def logged(self) -> dict[str, Any]:
        """The parameters for the log: files by name, size and hash, a webhook's secret hidden."""
        if not self.files and "secret_token" not in self.values:
            return self.values
        shown = dict(self.values)
        if "secret_token" in shown:
            shown["secret_token"] = "***"  # noqa: S105 - hidden
        for name, upload in self.files.items():
            digest = hashlib.sha256(upload.data).hexdigest()
            shown[name] = {"file_name": upload.name, "size": len(upload.data), "sha256": digest}
        return shown
