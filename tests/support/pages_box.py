"""`PagesBox`: a page and an Instagram account in the simulated Graph API, and what people do with them."""

from __future__ import annotations

import base64
from typing import Any

from tests.support.graph_box import APP_ID, APP_SECRET, VERIFY_TOKEN, GraphBox
from tests.support.telegram_box import JSON

PAGE, ACCOUNT = "400000000000007", "500000000000007"
PAGE_TOKEN = "EAAB-example-page-token-of-the-tests"
PSID, IGSID = "24000000000000007", "17840000000000007"
SCOPES = ("pages_messaging", "pages_manage_metadata", "instagram_basic", "instagram_manage_messages")
ALL_FIELDS: tuple[str, ...] = (
    "messages",
    "message_echoes",
    "message_edits",
    "message_reactions",
    "message_deliveries",
    "message_reads",
)
ALL_FIELDS += ("messaging_postbacks", "messaging_referrals", "messaging_optins", "messaging_handovers", "standby")


class PagesBox:
    """Drives a page and its Instagram account; what people do is said of the account that `node` names."""

    def __init__(self, graph: GraphBox) -> None:
        self.graph = graph

    def set_up(self, site: str = "", *, subscribed: bool = True) -> None:
        """The application with its addresses at `site`, the page, the account, and a person of each who has just
        written."""
        hooks: JSON = {}
        if site:
            for name, path in (("page", "messenger"), ("instagram", "instagram")):
                hooks[name] = {"url": f"{site}/{path}/webhook", "verify_token": VERIFY_TOKEN}
        given: JSON = {"id": APP_ID, "secret": APP_SECRET, "name": "Tests", "webhooks": hooks}
        self.control("POST", "/applications", given)
        token: JSON = {"value": PAGE_TOKEN, "app_id": APP_ID, "kind": "PAGE", "subject_id": PAGE}
        self.control("POST", "/tokens", token | {"scopes": list(SCOPES)})
        account = {"id": ACCOUNT, "username": "example.boots", "name": "Example Boots"}
        page: JSON = {"name": "Example Boots", "instagram_business_account": account}
        self.control("POST", "/objects", {"kind": "page", "id": PAGE, "fields": page})
        fields = account | {"user_id": ACCOUNT}
        self.control("POST", "/objects", {"kind": "instagram", "id": ACCOUNT, "parent_id": PAGE, "fields": fields})
        if subscribed:
            self.control("POST", f"/objects/{PAGE}/subscribe", {"app_id": APP_ID, "fields": list(ALL_FIELDS)})
        self.person(PAGE, PSID, name="Mina Example", last_inbound=1)
        self.person(ACCOUNT, IGSID, name="Sora Example", username="sora.example", last_inbound=1)

    def control(self, verb: str, path: str, body: JSON | None = None) -> Any:
        """A call of the control API."""
        return self.graph.control(verb, path, body)

    def person(self, node: str, person_id: str, **given: Any) -> None:
        """A person of an account; named again, they change."""
        self.act(node, "people", id=person_id, **given)

    def act(self, node: str, action: str, **given: Any) -> Any:
        """Something that a person does, or that happens to a conversation."""
        return self.control("POST", f"/pages/{node}/{action}", given)

    def say(self, node: str, text: str = "", data: bytes | None = None, **given: Any) -> str:
        """The person of the account writes, or sends a file (`mime_type`, `kind`); the message's id."""
        if data is not None:
            given["content"] = base64.b64encode(data).decode()
        sender = PSID if node == PAGE else IGSID
        return str(self.act(node, "say", **{"from": sender, "text": text} | given)["id"])

    def thread(self, node: str) -> list[JSON]:
        """The messages of the account's person, oldest first."""
        person = PSID if node == PAGE else IGSID
        threads = self.control("GET", f"/threads/{node}")["threads"]
        (messages,) = (thread["messages"] for thread in threads if thread["contact"]["id"] == person)
        return list(messages)

    def sent(self, node: str) -> list[JSON]:
        """What the application got through to the account's person."""
        return [each for each in self.thread(node) if each["outgoing"] and each["origin"] == "api"]
