"""Keys: what is the same alert, and what belongs together. Pure functions of what was reported."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence


def given(bot_name: str, throttle_key: str) -> bytes:
    """The key of what a caller calls the same; two bots are two audiences, and so two alerts."""
    return _digest("key", bot_name.lower(), throttle_key)


def derived(bot_name: str, severity: str, title: str, message: str) -> bytes:
    """The key where the caller names none."""
    return _digest("said", bot_name.lower(), severity, title, message)


def group_of(
    key: bytes, bot_name: str, policy_id: int | None, group_by: Sequence[str], labels: Mapping[str, str]
) -> bytes:
    """What is told in one message: whatever agrees in the labels of `group_by`, else each key by itself.

    An alert without any of these labels is not put together with others that lack them too: it stands alone.
    """
    values = [(name, labels.get(name, "")) for name in group_by]
    if not any(value for _, value in values):
        return alone(key)
    return _digest("group", bot_name.lower(), str(policy_id), *(part for pair in values for part in pair))


def alone(key: bytes) -> bytes:
    """The group of what is put together with nothing else."""
    return _digest("alone", key.hex())


def reported_group(source: str, bot_name: str, group_key: str) -> bytes:
    """The group that a monitoring system has already made."""
    return _digest("reported", source, bot_name.lower(), group_key)


def continued(group_key: bytes, full_alert_id: int) -> bytes:
    """The group in which a group goes on that is as large as it may be."""
    return _digest("continued", group_key.hex(), str(full_alert_id))


def _digest(*parts: str) -> bytes:
    """Of the parts and where each ends, so that no two lists of parts are the same text."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.digest()
