"""The objects with which `bin/dev` begins: an application, a business account with a number, and a person."""

from __future__ import annotations

import time

from simulator.graph.graph import Graph
from simulator.graph.model import Application, Contact, Node, Token
from simulator.graph.whatsapp.numbers import complete

APP_ID = "100000000000001"
APP_SECRET = "DEMO-simulated-app-secret-not-real"  # noqa: S105 - a made-up one
TOKEN = "DEMO-simulated-graph-token-not-real"  # noqa: S105 - a made-up one
WABA_ID = "200000000000001"
NUMBER_ID = "300000000000001"
SCOPES = ["whatsapp_business_messaging", "whatsapp_business_management"]


def populate(graph: Graph) -> None:
    """Adds them; nothing is subscribed yet, as in a fresh application."""
    graph.apps[APP_ID] = Application(APP_ID, APP_SECRET, "Demo application")
    graph.tokens[TOKEN] = Token(TOKEN, APP_ID, scopes=list(SCOPES), issued_at=int(time.time()))
    graph.nodes[WABA_ID] = Node(WABA_ID, "waba", fields={"name": "Demo shop", "timezone_id": "1"})
    number = Node(NUMBER_ID, "number", WABA_ID, fields={"display_phone_number": "+1 555 010 0001"})
    complete(graph, number)
    graph.nodes[NUMBER_ID] = number
    mina = Contact("821000000001", NUMBER_ID, "Mina", number="821000000001", other_ids={"bsuid": "KR.DEMO1"})
    graph.contacts[mina.key] = mina
