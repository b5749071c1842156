"""A Telegram for one test: a small HTTP server whose answers are set by method, and which remembers what it was asked.

For what the product asks of Telegram apart from messages (getMe, webhooks, members, updates); the product reaches it
through its own client. `TelegramBox` is the whole Telegram, as a process.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from backend.core import config

Answer = Callable[[dict[str, Any]], Any]


@dataclass(frozen=True)
class Refusal:
    """An answer that is no success."""

    code: int
    description: str | None
    """None answers with a page, as a server does that is no Bot API."""
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass
class BotApi:
    """`answers` by method: a result, a `Refusal`, or a function of the parameters that gives either."""

    url: str
    answers: dict[str, Any] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def called(self, method: str) -> list[dict[str, Any]]:
        """The parameters of each call of a method."""
        return [params for name, params in self.calls if name == method]

    def admin(self, person_id: int | str, status: str = "administrator") -> None:
        """Has Telegram say that this person has this status in every group; everybody else is a member."""

        def member(params: dict[str, Any]) -> dict[str, Any]:
            found = status if str(params["user_id"]) == str(person_id) else "member"
            return {"status": found, "user": {"id": params["user_id"], "is_bot": False, "first_name": "X"}}

        self.answers["getChatMember"] = member


ME = {"id": 100001, "is_bot": True, "first_name": "Example", "username": "example_bot"}
NO_WEBHOOK = {"url": "", "has_custom_certificate": False, "pending_update_count": 0}


@contextmanager
def bot_api() -> Iterator[BotApi]:
    """Runs one and points the process's settings at it."""
    api: BotApi

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            method = self.path.rsplit("/", 1)[1]
            params = json.loads(raw or b"{}")
            api.calls.append((method, params))
            found = api.answers.get(method, Refusal(404, "Not Found: method not found"))
            if callable(found):
                found = found(params)
            if found == ME:
                # Every token is another bot's, and says whose.
                found = ME | {"id": int(self.path.split("/bot")[1].partition(":")[0])}
            if isinstance(found, Refusal) and found.description is None:
                self.answer(found.code, b"<html><body>404 page not found</body></html>")
                return
            if isinstance(found, Refusal):
                status = found.code
                body: dict[str, Any] = {"ok": False, "error_code": status, "description": found.description}
                if found.parameters:
                    body["parameters"] = found.parameters
            else:
                status, body = 200, {"ok": True, "result": found}
            self.answer(status, json.dumps(body).encode())

        def answer(self, status: int, content: bytes) -> None:
            """Sends it."""
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    api = BotApi(f"http://127.0.0.1:{server.server_port}")
    api.answers |= {
        "getMe": dict(ME),
        "getWebhookInfo": dict(NO_WEBHOOK),
        "setWebhook": True,
        "deleteWebhook": True,
        "setMyCommands": True,
        "getUpdates": [],
        "getChat": {"id": -1001234567890, "type": "supergroup", "title": "Team"},
    }
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    before = config.get()
    config.use(before.model_copy(update={"telegram_api_url": api.url}))
    try:
        yield api
    finally:
        config.use(before)
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def settings_with(**changes: Any) -> Iterator[None]:
    """The process's settings with these changes."""
    before = config.get()
    config.use(before.model_copy(update=changes))
    try:
        yield
    finally:
        config.use(before)
