"""What clients are shown: accounts, messages and changes as objects of the protocol."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from telethon.extensions import BinaryReader
from telethon.tl import types

from simulator.accounts.directory import SERVICE, Directory
from simulator.accounts.model import Account, AuthKey, Document, Event, Message

_HASH = 0x5A5A5A5A


def moment(seconds: float) -> datetime:
    """Unix seconds as the protocol's libraries take them."""
    return datetime.fromtimestamp(int(seconds), UTC)


def now() -> datetime:
    """The present second."""
    return datetime.now(UTC).replace(microsecond=0)


def packed(objects: list[Any] | None) -> list[str]:
    """Objects of the protocol in a form that can be saved."""
    return [bytes(each).hex() for each in objects or []]


def unpacked(saved: list[str]) -> list[Any]:
    """The objects behind `packed`."""
    objects_read = []
    for each in saved:
        with BinaryReader(bytes.fromhex(each)) as reader:
            objects_read.append(reader.tgread_object())
    return objects_read


def user(directory: Directory, viewer: Account | None, target: Account) -> Any:
    """An account as another sees it. The number shows to oneself and to whom it is a contact of."""
    person = directory.person(target.id)
    viewer_id = viewer.id if viewer is not None else 0
    own = viewer_id == target.id
    if person.deactivated:
        return types.User(id=target.id, deleted=True, access_hash=directory.access_hash(viewer_id, target.id))
    contact = viewer is not None and target.id in viewer.contacts
    mutual = contact and viewer_id in target.contacts
    shows_phone = own or (contact and not target.conduct.hides_number) or target.id == SERVICE
    first, last = person.first_name, person.last_name
    if viewer is not None and contact:
        first, last = viewer.contacts[target.id]
    phone = "42777" if target.id == SERVICE else target.phone
    return types.User(
        id=target.id,
        is_self=own or None,
        contact=contact or None,
        mutual_contact=mutual or None,
        verified=target.id == SERVICE or None,
        support=target.id == SERVICE or None,
        premium=person.is_premium or None,
        contact_require_premium=(target.conduct.accepts == "premium") or None,
        send_paid_messages_stars=target.conduct.stars if target.conduct.accepts == "paid" else None,
        access_hash=directory.access_hash(viewer_id, target.id),
        first_name=first,
        last_name=last or None,
        username=person.username or None,
        phone=(phone or None) if shows_phone else None,
        status=types.UserStatusRecently(),
        lang_code=None,
    )


def users(directory: Directory, viewer: Account, ids: set[int]) -> list[Any]:
    """Several of them, the viewer always among them."""
    return [user(directory, viewer, directory.account(each)) for each in sorted({*ids, viewer.id})]


def media(stored: Document, dc: int) -> Any:
    """A file. `dc` is the client's own data center, or it would look for the file elsewhere."""
    if stored.kind == "photo":
        size = types.PhotoSize("x", stored.width, stored.height, len(stored.data))
        photo = types.Photo(
            id=stored.id,
            access_hash=stored.id ^ _HASH,
            file_reference=bytes.fromhex(stored.reference),
            date=moment(stored.date),
            sizes=[size],
            dc_id=dc,
        )
        return types.MessageMediaPhoto(photo=photo)
    own = {
        "voice": [types.DocumentAttributeAudio(3, voice=True)],
        "audio": [types.DocumentAttributeAudio(3)],
        "video": [types.DocumentAttributeVideo(3.0, 640, 360)],
    }.get(stored.kind, [])
    shown = types.Document(
        id=stored.id,
        access_hash=stored.id ^ _HASH,
        file_reference=bytes.fromhex(stored.reference),
        date=moment(stored.date),
        mime_type=stored.mime_type,
        size=len(stored.data),
        dc_id=dc,
        attributes=unpacked(stored.attributes) or [*own, types.DocumentAttributeFilename(stored.name)],
    )
    return types.MessageMediaDocument(
        document=shown, voice=stored.kind == "voice" or None, video=stored.kind == "video" or None
    )


