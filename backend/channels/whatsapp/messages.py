"""What people write: a message of any kind, what acts on another message, and echoes of what went out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from backend.channels.graph import reading
from backend.channels.graph.items import kind_word
from backend.channels.inbound import (
    Chat,
    EchoReceived,
    IdentityChanged,
    Ignored,
    InboundEvent,
    MessageDeleted,
    MessageReceived,
    Parked,
    Person,
    ReactionChanged,
    ReceivedMedia,
)
from backend.channels.inbound_contents import Referral, Share
from backend.channels.whatsapp import contents, people

_MEDIA: Final = {"image": "photo", "video": "video", "audio": "audio", "document": "document", "sticker": "sticker"}
_CHANGES: Final = ("user_changed_number", "user_changed_user_id", "customer_changed_number", "user_id_update")
_MAX_NAME: Final = 240


def event_of(message: Mapping[str, Any], contact: Mapping[str, Any], *, is_standby: bool = False) -> InboundEvent:
    """The event of one entry of `messages`."""
    person = people.person_of(message, contact)
    return _event(message, person, person, is_standby=is_standby)


def echo_of(message: Mapping[str, Any], contact: Mapping[str, Any]) -> InboundEvent:
    """The event of one entry of `message_echoes`: somebody answered in the business's own phone."""
    event = _event(message, people.person_of(message, contact, "to"), None)
    return EchoReceived(event) if isinstance(event, MessageReceived) else event


def _event(
    message: Mapping[str, Any], other: Person | None, sender: Person | None, *, is_standby: bool = False
) -> InboundEvent:
    """`other` is whom the conversation is with, `sender` who wrote: None for what went out."""
    message_id, kind = reading.identifier(message.get("id")), kind_word(message.get("type"), "none")
    if not message_id or other is None:
        return Parked("malformed")
    chat, date = _chat(message, other), reading.moment(message.get("timestamp"))
    block = message.get(kind)
    about = block if isinstance(block, dict) else {}
    match kind:
        case "reaction":
            target = reading.identifier(about.get("message_id"))
            emoji = reading.text(about.get("emoji"), 40) or None
            return ReactionChanged(chat, sender, target, emoji, date) if target else Parked("malformed")
        case "revoke":
            target = reading.identifier(about.get("original_message_id"))
            return MessageDeleted((target,), chat, date) if target else Parked("malformed")
        case "edit":
            return _edit(about, chat, sender, message)
        case "system" if about.get("type") in _CHANGES:
            return _identity(message, about)
        case "request_welcome":
            return Ignored(kind)
    return replace(_message(message, kind, message_id, chat, sender), standby=is_standby, date=date)


def _chat(message: Mapping[str, Any], person: Person) -> Chat:
    group = reading.identifier(message.get("group_id"))
    return Chat(group, "group") if group else people.chat_with(person)


def _edit(about: Mapping[str, Any], chat: Chat, sender: Person | None, message: Mapping[str, Any]) -> InboundEvent:
    target, new = reading.identifier(about.get("original_message_id")), reading.mapping(about, "message")
    if not target or not new:
        return Parked("malformed")
    edited = _message(new, kind_word(new.get("type"), "none"), target, chat, sender)
    return replace(edited, edited=True, date=reading.moment(message.get("timestamp")))


def _identity(message: Mapping[str, Any], system: Mapping[str, Any]) -> InboundEvent:
    """A person's new number or ids. What was theirs before is `from` and the `previous_…` fields."""
    old = people.ids_of(
        message.get("from"),
        system.get("previous_user_id") or message.get("from_user_id"),
        system.get("previous_parent_user_id") or message.get("from_parent_user_id"),
    )
    new = people.ids_of(
        system.get("wa_id") or system.get("new_wa_id"), system.get("user_id"), system.get("parent_user_id")
    )
    if not old or not new:
        return Parked("malformed")
    return IdentityChanged(old, new, date=reading.moment(message.get("timestamp")))


def _message(
    message: Mapping[str, Any], kind: str, message_id: str, chat: Chat, sender: Person | None
) -> MessageReceived:
    context, block = reading.mapping(message, "context"), message.get(kind)
    about = block if isinstance(block, dict) else {}
    base = MessageReceived(
        chat=chat,
        sender=sender,
        message_id=message_id,
        forwarded=context.get("forwarded") is True or context.get("frequently_forwarded") is True,
        reply_to=reading.identifier(context.get("id")) or None,
        referral=_referral(reading.mapping(message, "referral")),
        shares=_product(reading.mapping(context, "referred_product")),
    )
    if kind == "text":
        return replace(base, text=reading.text(about.get("body")))
    if kind in _MEDIA:
        return _with_media(base, kind, about)
    if (choice := contents.choice_of(kind, about)) is not None:
        return replace(base, kind="choice", choice=choice, text=choice.title)
    if kind == "location" and (location := contents.location_of(about)) is not None:
        return replace(base, kind="location", location=location, text=location.name or location.address)
    if kind == "contacts" and (cards := contents.contacts_of(block, message)):
        return replace(base, kind="contacts", contacts=cards, text=", ".join(card.name for card in cards))
    if kind == "order" and (order := contents.order_of(about)) is not None:
        return replace(base, kind="order", order=order, text=reading.text(about.get("text")))
    if kind == "system":
        return replace(base, kind="system", text=reading.text(about.get("body")))
    return replace(base, kind="unsupported", provider_kind=contents.unsupported_kind(message, kind))


def _with_media(base: MessageReceived, kind: str, about: Mapping[str, Any]) -> MessageReceived:
    named = "voice" if kind == "audio" and about.get("voice") is True else _MEDIA[kind]
    text, file_id = reading.text(about.get("caption")), reading.identifier(about.get("id"))
    if not file_id:
        # Meta tells of files that it could not take with no id; what is known of them is shown.
        return replace(base, kind=named, text=text)
    size = about.get("file_size")
    media = ReceivedMedia(
        kind=named,
        external_file_id=file_id,
        unique_id=reading.text(about.get("sha256"), 100) or None,
        filename=reading.text(about.get("filename"), _MAX_NAME) or None,
        mime=reading.text(about.get("mime_type"), 100) or None,
        size=size if isinstance(size, int) and not isinstance(size, bool) and 0 <= size < 2**31 else None,
    )
    return replace(base, kind=named, text=text, media=(media,))


def _referral(given: Mapping[str, Any]) -> Referral | None:
    source = reading.text(given.get("source_type"), 60)
    if not source and not given.get("source_id") and not given.get("ctwa_clid"):
        return None
    return Referral(
        source=source or "unknown",
        source_id=reading.identifier(given.get("source_id")),
        reference=reading.text(given.get("ref"), 500),
        click_id=reading.text(given.get("ctwa_clid"), 500),
        headline=reading.text(given.get("headline"), 500),
        url=reading.text(given.get("source_url"), 2000),
    )


def _product(given: Mapping[str, Any]) -> tuple[Share, ...]:
    product = reading.identifier(given.get("product_retailer_id"))
    return (Share("product", title=product),) if product else ()
