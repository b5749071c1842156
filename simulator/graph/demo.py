"""The objects with which `bin/dev` begins: an application, a business account with a number, and a person."""

from __future__ import annotations

import time

from simulator.graph.graph import Graph
from simulator.graph.model import Application, Callback, Contact, Node, Subscription, Token
from simulator.graph.pages.events import set_profile
from simulator.graph.whatsapp.numbers import complete

APP_ID = "100000000000001"
APP_SECRET = "DEMO-simulated-app-secret-not-real"  # noqa: S105 - a made-up one
TOKEN = "DEMO-simulated-graph-token-not-real"  # noqa: S105 - a made-up one
WABA_ID = "200000000000001"
NUMBER_ID = "300000000000001"
VERIFY_TOKEN = "DEMO-simulated-verify-token"  # noqa: S105 - a made-up one
PAGE_ID = "400000000000001"
INSTAGRAM_ID = "500000000000001"
PAGE_TOKEN = "DEMO-simulated-page-token-not-real"  # noqa: S105 - a made-up one
PAGE_SCOPES = ["pages_messaging", "pages_manage_metadata", "instagram_basic", "instagram_manage_messages"]
SCOPES = ["whatsapp_business_messaging", "whatsapp_business_management"]


def populate(graph: Graph, site: str = "") -> None:
    """Adds them. With a `site` its webhooks hear of everything; without, nothing is subscribed, as in a fresh
    application."""
    graph.apps[APP_ID] = Application(APP_ID, APP_SECRET, "Demo application")
    graph.tokens[TOKEN] = Token(TOKEN, APP_ID, scopes=list(SCOPES), issued_at=int(time.time()))
    graph.nodes[WABA_ID] = Node(WABA_ID, "waba", fields={"name": "Demo shop", "timezone_id": "1"})
    number = Node(NUMBER_ID, "number", WABA_ID, fields={"display_phone_number": "+1 555 010 0001"})
    complete(graph, number)
    graph.nodes[NUMBER_ID] = number
    _add_page(graph)
    if site:
        _subscribe(graph, site.rstrip("/"))
    mina = Contact("821000000001", NUMBER_ID, "Mina", number="821000000001", other_ids={"bsuid": "KR.DEMO1"})
    graph.contacts[mina.key] = mina


def _subscribe(graph: Graph, site: str) -> None:
    for name, word in (("whatsapp_business_account", "whatsapp"), ("page", "messenger"), ("instagram", "instagram")):
        subscription = Subscription(f"{site}/{word}/webhook", VERIFY_TOKEN, [])
        graph.apps[APP_ID].subscriptions[name] = subscription
    for node_id in (WABA_ID, PAGE_ID):
        graph.nodes[node_id].subscribed[APP_ID] = Callback()


def _add_page(graph: Graph) -> None:
    """A page with an Instagram account, and a person of each."""
    account = {"id": INSTAGRAM_ID, "username": "demo.shop.not.real", "name": "Demo shop"}
    graph.nodes[PAGE_ID] = Node(
        PAGE_ID,
        "page",
        fields={"name": "Demo shop", "instagram_business_account": account},
        hidden={"human_agent": True},
    )
    graph.nodes[INSTAGRAM_ID] = Node(INSTAGRAM_ID, "instagram", PAGE_ID, fields=account | {"user_id": INSTAGRAM_ID})
    graph.tokens[PAGE_TOKEN] = Token(
        PAGE_TOKEN, APP_ID, kind="PAGE", scopes=list(PAGE_SCOPES), subject_id=PAGE_ID, issued_at=int(time.time())
    )
    for node_id, person_id, name, username in (
        (PAGE_ID, "24000000000000001", "Jun Demo", ""),
        (INSTAGRAM_ID, "17840000000000009", "Sora Demo", "sora.demo"),
    ):
        contact = Contact(person_id, node_id, name, username=username)
        graph.contacts[contact.key] = contact
        set_profile(graph, graph.nodes[node_id], contact)
