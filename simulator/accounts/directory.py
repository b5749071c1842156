"""Who has an account: phones, names, access hashes, logins and files. One instance in each world."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from simulator.accounts.errors import Refusal
from simulator.accounts.model import Account, AuthKey, Code, Document, Event
from simulator.errors import invalid, not_found
from simulator.model import Person

if TYPE_CHECKING:
    from simulator.world import World

PHONE = re.compile(r"[1-9][0-9]{6,14}")
USERNAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{3,31}")
SERVICE = 777000
SERVICE_PERSON = Person(SERVICE, "Telegram")
FIRST_DOCUMENT = 5_000_000_001

Listener = Callable[[Account, Event], None]
Notifier = Callable[[Account, str, dict[str, Any]], None]


class Directory:
    """Accounts by person and by phone.

    `listener` hears every change of an account's box, `notifier` what devices are told besides (a kind and its
    values), `on_refused` that a key is good for nothing any more; `later` does something after so many seconds. The
    protocol's server sets all four.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.accounts: dict[int, Account] = {}
        self.by_phone: dict[str, int] = {}
        self.keys: dict[int, AuthKey] = {}
        self.codes: list[Code] = []
        self.tokens: dict[str, tuple[int, float, int]] = {}
        """QR tokens: (key id, until when in Unix seconds, who accepted it or 0)."""
        self.documents: dict[int, Document] = {}
        self.secret = secrets.token_hex(16)
        self.server_key = ""
        self.last_uid = 0
        self.listener: Listener = lambda account, event: None
        self.notifier: Notifier = lambda account, kind, values: None
        self.on_refused: Callable[[AuthKey], None] = lambda key: None
        self.later: Callable[[float, Callable[[], None]], None] = lambda seconds, action: action()

    # ---- who there is

    def add(self, person: Person, phone: str, **details: Any) -> Account:
        """Give a person a phone number, with or without +. Raises ControlError 422 for one that is taken or none."""
        digits = self.free_phone(phone, person.id)
        account = self.account(person.id)
        self.by_phone.pop(account.phone, None)
        account.phone = digits
        self.by_phone[digits] = person.id
        for name, value in details.items():
            setattr(account, name, value)
        self.world.touch()
        return account

    def free_phone(self, phone: str, owner: int = 0) -> str:
        """The digits of a number that nobody but `owner` has. Raises ControlError 422."""
        digits = phone.removeprefix("+")
        if not PHONE.fullmatch(digits):
            raise invalid("a phone number has 7 to 15 digits and no leading 0")
        if self.by_phone.get(digits, owner) != owner:
            raise invalid("this phone number is taken")
        return digits

    def account(self, person_id: int) -> Account:
        """A person's account; one who never had a phone number has an empty box. Raises ControlError 404."""
        account = self.accounts.get(person_id)
        if account is None:
            self.person(person_id)
            account = self.accounts[person_id] = Account(person_id)
        return account

    def person(self, person_id: int) -> Person:
        """The person of an account, Telegram itself too. Raises ControlError 404."""
        if person_id == SERVICE:
            return SERVICE_PERSON
        person = self.world.people.get(person_id)
        if person is None:
            raise not_found("this person")
        return person

    def named(self, reference: int | str) -> Account:
        """An account by +phone, person's id or username. Raises ControlError 404."""
        if isinstance(reference, str) and reference.startswith("+"):
            if reference[1:] not in self.by_phone:
                raise not_found("this phone number")
            return self.account(self.by_phone[reference[1:]])
        if str(reference) == str(SERVICE):
            return self.account(SERVICE)
        return self.account(self.world.person(reference).id)

    def with_phone(self, phone: str) -> Account | None:
        """The account of a phone number, however it is written."""
        digits = re.sub(r"[^0-9]", "", phone)
        person_id = self.by_phone.get(digits)
        return None if person_id is None else self.account(person_id)

    def rename(self, person: Person, username: str) -> None:
        """Give a username to a person, taken from whoever has it; "" gives it up. Raises ControlError 422."""
        self.check_username(username)
        self.world.rename(person, username)

    def check_username(self, username: str) -> None:
        """Raises ControlError 422 for a username that no person can have."""
        if username and not USERNAME.fullmatch(username):
            raise invalid("a username has 4 to 32 letters, digits and _")
        holder = self.world.find_name(username) if username else None
        if holder is not None and holder not in self.world.people:
            raise invalid("this username is taken")

    # ---- addressing

    def access_hash(self, viewer: int, target: int) -> int:
        """What `viewer` names `target` with: of no use to any other account. Signed 64 bits, never 0."""
        digest = hmac.new(self.secret.encode(), b"%d:%d" % (viewer, target), hashlib.sha256).digest()
        return int.from_bytes(digest[:8], "little", signed=True) or 1

    def addressed(self, viewer: Account, person_id: int, access_hash: int) -> Account:
        """The account that a client addresses. Raises Refusal PEER_ID_INVALID for a wrong access hash."""
        known = person_id == SERVICE or person_id in self.world.people
        if not known or access_hash != self.access_hash(viewer.id, person_id):
            raise Refusal(400, "PEER_ID_INVALID")
        return self.account(person_id)

    # ---- logins

    def keys_of(self, account: Account) -> list[AuthKey]:
        """The logins of an account that are good, oldest first."""
        return [key for key in self.keys.values() if key.account == account.id and not key.refused]

    def refuse_key(self, key: AuthKey, error: str) -> None:
        """Every call with this key gets this error from now on."""
        key.refused = error
        self.world.changes += 1
        self.on_refused(key)

    # ---- files

    def store(self, document: Document) -> Document:
        """Keep a file under the next number."""
        document.id = max([FIRST_DOCUMENT - 1, *self.documents]) + 1
        document.reference = secrets.token_hex(8)
        self.documents[document.id] = document
        return document
