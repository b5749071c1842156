"""Receipts: what became of our messages, found by the provider's id alone, and echoes of what went out.

Receipts come in any order, with gaps, more than once, and before the send that they are about was recorded. A state
only moves forward; what overtakes the record is kept and tried again (`pending`).
"""

from backend.services.receipts.echoes import apply_echo
from backend.services.receipts.pending import WORK, receive
from backend.services.receipts.status import apply_receipt
from backend.services.receipts.watermarks import apply_watermark

__all__ = ["WORK", "apply_echo", "apply_receipt", "apply_watermark", "receive"]
