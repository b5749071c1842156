"""Draining: stored events are processed, many conversations at once, each conversation in its order.

Bots take turns, and the conversations of each bot: whatever one of them has waiting, the others are served meanwhile.
Several processes drain at once (`processor` says how they keep out of each other's way).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Final

from sqlalchemy import select

from backend.core import clock
from backend.core.database import system_scope
from backend.core.work import Turn, Waiting, Work, register
from backend.models import WebhookEvent
from backend.services.intake import asking, claims
from backend.services.intake.batch_processor import BatchResult, asks_provider, process_together
from backend.services.intake.claims import FIRST_KEY, ClaimedEvent, ConversationPosition, Head
from backend.services.intake.processor import PAUSES, begin, process

MAX_BATCH: Final = 200
"""How many events are processed in one transaction."""
MAX_RUN: Final = 50
"""How many of them may be of one conversation."""
MAX_SINGLE: Final = 20
"""How many events are processed by themselves before the next batch."""

_BUSY_SECONDS: Final = 0.5
"""How long an event waits that has to ask a provider while enough others do."""
_LOOK_SECONDS: Final = 0.1
"""How often there is a look for new events while a provider is asked for others."""

_cursors: dict[int, int] = {}
"""Where this process goes on with each sender's conversations."""


def drain(turn: Turn) -> int:
    """Processes what waits until the turn is over; returns how many events ended."""
    ended = 0
    with system_scope("events belong to senders; each handler enters its workspace"):
        while True:
            rotation = Rotation(claims.waiting_senders())
            while rotation.goes_on():
                ended += _round(rotation, turn)
                if turn.is_over():
                    turn.go_on_later()
                    return ended
            if not asking.events() or turn.is_over():
                return ended
            # Meanwhile others may have come, and somebody may wait behind the one that is asked for.
            ended += asking.wait(min(_LOOK_SECONDS, turn.left()))


def waiting() -> Waiting:
    """Events that are due to be processed."""
    due = select(WebhookEvent.id).where(WebhookEvent.state == "new", WebhookEvent.due_at <= clock.now())
    return (due,)


class Rotation:
    """Whose turn it is: goes round the conversations of each sender, as many of one sender as of another.

    It ends for a sender once nothing was done in a whole pass over its conversations.
    """

    def __init__(self, senders: Iterable[int]) -> None:
        self._after = {sender_id: _cursors.get(sender_id, FIRST_KEY) for sender_id in senders}
        # A pass that began in the middle has not seen every conversation.
        self._is_whole = {sender_id: key == FIRST_KEY for sender_id, key in self._after.items()}
        self._busy: set[int] = set()
        self._at_end: set[int] = set()

    def goes_on(self) -> bool:
        """Whether a sender may still have something to do."""
        for sender_id in self._at_end:
            self._begin_again(sender_id)
        self._at_end.clear()
        return bool(self._after)

    def note_done(self, sender_ids: Iterable[int]) -> None:
        """Notes senders of whose events some were tried in this pass."""
        self._busy.update(sender_ids)

    def next_heads(self) -> list[Head]:
        """The next conversations that have something due."""
        most = max(1, MAX_BATCH // len(self._after))
        beginning = {sender_id for sender_id, key in self._after.items() if key == FIRST_KEY}
        page = claims.heads(self._after, most, inclusive=beginning)
        counts = dict.fromkeys(self._after, 0)
        for head in page:
            counts[head.sender_id] += 1
            self._after[head.sender_id] = head.conversation_key
        self._at_end.update(sender_id for sender_id, count in counts.items() if count < most)
        _cursors.update(self._after | dict.fromkeys(self._at_end, FIRST_KEY))
        return [head for head in page if head.due]

    def go_back(self, position: ConversationPosition) -> None:
        """Goes on with this conversation, which has not had its turn."""
        sender_id, key = position
        if key > FIRST_KEY + 1:
            self._after[sender_id] = _cursors[sender_id] = key - 1
        self._at_end.discard(sender_id)
        self._is_whole[sender_id] = False

    def _begin_again(self, sender_id: int) -> None:
        if self._is_whole[sender_id] and sender_id not in self._busy:
            del self._after[sender_id], self._is_whole[sender_id]
            _cursors.pop(sender_id, None)
            return
        self._after[sender_id] = FIRST_KEY
        self._is_whole[sender_id] = True
        self._busy.discard(sender_id)


def _round(rotation: Rotation, turn: Turn) -> int:
    """One batch, and then some of what has to be processed by itself; returns how many events ended."""
    heads = [head for head in rotation.next_heads() if head.id not in asking.events()]
    new = [head for head in heads if head.is_new]
    result = BatchResult()
    if new:
        run = max(1, min(MAX_RUN, MAX_BATCH // len(new)))
        claimed = claims.claim(new, run, PAUSES[0])
        rotation.note_done(event.sender_id for event in claimed)
        if claimed:
            result = process_together(claimed)
    return result.ended + _process_single(rotation, heads, result, turn)


def _process_single(rotation: Rotation, heads: list[Head], result: BatchResult, turn: Turn) -> int:
    """Processes by themselves what the batch has left and what was tried before, conversations in turn."""
    left = [head.position for head in heads if not head.is_new or head.position in result.single]
    each = max(1, MAX_SINGLE // len(left)) if left else 0
    ended, tries, back = 0, 0, list(result.behind)
    passed_over: dict[int, ConversationPosition] = {}
    for position in _by_sender_in_turn(left):
        claimed = result.single.get(position)
        if tries >= MAX_SINGLE or (tries and turn.is_over()):
            passed_over.setdefault(position[0], position)
            back += [event.id for event in claimed or ()]
            continue
        if claimed is None:
            tries += 1
            if (begun := begin(position)) is not None:
                rotation.note_done([begun.sender_id])
                ended += _process(begun)
            continue
        tried, done = _process_in_order(claimed[:each], turn)
        tries, ended = tries + tried, ended + done
        back += [event.id for event in claimed[tried:]]
    for position in passed_over.values():
        rotation.go_back(position)
    claims.give_back(back, counted=result.failed)
    return ended


def _process_in_order(run: list[ClaimedEvent], turn: Turn) -> tuple[int, int]:
    """Processes a conversation's events; stops behind the first that does not end. Returns how many were tried, and how
    many ended."""
    for number, event in enumerate(run):
        if number and turn.is_over():
            return number, number
        if not _process(event):
            return number + 1, number
    return len(run), len(run)


def _process(event: ClaimedEvent) -> bool:
    """Processes an event by itself; True when it ended. One that asks a provider goes on in a thread."""
    if not asks_provider(event):
        return process(event)
    if not asking.start(event):
        claims.give_back([event.id], pause=_BUSY_SECONDS)
    return False


def _by_sender_in_turn(positions: list[ConversationPosition]) -> Iterator[ConversationPosition]:
    """The first of each sender, then the second of each, and so on."""
    of_sender: dict[int, list[ConversationPosition]] = {}
    for position in positions:
        of_sender.setdefault(position[0], []).append(position)
    for several in zip_longest(*of_sender.values()):
        yield from (position for position in several if position is not None)


WORK: Final = register(Work("webhook_events", "intake", waiting, drain))
