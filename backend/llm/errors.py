"""Why there is no answer of a model."""

from __future__ import annotations

from typing import Final, Literal

Code = Literal[
    "auth",
    "quota",
    "rate_limited",
    "timeout",
    "server_error",
    "content_filter",
    "refused",
    "empty",
    "malformed",
    "context_too_long",
]

SPENT: Final = frozenset({"content_filter", "refused", "empty", "malformed"})
"""Failures after which the server has probably charged for what it read."""


class ModelFailed(Exception):
    """There is no answer. `code` is one of `Code`; `detail` is what the server said, shortened and without its key.

    `usage` is what was charged, where the server says it: (tokens read, tokens written).
    """

    def __init__(self, code: Code, detail: str = "", *, usage: tuple[int, int] | None = None) -> None:
        super().__init__(code)
        self.code: Code = code
        self.detail = detail
        self.usage = usage

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}" if self.detail else self.code
