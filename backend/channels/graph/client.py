"""The Graph API over HTTP: one call, one answer or one of the five errors.

The token goes into a header, so that no address holds it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO
from urllib.parse import urlencode

from requests_toolbelt.multipart.encoder import MultipartEncoder  # type: ignore[import-untyped]

from backend.channels.errors import ChannelError, OutcomeUnknown, Rejected, RetryLater, SenderDisabled
from backend.channels.graph import errors
from backend.channels.graph.errors import Refusal
from backend.channels.transport import Answer, Timeouts, Transport
from backend.core.egress.answers import read_json
from backend.core.errors import NotFound, Unavailable

_TOKEN = re.compile(r"[A-Za-z0-9_\-.|]{8,1024}")
_VERSION = re.compile(r"v\d{1,3}\.\d")
_PATH = re.compile(r"[A-Za-z0-9_.:\-]+(/[A-Za-z0-9_.:\-]+)*", re.ASCII)
_STORAGE_WAIT = 30.0
_TRUE = {True: "true", False: "false"}
PATIENCE = Timeouts(connect=5.0, read=30.0, total=30.0)

ReadRefusal = Callable[[Refusal], ChannelError]


class GraphApi:
    """The Graph API at `base_url` in one version, for any token and from any number of threads.

    `read_refusal` says what a refusal means to whoever calls; by default what it means on every platform.
    """

    def __init__(
        self,
        base_url: str,
        version: str,
        *,
        pool_size: int = 4,
        timeouts: Timeouts | None = None,
        read_refusal: ReadRefusal = errors.PLATFORM.read,
    ) -> None:
        if not _VERSION.fullmatch(version):
            raise ValueError("a version of the Graph API looks like v26.0")
        self.base_url = base_url.rstrip("/")
        self.root = f"{self.base_url}/{version}"
        self.timeouts = timeouts or PATIENCE
        self.transport = Transport(pool_size=pool_size)
        self.read_refusal = read_refusal

    def client(self, token: str) -> GraphClient:
        """The same with one token; it costs nothing to make."""
        return GraphClient.of(self, token)


class GraphClient:
    """Calls the Graph API with one token, from any number of threads. Paths are ids and words of the API; one that
    would lead elsewhere is Rejected(`bad_address`)."""

    def __init__(
        self, base_url: str, version: str, token: str, *, pool_size: int = 4, timeouts: Timeouts | None = None
    ) -> None:
        self._api = GraphApi(base_url, version, pool_size=pool_size, timeouts=timeouts)
        self._token = token

    @classmethod
    def of(cls, api: GraphApi, token: str) -> GraphClient:
        """A client over the connections of `api`."""
        client = cls.__new__(cls)
        client._api, client._token = api, token
        return client

    def get(
        self,
        path: str,
        fields: str = "",
        *,
        params: Mapping[str, str] | None = None,
        timeouts: Timeouts | None = None,
    ) -> dict[str, Any]:
        """Reads an object's fields. Raises one of the five errors; asking again is always safe."""
        asked = ({"fields": fields} if fields else {}) | dict(params or {})
        return self._call("GET", path, asked, timeouts=timeouts)

    def post(
        self,
        path: str,
        params: Mapping[str, Any],
        *,
        publishes: bool = False,
        deadline: float = float("inf"),
        timeouts: Timeouts | None = None,
    ) -> dict[str, Any]:
        """Calls an edge. `publishes` says that the call shows something to the world: a failure of the Graph API's own
        is then an unknown outcome, and not a reason to try again. Nothing is written at or after `deadline`
        (`time.monotonic()`). Raises one of the five errors."""
        given = {name: value for name, value in params.items() if value is not None}
        return self._call("POST", path, {}, given, publishes=publishes, deadline=deadline, timeouts=timeouts)

    def delete(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Removes an object or ends what an edge began. Raises one of the five errors; may be repeated."""
        return self._call("DELETE", path, dict(params or {}))

    def upload(
        self,
        path: str,
        params: Mapping[str, str],
        filename: str,
        mime: str,
        opener: Callable[[], BinaryIO],
        *,
        field: str = "source",
        deadline: float = float("inf"),
    ) -> dict[str, Any]:
        """Calls an edge that takes a file as the form field `field`, read piece by piece. Raises one of the five
        errors; nothing that is uploaded is shown by this call."""
        try:
            file = opener()
        except (FileNotFoundError, NotFound):
            raise Rejected("file_missing") from None
        except (OSError, Unavailable):
            raise RetryLater(_STORAGE_WAIT, "storage_failed") from None
        with file:
            body = MultipartEncoder(fields={**params, field: (filename, file, mime)})
            answer = self._api.transport.exchange(
                "POST",
                self._address(path),
                body=body,
                headers=self.headers(),
                timeouts=self._api.timeouts,
                deadline=deadline,
            )
        return self._result(answer, publishes=False)

    def headers(self) -> dict[str, str]:
        """The token as a header. Raises SenderDisabled for what cannot be a token."""
        if not _TOKEN.fullmatch(self._token):
            raise SenderDisabled("token_malformed")
        return {"Authorization": f"Bearer {self._token}"}

    def _call(
        self,
        method: str,
        path: str,
        query: dict[str, Any],
        json: Any = None,
        *,
        publishes: bool = False,
        deadline: float = float("inf"),
        timeouts: Timeouts | None = None,
    ) -> dict[str, Any]:
        asked = {name: _TRUE[value] if isinstance(value, bool) else value for name, value in query.items()}
        answer = self._api.transport.exchange(
            method,
            self._address(path) + (f"?{urlencode(asked, safe=',')}" if asked else ""),
            json=json,
            headers=self.headers(),
            timeouts=timeouts or self._api.timeouts,
            deadline=deadline,
        )
        return self._result(answer, publishes=publishes)

    def _address(self, path: str) -> str:
        if not _PATH.fullmatch(path) or ".." in path:
            raise Rejected("bad_address")
        return f"{self._api.root}/{path}"

    def _result(self, answer: Answer, *, publishes: bool) -> dict[str, Any]:
        try:
            body = read_json(answer.body)
        except ValueError:
            body = None
        if isinstance(body, dict) and 200 <= answer.status < 300 and "error" not in body:
            return body
        if not isinstance(body, dict) and 200 <= answer.status < 300:
            raise OutcomeUnknown("unreadable_answer")
        refusal = Refusal.of(answer.status, body, publishes=publishes, retry_after=answer.headers.get("retry-after"))
        raise self._api.read_refusal(refusal)
