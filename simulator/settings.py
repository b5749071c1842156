"""What can be turned: rates, webhook retries, privacy of answers. Changed while running through the control
API.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from simulator.errors import invalid

POLICIES = ("strict", "blocking", "bucket", "off")
LARGEST = 10**9


@dataclass(slots=True)
class Rates:
    """How many messages may be sent, and what happens beyond.

    Each limit is (count, seconds). `chat_burst` is how many may follow each other at once in one chat before
    the pace of `per_chat` holds. Policies: `strict` sliding windows; `blocking` the same, and after a 429 the
    whole bot is refused until `retry_after` has passed; `bucket` token buckets; `off`.
    """

    policy: str = "strict"
    per_bot: tuple[int, float] = (30, 1.0)
    per_chat: tuple[int, float] = (1, 1.0)
    per_group: tuple[int, float] = (20, 60.0)
    chat_burst: int = 3
    count_edits: bool = False


@dataclass(slots=True)
class Settings:
    """The knobs. Durations are seconds.

    `webhook_speed` divides the waits between webhook retries, `Retry-After` included; `my_chat_member_delay`
    holds back the updates of that queue; `webhook_order` is `queues` (one per chat, as the open Bot API
    server) or `single`; `callback_lifetime` is how long a pressed button can be answered; `strict_webhooks`
    wants https and Telegram's ports.
    """

    rates: Rates = field(default_factory=Rates)
    webhook_speed: float = 1.0
    webhook_timeout: float = 60.0
    webhook_order: str = "queues"
    strict_webhooks: bool = False
    my_chat_member_delay: float = 0.0
    update_lifetime: float = 86_400.0
    callback_lifetime: float = 30.0

    def describe(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return asdict(self)


def change_settings(settings: Settings, changes: dict[str, Any]) -> None:
    """Apply a partial change, all or nothing. Raises ControlError 422 for an unknown name or a value of the
    wrong kind.
    """
    rates = changes.get("rates", {})
    if isinstance(rates, str):
        rates = {"policy": rates}
    if not isinstance(rates, dict):
        raise invalid("rates must be an object or the name of a policy")
    plain = {name: value for name, value in changes.items() if name != "rates"}
    new_rates = {name: _checked(settings.rates, name, value) for name, value in rates.items()}
    new = {name: _checked(settings, name, value) for name, value in plain.items()}
    if new_rates.get("policy", settings.rates.policy) not in POLICIES:
        raise invalid(f"policy must be one of {', '.join(POLICIES)}")
    if new.get("webhook_order", settings.webhook_order) not in ("queues", "single"):
        raise invalid("webhook_order must be queues or single")
    if new.get("webhook_speed", settings.webhook_speed) <= 0:
        raise invalid("webhook_speed must be positive")
    for name, value in new_rates.items():
        setattr(settings.rates, name, value)
    for name, value in new.items():
        setattr(settings, name, value)


def _checked(target: Any, name: str, value: Any) -> Any:
    if name not in {known.name for known in fields(target)}:
        raise invalid(f"there is no setting {name}")
    present = getattr(target, name)
    if isinstance(present, tuple):
        if not isinstance(value, (list, tuple)) or len(value) != 2:
            raise invalid(f"{name} must be [count, seconds]")
        if not all(isinstance(part, (int, float)) and 0 < part <= LARGEST for part in value):
            raise invalid(f"{name} must be two positive numbers, at most {LARGEST}")
        if value[0] != int(value[0]):
            raise invalid(f"{name} must have a whole number of messages")
        return int(value[0]), float(value[1])
    if isinstance(present, bool):
        right = isinstance(value, bool)
    elif isinstance(present, (int, float)):
        right = isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
    else:
        right = isinstance(value, type(present))
    if not right:
        raise invalid(f"{name} has a value of the wrong kind")
    return float(value) if isinstance(present, float) else value
