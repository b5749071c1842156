"""messages.get…: the list of chats and what stands in them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from telethon.tl import functions, types

from simulator.accounts.model import Account, Message
from simulator.mtproto import views
from simulator.mtproto.methods.registry import method
from simulator.mtproto.methods.users import addressed

if TYPE_CHECKING:
    from simulator.mtproto.calls import Call

MAX_PAGE = 100


def dialog(account: Account, peer: int) -> Any:
    """A chat in the list: its newest message, and how far each side has read."""
    numbers = account.chats.get(peer, [])
    return types.Dialog(
        peer=types.PeerUser(peer),
        top_message=numbers[-1] if numbers else 0,
        read_inbox_max_id=account.read_inbox.get(peer, 0),
        read_outbox_max_id=account.read_outbox.get(peer, 0),
        unread_count=account.unread(peer),
        unread_mentions_count=0,
        unread_reactions_count=0,
        unread_poll_votes_count=0,
        notify_settings=types.PeerNotifySettings(),
    )


def _shown(call: Call, messages: list[Message]) -> list[Any]:
    return [views.message(call.directory, call.me, message) for message in messages]


def _newest(account: Account, peers: list[int]) -> list[Message]:
    return [account.messages[account.chats[peer][-1]] for peer in peers if account.chats.get(peer)]


def _is_given(date: datetime | None) -> bool:
    """A date that is left out comes as the beginning of 1970."""
    return date is not None and date.timestamp() > 0


@method(functions.messages.GetDialogsRequest)
def get_dialogs(call: Call, request: Any) -> Any:
    """A page of chats, the one that was written in last first."""
    newest = sorted(_newest(call.me, list(call.me.chats)), key=lambda message: (-message.date, -message.id))
    total = len(newest)
    if request.offset_id:
        newest = [message for message in newest if message.id < request.offset_id]
    elif _is_given(request.offset_date):
        newest = [message for message in newest if views.moment(message.date) < request.offset_date]
    page = newest[: min(request.limit or MAX_PAGE, MAX_PAGE)]
    dialogs = [dialog(call.me, message.peer) for message in page]
    people = views.users(call.directory, call.me, {message.peer for message in page})
    if len(page) == total:
        return types.messages.Dialogs(dialogs, _shown(call, page), [], people)
    return types.messages.DialogsSlice(total, dialogs, _shown(call, page), [], people)


@method(functions.messages.GetPeerDialogsRequest)
def get_peer_dialogs(call: Call, request: Any) -> Any:
    """The chats with these people, with where the account stands."""
    peers = [addressed(call, each.peer).id for each in request.peers]
    call.more["peers"] = peers
    messages = _shown(call, _newest(call.me, peers))
    people = views.users(call.directory, call.me, set(peers))
    dialogs = [dialog(call.me, peer) for peer in peers]
    return types.messages.PeerDialogs(dialogs, messages, [], people, views.state(call.me))


@method(functions.messages.GetHistoryRequest)
def get_history(call: Call, request: Any) -> Any:
    """A page of a chat, the newest message first."""
    target = addressed(call, request.peer)
    numbers = sorted(call.me.chats.get(target.id, []), reverse=True)
    total = len(numbers)
    numbers = [each for each in numbers if each > request.min_id and (not request.max_id or each < request.max_id)]
    if _is_given(request.offset_date):
        numbers = [each for each in numbers if views.moment(call.me.messages[each].date) < request.offset_date]
    start = 0
    if request.offset_id:
        start = next((place for place, each in enumerate(numbers) if each < request.offset_id), len(numbers))
    start = max(start + request.add_offset, 0)
    page = [call.me.messages[each] for each in numbers[start : start + min(request.limit or MAX_PAGE, MAX_PAGE)]]
    people = views.users(call.directory, call.me, {target.id})
    if len(page) == total:
        return types.messages.Messages(_shown(call, page), [], [], people)
    return types.messages.MessagesSlice(total, _shown(call, page), [], [], people)


@method(functions.messages.GetMessagesRequest)
def get_messages(call: Call, request: Any) -> Any:
    """Messages by number; an empty one for each that is not there."""
    shown: list[Any] = []
    peers: set[int] = set()
    for wanted in request.id:
        number = getattr(wanted, "id", 0)
        message = call.me.messages.get(number)
        if message is None:
            shown.append(types.MessageEmpty(number, None))
        else:
            shown.append(views.message(call.directory, call.me, message))
            peers.add(message.peer)
    return types.messages.Messages(shown, [], [], views.users(call.directory, call.me, peers))
