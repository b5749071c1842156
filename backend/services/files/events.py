"""Events of the files service: a fetch that was asked for has ended."""

from __future__ import annotations

from dataclasses import dataclass

from backend.core.events import Event


@dataclass(frozen=True, slots=True)
class FileFetched(Event):
    """A file is there: published before the commit that stores its row, in the workspace's scope.

    A subscriber that has no use for it any more calls `files.discard`.
    """

    owner_kind: str
    owner_id: int
    slot: int
    kind: str
    source: str
    """The address, or the provider's file id, that was asked for."""
    file_id: int


@dataclass(frozen=True, slots=True)
class FileFetchFailed(Event):
    """A file did not come and is not tried again: published in the transaction that records it, in the workspace's
    scope. `transient` says that another request, later, may fare better."""

    owner_kind: str
    owner_id: int
    slot: int
    kind: str
    source: str
    code: str
    transient: bool
