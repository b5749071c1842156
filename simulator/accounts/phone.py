"""What somebody does with an account on the phone, where a client of the protocol has no part."""

from __future__ import annotations

import base64
import binascii
import re
import time

from simulator.accounts import boxes, logins
from simulator.accounts.boxes import Draft
from simulator.accounts.directory import Directory
from simulator.accounts.errors import Refusal
from simulator.accounts.model import KINDS, Account, AuthKey, Document, Message
from simulator.accounts.refusals import refusal
from simulator.errors import invalid, not_found
from simulator.files import image_size
from simulator.parameters import Upload

MAX_TEXT = 4096
TOKEN_LINK = re.compile(r"(?:tg://login\?token=)?([A-Za-z0-9_=-]{16,200})")


def message_of(account: Account, number: int) -> Message:
    """A message of the account's box. Raises ControlError 404."""
    if number not in account.messages:
        raise not_found("this message")
    return account.messages[number]


def write(directory: Directory, account: Account, target: Account, draft: Draft) -> Message:
    """Type a text and send it. Raises ControlError 422 with Telegram's own message when it is refused."""
    if not (draft.text.strip() or draft.file or draft.call) or len(draft.text) > MAX_TEXT:
        raise invalid("a text has 1 to 4096 characters")
    if directory.person(account.id).deactivated:
        raise invalid("this account was deleted")
    why_not = refusal(directory, account, target)
    if why_not is not None:
        raise invalid(why_not.message)
    if draft.reply_to:
        message_of(account, draft.reply_to)
    logins.end_codes_in(directory, account, draft.text)
    boxes.read(directory, account, target)
    return boxes.post(directory, account, target, draft)


def send_file(
    directory: Directory, account: Account, target: Account, upload: Upload, kind: str, caption: str
) -> Message:
    """Send a file as one of the kinds. Raises ControlError 422 for an empty one, and for a photo that is none."""
    if kind not in KINDS:
        raise invalid(f"kind must be one of {', '.join(KINDS)}")
    size = image_size(upload.data) if kind == "photo" else (0, 0)
    if not upload.data or size is None:
        raise invalid("this is no picture" if upload.data else "the file is empty")
    mime_type = upload.mime_type or "application/octet-stream"
    document = Document(0, upload.name, mime_type, upload.data, int(time.time()), kind=kind)
    document.width, document.height = size
    why_not = refusal(directory, account, target)
    if why_not is not None:
        raise invalid(why_not.message)
    return write(directory, account, target, Draft(caption, file=directory.store(document).id))


def edit(directory: Directory, account: Account, number: int, text: str) -> Message:
    """Change an own message."""
    message = message_of(account, number)
    if not message.out:
        raise invalid("only one's own messages can be edited")
    if not text.strip() or len(text) > MAX_TEXT:
        raise invalid("a text has 1 to 4096 characters")
    boxes.edit(directory, account, message, text, [])
    return message


def react(directory: Directory, account: Account, number: int, emoji: str) -> Message:
    """Put a reaction under a message, or take it away with ""."""
    message = message_of(account, number)
    if len(emoji) > 8:
        raise invalid("a reaction is one emoji")
    boxes.react(directory, account, message, emoji)
    return message


def delete(directory: Directory, account: Account, numbers: list[int], *, everywhere: bool) -> None:
    """Delete messages, with `everywhere` for the other side too."""
    boxes.delete(directory, account, [message_of(account, number) for number in numbers], everywhere=everywhere)


def delete_chat(directory: Directory, account: Account, target: Account, *, everywhere: bool) -> int:
    """Delete a whole chat; how many messages were in it."""
    messages = [account.messages[number] for number in account.chats.get(target.id, [])]
    boxes.delete(directory, account, messages, everywhere=everywhere)
    return len(messages)


def block(directory: Directory, account: Account, target: Account, *, blocked: bool) -> None:
    """Block a person, or let them write again. Nobody is told."""
    if target.id in account.blocked:
        account.blocked.remove(target.id)
    if blocked:
        account.blocked.append(target.id)
    directory.world.touch()


def scan(directory: Directory, account: Account, link: str) -> AuthKey:
    """Scan a QR picture for a login: `tg://login?token=…`. Returns the key that may log in now. Raises ControlError
    422 for one that is none, too old or used.
    """
    link_match = TOKEN_LINK.fullmatch(link.strip())
    if link_match is None:
        raise invalid("this is no login link")
    try:
        text = link_match[1].rstrip("=")
        token = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        raise invalid("this is no login link") from None
    try:
        return logins.accept_token(directory, account, token.hex())
    except Refusal as refused:
        raise invalid(refused.message) from None
