"""Which addresses may be reached, and which texts are addresses at all."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.core.egress import EgressRefused
from backend.core.egress.addresses import is_reachable
from backend.core.egress.target import follow, parse

PUBLIC = [
    "8.8.8.8",
    "93.184.216.34",
    "1.1.1.1",
    "172.15.255.255",
    "172.32.0.1",
    "100.63.255.255",
    "2001:4860:4860::8888",
    "2606:4700::1111",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
]
PRIVATE = ["127.0.0.1", "127.255.255.254", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "::1", "fd12::1"]
PRIVATE_CARRIED = ["::ffff:127.0.0.1", "::ffff:7f00:1", "64:ff9b::7f00:1", "::ffff:10.0.0.1", "64:ff9b::192.168.0.1"]
NEVER = [
    "0.0.0.0",
    "0.1.2.3",
    "169.254.169.254",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::127.0.0.1",
    "::8.8.8.8",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1111%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "fd00:ec2::254",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::1",
    "::ffff:169.254.169.254",
    "::ffff:0.0.0.0",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::",
    "3fff::1",
    "5f00::1",
    "100::1",
]


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are_reachable(text: str) -> None:
    assert is_reachable(ip_address(text))
    assert is_reachable(ip_address(text), allow_private=True)


@pytest.mark.parametrize("text", PRIVATE + PRIVATE_CARRIED)
def test_private_addresses_are_reachable_only_where_allowed(text: str) -> None:
    assert not is_reachable(ip_address(text))
    assert is_reachable(ip_address(text), allow_private=True)


@pytest.mark.parametrize("text", NEVER)
def test_some_addresses_are_never_reachable(text: str) -> None:
    assert not is_reachable(ip_address(text))
    assert not is_reachable(ip_address(text), allow_private=True)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_carried_address_is_judged_like_itself(number: int) -> None:
    plain = is_reachable(IPv4Address(number))
    assert is_reachable(IPv6Address((0xFFFF << 32) | number)) == plain
    assert is_reachable(IPv6Address((0x64FF9B << 96) | number)) == plain
    assert not is_reachable(IPv6Address((0x2002 << 112) | (number << 80)))


@pytest.mark.parametrize(
    ("url", "host", "port", "resource"),
    [
        ("http://Example.COM", "example.com", 80, "/"),
        ("https://example.com/a?b=c#d", "example.com", 443, "/a?b=c"),
        ("https://example.com?b", "example.com", 443, "/?b"),
        ("http://example.com.:8080/", "example.com", 8080, "/"),
        ("https://example.com:443/x", "example.com", 443, "/x"),
        ("http://[2606:4700::1111]:8080/", "2606:4700::1111", 8080, "/"),
        ("http://[2606:4700:0:0:0:0:0:1111]/", "2606:4700::1111", 80, "/"),
        ("http://8.8.8.8/", "8.8.8.8", 80, "/"),
        ("http://under_score.example/", "under_score.example", 80, "/"),
        ("http://한국.example/경로?q=값", "xn--3e0b707e.example", 80, "/%EA%B2%BD%EB%A1%9C?q=%EA%B0%92"),
        ("http://１２７.0.0.1/", "127.0.0.1", 80, "/"),
        ("HTTP://example.com/%2e%2e/a%20b", "example.com", 80, "/%2e%2e/a%20b"),
    ],
)
def test_plain_addresses_are_taken_apart(url: str, host: str, port: int, resource: str) -> None:
    taken = parse(url)
    assert (taken.host, taken.port, taken.resource) == (host, port, resource)
    assert parse(taken.url) == taken


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "//example.com/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "javascript:alert(1)",
        "http:///path",
        "http:example.com",
        "http://",
        "http://user@example.com/",
        "http://user:hunter2@example.com/",
        "http://@example.com/",
        "http://example.com@127.0.0.1/",
        "http://example.com\\@127.0.0.1/",
        "http://127.0.0.1\\.example.com/",
        "http://example.com /",
        " http://example.com/",
        "http://exam\nple.com/",
        "http://example.com/\r\nHost: x",
        "http://example.com/\x00",
        "http://example.com/\ud800",
        "http://example.com\u2028/",
        "http://example.com:port/",
        "http://example.com:-1/",
        "http://example.com:70000/",
        "http://[::1/",
        "http://[127.0.0.1]/",
        "http://[fe80::1%25eth0]/",
        "http://[v1.x]/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://127.0.0.1./x/../" + "a" * 9000,
        "http://1.2.3.4.5/",
        "http://256.256.256.256/",
        "http://example.0x1/",
        "http://-bad.example/",
        "http://a..b/",
        "http://.example/",
        "http://" + "a" * 64 + ".example/",
        "http://" + "a." * 130 + "example/",
        "http://exa%6dple.com/",
        "http://exam*ple.com/",
        "http://①②⑦.①/",
        "http://xn--\u200b.example/",
    ],
)
def test_what_is_not_plainly_an_address_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(EgressRefused) as caught:
        parse(url)
    assert caught.value.code == "invalid_url"
    assert caught.value.status == 422
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("port", [0, 22, 25, 5432, 6379, 11211])
def test_ports_of_other_services_are_refused(port: int) -> None:
    with pytest.raises(EgressRefused) as caught:
        parse(f"http://example.com:{port}/")
    assert caught.value.code == "forbidden_port"


def test_the_ports_may_be_restricted() -> None:
    web = frozenset((80, 443))
    assert parse("https://example.com/", allowed_ports=web).port == 443
    with pytest.raises(EgressRefused, match="8080"):
        parse("https://example.com:8080/", allowed_ports=web)


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/next?x=1", "https://example.com/next?x=1"),
        ("next", "https://example.com/a/next"),
        ("?x", "https://example.com/a/b?x"),
        ("//other.example/y", "https://other.example/y"),
        ("https://other.example:8443/", "https://other.example:8443/"),
        ("../../..", "https://example.com/"),
    ],
)
def test_a_redirect_is_followed_from_where_it_was_met(location: str, url: str) -> None:
    assert follow(parse("https://example.com/a/b"), location).url == url


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("http://example.com/", "insecure_redirect"),
        ("file:///etc/passwd", "invalid_url"),
        ("https://user:pw@example.com/", "invalid_url"),
        ("https://[::1", "invalid_url"),
        ("\\\\evil.example", "invalid_url"),
        ("https://example.com:22/", "forbidden_port"),
        ("https://2130706433/", "invalid_url"),
    ],
)
def test_a_redirect_is_read_as_strictly_as_an_address(location: str, code: str) -> None:
    with pytest.raises(EgressRefused) as caught:
        follow(parse("https://example.com/a/b"), location)
    assert caught.value.code == code


def test_only_the_origin_of_an_address_is_shown() -> None:
    taken = parse("https://example.com:8443/hooks/T0K3N?key=hunter2")
    assert taken.origin == "https://example.com:8443"
    assert parse("http://[2606:4700::1111]/x").origin == "http://[2606:4700::1111]"
