"""Files of a conversation: pictures, sounds and films are shown in the page, everything else is downloaded."""

from __future__ import annotations

from typing import Final

from flask import Response, send_file

from backend.http.console.inbox import contents
from backend.http.console.kit import pages
from backend.http.console.kit.guards import actor, page
from backend.services import files
from backend.services.inbox import thread

bp = pages.blueprint("inbox_files", __name__)

_ALONE: Final = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox"
"""Where a file is opened by itself: whatever it holds, nothing of it runs."""


@bp.get("/console/inbox/<int:conversation_id>/files/<int:file_id>")
@page()
def show(conversation_id: int, file_id: int) -> Response:
    """A file of one of the conversation's messages; a part of it where the browser asks for one, as for films."""
    file = thread.file_of(actor().user_id, conversation_id, file_id)
    kind = contents.shown_as(file.mime)
    response = send_file(
        files.open_file(file),
        mimetype=file.mime,
        as_attachment=kind is None,
        download_name=file.filename,
        conditional=True,
        etag=file.sha256,
        max_age=3600,
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = _ALONE
    response.headers["Cache-Control"] = "private, max-age=3600"
    return response