def message(directory: Directory, account: Account, copy: Message, *, hide_edit: bool = False) -> Any:
    """An account's copy of a message. `hide_edit`: what changed are its reactions."""
    if copy.call:
        return types.MessageService(
            id=copy.id,
            peer_id=types.PeerUser(copy.peer),
            date=moment(copy.date),
            out=copy.out or None,
            from_id=types.PeerUser(account.id) if copy.out else None,
            action=types.MessageActionPhoneCall(copy.uid, reason=types.PhoneCallDiscardReasonMissed()),
        )
    stored = directory.documents.get(copy.file)
    return types.Message(
        id=copy.id,
        peer_id=types.PeerUser(copy.peer),
        date=moment(copy.date),
        message=copy.text,
        out=copy.out or None,
        from_id=types.PeerUser(account.id) if copy.out else None,
        offline=copy.offline or None,
        via_business_bot_id=copy.business_bot or None,
        edit_hide=hide_edit or None,
        media=media(stored, account.dc) if stored is not None else None,
        entities=unpacked(copy.entities) or None,
        reply_to=types.MessageReplyHeader(reply_to_msg_id=copy.reply_to) if copy.reply_to else None,
        edit_date=moment(copy.edit_date) if copy.edit_date else None,
        reactions=reactions(account, copy),
    )


def reactions(account: Account, copy: Message) -> Any:
    """The reactions under a message; None where there are none."""
    if not copy.reactions:
        return None
    counts: dict[str, int] = {}
    for emoji in copy.reactions.values():
        counts[emoji] = counts.get(emoji, 0) + 1
    mine = copy.reactions.get(account.id)
    return types.MessageReactions(
        results=[
            types.ReactionCount(types.ReactionEmoji(emoji), count, chosen_order=0 if emoji == mine else None)
            for emoji, count in counts.items()
        ],
        can_see_list=True,
        recent_reactions=[
            types.MessagePeerReaction(
                types.PeerUser(who), now(), types.ReactionEmoji(emoji), my=(who == account.id) or None
            )
            for who, emoji in copy.reactions.items()
        ],
    )


def update(directory: Directory, account: Account, event: Event, *, count: int | None = None) -> Any:
    """A change as an update; None where its message is gone by now. `count` replaces its `pts_count`."""
    moved = event.count if count is None else count
    if event.kind in ("new", "edit", "reaction"):
        copy = account.messages.get(event.messages[0])
        if copy is None:
            return None
        shown = message(directory, account, copy, hide_edit=event.kind == "reaction")
        kind = types.UpdateNewMessage if event.kind == "new" else types.UpdateEditMessage
        return kind(shown, event.pts, moved)
    if event.kind == "delete":
        return types.UpdateDeleteMessages(list(event.messages), event.pts, moved)
    peer = types.PeerUser(event.peer)
    if event.kind == "read_inbox":
        return types.UpdateReadHistoryInbox(peer, event.max_id, account.unread(event.peer), event.pts, moved)
    return types.UpdateReadHistoryOutbox(peer, event.max_id, event.pts, moved)


def updates(directory: Directory, account: Account, events: list[Event]) -> Any:
    """Changes with everybody whom they name."""
    shown = [each for event in events if (each := update(directory, account, event)) is not None]
    return types.Updates(shown, users(directory, account, {event.peer for event in events}), [], now(), 0)


def short(single: Any) -> Any:
    """An update that needs nobody beside it."""
    return types.UpdateShort(single, now())


def notice(kind: str, values: dict[str, Any]) -> Any:
    """What devices are told besides changes: new_authorization, login_token, service, typing or name."""
    if kind == "new_authorization":
        unconfirmed = values["unconfirmed"] or None
        return types.UpdateNewAuthorization(
            hash=values["hash"],
            unconfirmed=unconfirmed,
            date=moment(values["date"]) if unconfirmed else None,
            device=values["device"] if unconfirmed else None,
            location="Simulated" if unconfirmed else None,
        )
    if kind == "service":
        return types.UpdateServiceNotification(
            type=values["type"],
            message=values["message"],
            media=types.MessageMediaEmpty(),
            entities=[],
            popup=values["popup"] or None,
            inbox_date=now(),
        )
    if kind == "typing":
        return types.UpdateUserTyping(values["person"], types.SendMessageTypingAction())
    return types.UpdateLoginToken()


def authorization(key: AuthKey, current: AuthKey | None) -> Any:
    """A login as the account's list of devices shows it."""
    return types.Authorization(
        hash=0 if key is current else key.hash,
        device_model=key.device or "unknown",
        platform="Desktop",
        system_version=key.system,
        api_id=key.api_id,
        app_name=key.application or "unknown",
        app_version=key.application,
        date_created=moment(key.created),
        date_active=moment(key.active),
        ip="127.0.0.1",
        country="Simulated",
        region="",
        current=(key is current) or None,
        unconfirmed=key.unconfirmed or None,
    )


def state(account: Account) -> Any:
    """Where the account stands."""
    unread = sum(account.unread(peer) for peer in account.chats)
    return types.updates.State(pts=account.pts, qts=0, date=now(), seq=0, unread_count=unread)
