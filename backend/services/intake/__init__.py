"""The intake: what providers say is stored before it is acknowledged, and processed from the store.

Events of one conversation are processed in order, conversations independently. An event's `attempts` is committed
before it is processed, so that one that kills its worker is parked, and parks nobody else.
"""

from backend.services.intake import account_events as account_events
from backend.services.intake import telegram as telegram
from backend.services.intake import waiting_items as waiting_items
from backend.services.intake.batcher import Acceptor, PendingUpdate, accept, acceptor
from backend.services.intake.consumer import WORK, drain
from backend.services.intake.event_store import store

__all__ = ["WORK", "Acceptor", "PendingUpdate", "accept", "acceptor", "drain", "store"]
