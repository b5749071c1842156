"""What the process `sessions` reads and writes: each function is a transaction of its own, run in a thread."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from sqlalchemy import select, update

from backend.channels.inbound import Person
from backend.channels.telegram_user import stored
from backend.channels.telegram_user.appconfig import Freeze
from backend.channels.telegram_user.differences import Peer, Position
from backend.channels.telegram_user.projection import KnownPerson, Projected
from backend.core import clock, failpoints, queue
from backend.core.database import db, system_scope
from backend.models import Account, AccountPeer, Conversation, Identity, MessagePart, Sender, SenderLease, WebhookEvent
from backend.services import conversations, senders
from backend.services.accounts import CHANNEL, access, health, peers
from backend.services.intake import event_store

Result = TypeVar("Result")
_WHY: Final = "the process of accounts serves all workspaces"
_USED_EVERY: Final = timedelta(minutes=1)
_MAX_CHATS: Final = 500
"""Chats that are looked through after a gap that Telegram does not list."""


@dataclass(frozen=True, slots=True)
class Served:
    """What serving an account needs to know of it."""

    sender_id: int
    workspace_id: int
    session: str
    api_id: int
    self_id: int
    device: str
    position: Position | None


class LeaseOver(Exception):
    """Another process serves the account: nothing was stored."""


def in_transaction(app_context: Callable[[], AbstractContextManager[object]], work: Callable[[], Result]) -> Result:
    """Runs `work` in a transaction of its own and commits. Raises what it raises, and what the database raises."""
    with app_context(), system_scope(_WHY):
        try:
            result = work()
            db.session.commit()
            return result
        except BaseException:
            db.session.rollback()
            raise


def read(sender_id: int) -> Served | None:
    """What serving this sender's account needs; None for one that was removed or is logged out."""
    account = db.session.scalar(
        select(Account).where(Account.sender_id == sender_id).execution_options(populate_existing=True)
    )
    sender = senders.by_id(sender_id, channel=CHANNEL)
    if account is None or account.deleted_at is not None or sender is None or sender.credentials is None:
        return None
    position = None
    if account.pts is not None:
        position = Position(account.pts, account.qts or 0, account.date or 0, account.seq or 0)
    return Served(
        sender_id,
        account.workspace_id,
        sender.credentials,
        int(sender.settings.get("api_id", "0")),
        int(account.telegram_user_id),
        account.device,
        position,
    )


def connected(sender_id: int, epoch: int) -> None:
    """Notes that a connection was made: nothing is known to be caught up yet. Raises LeaseOver."""
    _require_lease(sender_id, epoch)
    account = health.lock(sender_id)
    if account is not None:
        account.connected_at, account.caught_up_at = clock.now(), None


def store(sender_id: int, epoch: int, projected: Projected, position: Position | None, *, is_last: bool) -> None:
    """Stores what was fetched as items of the intake, with the position after it. Raises LeaseOver.

    Only chats that the workspace knows are stored. With `is_last` the account has caught up since its connection.
    """
    _require_lease(sender_id, epoch)
    account = health.lock(sender_id)
    sender = senders.by_id(sender_id, channel=CHANNEL)
    if account is None or sender is None:
        return
    _insert(sender, account, projected)
    for notice in projected.notices:
        health.note_service_notice(account, notice)
    if projected.is_unconfirmed:
        health.change_state(account, "unconfirmed", "new_login")
    elif projected.is_unconfirmed is False and account.state == "unconfirmed":
        health.change_state(account, "connected", None)
    if position is not None:
        account.pts, account.qts, account.date, account.seq = position.pts, position.qts, position.date, position.seq
    if is_last:
        if account.caught_up_at is None:
            account.caught_up_at = clock.now()
        health.connected(account)
    db.session.flush()
    failpoints.hit("sessions.stored_not_committed")


def store_newer(sender_id: int, projected: Projected, user_id: int) -> bool:
    """Stores what a look into a chat found; whether something of that chat still has to be processed."""
    account, sender = health.lock(sender_id), senders.by_id(sender_id, channel=CHANNEL)
    if account is None or sender is None:
        return False
    if _insert(sender, account, projected, always=(user_id,)):
        return True
    key = event_store.conversation_key(sender_id, str(user_id))
    waiting = select(WebhookEvent.id).where(
        WebhookEvent.sender_id == sender_id, WebhookEvent.conversation_key == key, WebhookEvent.state == "new"
    )
    return db.session.execute(waiting.limit(1)).first() is not None


def peer_of(sender_id: int, user_id: int, after_id: int) -> Peer | None:
    """How the account addresses a person; None where it never met them."""
    hashed = conversations.identity_hash(CHANNEL, str(user_id))
    own = db.session.scalar(select(Account.telegram_user_hash).where(Account.sender_id == sender_id))
    if own is not None and bytes(own) == hashed:
        return Peer(user_id, 0, after_id, is_self=True)
    peer = peers.by_person(sender_id, hashed)
    return None if peer is None else Peer(user_id, int(peer.access_hash), after_id)


def peers_among(sender_id: int, user_ids: Collection[int]) -> dict[int, Peer]:
    """How the account addresses those of these people whom it has met."""
    by_hash = {conversations.identity_hash(CHANNEL, str(user_id)): user_id for user_id in user_ids}
    rows = db.session.execute(
        select(AccountPeer, Identity.external_hash)
        .join(Identity, Identity.id == AccountPeer.identity_id)
        .where(AccountPeer.sender_id == sender_id, Identity.external_hash.in_(by_hash))
    )
    known = {by_hash[bytes(value)]: peer for peer, value in rows}
    return {user_id: Peer(user_id, int(peer.access_hash), 0) for user_id, peer in known.items()}


