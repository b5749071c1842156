"""What an alert's messages say: pure functions of the alert as a reader sees it.

Every item is a block of lines with an empty line around it, so that a long message is cut between items: what does not
fit into one part goes into the next. Only long texts of many items are shortened, for nobody reads hundreds of parts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from backend.channels import richtext
from backend.channels.base import Button, Content, Media
from backend.core import i18n
from backend.services.alerts import labels as labeling
from backend.services.alerts.state.view import ItemView, View

PREFIX: Final = "alert:"
MAX_LISTED: Final = 2000
"""Items in a message; beyond them it says how many more there are."""
MAX_BODIES: Final = 100_000
"""Characters that the texts, and the labels, of a group's items share in a message. The API has what is longer."""
MIN_BODY: Final = 200
"""Characters of its text, and of its labels, that an item keeps in any case."""
_MARKS: Final = {"critical": "🔴", "error": "🔴", "warning": "🟠", "info": "🔵", "debug": "⚪"}
_OTHER: Final = "🔔"
_BLANK_LINES: Final = re.compile(r"\n\s*\n")


def content(view: View, locale: str) -> Content:
    """The message with its buttons."""
    return Content(text=text(view, locale), format="html", buttons=keyboard(view, locale), link_preview=False)


def text(view: View, locale: str) -> str:
    """The neutral rich text."""
    blocks = [_undelivered(view, locale), _head(view, locale), *_items(view, locale)]
    if view.more:
        blocks.append(_phrase("more_left_out", locale, count=view.more))
    return "\n\n".join(block for block in blocks if block)


def superseded(view: View, locale: str) -> Content:
    """What an earlier message of the alert says once a newer one stands below it."""
    return replace(
        content(view, locale), text=f"{_phrase('moved', locale)}\n\n{text(view, locale)}", buttons=_links(view)
    )


def reply(view: View, locale: str, *, silent: bool) -> Content:
    """The answer to the current message when everything is resolved."""
    words = _phrase("reply.resolved", locale, title=view.title)
    return Content(text=f"✅ {words}", format="html", silent=silent, link_preview=False)


def attachment(view: View, locale: str, media: Media) -> Content:
    """The message with the alert's picture or document."""
    words = i18n.text("alerts.attachment", locale, title=richtext.shorten(view.title, 900))
    return Content(words, media=(media,), silent=True, caption_only=True)


def keyboard(view: View, locale: str) -> tuple[tuple[Button, ...], ...]:
    """Addresses first, then what can be done in the present state."""
    actions: tuple[tuple[str, ...], ...] = {
        "firing": (("ack", "snooze", "silence"), ("resolve",)),
        "acknowledged": (("unack", "snooze", "silence"), ("resolve",)),
        "snoozed": (("wake", "silence"), ("resolve",)),
    }.get(view.state, ())
    rows = [
        tuple(Button(i18n.text(f"alerts.button.{name}", locale), data=f"{PREFIX}{name}:{view.id}") for name in row)
        for row in actions
    ]
    return (*_links(view), *rows)


def one_block(body: str) -> str:
    """Rich text without empty lines, so that it stays together when the message is cut."""
    return _BLANK_LINES.sub("\n", body.strip())


def tidy(body: str) -> str:
    """The same rich text with every tag closed: one that was left open must not run on into what follows."""
    return richtext.write(richtext.read(body)).strip()


def shortened(body: str, limit: int) -> str:
    """The same rich text, tidy, of at most `limit` characters that are seen, with an ellipsis where it was cut."""
    runs = richtext.read(body)
    words = richtext.visible(runs)
    kept = richtext.shorten(words, limit)
    if kept == words:
        return richtext.write(runs).strip()
    return f"{richtext.write(richtext.take(runs, 0, len(kept) - 1)).strip()}…"


def is_reachable(url: str) -> bool:
    """Whether an address may lead somewhere from a phone: not the bare name of a machine, nor this very machine."""
    try:
        host = (urlsplit(url).hostname or "").rstrip(".").lower()
    except ValueError:
        return False
    if ":" in host:
        return host != "::1"
    return "." in host and not host.startswith("127.") and not host.endswith((".localhost", ".localdomain"))


def mark_of(severity: str) -> str:
    """The severity as one character."""
    return _MARKS.get(severity, _OTHER)


