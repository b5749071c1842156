"""Sending by a bot's name: text, a picture, a document; and answering a pressed button."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from backend.channels import richtext
from backend.channels.base import Button, Content, Media, MediaKind, TextFormat
from backend.channels.telegram_bot import keyboards
from backend.core.database import workspace_scope
from backend.core.errors import Invalid, TooLarge, field_error
from backend.services import delivery, files
from backend.services.bots import resolution, sending
from backend.services.bots.resolution import Target
from backend.services.delivery import Priority
from backend.services.host_api.transactions import of_workspace
from backend.services.notifications import attaching

KIND: Final = "message"
_FETCH_SECONDS: Final = 20.0
_MAX_TEXT: Final = 100_000
Keyboard = tuple[tuple[Button, ...], ...]
Source = int | str | bytes | BinaryIO
"""The id of a stored file, a public http(s) address, or the content itself."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What was stored: the `level` that the bot came from (`arguments`, `database`, `configs`, `environment`), and a
    message for each chat, in their order. What becomes of them stands at the messages."""

    level: str
    message_ids: tuple[int, ...]


def send_message(
    text: str,
    *,
    bot_name: str | None = None,
    bot_id: int | None = None,
    token: str | None = None,
    chat_ids: Sequence[str | int] = (),
    buttons: Keyboard | Iterable[Iterable[Any]] = (),
    format: TextFormat = "plain",
    silent: bool = False,
    link_preview: bool = True,
    workspace_id: int | None = None,
    key: str | None = None,
) -> Sent:
    """Stores a message for a bot's chats. The same `key` in a workspace sends nothing new and gives the same ids.

    Without `workspace_id` the instance's first workspace is meant. `format` may be "html" (`b i u s code pre a`); long
    text becomes several parts. Raises what `bots.resolution.resolve` raises, Invalid(`text_empty`, `text_too_long`,
    `bad_buttons`), and NotFound for an unknown workspace.
    """
    content = Content(
        _valid_text(text, format, need=True),
        format=format,
        buttons=build_keyboard(buttons),
        silent=silent,
        link_preview=link_preview,
    )
    with of_workspace(workspace_id):
        target = _target(bot_name, bot_id, token, chat_ids)
        return _store(target, content, key)


def send_photo(
    photo: Source,
    caption: str = "",
    *,
    bot_name: str | None = None,
    bot_id: int | None = None,
    token: str | None = None,
    chat_ids: Sequence[str | int] = (),
    buttons: Keyboard | Iterable[Iterable[Any]] = (),
    format: TextFormat = "plain",
    silent: bool = False,
    workspace_id: int | None = None,
    key: str | None = None,
) -> Sent:
    """Stores a picture of at most 10 MB for a bot's chats; otherwise like `send_message`.

    An address is fetched here, through the guarded client: a call of up to 20 seconds. Raises also TooLarge
    (`file_too_large`), Invalid(`not_a_picture`, `private_address`, `address_malformed`, `attachment_failed`),
    NotFound(`file_not_found`).
    """
    given = (bot_name, bot_id, token, chat_ids)
    return _send_file("photo", photo, None, caption, given, buttons, format, silent, workspace_id, key)


def send_document(
    document: Source,
    caption: str = "",
    *,
    filename: str | None = None,
    bot_name: str | None = None,
    bot_id: int | None = None,
    token: str | None = None,
    chat_ids: Sequence[str | int] = (),
    buttons: Keyboard | Iterable[Iterable[Any]] = (),
    format: TextFormat = "plain",
    silent: bool = False,
    workspace_id: int | None = None,
    key: str | None = None,
) -> Sent:
    """Stores a file of at most 50 MB for a bot's chats; otherwise like `send_photo`."""
    given = (bot_name, bot_id, token, chat_ids)
    return _send_file("document", document, filename, caption, given, buttons, format, silent, workspace_id, key)


def build_keyboard(rows: Keyboard | Iterable[Iterable[Any]]) -> Keyboard:
    """Rows of buttons, from pairs of a text and an http(s) address or callback data of 1 to 64 bytes: `[[("Open",
    "https://example.com"), ("Acknowledge", "ack:7")]]`. Buttons and `{"text", "url" | "data"}` are taken as well.

    Raises Invalid(`bad_buttons`).
    """
    try:
        keyboard = tuple(row_of_buttons for row in rows if (row_of_buttons := tuple(_button(button) for button in row)))
        keyboards.build_keyboard(keyboard)
    except (TypeError, ValueError, KeyError) as error:
        message = str(error) if isinstance(error, ValueError) else "A button is a text with an address or data."
        raise Invalid.of("buttons", "bad_buttons", message) from None
    return keyboard