def campaigns_pause(sender_id: int) -> str | None:
    """Why no campaign message may go out from the account now; None where it may."""
    account = access.of_sender(sender_id)
    return None if account is None else health.campaigns_pause(account, clock.now())


def note_used(sender_id: int) -> None:
    """Notes that the account was used, to the minute."""
    now = clock.now()
    used = (Account.last_used_at.is_(None)) | (Account.last_used_at < now - _USED_EVERY)
    db.session.execute(
        update(Account)
        .where(Account.sender_id == sender_id, used)
        .values(last_used_at=now)
        .execution_options(synchronize_session=False)
    )


def known_peers(sender_id: int) -> list[Peer]:
    """The people with whom the account has conversations, with the newest message known of each: those last written
    to first."""
    rows = db.session.execute(
        select(AccountPeer, Identity, Conversation)
        .join(Identity, Identity.id == AccountPeer.identity_id)
        .join(
            Conversation, (Conversation.identity_id == Identity.id) & (Conversation.sender_id == AccountPeer.sender_id)
        )
        .where(AccountPeer.sender_id == sender_id)
        .order_by(Conversation.last_message_at.desc().nulls_last())
        .limit(_MAX_CHATS)
    ).all()
    return [Peer(int(identity.external_id), int(peer.access_hash), _newest(chat)) for peer, identity, chat in rows]


def note_freeze(sender_id: int, freeze: Freeze) -> None:
    """Keeps what Telegram's configuration says of the account."""
    account = health.lock(sender_id)
    if account is not None:
        health.note_freeze(account, _moment(freeze.since), _moment(freeze.until), freeze.appeal_url)


def signal(sender_id: int, code: str, *, seconds: float = 0.0, on_lookup: bool = False, **value: Any) -> None:
    """Notes what Telegram said of the account."""
    health.signal(sender_id, code, seconds=seconds, on_lookup=on_lookup, **value)


def _insert(sender: Sender, account: Account, projected: Projected, always: Collection[int] = ()) -> int:
    """Stores the updates of known chats; returns how many were new."""
    chats = {int(update["chat"]) for update in projected.updates if "chat" in update}
    kept = known_chats(sender, chats) | set(always)
    rows = [
        row
        for item in _of_chats(sender.id, projected.updates, kept)
        for row in event_store.arrived(sender, stored.pack(item)).rows
    ]
    new = event_store.insert(db.session.connection(), rows) if rows else set()
    _remember(account, [person for user_id, person in projected.people.items() if user_id in kept])
    if new:
        queue.wake("intake")
    return len(new)


def _of_chats(sender_id: int, updates: Iterable[dict[str, Any]], kept: Collection[int]) -> Iterator[dict[str, Any]]:
    """The updates of these chats; deletions name no chat, and are kept for the messages that are known here."""
    for item in updates:
        if item["kind"] != "deleted":
            if item["chat"] in kept:
                yield item
        elif known := _known_ids(sender_id, item["ids"]):
            yield {"kind": "deleted", "ids": known}


def known_chats(sender: Sender, user_ids: Iterable[int]) -> set[int]:
    """Those of these people whom the account has found, or written to from here: only their chats are stored."""
    by_identity = {conversations.identity_hash(CHANNEL, str(user_id)): user_id for user_id in user_ids}
    by_chat = {conversations.chat_hash(CHANNEL, sender.id, str(user_id)): user_id for user_id in by_identity.values()}
    projected = db.session.scalars(
        select(Identity.external_hash)
        .join(AccountPeer, AccountPeer.identity_id == Identity.id)
        .where(AccountPeer.sender_id == sender.id, Identity.external_hash.in_(by_identity))
    )
    written = db.session.scalars(
        select(Conversation.chat_hash).where(Conversation.sender_id == sender.id, Conversation.chat_hash.in_(by_chat))
    )
    return {by_identity[bytes(value)] for value in projected} | {by_chat[bytes(value)] for value in written}


def _known_ids(sender_id: int, ids: Iterable[int]) -> list[int]:
    wanted = [str(number) for number in ids]
    known = db.session.scalars(
        select(MessagePart.external_id)
        .where(MessagePart.sender_id == sender_id, MessagePart.box == "", MessagePart.external_id.in_(wanted))
        .distinct()
    )
    return sorted(int(value) for value in known)


def _remember(account: Account, people: Iterable[KnownPerson]) -> None:
    """Keeps how the account addresses the people of kept chats, and what they are called now."""
    for person in people:
        facts: Mapping[str, Any] = person.facts
        named = Person(str(person.id), str(facts.get("name") or ""), username=facts.get("username"))
        identity = conversations.identity_of(CHANNEL, named, workspace_id=account.workspace_id)
        peers.remember(account.sender_id, account.workspace_id, identity.id, person.access_hash, "chat")


def _require_lease(sender_id: int, epoch: int) -> None:
    held = select(SenderLease.epoch).where(SenderLease.sender_id == sender_id).with_for_update(read=True)
    if db.session.execute(held).scalar() != epoch:
        raise LeaseOver


def _newest(chat: Conversation) -> int:
    ids = db.session.scalars(
        select(MessagePart.external_id).where(
            MessagePart.sender_id == chat.sender_id, MessagePart.chat_key == chat.chat_key
        )
    )
    return max((int(value) for value in ids if value.isdigit()), default=0)


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