def moment(at: datetime) -> str:
    """A moment as messages tell it."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _head(view: View, locale: str) -> str:
    firing = sum(not item.resolved for item in view.items)
    mark = "✅" if view.state == "resolved" else mark_of(view.severity)
    total = sum(item.count for item in view.items)
    title = f"{mark} <b>{richtext.escape(view.title)}</b>{_times(total, locale)}"
    lines: list[str | None] = [title]
    if view.grouped and len(view.items) > 1:
        lines.append(_phrase("firing_of", locale, firing=firing, count=len(view.items)))
    if view.note and view.state == "firing" and view.silenced_until is None:
        # Why it came stops being true once somebody has it in hand, or it is over.
        lines.append(_phrase(f"note.{view.note}", locale))
    lines.append(_state(view, locale))
    if view.silenced_until is not None and view.state == "firing":
        lines.append(_phrase("silenced_until", locale, until=moment(view.silenced_until)))
    lines.append(_phrase("since", locale, at=moment(view.opened_at)))
    lines.append(_missed(view, locale))
    if view.grouped and len(view.items) > 1:
        lines.append(_labels(view.labels))
    return "\n".join(line for line in lines if line)


def _state(view: View, locale: str) -> str | None:
    at = moment(view.since) if view.since else ""
    if view.state == "acknowledged":
        return _phrase("state.acknowledged", locale, name=view.by_name or "–", at=at)
    if view.state == "snoozed" and view.snoozed_until is not None:
        return _phrase("state.snoozed", locale, name=view.by_name or "–", until=moment(view.snoozed_until))
    if view.state == "resolved":
        if view.resolved_code == "person":
            return _phrase("state.resolved_by", locale, name=view.by_name or "–", at=at)
        return _phrase(f"state.resolved_{view.resolved_code or 'told'}", locale, at=at)
    return None


def _items(view: View, locale: str) -> list[str]:
    if len(view.items) == 1 and view.items[0].title == view.title:
        only = view.items[0]
        return [tidy(only.body), _labels(only.labels, view.title)]
    listed = view.items[:MAX_LISTED]
    limit = max(MAX_BODIES // len(listed), MIN_BODY) if listed else MIN_BODY
    blocks = [_block(item, locale, limit) for item in listed]
    if len(view.items) > MAX_LISTED:
        blocks.append(_phrase("more_listed", locale, count=len(view.items) - MAX_LISTED))
    return blocks


def _block(item: ItemView, locale: str, limit: int) -> str:
    mark = "✅" if item.resolved else ("🔇" if item.silenced_until else mark_of(item.severity))
    title = richtext.escape(item.title)
    if item.url and is_reachable(item.url):
        title = f'<a href="{richtext.escape(item.url)}">{title}</a>'
    head = f"{mark} <b>{title}</b>{_times(item.count, locale)}"
    lines = [head, one_block(shortened(item.body, limit)), shortened(_labels(item.labels, item.title), limit)]
    return "\n".join(line for line in lines if line)


def _labels(labels: Mapping[str, str], title: str = "") -> str:
    """The labels that people are shown; not the name that stands above as the title already."""
    shown = {name: value for name, value in labeling.public(labels).items() if (name, value) != ("alertname", title)}
    return " · ".join(f"{richtext.escape(name)}={richtext.escape(value)}" for name, value in sorted(shown.items()))


def _times(count: int, locale: str) -> str:
    return f" ×{i18n.number(count, locale)}" if count > 1 else ""


def _undelivered(view: View, locale: str) -> str | None:
    if view.code is None:
        return None
    return _phrase("undelivered", locale, bot=view.bot_name, reason=view.code)


def _missed(view: View, locale: str) -> str | None:
    """That some of its chats do not have it, for those that do."""
    if not view.reach.is_partial:
        return None
    return _phrase("missed", locale, missed=view.reach.missed, chats=view.reach.chats, reason=view.reach.code)


def _links(view: View) -> tuple[tuple[Button, ...], ...]:
    # What a monitoring system says of its own address is often a machine's bare name, which nobody can open from here.
    links = [link for link in view.links if not view.is_monitored or is_reachable(link["url"])]
    buttons = [Button(link["text"], url=link["url"]) for link in links]
    return tuple(tuple(buttons[index : index + 2]) for index in range(0, len(buttons), 2))


def _phrase(code: str, locale: str, **values: object) -> str:
    return i18n.html(f"alerts.{code}", locale, **values)
