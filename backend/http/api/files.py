"""Files: uploaded to be attached, and given back as downloads only."""

from __future__ import annotations

from typing import Any, BinaryIO, Final, cast

from apiflask import APIBlueprint
from flask import Response, send_file

from backend.http import guards
from backend.http.guards import access
from backend.http.schemas.files import FileIn, FileOut
from backend.services import files

bp = APIBlueprint("files", __name__, url_prefix="/api/files", tag="Files")

_CONTENT: Final = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
_FILE: Final[dict[Any, Any]] = {200: {"description": "The file", "content": _CONTENT}}
_FORM: Final = 64 * 1024
"""Room for what multipart puts around the file."""


@bp.post("")
@access("operator", idempotent=True, max_body=files.MAX_DOCUMENT + _FORM)
@bp.input(FileIn, location="files")
@bp.output(FileOut, status_code=201)
def upload(files_data: FileIn) -> Any:
    """Upload a file

    What it is, is read from its content. At most 50 MB; a photo may have 10 MB.
    """
    stream = cast(BinaryIO, files_data.file.stream)
    return files.upload(guards.attribution(), files_data.file.filename, stream)


@bp.get("/<int:file_id>/info")
@access()
@bp.output(FileOut)
def info(file_id: int) -> Any:
    """Show what is known of a file"""
    return files.get(file_id)


@bp.get("/<int:file_id>")
@access()
@bp.doc(responses=_FILE)
def download(file_id: int) -> Response:
    """Download a file

    Always as an attachment; a browser is told neither to show nor to guess it.
    """
    file = files.get(file_id)
    # The name is a person's, the type our own reading of the content: neither lets a browser run it here.
    response = send_file(
        files.open_file(file),
        mimetype=file.mime,
        as_attachment=True,
        download_name=file.filename,
        conditional=False,
        etag=False,
    )
    response.headers["Content-Length"] = str(file.size)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response
