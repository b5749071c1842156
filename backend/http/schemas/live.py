"""What a live connection asks for."""

from __future__ import annotations

from pydantic import Field

from backend.http.schemas.base import Input


class LiveQuery(Input):
    """The query of `/api/live`."""

    topics: str | None = Field(
        None, description="Topics separated by commas; all without it", examples=["messages,links"]
    )
    last_event_id: str | None = Field(None, description="Where to go on; the header Last-Event-ID wins")
