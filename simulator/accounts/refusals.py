"""Why a message is not taken: a pure decision over both accounts."""

from __future__ import annotations

import time

from simulator.accounts.directory import SERVICE, Directory
from simulator.accounts.errors import Refusal
from simulator.accounts.model import Account


def is_stranger(sender: Account, target: Account) -> bool:
    """True for a person who neither wrote to the sender nor saved its number."""
    return target is not sender and not sender.has_heard_from(target.id) and sender.id not in target.contacts


def is_frozen(account: Account) -> bool:
    """True while Telegram has frozen the account: it can read and not act."""
    conduct = account.conduct
    return conduct.frozen_since > 0 and (not conduct.frozen_until or conduct.frozen_until > time.time())


def refusal(directory: Directory, sender: Account, target: Account, stars: int = 0) -> Refusal | None:
    """Why `sender` may not write to `target`, None when it may. `stars` is what the sender would pay."""
    if target is sender:
        return None
    person = directory.person(target.id)
    if person.deactivated:
        return Refusal(400, "INPUT_USER_DEACTIVATED")
    if target.id == SERVICE:
        return Refusal(403, "CHAT_WRITE_FORBIDDEN")
    if target.id in sender.blocked:
        return Refusal(400, "YOU_BLOCKED_USER")
    if sender.conduct.limited == "all":
        return Refusal(403, "USER_RESTRICTED")
    if sender.id in target.blocked and not target.conduct.blocks_silently:
        return Refusal(400, "USER_IS_BLOCKED")
    if not is_stranger(sender, target):
        return None
    conduct = target.conduct
    if conduct.accepts == "nobody":
        return Refusal(403, "USER_PRIVACY_RESTRICTED")
    if conduct.accepts == "premium" and not directory.person(sender.id).is_premium:
        return Refusal(conduct.refusal_code, "PRIVACY_PREMIUM_REQUIRED")
    if conduct.accepts == "paid" and stars < conduct.stars:
        message = f"ALLOW_PAYMENT_REQUIRED_{conduct.stars}" if conduct.refusal_code == 403 else "ALLOW_PAYMENT_REQUIRED"
        return Refusal(conduct.refusal_code, message)
    if sender.conduct.limited == "strangers":
        return Refusal(400, "PEER_FLOOD")
    return None
