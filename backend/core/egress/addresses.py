"""Which IP addresses may be reached: a pure decision over one address.

`ipaddress.is_global` alone will not do: its answers differ between Python versions, and it takes addresses that
carry another one (IPv4-mapped, NAT64, 6to4) and multicast for global.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

Address = IPv4Address | IPv6Address

_NAT64: Final = IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")

# IANA's special-purpose registries, and what clouds answer on for machines inside them.
_REFUSED_V4: Final = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",  # carrier-grade NAT; Alibaba's metadata
            "127.0.0.0/8",
            "168.63.129.16/32",  # Azure's metadata
            "169.254.0.0/16",  # link-local; everybody's metadata
            "172.16.0.0/12",
            "192.0.0.0/24",  # protocol assignments; Oracle's metadata
            "192.0.2.0/24",
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    )
)
_REFUSED_V6: Final = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # Teredo, ORCHID, benchmarking and other protocol assignments
            "2001:db8::/32",
            "2002::/16",  # 6to4: deprecated, and each carries an IPv4 address
            "3fff::/20",
        ),
    )
)
_PRIVATE: Final = tuple(map(IPv4Network, ("10.0.0.0/8", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
_PRIVATE_V6: Final = tuple(map(IPv6Network, ("::1/128", "fc00::/7")))
_METADATA_V6: Final = IPv6Address("fd00:ec2::254")


def parse(text: str) -> Address | None:
    """The address a text writes in its standard form (`127.0.0.1`, `::1`), else None."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def is_reachable(address: Address, *, allow_private: bool = False) -> bool:
    """Whether a request may go to this address.

    `allow_private` (development) adds loopback and private networks; never link-local, metadata, multicast or
    unspecified addresses.
    """
    address = _carried(address)
    if isinstance(address, IPv4Address):
        if allow_private and any(address in network for network in _PRIVATE):
            return True
        return address.is_global and not any(address in network for network in _REFUSED_V4)
    if address.scope_id is not None:
        return False
    if allow_private and any(address in network for network in _PRIVATE_V6):
        return address != _METADATA_V6
    return (
        address in _GLOBAL_UNICAST
        and address.is_global
        and not address.is_multicast
        and not any(address in network for network in _REFUSED_V6)
    )


def _carried(address: Address) -> Address:
    """The IPv4 address behind an IPv4-mapped one or one that a NAT64 gateway translates."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address
