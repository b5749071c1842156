"""Imports of contacts."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from apiflask.fields import UploadFile
from pydantic import Field, StrictBool, StringConstraints, model_validator

from backend.http.schemas.base import Id, Input, Instant, Output
from backend.http.schemas.contacts import Region, TagName
from backend.http.schemas.posts import left_out

UpdateBy = Literal["phone", "email", "telegram_username"]
Delimiter = Annotated[str, StringConstraints(min_length=1, max_length=1, pattern=r'^[^"\r\n\x00A-Za-z0-9]$')]


class ContactImportIn(Input):
    """A file of contacts: `file` as multipart/form-data, or the `file_id` of an uploaded one, also as JSON."""

    takes_json: ClassVar[bool] = True
    file: UploadFile | None = Field(default=None, description="CSV, XLSX or vCard, at most 100 MB")
    file_id: Id | None = Field(default=None, description="Of `POST /api/files`", examples=[None])

    @model_validator(mode="after")
    def _one_source(self) -> ContactImportIn:
        if (self.file is None) == (self.file_id is None):
            raise ValueError("Send either a file or a file_id.")
        return self


class ContactImportChange(Input):
    """How the file is read and meets the contacts; what is left out stays. The file is checked again."""

    mapping: dict[str, str | None] = Field(
        default_factory=dict,
        max_length=1000,
        description="By the column's name: a field of contacts, the key of a custom field, tags, consent_at,"
        " consent_source, do_not_contact, or null",
        examples=[{"Mobile": "phone", "Notes": None}],
        json_schema_extra=left_out,
    )
    region: Region | None = Field(
        default=None, description="How national phone numbers are read", json_schema_extra=left_out
    )
    mode: Literal["create", "update", "both"] = Field(default="both", json_schema_extra=left_out)
    update_by: list[UpdateBy] = Field(
        default=["phone"],
        min_length=1,
        max_length=3,
        description="By what a contact that is there is recognised, the first match counts",
        json_schema_extra=left_out,
    )
    overwrite: StrictBool = Field(
        default=False, description="Whether filled fields are replaced", json_schema_extra=left_out
    )
    encoding: str | None = Field(
        default=None, max_length=20, description="null: found out again", examples=["cp949"], json_schema_extra=left_out
    )
    delimiter: Delimiter | None = Field(default=None, examples=[";"], json_schema_extra=left_out)
    header_row: int | None = Field(
        default=None,
        ge=0,
        le=50,
        description="Its line; 0 where there is none",
        examples=[1],
        json_schema_extra=left_out,
    )
    tags: list[TagName] = Field(
        default_factory=list, max_length=20, description="For everybody in the file", json_schema_extra=left_out
    )


class ImportColumn(Output):
    """A column of the file."""

    name: str
    samples: list[str] = Field(description="Its cells in the first three rows", examples=[["010-2000-0001"]])
    field: str | None = Field(description="What it holds, guessed or chosen", examples=["phone"])


class ImportProgress(Output):
    """How far it is."""

    rows_done: int
    rows_total: int | None = Field(description="Known once the file was checked")


class ImportIssue(Output):
    """What is wrong with a cell, a row or the file."""

    line: int | None
    column: str | None
    code: str = Field(examples=["excel_number"])
    value: str = Field(examples=["8.21012E+11"])
    hint: str = Field(examples=["Excel shortened this number."])


class ImportReport(Output):
    """What the check found, or the run did; the same counts."""

    rows: int = 0
    create: int = 0
    update: int = 0
    unchanged: int = 0
    same_person: int = Field(default=0, description="Rows about somebody of an earlier row")
    skipped: int = Field(default=0, description="Rows that the mode passes over")
    rejected: int = Field(default=0, description="Rows without an identifier of their own")
    suppressed: int = Field(default=0, description="Rows whose person must not be written to")
    errors: list[ImportIssue] = Field(default_factory=list, description="The first 500")
    errors_total: int = 0
    warnings: list[ImportIssue] = Field(default_factory=list, description="The first 500")
    warnings_total: int = 0
    ignored: int = Field(default=0, description="Footers below the table")
    suppressions: int = Field(default=0, description="Identifiers that the run suppressed")
    consents: int = Field(default=0, description="Consents that the run recorded")
    kept: int = Field(default=0, description="After an undo: new contacts that stay, as somebody worked with them")
    consents_withdrawn: int = Field(default=0, description="After an undo: counter-entries")
    suppressions_kept: int = Field(default=0, description="After an undo: suppressions that stay")


class ContactImportOut(Output):
    """An import."""

    id: int
    state: str = Field(
        description="reading, mapping, checked, running, done, failed, canceled or undone", examples=["checked"]
    )
    task: str | None = Field(description="What is being done: read, check, run, undo or clean", examples=[None])
    error: str | None
    filename: str
    size: int
    format: str | None = Field(description="csv, xlsx or vcard")
    encoding: str | None
    delimiter: str | None
    header_row: int | None
    columns: list[ImportColumn]
    region: str | None
    mode: str = Field(examples=["both"])
    update_by: list[str] = Field(examples=[["phone"]])
    overwrite: bool
    tags: list[str] = Field(examples=[["Fair 2026"]])
    progress: ImportProgress
    report: ImportReport | None
    created_at: Instant
    run_at: Instant | None
    ended_at: Instant | None
    undo_until: Instant | None


class ContactImportListed(Output):
    """An import in a list."""

    id: int
    state: str = Field(examples=["done"])
    filename: str
    size: int
    progress: ImportProgress
    counts: dict[str, Any] = Field(examples=[{"create": 10}])
    created_at: Instant
    ended_at: Instant | None
    undo_until: Instant | None


class ContactImports(Output):
    """A page of imports, newest first."""

    imports: list[ContactImportListed]
    next_cursor: str | None
