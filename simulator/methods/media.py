"""Pictures, documents, albums, and getting a file back."""

from __future__ import annotations

from typing import Any

from simulator.errors import bad_request
from simulator.files import MAX_DOWNLOAD
from simulator.methods import Context
from simulator.methods.messages import caption_fields, caption_of, caption_refusal, send
from simulator.model import JSON
from simulator.parameters import Call

ALBUM = (2, 10)


def send_photo(context: Context, call: Call) -> JSON:
    """Send a picture with a caption."""
    return _send_one(context, call, "photo")


def send_document(context: Context, call: Call) -> JSON:
    """Send a file with a caption."""
    return _send_one(context, call, "document")


def _send_one(context: Context, call: Call, kind: str) -> JSON:
    caption = caption_of(context, call)
    call.text = caption.get("caption", "")
    stored = context.files.resolve(call, call.values.get(kind), kind, kind)
    body = context.files.photo(stored) if kind == "photo" else context.files.document(stored)
    return send(context, call, [{**body, **caption}], caption_refusal([caption]))[0].message


def send_media_group(context: Context, call: Call) -> list[JSON]:
    """Send an album of 2 to 10 pictures, or of 2 to 10 documents."""
    items = call.listed("media", "InputMedia")
    if not items:
        raise bad_request("there are no messages to send")
    if not ALBUM[0] <= len(items) <= ALBUM[1]:
        raise bad_request("too many messages to send as an album" if len(items) > 1 else "media group needs 2-10 items")
    kinds = {str(item.get("type")) if isinstance(item, dict) else "" for item in items}
    if not kinds <= {"photo", "document"}:
        raise bad_request("type of media must be photo or document")
    if len(kinds) > 1:
        raise bad_request("document can't be mixed with other media types")
    album = str(context.world.random.randrange(10**16, 10**17))
    contents = []
    for item in items:
        stored = context.files.resolve(call, item.get("media"), "", item["type"])
        body = context.files.photo(stored) if item["type"] == "photo" else context.files.document(stored)
        caption = caption_fields(
            context,
            call,
            str(item.get("caption") or ""),
            str(item.get("parse_mode") or ""),
            item.get("caption_entities"),
        )
        contents.append({"media_group_id": album, **body, **caption})
    call.text = contents[0].get("caption", "")
    if call.values.get("reply_markup"):
        raise bad_request("reply markup is not allowed in media groups")
    return [record.message for record in send(context, call, contents, caption_refusal(contents))]


def addresses(call: Call) -> list[tuple[str, str]]:
    """What a sending call may want fetched: (value, kind) of each file it names."""
    if call.method == "sendmediagroup":
        items = call.listed("media", "InputMedia") or []
        named: list[tuple[Any, Any]] = [
            (item.get("media"), item.get("type")) for item in items if isinstance(item, dict)
        ]
    else:
        kind = call.method.removeprefix("send")
        named = [(call.values.get(kind), kind)]
    return [(value, str(kind)) for value, kind in named if isinstance(value, str)]


def get_file(context: Context, call: Call) -> JSON:
    """Where to download a file; not beyond 20 MB."""
    stored = context.world.files.get(call.string("file_id"))
    if stored is None:
        raise bad_request("invalid file_id")
    if len(stored.data) > MAX_DOWNLOAD:
        raise bad_request("file is too big")
    return {
        "file_id": call.string("file_id"),
        "file_unique_id": stored.unique_id,
        "file_size": len(stored.data),
        "file_path": stored.path,
    }


METHODS = {
    "sendphoto": send_photo,
    "senddocument": send_document,
    "sendmediagroup": send_media_group,
    "getfile": get_file,
}
FETCHING = frozenset({"sendphoto", "senddocument", "sendmediagroup"})
