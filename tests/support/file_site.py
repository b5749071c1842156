"""A web server for files that are fetched, and the work that fetches them, as a test lets it run."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sqlalchemy import func, select

from backend.core.database import db, system_scope
from backend.core.work import Turn
from backend.models import FileFetch
from backend.services import files
from backend.services.files import fetch_work
from backend.services.files.fetch_outcomes import ClaimedFetch

PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Site:
    """A web server that answers each path as it is told, and counts."""

    def __init__(self) -> None:
        self.answers: dict[str, Callable[[], tuple[int, bytes]]] = {}
        self.asked: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                status, body = site.answers.get(self.path, lambda: (404, b"nothing"))()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


@contextmanager
def file_site() -> Iterator[Site]:
    """A site with a picture at `/a.png`."""
    site = Site()
    site.answers["/a.png"] = lambda: (200, PICTURE)
    try:
        yield site
    finally:
        site.server.shutdown()
        site.server.server_close()


def fetch_files(seconds: float = 10.0) -> int:
    """Lets the work run, from outside of the test's transaction; returns how many fetches ended."""
    before = _ended()
    db.session.commit()
    files.fetch_due(Turn(seconds))
    db.session.expire_all()
    return _ended() - before


def claim_file() -> ClaimedFetch | None:
    """Claims a fetch as a process does that dies then."""
    db.session.commit()
    claimed = fetch_work._rotation.claim()
    if claimed is not None:
        fetch_work._rotation.release(claimed)
    return claimed


def _ended() -> int:
    with system_scope("a test"):
        return db.session.scalars(select(func.count()).where(FileFetch.ended_at.is_not(None))).one()
