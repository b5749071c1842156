"""A Graph API for one test: a small HTTP server whose answers are set by path, and which remembers what it was asked.

For what the product asks of Meta about integrations (tokens, subscriptions, numbers, templates); the product reaches it
through its own client.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from backend.core import config

NUMBER_ID, WABA_ID, PAGE_ID, INSTAGRAM_ID, APP_ID = (
    "106540352242922",
    "102290129340398",
    "104857601",
    "178414058",
    "555",
)
SECRET = "example-app-secret"
TOKEN = "EAAB-EXAMPLE-not-a-real-token"
LOGIN_TOKEN = "IGAA-EXAMPLE-not-a-real-token"


@dataclass(frozen=True)
class Refusal:
    """An answer that is no success; without a code it is no JSON at all."""

    status: int
    code: int | None = None
    message: str = "Refused"
    subcode: int | None = None
    retry_after: int | None = None

    @property
    def body(self) -> bytes:
        """As the Graph API writes it."""
        if self.code is None:
            return b"<html>Sorry, something went wrong.</html>"
        return json.dumps(
            {"error": {"message": self.message, "code": self.code, "error_subcode": self.subcode}}
        ).encode()


@dataclass
class Call:
    """What was asked."""

    method: str
    path: str
    query: dict[str, str]
    body: dict[str, Any]
    token: str


@dataclass
class Graph:
    """`answers` by method and path (without the version; `*` stands for any id): a result, a `Refusal`, bytes, or a
    function of the call."""

    url: str
    answers: dict[str, Any] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)

    def called(self, name: str) -> list[Call]:
        """The calls of a method and path, such as `POST 1/register`."""
        return [call for call in self.calls if f"{call.method} {call.path}" == name]

    def refuse(self, refusal: Refusal) -> None:
        """Has everything refused like this."""
        self.answers = dict.fromkeys(self.answers, refusal)


def token_answer(**changes: Any) -> dict[str, Any]:
    """What `debug_token` says of a good token."""
    scopes = [
        "whatsapp_business_messaging",
        "whatsapp_business_management",
        "pages_manage_metadata",
        "pages_messaging",
        "instagram_basic",
        "instagram_manage_messages",
    ]
    known = {"is_valid": True, "app_id": APP_ID, "expires_at": 0, "data_access_expires_at": 0, "user_id": "77001"}
    return {"data": known | {"scopes": scopes} | changes}


def good() -> dict[str, Any]:
    whatsapp = ["messages", "account_update", "message_template_quality_update", "message_template_status_update"]
    whatsapp += ["phone_number_quality_update", "template_category_update", "user_preferences"]
    page = ["messages", "message_echoes", "message_edits", "message_reactions", "message_deliveries", "message_reads"]
    page += ["messaging_postbacks", "messaging_referrals", "messaging_handovers", "standby"]
    instagram = ["messages", "message_edit", "message_reactions", "messaging_seen", "messaging_postbacks"]
    instagram += ["messaging_referral", "messaging_handover", "standby"]
    return {
        "GET debug_token": token_answer(),
        f"GET {NUMBER_ID}": {
            "id": NUMBER_ID,
            "display_phone_number": "+1 202-555-0101",
            "verified_name": "Example",
            "quality_rating": "GREEN",
            "platform_type": "CLOUD_API",
            "status": "CONNECTED",
            "throughput": {"level": "STANDARD"},
        },
        f"GET {WABA_ID}/subscribed_apps": {"data": [{"whatsapp_business_api_data": {"id": APP_ID, "name": "x"}}]},
        f"GET {APP_ID}/subscriptions": {
            "data": [
                {
                    "object": "whatsapp_business_account",
                    "active": True,
                    "fields": [{"name": name} for name in whatsapp],
                },
                {"object": "instagram", "active": True, "fields": [{"name": name} for name in instagram]},
            ]
        },
        f"POST {WABA_ID}/subscribed_apps": {"success": True},
        f"POST {NUMBER_ID}/register": {"success": True},
        f"GET {WABA_ID}/message_templates": {"data": []},
        f"GET {PAGE_ID}": {"id": PAGE_ID, "name": "Example page"},
        f"GET {PAGE_ID}/subscribed_apps": {"data": [{"id": APP_ID, "subscribed_fields": page}]},
        f"POST {PAGE_ID}/subscribed_apps": {"success": True},
        "GET me": {"id": INSTAGRAM_ID, "user_id": INSTAGRAM_ID, "username": "example.account"},
        f"GET {INSTAGRAM_ID}/subscribed_apps": {"data": [{"id": APP_ID, "subscribed_fields": instagram}]},
        f"POST {INSTAGRAM_ID}/subscribed_apps": {"success": True},
        "GET refresh_access_token": {
            "access_token": "IGAA-EXAMPLE-renewed",
            "token_type": "bearer",
            "expires_in": 5184000,
        },
    }


UNKNOWN = Refusal(400, 100, "Unsupported request")
_NUMBERS = re.compile(r"[0-9]+")
ANY: dict[str, Any] = {
    "GET *": lambda call: {"id": call.path, "display_phone_number": "+1", "name": "Example", "username": "example"},
    "GET */subscribed_apps": {"data": []},
    "POST */subscribed_apps": {"success": True},
    "POST */register": {"success": True},
    "GET */message_templates": {"data": []},
}
"""Answers about whatever id."""


@contextmanager
def graph_api(**settings: Any) -> Iterator[Graph]:
    """Runs one, where everything is well, and points the process's settings at it."""
    with serving() as graph:
        before = config.get()
        config.use(before.model_copy(update={"meta_graph_url": graph.url, "instagram_graph_url": graph.url} | settings))
        try:
            yield graph
        finally:
            config.use(before)


@contextmanager
def serving() -> Iterator[Graph]:
    """Runs one, where everything is well, for processes that are told of it."""
    graph: Graph

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            """Answers any request."""
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            path = parts.path.strip("/")
            if path.startswith("v"):
                path = path.partition("/")[2]
            call = Call(
                self.command,
                path,
                {name: values[0] for name, values in parse_qs(parts.query).items()},
                json.loads(raw) if raw else {},
                self.headers.get("Authorization", "").removeprefix("Bearer "),
            )
            graph.calls.append(call)
            known = (f"{call.method} {path}", f"{call.method} {_NUMBERS.sub('*', path)}")
            found = next((graph.answers[name] for name in known if name in graph.answers), UNKNOWN)
            if callable(found):
                found = found(call)
            status, wait = (found.status, found.retry_after) if isinstance(found, Refusal) else (200, None)
            if isinstance(found, Refusal):
                content = found.body
            else:
                content = found if isinstance(found, bytes) else json.dumps(found).encode()
            self.send_response(status)
            if wait is not None:
                self.send_header("Retry-After", str(wait))
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = answer

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    graph = Graph(f"http://127.0.0.1:{server.server_port}", good())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield graph
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
