"""The Graph API over HTTP: one call, one answer or one of the five errors.

The token goes into a header, so that no address holds it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from requests_toolbelt.multipart.encoder import MultipartEncoder  # type: ignore[import-untyped]

from backend.channels.errors import OutcomeUnknown, Rejected, RetryLater, SenderDisabled
from backend.channels.meta_pages import errors
from backend.channels.transport import Answer, Timeouts, Transport
from backend.core.egress.answers import read_json
from backend.core.errors import NotFound, Unavailable

_TOKEN = re.compile(r"[A-Za-z0-9_\-.|]{8,1024}")
_VERSION = re.compile(r"v\d{1,3}\.\d")
_STORAGE_WAIT = 30.0
PATIENCE = Timeouts(connect=5.0, read=30.0, total=30.0)


class GraphClient:
    """Calls the Graph API at `base_url` in one version, with one token, from any number of threads."""

    def __init__(
        self, base_url: str, version: str, token: str, *, pool_size: int = 4, timeouts: Timeouts | None = None
    ) -> None:
        if not _VERSION.fullmatch(version):
            raise ValueError("a version of the Graph API looks like v26.0")
        self._root = f"{base_url.rstrip('/')}/{version}"
        self._token = token
        self._timeouts = timeouts or PATIENCE
        self._transport = Transport(pool_size=pool_size)

    def get(self, path: str, fields: str) -> dict[str, Any]:
        """Reads an object's fields. Raises one of the five errors; asking again is always safe."""
        return self._result(
            self._transport.exchange(
                "GET", f"{self._root}/{path}?fields={fields}", headers=self._headers(), timeouts=self._timeouts
            ),
            publishes=False,
        )

    def post(
        self, path: str, params: Mapping[str, Any], *, publishes: bool = False, deadline: float = float("inf")
    ) -> dict[str, Any]:
        """Calls an edge. `publishes` says that the call shows something to the world: a failure of the Graph API's own
        is then an unknown outcome, and not a reason to try again. Nothing is written at or after `deadline`
        (`time.monotonic()`). Raises one of the five errors."""
        fields = {name: value for name, value in params.items() if value is not None}
        answer = self._transport.exchange(
            "POST",
            f"{self._root}/{path}",
            json=fields,
            headers=self._headers(),
            timeouts=self._timeouts,
            deadline=deadline,
        )
        return self._result(answer, publishes=publishes)

    def upload(
        self, path: str, params: Mapping[str, str], filename: str, mime: str, opener: Callable[[], BinaryIO]
    ) -> dict[str, Any]:
        """Calls an edge that takes a file as the form field `source`, read piece by piece. Raises one of the five
        errors; nothing that is uploaded is shown by this call."""
        try:
            file = opener()
        except (FileNotFoundError, NotFound):
            raise Rejected("file_missing") from None
        except (OSError, Unavailable):
            raise RetryLater(_STORAGE_WAIT, "storage_failed") from None
        with file:
            body = MultipartEncoder(fields={**params, "source": (filename, file, mime)})
            answer = self._transport.exchange(
                "POST", f"{self._root}/{path}", body=body, headers=self._headers(), timeouts=self._timeouts
            )
        return self._result(answer, publishes=False)

    def _headers(self) -> dict[str, str]:
        if not _TOKEN.fullmatch(self._token):
            raise SenderDisabled("token_malformed")
        return {"Authorization": f"Bearer {self._token}"}

    @staticmethod
    def _result(answer: Answer, *, publishes: bool) -> dict[str, Any]:
        try:
            body = read_json(answer.body)
        except ValueError:
            body = None
        if isinstance(body, dict) and 200 <= answer.status < 300 and "error" not in body:
            return body
        if body is None and 200 <= answer.status < 300:
            raise OutcomeUnknown("unreadable_answer")
        raise errors.from_answer(
            answer.status, body, publishes=publishes, retry_after=answer.headers.get("retry-after")
        )
