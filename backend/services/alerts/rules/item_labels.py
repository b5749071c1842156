"""What the matchers of a rule see of an item that is stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from backend.models import Alert, AlertItem
from backend.services.alerts.rules import matchers
from backend.services.alerts.rules.matchers import VisibleLabels

_GROUP_DIGITS: Final = 24
ITEM_COLUMNS: Final = (
    AlertItem.id,
    AlertItem.alert_id,
    AlertItem.silence_id,
    AlertItem.labels,
    AlertItem.severity,
    AlertItem.title,
    Alert.bot_name,
    Alert.group_key,
)
"""What matching needs of an item, without its texts."""


def seen_labels(item: AlertItem, bot_name: str, group_key: bytes) -> VisibleLabels:
    """The complete labels of an item, as everything that matches labels sees them."""
    return matchers.visible(
        item.labels, severity=item.severity, title=item.title, bot_name=bot_name, group=group_key.hex()[:_GROUP_DIGITS]
    )


def labels_of(row: Any) -> Mapping[str, str]:
    """What matchers see of an item, given as `ITEM_COLUMNS`."""
    return seen_labels(row, row.bot_name, row.group_key)