def answer_callback(
    callback_id: str,
    text: str = "",
    *,
    alert: bool = False,
    bot_name: str | None = None,
    bot_id: int | None = None,
    token: str | None = None,
    workspace_id: int | None = None,
) -> str:
    """Answers a pressed button of a bot's message, within seconds or never; returns the bot's level.

    Raises what `bots.resolution.resolve` raises, and Invalid(`bad_callback`).
    """
    if not isinstance(callback_id, str) or not 1 <= len(callback_id) <= 64:
        raise Invalid("bad_callback", "A callback's id is what Telegram sent with the press.")
    with of_workspace(workspace_id) as home:
        target = resolution.resolve(bot_name=bot_name, bot_id=bot_id, token=token, need_chats=False)
        delivery.answer_callback(target.sender, callback_id, text, alert=alert, workspace_id=home)
        return target.level


def _send_file(
    kind: MediaKind,
    source: Source,
    filename: str | None,
    caption: str,
    given: tuple[str | None, int | None, str | None, Sequence[str | int]],
    buttons: Keyboard | Iterable[Iterable[Any]],
    text_format: TextFormat,
    silent: bool,
    workspace_id: int | None,
    key: str | None,
) -> Sent:
    text, rows = _valid_text(caption, text_format, need=False), build_keyboard(buttons)

    def content(media: Media) -> Content:
        return Content(text, format=text_format, buttons=rows, media=(media,), silent=silent)

    with of_workspace(workspace_id) as home:
        target = _target(*given)
        known = sending.known(target, key=key)
        if known is not None:
            return Sent(target.level, tuple(message.id for message in known))
        if isinstance(source, int):
            return _store(target, content(files.as_media(files.get(source), kind)), key)
        if isinstance(source, str):
            attaching.prepare(attaching.Attachment(kind, url=source))
        else:
            most = files.MAX_PHOTO if kind == "photo" else files.MAX_DOCUMENT
            stream = io.BytesIO(source) if isinstance(source, bytes) else source
            file = files.keep(filename or kind, stream, max_bytes=most)
            return _store(target, content(files.as_media(file, kind)), key)
    # No transaction is open while the address is fetched; it is resolved again, as it may have changed meanwhile.
    with workspace_scope(home):
        stored = _fetched(source, kind)
    try:
        with of_workspace(home):
            name = filename or files.name_of(files.Source(source)) or kind
            file = files.record(name, stored)
            return _store(_target(*given), content(files.as_media(file, kind)), key)
    except BaseException:
        files.storage_of_instance().delete(stored.key)
        raise


def _fetched(address: str, kind: MediaKind) -> Any:
    try:
        return files.download(files.Source(address), kind, _FETCH_SECONDS)
    except files.DownloadFailed as error:
        if error.code in ("response_too_large", "file_too_large", "too_large"):
            raise TooLarge("file_too_large", f"The file is too large to be sent as a {kind}.") from None
        message = f"The address could not be fetched ({error.code})."
        code = error.code if error.code in ("not_a_picture", "private_address") else "attachment_failed"
        raise Invalid(code, message, detail=[field_error(kind, error.code, message)]) from None


def _target(bot_name: str | None, bot_id: int | None, token: str | None, chat_ids: Sequence[str | int]) -> Target:
    chats = [str(chat_id) for chat_id in chat_ids]
    return resolution.resolve(bot_name=bot_name, bot_id=bot_id, token=token, chat_ids=chats)


def _store(target: Target, content: Content, key: str | None) -> Sent:
    messages = sending.send_to_chats(target, content, kind=KIND, lane=Priority.NOTIFICATION, key=key)
    return Sent(target.level, tuple(message.id for message in messages))


def _valid_text(text: str, text_format: TextFormat, *, need: bool) -> str:
    if text_format not in ("plain", "html"):
        raise Invalid("unknown_format", "A text is plain or html.")
    storable = richtext.storable(text)
    runs = richtext.read(storable) if text_format == "html" else richtext.plain(storable)
    if need and not richtext.has_visible(richtext.visible(runs)):
        raise Invalid("text_empty", "There is nothing to say.")
    if len(storable) > _MAX_TEXT:
        raise Invalid("text_too_long", f"A text has at most {_MAX_TEXT} characters; attach it as a document.")
    return storable


def _button(given: Any) -> Button:
    if isinstance(given, Button):
        return given
    if isinstance(given, Mapping):
        return Button(given["text"], url=given.get("url"), data=given.get("data") or given.get("callback_data"))
    text, target = given
    return Button(text, url=target) if richtext.is_web_address(target) else Button(text, data=target)
