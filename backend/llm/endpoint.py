"""Where a model is asked: the address before `/chat/completions`, the key, the model's name."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit, urlunsplit

_PATH: Final = "/chat/completions"
_KEY: Final = re.compile(r"[\x21-\x7e]{1,1024}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`allow_private` is for an address of the environment, which may be on this machine."""

    base_url: str
    model: str
    key: str = field(default="", repr=False)
    allow_private: bool = False

    @property
    def url(self) -> str:
        """The address that is asked. An address that has no path gets `/v1`, as most servers have; one that already
        ends in `/chat/completions` is taken as it is; a query (Azure's `api-version`) stays."""
        parts = urlsplit(self.base_url.strip())
        path = parts.path.rstrip("/")
        if path.endswith(_PATH):
            path = path.removesuffix(_PATH)
        elif not path:
            path = "/v1"
        return urlunsplit((parts.scheme, parts.netloc, path + _PATH, parts.query, ""))

    @property
    def name(self) -> tuple[str, str]:
        """What servers' peculiarities are remembered by."""
        return self.url, self.model

    @property
    def headers(self) -> dict[str, str]:
        """What proves who asks; nothing where there is no key, or one that no header can hold."""
        if not _KEY.fullmatch(self.key):
            return {}
        host = urlsplit(self.base_url).hostname or ""
        # Azure's resources know keys by this header only.
        return {"api-key": self.key} if host.endswith(".azure.com") else {"authorization": f"Bearer {self.key}"}
