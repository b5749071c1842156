"""What identifies a person: phone, e-mail address, Telegram user name and user id, each in one normal form."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from email_validator import EmailNotValidError, validate_email

from backend.core.encrypted_columns import keyring
from backend.services import conversations
from backend.services.contacts import phones
from backend.services.contacts.faults import ValueFault

KINDS: Final = ("phone", "email", "username", "telegram_user")
FIELDS: Final = {
    "phone": "phone",
    "email": "email",
    "telegram_username": "username",
    "telegram_user_id": "telegram_user",
}
"""The fields of a contact that are identifiers, and their kinds."""
FIELD_OF: Final = {kind: field for field, kind in FIELDS.items()}
_MAX_EMAIL: Final = 254
_LINK: Final = re.compile(
    r"(?:https?://)?(?:www\.)?(?:t\.me|telegram\.me|telegram\.dog)/(?:s/)?(?P<path>\+?\w+)/?(?:\?.*)?"
    r"|tg:/{0,2}(?:resolve\?domain=)?(?P<deep>\w+).*|(?:https?://)?(?P<host>\w+)\.t\.me/?",
    re.IGNORECASE,
)
_USERNAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{3,31}")
_USER_ID: Final = re.compile(r"[1-9]\d{4,15}")
_RESERVED: Final = frozenset({"joinchat", "addstickers", "addemoji", "share", "proxy", "socks", "login", "setlanguage"})


@dataclass(frozen=True, slots=True)
class Identifier:
    """A kind and a value in its normal form; `validity` is `possible` for a phone number of an unassigned range."""

    kind: str
    value: str
    validity: str = "valid"

    def hash(self) -> bytes:
        """The keyed hash (32 bytes) under which the identifier is found, and suppressed."""
        return hash_of(self.kind, self.value)


def hash_of(kind: str, value: str) -> bytes:
    """The keyed hash (32 bytes) of a value in its normal form. A Telegram user's is that of the identity."""
    if kind == "telegram_user":
        return conversations.identity_hash("telegram_bot", value)
    return keyring().lookup(f"contact.{kind}", value)


def phone(text: str, region: str | None = None) -> Identifier:
    """Reads a phone number. Raises ValueFault."""
    parsed = phones.parse(text, region)
    return Identifier("phone", parsed.e164, parsed.validity)


def email(text: str) -> Identifier:
    """Reads an e-mail address; letter case does not count. Raises ValueFault (email_invalid)."""
    written = unicodedata.normalize("NFKC", text).strip().strip("<>").removeprefix("mailto:").strip()
    if len(written) > _MAX_EMAIL:
        raise ValueFault("too_long", f"An e-mail address has at most {_MAX_EMAIL} characters.")
    return Identifier("email", _checked_email(written.lower()))


@lru_cache(maxsize=1024)
def _checked_domain(domain: str) -> str:
    """The domain in ASCII. Reserved ones (`.invalid`, `.local`) are taken: people's files have them."""
    if "." not in domain or not any(map(str.isalpha, domain.rpartition(".")[2])):
        raise EmailNotValidError("no name of a host")
    # The library refuses reserved endings, so it gets another one.
    checked = validate_email(f"a@{domain}.com", check_deliverability=False, globally_deliverable=False)
    return (checked.ascii_domain or checked.domain).removesuffix(".com")


_SIMPLE_LOCAL: Final = re.compile(r"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*")


def _checked_email(written: str) -> str:
    local, _, domain = written.rpartition("@")
    try:
        # Most addresses are as simple as that; the library takes a tenth of a millisecond for each.
        if len(local) > 64 or not _SIMPLE_LOCAL.fullmatch(local):
            local = validate_email(f"{local}@example.com", check_deliverability=False).local_part.lower()
        return f"{local}@{_checked_domain(domain)}"
    except EmailNotValidError:
        raise ValueFault("email_invalid", "This is no e-mail address.") from None


def telegram(text: str) -> Identifier:
    """Reads a Telegram user name as `@name`, `name` or a link, or a numeric user id. Raises ValueFault."""
    written = unicodedata.normalize("NFKC", text).strip().lstrip("'").strip()
    if len(written) > 200:
        raise ValueFault("too_long", "A user name has at most 32 characters.")
    link = _LINK.fullmatch(written)
    name = next(filter(None, link.groups())) if link else written.removeprefix("@")
    if link and name.startswith("+") and name[1:].isdigit():
        return phone(name)
    if _USER_ID.fullmatch(name):
        return Identifier("telegram_user", name)
    if not _USERNAME.fullmatch(name) or name.lower() in _RESERVED:
        raise ValueFault("username_invalid", "A Telegram user name has 4 to 32 letters, digits and underscores.")
    return Identifier("username", name.lower())


def telegram_user(text: str) -> Identifier:
    """Reads a numeric Telegram user id. Raises ValueFault."""
    if not _USER_ID.fullmatch(text.strip()):
        raise ValueFault("username_invalid", "A Telegram user id is a number.")
    return Identifier("telegram_user", text.strip())


def of_field(field: str, text: str, region: str | None = None) -> Identifier:
    """Reads the value of one of the fields in `FIELDS`. Raises ValueFault."""
    if field == "phone":
        return phone(text, region)
    if field == "email":
        return email(text)
    return telegram_user(text) if field == "telegram_user_id" else telegram(text)


def of_kind(kind: str, text: str, region: str | None = None) -> Identifier:
    """Reads a value of this kind. Raises ValueFault."""
    return of_field(FIELD_OF[kind], text, region)


def all_of(text: str, region: str | None = None) -> list[Identifier]:
    """Everything that a text may mean, for searching; none for a word that is no identifier."""
    readings = []
    for read in (lambda: phone(text, region), lambda: email(text), lambda: telegram(text)):
        try:
            readings.append(read())
        except ValueFault:
            continue
    return readings
