"""What an item says: Messenger's and Instagram's events as plain values. Nothing raises, whatever stands there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from backend.channels.graph import reading
from backend.channels.inbound import (
    AccountChanged,
    Chat,
    Ignored,
    InboundEvent,
    MessageReceived,
    OptOutChanged,
    Parked,
    Person,
    ReactionChanged,
    ReadMarkReceived,
    ReceiptReceived,
    ThreadControlChanged,
    WatermarkReceived,
)
from backend.channels.inbound_contents import Choice
from backend.channels.meta_messaging.applications import INBOXES
from backend.channels.meta_messaging.items import Event, event_of
from backend.channels.meta_messaging.messages import message_events, moment, referral_of

_EMOJI: Final = {
    "love": "\u2764",
    "smile": "\U0001f606",
    "wow": "\U0001f62e",
    "sad": "\U0001f622",
    "angry": "\U0001f620",
    "like": "\U0001f44d",
    "dislike": "\U0001f44e",
}
"""Of reactions that come as words alone."""
_MAX_MIDS: Final = 200


def parse(piece: bytes) -> list[InboundEvent]:
    """What the event of a piece says, in order; `Parked` what is malformed, `Ignored` what nothing reacts to."""
    event = event_of(piece)
    if event is None:
        empty = isinstance(reading.document(piece), dict)
        return [Parked("malformed" if empty else "unparsable")]
    read = _READERS.get(event.kind)
    if read is None:
        return [Ignored(event.kind)]
    if not event.person and event.kind not in _ABOUT_ACCOUNT:
        # Events without a person: of plugins that name a browser, of pages that Meta restricts.
        return [Ignored(event.kind)]
    return list(read(event)) or [Ignored(event.kind)]


def _message(event: Event) -> Sequence[InboundEvent]:
    return message_events(event, chat_of(event), _person_of(event))


def _edit(event: Event) -> Sequence[InboundEvent]:
    content = event.content
    mid = reading.identifier(content.get("mid"))
    if not mid:
        return [Parked("malformed", event.kind)]
    return [
        MessageReceived(
            chat=chat_of(event),
            sender=_person_of(event),
            message_id=mid,
            text=reading.text(content.get("text")),
            edited=True,
            date=moment(event.value.get("timestamp")),
            standby=event.standby,
        )
    ]


def _reaction(event: Event) -> Sequence[InboundEvent]:
    content = event.content
    mid = reading.identifier(content.get("mid"))
    if not mid:
        return [Parked("malformed", event.kind)]
    emoji = None
    if reading.text(content.get("action"), 20) != "unreact":
        word = reading.text(content.get("reaction"), 20)
        emoji = reading.text(content.get("emoji"), 64) or _EMOJI.get(word) or word or None
    return [ReactionChanged(chat_of(event), _person_of(event), mid, emoji, moment(event.value.get("timestamp")))]


def _postback(event: Event) -> Sequence[InboundEvent]:
    content = event.content
    title, payload = reading.text(content.get("title"), 1000), reading.text(content.get("payload"), 1000)
    return [
        MessageReceived(
            chat=chat_of(event),
            sender=_person_of(event),
            message_id=reading.identifier(content.get("mid")) or own_id(event),
            text=title,
            kind="choice",
            choice=Choice("button", payload, title),
            referral=referral_of(content),
            date=moment(event.value.get("timestamp")),
            standby=event.standby,
        )
    ]


def _referral(event: Event) -> Sequence[InboundEvent]:
    return [
        MessageReceived(
            chat=chat_of(event),
            sender=_person_of(event),
            message_id=own_id(event),
            kind="referral",
            referral=referral_of(event.value),
            date=moment(event.value.get("timestamp")),
            standby=event.standby,
        )
    ]


def _feedback(event: Event) -> Sequence[InboundEvent]:
    """The answers to a form about how content somebody is."""
    values: dict[str, str] = {}
    for screen in reading.objects(event.content.get("feedback_screens")):
        for name, question in reading.mapping(screen, "questions").items():
            answer = reading.mapping({"": question}, "")
            payload = answer.get("payload")
            values[reading.text(name, 100)] = reading.identifier(payload) or reading.text(payload, 1000)
    choice = Choice("form", "feedback", values=values)
    when = moment(event.value.get("timestamp"))
    return [
        MessageReceived(
            chat_of(event), _person_of(event), own_id(event), kind="choice", choice=choice, date=when,
            standby=event.standby,
        )
    ]  # fmt: skip


def _opt_in(event: Event) -> Sequence[InboundEvent]:
    content = event.content
    status = reading.text(content.get("notification_messages_status"), 60)
    topic = reading.text(content.get("title") or content.get("type") or content.get("ref"), 200)
    return [
        OptOutChanged(
            chat_of(event),
            _person_of(event),
            opted_out=status.startswith("STOP"),
            topic=topic or "notifications",
            date=moment(event.value.get("timestamp")),
        )
    ]


def _read(event: Event) -> Sequence[InboundEvent]:
    content, chat = event.content, chat_of(event)
    if mid := reading.identifier(content.get("mid")):
        return [ReadMarkReceived(chat, mid, moment(event.value.get("timestamp")))]
    until = moment(content.get("watermark"))
    return [WatermarkReceived(chat, "read", until)] if until else [Parked("malformed", event.kind)]


def _delivery(event: Event) -> Sequence[InboundEvent]:
    content = event.content
    until = moment(content.get("watermark"))
    listed = content.get("mids")
    mids = [reading.identifier(mid) for mid in (listed[:_MAX_MIDS] if isinstance(listed, list) else ())]
    events: list[InboundEvent] = [ReceiptReceived(mid, "delivered", until) for mid in mids if mid]
    if until is not None:
        events.append(WatermarkReceived(chat_of(event), "delivered", until))
    return events or [Parked("malformed", event.kind)]


def _control(event: Event) -> Sequence[InboundEvent]:
    """Meta tells of a pass whoever is in charge now, and of a taking whoever was until then."""
    owner = reading.identifier(event.content.get("new_owner_app_id"))
    when = moment(event.value.get("timestamp"))
    if owner in INBOXES:
        return [ThreadControlChanged(chat_of(event), "page_inbox", owner, when)]
    ours = event.kind == "pass_thread_control" and not event.standby
    return [ThreadControlChanged(chat_of(event), "us" if ours else "other", owner or None, when)]


def _roles(event: Event) -> Sequence[InboundEvent]:
    facts = {
        reading.text(application, 64): [reading.text(role, 64) for role in roles[:10] if isinstance(role, str)]
        for application, roles in list(event.content.items())[:50]
        if isinstance(roles, list)
    }
    return [AccountChanged("app_roles", facts, moment(event.value.get("timestamp")))]


def _policy(event: Event) -> Sequence[InboundEvent]:
    facts = {name: reading.text(event.content.get(name), 500) for name in ("action", "reason")}
    return [AccountChanged("policy_enforcement", facts, moment(event.value.get("timestamp")))]


_READERS: Final[Mapping[str, Callable[[Event], Sequence[InboundEvent]]]] = {
    "message": _message,
    "message_edit": _edit,
    "reaction": _reaction,
    "postback": _postback,
    "referral": _referral,
    "messaging_feedback": _feedback,
    "optin": _opt_in,
    "read": _read,
    "delivery": _delivery,
    "pass_thread_control": _control,
    "take_thread_control": _control,
    "app_roles": _roles,
    "policy_enforcement": _policy,
}
_ABOUT_ACCOUNT: Final = frozenset({"app_roles", "policy_enforcement"})


def chat_of(event: Event) -> Chat:
    """The chat with the person."""
    return Chat(event.person, "private")


def own_id(event: Event) -> str:
    """An id for what somebody did without a message's id: the same for the same event."""
    content: Any = (event.account, event.person, event.kind, event.value.get("timestamp"), event.content)
    return f"{event.kind}:{sha256(repr(content).encode('utf-8', 'replace')).hexdigest()[:32]}"


def _person_of(event: Event) -> Person | None:
    return None if event.is_from_account else Person(event.person, "")
