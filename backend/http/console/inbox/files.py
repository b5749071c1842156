"""Files of a conversation: pictures, sounds and films are shown in the page, everything else is downloaded."""

from __future__ import annotations

from typing import Final

from flask import Response, request, send_file

from backend.http.console.inbox import contents
from backend.http.console.kit import pages
from backend.http.console.kit.guards import actor, page
from backend.services import files
from backend.services.inbox import access

bp = pages.blueprint("inbox_files", __name__)

_ALONE: Final = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; sandbox"
"""Where a file is opened by itself: whatever it holds, nothing of it runs."""
_KEPT: Final = 3600


@bp.get("/console/inbox/<int:conversation_id>/files/<int:file_id>")
@page()
def show(conversation_id: int, file_id: int) -> Response:
    """A file of the workspace, for who may see the conversation; a part of it where the browser asks for one."""
    access.conversation(actor().user_id, conversation_id)
    file = files.get(file_id)
    response = send_file(
        files.open_file(file),
        mimetype=file.mime,
        as_attachment=contents.shown_as(file.mime) is None,
        download_name=file.filename,
        conditional=False,
        etag=file.sha256,
    )
    response.content_length = file.size
    response.make_conditional(request, accept_ranges=True, complete_length=file.size)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = _ALONE
    response.headers["Cache-Control"] = f"private, max-age={_KEPT}"
    return response
