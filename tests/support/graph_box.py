"""`GraphBox`: the simulated Graph API of a running simulator, with an application that a test may use at once."""

from __future__ import annotations

import base64
from typing import Any

import requests

from tests.support.telegram_box import JSON, TelegramBox

APP_ID = "100000000000009"
APP_SECRET = "EXAMPLE-app-secret-of-the-tests"
TOKEN = "EXAMPLE-graph-token-of-the-tests"
VERIFY_TOKEN = "EXAMPLE-verify-token"


class GraphBox:
    """Drives the simulated Graph API. `number` adds a WhatsApp number; what people do is notified by `inbound`."""

    def __init__(self, box: TelegramBox) -> None:
        self.box = box
        self.url = f"{box.url}/graph"
        """What goes into META_GRAPH_URL."""

    def control(self, verb: str, path: str, body: JSON | None = None, **query: Any) -> Any:
        """A call of the control API. Raises BoxError unless it succeeds."""
        return self.box.control(verb, f"/graph{path}", body, **query)

    def application(self, *, webhooks: JSON | None = None, scopes: list[str] | None = None) -> None:
        """The application of the tests with its token; `webhooks` by object: `{url, verify_token, fields}`."""
        given = {"id": APP_ID, "secret": APP_SECRET, "name": "Tests", "webhooks": webhooks or {}}
        self.control("POST", "/applications", given)
        wanted = ["whatsapp_business_messaging", "whatsapp_business_management"] if scopes is None else scopes
        self.control("POST", "/tokens", {"value": TOKEN, "app_id": APP_ID, "scopes": wanted})

    def number(self, number_id: str, waba_id: str, *, display: str = "", subscribed: bool = True) -> None:
        """A WhatsApp number of a business account, which the application hears of."""
        known = {node["id"] for node in self.control("GET", "/state")["objects"]}
        if waba_id not in known:
            self.control("POST", "/objects", {"kind": "waba", "id": waba_id, "fields": {"name": "A shop"}})
        fields = {"display_phone_number": display} if display else {}
        self.control("POST", "/objects", {"kind": "number", "id": number_id, "parent_id": waba_id, "fields": fields})
        if subscribed:
            self.control("POST", f"/objects/{waba_id}/subscribe", {"app_id": APP_ID})

    def person(self, number_id: str, **given: Any) -> JSON:
        """A person as this number knows them."""
        person: JSON = self.control("POST", f"/numbers/{number_id}/people", given)
        return person

    def inbound(self, number_id: str, sender: str, message: JSON | str, data: bytes | None = None, **more: Any) -> str:
        """Something that a person sent; its id. `data` are the bytes of a file, with `mime_type` and `file_name`."""
        if isinstance(message, str):
            message = {"type": "text", "text": {"body": message}}
        given: JSON = {"from": sender, "message": message} | more
        if data is not None:
            given["content"] = base64.b64encode(data).decode()
        return str(self.control("POST", f"/numbers/{number_id}/inbound", given)["id"])

    def fault(self, kind: str, **given: Any) -> None:
        """A rule by which calls fail."""
        self.control("POST", "/faults", {"kind": kind} | given)

    def log(self, **wanted: str) -> list[JSON]:
        """The calls so far, filtered by `outcome`, `call`, `node`."""
        entries: list[JSON] = self.control("GET", "/log", None, **wanted)["entries"]
        return entries

    def sends(self) -> list[JSON]:
        """What was accepted as a message, oldest first: the call's own parameters."""
        accepted = self.log(outcome="accepted", call="POST messages")
        return [entry["params"] | {"id": entry.get("id", "")} for entry in accepted if "status" not in entry["params"]]

    def call(self, verb: str, path: str, token: str = TOKEN, **json: Any) -> requests.Response:
        """A call of the Graph API itself."""
        headers = {"Authorization": f"Bearer {token}"}
        body = None if verb == "GET" else json
        query = json if verb == "GET" else None
        return requests.request(verb, f"{self.url}/v26.0/{path}", json=body, params=query, headers=headers, timeout=30)
