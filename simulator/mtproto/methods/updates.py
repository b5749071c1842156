"""updates.…: where an account stands, and what happened since."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from telethon.tl import functions, types

from simulator.accounts.errors import Refusal
from simulator.mtproto import views
from simulator.mtproto.methods.registry import method

if TYPE_CHECKING:
    from simulator.mtproto.calls import Call


@method(functions.updates.GetStateRequest)
def get_state(call: Call, request: Any) -> Any:
    """Where the account stands now."""
    return views.state(call.me)


@method(functions.updates.GetDifferenceRequest)
def get_difference(call: Call, request: Any) -> Any:
    """What happened after `pts`: all of it, the first part, or only that it is too much."""
    if request.pts <= 0:
        raise Refusal(400, "PERSISTENT_TIMESTAMP_EMPTY")
    me, settings = call.me, call.server.settings
    call.more["pts"] = request.pts
    events = me.events[bisect_right(me.events, request.pts, key=lambda event: event.pts) :]
    if not events:
        return types.updates.DifferenceEmpty(views.now(), 0)
    limit = min(request.pts_total_limit or settings.difference_limit, settings.difference_limit)
    if me.pts - request.pts > limit:
        return types.updates.DifferenceTooLong(me.pts)
    part = events[: min(request.pts_limit or settings.difference_slice, settings.difference_slice)]
    shown = [each for event in part if (each := views.update(call.directory, me, event)) is not None]
    new = [each.message for each in shown if isinstance(each, types.UpdateNewMessage)]
    others = [each for each in shown if not isinstance(each, types.UpdateNewMessage)]
    people = views.users(call.directory, me, {event.peer for event in part})
    state = views.state(me)
    if len(part) == len(events):
        return types.updates.Difference(new, [], others, [], people, state)
    state.pts = part[-1].pts
    return types.updates.DifferenceSlice(new, [], others, [], people, state)
