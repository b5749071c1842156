"""The addresses of the channels' webhooks, as the channels declare them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from backend.channels.spec import ChannelSpec, Webhook


@dataclass(frozen=True, slots=True)
class Address:
    """Where a provider calls: `sender_id` is None for the environment's sender, `route` how logs name the address."""

    channel: str
    webhook: Webhook
    sender_id: int | None
    route: str


class Addresses:
    """Finds the webhook that a request is for."""

    def __init__(self, specs: Sequence[ChannelSpec]) -> None:
        self._exact: dict[str, Address] = {}
        self._patterns: list[tuple[re.Pattern[str], Address]] = []
        for spec in specs:
            for route in spec.webhook.routes if spec.webhook else ():
                assert spec.webhook is not None
                address = Address(spec.name, spec.webhook, None, route.rule)
                if route.names_sender:
                    self._patterns.append((route.pattern, address))
                else:
                    self._exact |= {route.rule: address, f"{route.rule}/": address}
        # Bytes, as the protocol has them; only those that it may take before the body is there.
        self._fast = {path.encode(): address for path, address in self._exact.items() if address.webhook.header_only}
        self._fast_patterns = [
            (re.compile(pattern.pattern.encode()), address)
            for pattern, address in self._patterns
            if address.webhook.header_only
        ]

    def find(self, path: str) -> Address | None:
        """The address of this path."""
        known = self._exact.get(path)
        if known is not None:
            return known
        for pattern, address in self._patterns:
            if match := pattern.fullmatch(path):
                return Address(address.channel, address.webhook, int(match["sender_id"]), address.route)
        return None

    def find_fast(self, url: bytes) -> tuple[Address, int | None] | None:
        """The address of this URL and the sender that it names, where the headers alone are the proof."""
        known = self._fast.get(url)
        if known is not None:
            return known, None
        for pattern, address in self._fast_patterns:
            if match := pattern.fullmatch(url):
                return address, int(match["sender_id"])
        return None
