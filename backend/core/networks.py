"""Whose address it is, for counting: an IPv4 address by itself, of IPv6 the /64 that a customer is given."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

UNKNOWN: Final = "unknown"
_IPV6_BITS: Final = 64
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_WITH_PORT: Final = re.compile(r"\[([^\]]+)\](?::\d+)?|([\d.]+):\d+")


def network_of(address: str | None) -> str:
    """The network of an address, as text; `unknown` for what is none.

    An IPv4 address that travels inside of IPv6 (mapped, NAT64, 6to4, Teredo) is that IPv4 address: else all of a NAT64
    gateway would be one network, and one host behind 6to4 would be 65,536.
    """
    text = (address or "").strip()
    ported = _WITH_PORT.fullmatch(text)
    if ported is not None:
        # Some proxies write the port into X-Forwarded-For.
        text = ported[1] or ported[2]
    try:
        parsed = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    inner = _ipv4_inside(parsed)
    if inner is not None:
        return str(inner)
    return str(ipaddress.IPv6Network((parsed, _IPV6_BITS), strict=False))


def _ipv4_inside(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
