"""Meta's Graph API, as every channel and publisher that speaks it shares it: the client, what its refusals mean, the
proofs of its webhooks, reading what it sends, and when its versions end. It knows no provider's folder.
"""

from backend.channels.graph.client import GraphApi, GraphClient
from backend.channels.graph.errors import ErrorTable, Refusal
from backend.channels.graph.webhook import HEADERS, MAX_BYTES, SIGNATURE, handshake, verify

__all__ = [
    "HEADERS",
    "MAX_BYTES",
    "SIGNATURE",
    "ErrorTable",
    "GraphApi",
    "GraphClient",
    "Refusal",
    "handshake",
    "verify",
]
