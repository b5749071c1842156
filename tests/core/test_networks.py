"""Addresses count by whom they belong to."""

from __future__ import annotations

import pytest

from backend.core.networks import network_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113.9"),
        (" 203.0.113.9 ", "203.0.113.9"),
        ("203.0.113.9:51234", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("[::ffff:203.0.113.9]:443", "203.0.113.9"),
        ("64:ff9b::203.0.113.9", "203.0.113.9"),
        ("2002:cb00:7109:1::1", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:0DB8:0001:0002::", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::7]:443", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("", "unknown"),
        (None, "unknown"),
        ("unknown", "unknown"),
        ("203.0.113.999", "unknown"),
        ("203.0.113.9, 198.51.100.1", "unknown"),
        ("\x00", "unknown"),
        ("9" * 5000, "unknown"),
    ],
)
def test_the_network_of_an_address(address: str | None, network: str) -> None:
    assert network_of(address) == network


def test_hosts_of_one_customer_are_one_and_of_two_are_two() -> None:
    assert len({network_of(f"2001:db8:1:2::{host:x}") for host in range(1, 200)}) == 1
    assert len({network_of(f"2001:db8:1:{net:x}::1") for net in range(1, 200)}) == 199
    assert len({network_of(f"64:ff9b::{host}") for host in ("192.0.2.1", "192.0.2.2")}) == 2
