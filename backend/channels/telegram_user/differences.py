"""Fetching what happened to an account since a position: pushes are hints, this is what counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from telethon.tl import functions, types

from backend.channels.telegram_user.connection import AccountConnection, Refusal
from backend.channels.telegram_user.errors import seconds_of
from backend.channels.telegram_user.projection import Projected, name_of, people_of, project, read_mark

MAX_DATED: Final = 50
"""Read marks of one difference whose moment is asked for, the newest ones."""
_PEERS: Final = 100
"""Chats that one question asks about."""
_HISTORY: Final = 100


@dataclass(frozen=True, slots=True)
class Position:
    """Up to where an account's updates are stored; `date` in seconds since 1970."""

    pts: int
    qts: int
    date: int
    seq: int


@dataclass(frozen=True, slots=True)
class Difference:
    """What happened, and the position after it. With `is_last` nothing more is there now; `too_long`: so much happened
    that Telegram does not list it, and chats have to be looked through."""

    projected: Projected
    position: Position
    is_last: bool
    too_long: bool = False


@dataclass(frozen=True, slots=True)
class Peer:
    """How an account addresses a person, and the newest message of theirs that is known here."""

    user_id: int
    access_hash: int
    after_id: int = 0
    is_self: bool = False
    """Whether it is the account itself: its Saved Messages, which have no access hash."""

    @property
    def input(self) -> Any:
        """As requests name the person's chat."""
        if self.is_self:
            return types.InputPeerSelf()
        return types.InputPeerUser(self.user_id, self.access_hash)


async def state(connection: AccountConnection) -> Position:
    """Where the account is now. Raises what `AccountConnection.call` raises."""
    return _position(await connection.call(functions.updates.GetStateRequest()))


async def since(connection: AccountConnection, position: Position, self_id: int) -> Difference:
    """What happened after the position, or the beginning of it. Raises what `AccountConnection.call` raises."""
    request = functions.updates.GetDifferenceRequest(pts=position.pts, date=position.date, qts=position.qts)
    answer = await connection.call(request)
    kind = name_of(answer)
    if kind == "DifferenceEmpty":
        after = Position(position.pts, position.qts, _seconds(answer.date), answer.seq)
        return Difference(Projected(), after, is_last=True)
    if kind == "DifferenceTooLong":
        after = Position(answer.pts, position.qts, position.date, position.seq)
        return Difference(Projected(), after, is_last=False, too_long=True)
    projected = project(answer.new_messages, answer.other_updates, answer.users, self_id)
    if kind == "DifferenceSlice":
        return Difference(projected, _position(answer.intermediate_state), is_last=False)
    return Difference(projected, _position(answer.state), is_last=True)


async def look(connection: AccountConnection, peers: Sequence[Peer], self_id: int) -> Projected:
    """What is newer in these chats than what is known here, with how far the other side has read. Raises what
    `AccountConnection.call` raises."""
    result = Projected()
    for start in range(0, len(peers), _PEERS):
        chunk = {peer.user_id: peer for peer in peers[start : start + _PEERS]}
        request = functions.messages.GetPeerDialogsRequest(
            [types.InputDialogPeer(peer.input) for peer in chunk.values()]
        )
        answer = await connection.call(request)
        result.people |= people_of(answer.users)
        for dialog in answer.dialogs:
            peer = chunk.get(getattr(dialog.peer, "user_id", 0))
            if peer is None:
                continue
            if dialog.top_message > peer.after_id:
                await _add_history(connection, peer, self_id, result)
            if dialog.read_outbox_max_id:
                result.updates.append(read_mark(peer.user_id, dialog.read_outbox_max_id))
    return result


async def date_reads(connection: AccountConnection, projected: Projected, peers: Mapping[int, Peer]) -> None:
    """Adds to the read marks of these people when they read; of most, Telegram tells nothing, and nothing is added.
    Raises what `AccountConnection.call` raises, but no refusal."""
    marks = [update for update in projected.updates if update["kind"] == "read" and update["chat"] in peers]
    for mark in marks[-MAX_DATED:]:
        request = functions.messages.GetOutboxReadDateRequest(peers[mark["chat"]].input, mark["max_id"])
        try:
            answer = await connection.call(request)
        except Refusal as refusal:
            if seconds_of(refusal) is not None:
                return
            continue
        mark["date"] = _seconds(answer.date)


async def _add_history(connection: AccountConnection, peer: Peer, self_id: int, result: Projected) -> None:
    """Adds the messages of a chat that are newer than what is known, the oldest first."""
    newest_first: list[Any] = []
    before = 0
    while True:
        answer = await connection.call(
            functions.messages.GetHistoryRequest(
                peer=peer.input,
                offset_id=before,
                offset_date=None,
                add_offset=0,
                limit=_HISTORY,
                max_id=0,
                min_id=peer.after_id,
                hash=0,
            )
        )
        messages = [message for message in answer.messages if name_of(message) != "MessageEmpty"]
        result.people |= people_of(answer.users)
        newest_first += [message for message in messages if message.id > peer.after_id]
        # Of a chat that was never looked through the newest page is enough.
        if len(messages) < _HISTORY or peer.after_id == 0:
            break
        before = messages[-1].id
    result.updates += project(reversed(newest_first), (), (), self_id).updates
    for update in result.updates:
        person = result.people.get(update.get("chat", 0))
        if person is not None and "person" in update:
            update["person"] = dict(person.facts)


def _position(value: Any) -> Position:
    return Position(value.pts, value.qts, _seconds(value.date), value.seq)


def _seconds(moment: Any) -> int:
    return int(moment.timestamp()) if hasattr(moment, "timestamp") else int(moment)
