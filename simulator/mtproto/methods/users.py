"""users.…: what may be known of a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telethon.tl import functions, types

from simulator.accounts.errors import Refusal
from simulator.accounts.model import Account
from simulator.accounts.refusals import is_stranger
from simulator.mtproto import views
from simulator.mtproto.methods.registry import method

if TYPE_CHECKING:
    from simulator.mtproto.calls import Call


def addressed(call: Call, peer: Any) -> Account:
    """The account behind an input peer or input user. Raises Refusal PEER_ID_INVALID for a wrong access hash, and for
    groups, which accounts here do not have.
    """
    if isinstance(peer, (types.InputPeerSelf, types.InputUserSelf)):
        return call.me
    if isinstance(peer, (types.InputPeerUser, types.InputUser)):
        account = call.directory.addressed(call.me, peer.user_id, peer.access_hash)
        call.peer = account.id
        return account
    raise Refusal(400, "PEER_ID_INVALID")


@method(functions.users.GetUsersRequest)
def get_users(call: Call, request: Any) -> Any:
    """Each person asked for; an empty one where the access hash is wrong."""
    people = []
    for peer in request.id:
        try:
            people.append(views.user(call.directory, call.me, addressed(call, peer)))
        except Refusal:
            people.append(types.UserEmpty(getattr(peer, "user_id", 0)))
    return people


@method(functions.users.GetFullUserRequest)
def get_full_user(call: Call, request: Any) -> Any:
    """A person with what stands in the profile."""
    target = addressed(call, request.id)
    conduct = target.conduct
    full = types.UserFull(
        id=target.id,
        settings=types.PeerSettings(),
        notify_settings=types.PeerNotifySettings(),
        common_chats_count=0,
        blocked=target.id in call.me.blocked or None,
        about=target.about or None,
        contact_require_premium=(conduct.accepts == "premium") or None,
        send_paid_messages_stars=conduct.stars if conduct.accepts == "paid" else None,
        read_dates_private=conduct.hides_read_time or None,
    )
    return types.users.UserFull(full, [], [views.user(call.directory, call.me, target)])


@method(functions.users.GetRequirementsToContactRequest)
def get_requirements(call: Call, request: Any) -> Any:
    """What each of these people wants from somebody who writes first: nothing, Premium or Stars."""
    requirements: list[Any] = []
    for peer in request.id:
        target = addressed(call, peer)
        conduct = target.conduct
        if not is_stranger(call.me, target) or conduct.accepts not in ("premium", "paid"):
            requirements.append(types.RequirementToContactEmpty())
        elif conduct.accepts == "paid":
            requirements.append(types.RequirementToContactPaidMessages(conduct.stars))
        else:
            requirements.append(types.RequirementToContactPremium())
    return requirements
