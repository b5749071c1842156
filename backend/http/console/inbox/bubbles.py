"""Messages, notes and days as the thread shows them, one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

from babel.dates import format_date
from flask import url_for

from backend.core import clock
from backend.http.console.inbox import contents
from backend.http.console.inbox.contents import t
from backend.http.console.kit import pages
from backend.http.console.kit.components import STATES
from backend.services import delivery

MAX_QUOTE: Final = 120
_VIAS: Final = ("provider", "phone", "api", "campaign", "assistant", "notification", "import")
_PLAIN: Final = ("text", "photo", "video", "video_note", "audio", "voice", "document", "sticker", "animation")
_TILED: Final = ("location", "contacts", "choice", "order", "referral", "story", "share", "call")
_EVENTS: Final = ("system",)


def items(
    messages: Iterable[Mapping[str, Any]], notes: Iterable[Mapping[str, Any]], about: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Messages and notes by their moments, oldest first, with a line where a day begins.

    `about`: the conversation's `id`, the person's `name`, and `me_id`, who reads.
    """
    lines = [message(item, about) for item in messages] + [note(item, about) for item in notes]
    lines.sort(key=lambda item: (item["at"], item["order"]))
    return _with_days(lines)


def message(given: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    """One message, by the thread's description of it."""
    moment = given["at"]
    base = {"id": given["id"], "at": moment, "order": given["id"]}
    if given["kind"] in _EVENTS:
        return base | {"event": event_words(given, about["name"]), "icon": "history"}
    from_us = given["direction"] == "out"
    gone = t("gone") if given.get("deleted_at") else None
    state = _state(given) if from_us else None
    return base | {
        "side": "us" if from_us else "them",
        "label": _label(given, about, from_us),
        "text": "" if gone else given.get("text") or "",
        "gone": gone,
        "quote": _quote(given.get("reply_to")),
        "files": [] if gone else [_file(file, about["id"]) for file in given.get("files", ())],
        "tiles": [] if gone else contents.tiles(given.get("content")),
        "unsupported": None if gone else _unsupported(given),
        "versions": max(0, int(given.get("versions") or 1) - 1),
        "edited": bool(given.get("edited_at")),
        "reactions": [_reaction(item, about) for item in given.get("reactions", ())],
        "author": _author(given, about) if from_us else None,
        "via": t(f"via.{given['via']}") if from_us and given.get("via") in _VIAS else None,
        "state": state,
        "acts": _acts(given, about["id"]) if from_us else [],
    }


def note(given: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    """What the team tells itself."""
    mine = given["author_user_id"] is not None and given["author_user_id"] == about["me_id"]
    return {
        "id": f"n{given['id']}",
        "note_id": given["id"],
        "at": given["created_at"],
        "order": given["id"],
        "side": "note",
        "label": "",
        "text": given["text"],
        "author": t("you") if mine else given.get("author_name"),
        "mine": mine,
        "files": [],
        "tiles": [],
        "reactions": [],
        "versions": 0,
        "acts": [],
    }


def snippet(given: Mapping[str, Any] | None) -> str:
    """A message's words in one line of the list, or what it is where it has none."""
    if given is None:
        return t("no_messages")
    words = " ".join((given.get("text") or "").split())[:MAX_QUOTE]
    if given.get("deleted_at"):
        return t("gone")
    if words:
        return words
    return contents.kind_word(given["kind"])


def event_words(given: Mapping[str, Any], name: str) -> str:
    """A line of the system: a number that changed, a call that was missed."""
    system = (given.get("content") or {}).get("system") or {}
    kind = str(system.get("kind") or "")
    try:
        return t(f"system.{kind}", name=name)
    except KeyError:
        return given.get("text") or t("system.other", name=name)


def day_words(day: date) -> str:
    """A day as the line between two messages names it."""
    today = clock.now().astimezone(pages.zone()).date()
    if day == today:
        return t("today")
    if day == today - timedelta(days=1):
        return t("yesterday")
    return format_date(day, "full", locale=pages.locale())


def _with_days(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = []
    before: date | None = None
    for item in lines:
        moment: datetime = item["at"]
        day = moment.astimezone(pages.zone()).date()
        if day != before:
            shown.append({"day": day_words(day)})
            before = day
        shown.append(item)
    return shown


def _label(given: Mapping[str, Any], about: Mapping[str, Any], from_us: bool) -> str:
    """Whose words follow, for who does not see the side."""
    return t("said_by", name=(_author(given, about) or t("us")) if from_us else about["name"])


def _author(given: Mapping[str, Any], about: Mapping[str, Any]) -> str | None:
    author = given.get("author") or {}
    if author.get("user_id") is not None and author["user_id"] == about["me_id"]:
        return t("you")
    name: str | None = author.get("name")
    return name


def _quote(reply_to: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if not reply_to:
        return None
    words = " ".join((reply_to.get("quote") or "").split())[:MAX_QUOTE] or t("quote_unknown")
    known = reply_to.get("message_id")
    return {"text": words, "address": f"#m-{known}" if known else None}


def _file(file: Mapping[str, Any], conversation_id: int) -> dict[str, Any]:
    file_id = file.get("file_id")
    address = None
    if file_id is not None:
        address = url_for("console_inbox_files.show", conversation_id=conversation_id, file_id=file_id)
    return contents.file_view(file, address)


def _unsupported(given: Mapping[str, Any]) -> str | None:
    kind = given["kind"]
    if given["direction"] == "out" or kind in _PLAIN or kind in _TILED or given.get("text"):
        return None
    named = (given.get("content") or {}).get("kind") or (kind if kind != "unsupported" else None)
    return t("unsupported_kind", kind=named) if named else t("unsupported")


def _reaction(item: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    who = t("us") if item.get("mine") else about["name"]
    return {"emoji": item["reaction"], "who": t("reacted", name=who)}


def _state(given: Mapping[str, Any]) -> dict[str, Any]:
    state = str(given["state"])
    tone, icon = STATES.get(state, ("idle", "circle-help"))
    if given.get("not_before") and state == "queued":
        icon = "calendar-clock"
    return {"word": pages.t(f"console.state.{state}"), "tone": tone, "icon": icon, "reason": _reason(given, state)}


def _reason(given: Mapping[str, Any], state: str) -> str | None:
    """Why it is not there, in words: what failed says so, what waits says until when."""
    code = given.get("reason") or given.get("error")
    if state in ("failed", "canceled", "unknown"):
        if code == "window_closed":
            why = t("failed.window_closed")
        else:
            why = given.get("reason_text") or delivery.explain_code(code, pages.locale(), waits=False) or ""
        word = pages.t(f"console.state.{state}")
        return t("failed", state=word, why=why) if why else word
    if state == "queued" and code not in (None, "queued", "sending"):
        return given.get("reason_text") or delivery.explain_code(code, pages.locale(), waits=True)
    return None


def _acts(given: Mapping[str, Any], conversation_id: int) -> list[dict[str, str]]:
    if given["state"] in ("failed", "unknown"):
        address = url_for("console_inbox_writing.retry", conversation_id=conversation_id, message_id=given["id"])
        return [{"address": address, "words": t("retry"), "icon": "refresh-cw"}]
    if given["state"] == "queued":
        address = url_for("console_inbox_writing.cancel", conversation_id=conversation_id, message_id=given["id"])
        return [{"address": address, "words": t("cancel"), "icon": "x"}]
    return []
