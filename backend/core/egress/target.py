"""Reading an address strictly: what is not plainly an http(s) address is refused, not interpreted.

Parsers that disagree are how guards are passed by. So backslashes, spaces, credentials, numbers that some resolvers
take for IPv4 (`2130706433`, `0x7f.1`, `127.1`) and everything else with two readings ends here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Final
from urllib.parse import quote, urljoin, urlsplit

import idna

from backend.core.egress import addresses
from backend.core.egress.errors import EgressRefused

_MAX_URL: Final = 8192
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*")
_UNREADABLE = re.compile(r"[\x00-\x20\x7f-\xa0\\\u2028\u2029\ud800-\udfff]")
_PRINTABLE: Final = "".join(map(chr, range(0x21, 0x7F)))

# Services that could be talked to through an HTTP request (the ones among the Fetch standard's bad ports that
# matter on the public network).
_FORBIDDEN_PORTS: Final = frozenset(
    (0, 7, 9, 19, 20, 21, 22, 23, 25, 53, 69, 110, 111, 119, 135, 139, 143, 161, 389, 445, 465, 514, 587, 636, 993)
) | frozenset((995, 2049, 3306, 5060, 5432, 6379, 6667, 11211))


@dataclass(frozen=True)
class Target:
    """One address, taken apart: `host` in lower case, IDNA-encoded, without brackets; `resource` is path and query."""

    scheme: str
    host: str
    port: int
    resource: str

    @property
    def origin(self) -> str:
        """Scheme, host and, where it is not the usual one, port: what may be shown."""
        return f"{self.scheme}://{self.authority}"

    @property
    def authority(self) -> str:
        """The `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole address, normalised; it may hold secrets."""
        return self.origin + self.resource


def parse(url: str, *, allowed_ports: frozenset[int] | None = None) -> Target:
    """Takes an http or https address apart. Raises `EgressRefused` (invalid_url, forbidden_port)."""
    if len(url) > _MAX_URL:
        raise EgressRefused("invalid_url", f"An address has at most {_MAX_URL} characters.")
    if _UNREADABLE.search(url):
        raise EgressRefused("invalid_url", "The address holds spaces, backslashes or control characters.")
    try:
        parts = urlsplit(url)
        port = parts.port
        credentials = parts.username is not None or parts.password is not None
    except ValueError:
        raise EgressRefused("invalid_url", "The address cannot be read.") from None
    if parts.scheme not in _DEFAULT_PORTS or not parts.netloc:
        raise EgressRefused("invalid_url", "Only http:// and https:// addresses are taken.")
    if credentials or "@" in parts.netloc:
        raise EgressRefused("invalid_url", "An address must not hold a user name or password.")
    host = _host(parts.netloc, parts.hostname)
    if port is None:
        port = _DEFAULT_PORTS[parts.scheme]
    if port in _FORBIDDEN_PORTS or (allowed_ports is not None and port not in allowed_ports):
        raise EgressRefused("forbidden_port", f"Port {port} cannot be used.")
    resource = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port, quote(resource, safe=_PRINTABLE))


def follow(target: Target, location: str, *, allowed_ports: frozenset[int] | None = None) -> Target:
    """Where a redirect leads, read as strictly. Raises `EgressRefused`, also for the way from https to http."""
    try:
        url = urljoin(target.url, location)
    except ValueError:
        raise EgressRefused("invalid_url", f"{target.origin} redirects to an address that cannot be read.") from None
    reached = parse(url, allowed_ports=allowed_ports)
    if target.scheme == "https" and reached.scheme == "http":
        raise EgressRefused("insecure_redirect", f"{target.origin} redirects to an address without encryption.")
    return reached


def _host(netloc: str, hostname: str | None) -> str:
    refusal = EgressRefused("invalid_url", "The address has no valid host name.")
    if not hostname:
        raise refusal
    if netloc.startswith("["):
        address = addresses.parse(hostname)
        if not isinstance(address, IPv6Address) or address.scope_id is not None:
            raise refusal
        return str(address)
    try:
        name = hostname if hostname.isascii() else idna.encode(hostname, uts46=True).decode("ascii")
    except idna.IDNAError:
        raise refusal from None
    name = name.lower().removesuffix(".")
    if len(name) > 253 or not _HOST.fullmatch(name):
        raise refusal
    if _NUMERIC_LABEL.fullmatch(name.rsplit(".", 1)[-1]) and addresses.parse(name) is None:
        # Resolvers read 2130706433, 0x7f.1 or 0177.0.0.1 as addresses, each in its own way.
        raise refusal
    return name
