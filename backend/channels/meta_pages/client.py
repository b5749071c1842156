"""The Graph API with one token, its refusals read as those of publishing calls."""

from __future__ import annotations

from backend.channels.graph.client import GraphApi
from backend.channels.graph.client import GraphClient as _GraphClient
from backend.channels.meta_pages.errors import TABLE
from backend.channels.transport import Timeouts


class GraphClient(_GraphClient):
    """Calls the Graph API at `base_url` in one version, with one token, from any number of threads."""

    def __init__(
        self, base_url: str, version: str, token: str, *, pool_size: int = 4, timeouts: Timeouts | None = None
    ) -> None:
        self._api = GraphApi(base_url, version, pool_size=pool_size, timeouts=timeouts, read_refusal=TABLE.read)
        self._token = token
