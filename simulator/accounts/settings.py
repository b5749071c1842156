"""What can be turned for all accounts at once."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from simulator.errors import invalid

_ABOVE_ZERO = 1e-6
_MAY_BE_ZERO = frozenset({"lookup_interval"})


@dataclass(slots=True)
class AccountSettings:
    """The knobs, for what about Telegram is doubtful or would take long.

    `accepts_connections`: clients can connect at all. `one_connection_per_key`: a second connection ends a login for
    good, as AUTH_KEY_DUPLICATED. `too_long_on_return`: a client that comes back is told that it missed something;
    Telegram does not promise it. `short_answers`: a text is answered by `updateShortSentMessage`.
    `random_id_lifetime`: seconds for which an accepted `random_id` is known. `difference_slice` and
    `difference_limit`: how many changes one answer holds, and beyond how many it only says that they are too many.
    `code_lifetime`, `token_lifetime`: seconds. `lookup_interval`: seconds between two look-ups of a number by one
    account, 0 for no limit.
    """

    accepts_connections: bool = True
    one_connection_per_key: bool = True
    too_long_on_return: bool = False
    short_answers: bool = True
    random_id_lifetime: float = 86_400.0
    difference_slice: int = 100
    difference_limit: int = 5_000
    code_lifetime: float = 300.0
    token_lifetime: float = 30.0
    lookup_interval: float = 0.0

    def describe(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return asdict(self)

    def change(self, changes: dict[str, Any]) -> None:
        """Apply a partial change, all or nothing. Raises ControlError 422 for an unknown name or value."""
        known = {each.name for each in fields(self)}
        checked: dict[str, Any] = {}
        for name, value in changes.items():
            if name not in known:
                raise invalid(f"there is no setting {name}")
            present = getattr(self, name)
            if isinstance(present, float) and isinstance(value, int) and not isinstance(value, bool):
                value = float(value)
            lowest = 0 if name in _MAY_BE_ZERO else _ABOVE_ZERO
            if type(value) is not type(present) or (not isinstance(value, bool) and value < lowest):
                raise invalid(f"{name} has a value of the wrong kind")
            checked[name] = value
        for name, value in checked.items():
            setattr(self, name, value)
