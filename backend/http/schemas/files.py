"""Uploaded files."""

from __future__ import annotations

from apiflask.fields import UploadFile
from pydantic import Field

from backend.http.schemas.base import Input, Instant, Output


class FileIn(Input):
    """One file, as multipart/form-data."""

    file: UploadFile = Field(description="At most 50 MB")


class FileOut(Output):
    """A stored file; `mime` is what its content is, whatever it was called."""

    id: int
    filename: str
    mime: str
    size: int = Field(description="Bytes")
    sha256: str
    created_at: Instant
