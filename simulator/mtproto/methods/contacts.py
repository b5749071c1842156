"""contacts.…: finding people by number and username, and the account's own contacts."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from telethon.tl import functions, types

from simulator.accounts.errors import Refusal
from simulator.accounts.model import Account
from simulator.mtproto import views
from simulator.mtproto.methods.registry import method
from simulator.mtproto.methods.users import addressed

if TYPE_CHECKING:
    from simulator.mtproto.calls import Call


def _found_by_phone(call: Call, phone: str) -> Account | None:
    """The account of a number, None where there is none, and where its owner hides it from this account."""
    target = call.directory.with_phone(phone)
    if target is None or call.directory.person(target.id).deactivated:
        return None
    if target.conduct.hides_number and call.me.id not in target.contacts and target is not call.me:
        return None
    return target


@method(functions.contacts.ResolvePhoneRequest, frozen=False)
def resolve_phone(call: Call, request: Any) -> Any:
    """Whose number it is. A hidden number is no different from one that nobody has."""
    call.more["query"] = request.phone
    now, interval = time.monotonic(), call.server.settings.lookup_interval
    wait = call.me.looked_up_at + interval - now
    if interval and wait > 0:
        raise Refusal(420, f"FLOOD_WAIT_{math.ceil(wait)}")
    call.me.looked_up_at = now
    target = _found_by_phone(call, request.phone)
    if target is None:
        raise Refusal(400, "PHONE_NOT_OCCUPIED")
    call.peer = target.id
    return types.contacts.ResolvedPeer(types.PeerUser(target.id), [], [views.user(call.directory, call.me, target)])


@method(functions.contacts.ResolveUsernameRequest, frozen=False)
def resolve_username(call: Call, request: Any) -> Any:
    """Whose username it is today."""
    call.more["query"] = request.username
    person_id = call.directory.world.find_name(request.username)
    if person_id is None or person_id not in call.directory.world.people:
        raise Refusal(400, "USERNAME_NOT_OCCUPIED")
    target = call.directory.account(person_id)
    call.peer = target.id
    return types.contacts.ResolvedPeer(types.PeerUser(target.id), [], [views.user(call.directory, call.me, target)])


@method(functions.contacts.ImportContactsRequest, frozen=False)
def import_contacts(call: Call, request: Any) -> Any:
    """Save people by number. A limited account is told to try all of them again, without an error."""
    if call.me.conduct.import_limited:
        again = [contact.client_id for contact in request.contacts]
        return types.contacts.ImportedContacts([], [], again, [])
    imported, people = [], []
    for contact in request.contacts:
        target = _found_by_phone(call, contact.phone)
        if target is None:
            continue
        known = target.id in call.me.contacts
        call.me.contacts[target.id] = (contact.first_name, contact.last_name)
        if not known:
            imported.append(types.ImportedContact(target.id, contact.client_id))
        people.append(views.user(call.directory, call.me, target))
    call.directory.world.changes += 1
    return types.contacts.ImportedContacts(imported, [], [], people)


@method(functions.contacts.GetContactsRequest)
def get_contacts(call: Call, request: Any) -> Any:
    """The account's contacts."""
    targets = [call.directory.account(each) for each in call.me.contacts]
    listed = [types.Contact(target.id, call.me.id in target.contacts) for target in targets]
    people = [views.user(call.directory, call.me, target) for target in targets]
    return types.contacts.Contacts(listed, len(listed), people)


@method(functions.contacts.GetContactIDsRequest)
def get_contact_ids(call: Call, request: Any) -> Any:
    """Their ids. The protocol has 32 bits for each, so larger ones are left out."""
    return sorted(each for each in call.me.contacts if each < 2**31)


@method(functions.contacts.AddContactRequest, frozen=False)
def add_contact(call: Call, request: Any) -> Any:
    """Save a person whom the account knows already."""
    target = addressed(call, request.id)
    call.me.contacts[target.id] = (request.first_name, request.last_name)
    call.directory.world.changes += 1
    return _updates_of(call, target)


@method(functions.contacts.DeleteContactsRequest, frozen=False)
def delete_contacts(call: Call, request: Any) -> Any:
    """Forget contacts."""
    targets = [addressed(call, peer) for peer in request.id]
    for target in targets:
        call.me.contacts.pop(target.id, None)
    call.directory.world.changes += 1
    return _updates_of(call, *targets)


def _updates_of(call: Call, *targets: Account) -> Any:
    people = views.users(call.directory, call.me, {target.id for target in targets})
    return types.Updates(
        [types.UpdatePeerSettings(types.PeerUser(each.id), types.PeerSettings()) for each in targets],
        people,
        [],
        views.now(),
        0,
    )


@method(functions.contacts.BlockRequest, functions.contacts.UnblockRequest, frozen=False)
def block(call: Call, request: Any) -> Any:
    """Block a person or let them write again."""
    target = addressed(call, request.id)
    if target.id in call.me.blocked:
        call.me.blocked.remove(target.id)
    if isinstance(request, functions.contacts.BlockRequest):
        call.me.blocked.append(target.id)
    call.directory.world.touch()
    return True
