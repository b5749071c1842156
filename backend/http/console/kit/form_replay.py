"""A form that was sent twice (an impatient click, a page that was opened again) acts once, with the same answer.

Each form that makes something carries a name of its own. Sent again with other contents it is another form. Buttons
carry none, and the script's requests stay on the page: they may be pressed again. What was refused may be sent again.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable
from typing import Final

from flask import Response, g, request
from werkzeug.datastructures import FileStorage

from backend.http.console.kit.sessions import CSRF_FIELD
from backend.services import idempotency
from backend.services.auth.actor import Actor

FIELD: Final = "form_id"
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def form_id() -> str:
    """A name for a form that is about to be shown."""
    return secrets.token_urlsafe(12)


def once(actor: Actor, work: Callable[[], Response], again: Callable[[str, str, str | None], Response]) -> Response:
    """Does `work` unless this form was carried out already; `again` makes its answer from address, text and undo.

    In the actor's workspace and in the work's transaction. Raises Conflict where the first is still under way.
    """
    name = request.form.get(FIELD, "") if request.method == "POST" and not request.headers.get("HX-Request") else ""
    if not _NAME.fullmatch(name):
        return work()
    digest = _digest()
    route = f"POST {request.path.rstrip('/')}"
    taken = idempotency.begin(actor.workspace_id, actor.label, route, f"{name} {digest.hex()[:32]}", digest)
    if isinstance(taken, idempotency.Answer):
        return again(taken.body["address"], taken.body["text"], taken.body["undo"])
    g.submission = taken
    response = work()
    done: tuple[str, str, str | None] | None = g.get("done")
    if done is None:
        if response.status_code < 400:  # otherwise everything is taken back anyway
            release()
    elif g.submission is not None:
        address, text, undo = done
        idempotency.finish(g.submission, idempotency.Answer(303, {"address": address, "text": text, "undo": undo}))
    return response


def release() -> None:
    """Has the form count as not sent: it had no effect, or its view commits before it is done. Such a view has to bear
    being called twice."""
    taken: int | None = g.get("submission")
    if taken is not None:
        idempotency.give_back(taken)
        g.submission = None


def _digest() -> bytes:
    fields = [(name, values) for name, values in sorted(request.form.lists()) if name not in (FIELD, CSRF_FIELD)]
    files = [(name, file.filename, _size(file)) for name, file in sorted(request.files.items(multi=True))]
    return hashlib.sha256(json.dumps([fields, files]).encode()).digest()


def _size(file: FileStorage) -> int:
    """How many bytes a file has; it is left at its start."""
    size = file.stream.seek(0, os.SEEK_END)
    file.stream.seek(0)
    return size
