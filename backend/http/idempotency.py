"""The `Idempotency-Key` header: the same request again gets the first answer, with `Idempotent-Replayed: true`."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable

from flask import Response, jsonify, request
from werkzeug.datastructures import FileStorage

from backend.core.errors import BadRequest
from backend.http import bodies
from backend.services import idempotency
from backend.services.auth.actor import Actor

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def once(caller: Actor, redact: tuple[str, ...], work: Callable[[], Response]) -> Response:
    """Runs `work` unless this caller has already sent this request with the same key. Raises BadRequest, Conflict."""
    key = request.headers.get(HEADER)
    if key is None:
        return work()
    if not _KEY.fullmatch(key):
        raise BadRequest("invalid_idempotency_key", f"{HEADER} takes 1 to 255 printable ASCII characters, no spaces.")
    route = f"{request.method} {request.path.rstrip('/')}"
    taken = idempotency.begin(caller.workspace_id, caller.label, route, key, _request_hash())
    if isinstance(taken, idempotency.Answer):
        response = jsonify(taken.body) if taken.body is not None else Response()
        response.status_code = taken.status
        response.headers[REPLAYED] = "true"
        return response
    response = work()
    if response.status_code >= 400:
        idempotency.give_back(taken)
    else:
        body = response.get_json() if response.is_json else None
        idempotency.finish(taken, idempotency.Answer(response.status_code, body), redact)
    return response


def _request_hash() -> bytes:
    """What makes two requests the same: query and body, however the JSON is spaced or the form's boundary drawn."""
    digest = hashlib.sha256(request.query_string + b"\n")
    if request.is_json:
        value = bodies.read_json(request)
        digest.update(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())
    elif request.mimetype == "multipart/form-data":
        for name, values in sorted(request.form.lists()):
            digest.update(json.dumps([name, values]).encode())
        for name, uploads in sorted(request.files.lists()):
            for upload in uploads:
                content = _digest_of(upload)
                digest.update(json.dumps([name, upload.filename, upload.mimetype, content]).encode())
    else:
        digest.update(request.get_data(cache=True))
    return digest.digest()


def _digest_of(upload: FileStorage) -> str:
    digest = hashlib.sha256()
    while block := upload.stream.read(1 << 16):
        digest.update(block)
    upload.stream.seek(0)
    return digest.hexdigest()
