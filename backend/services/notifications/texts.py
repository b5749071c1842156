"""The texts of the built-in types: pure functions of data, time and locale to a message's content.

Each text is a title, an empty line and lines; a line whose data is missing or unusable falls away. `data` is free
JSON and never raises. Times are UTC. The layouts are contract: the golden files in the tests hold them byte for byte.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from backend.channels.base import Content
from backend.core import i18n
from backend.services.notifications import platforms
from backend.services.texts import values

PREVIEW: Final = 200
"""Graphemes of a post's text that are shown."""
ERROR: Final = 300
NAME: Final = 100
PLATFORM: Final = 30
MAX_PLATFORMS: Final = 20

Data = Mapping[str, Any]


def render(type_name: str, data: object, at: datetime, locale: str) -> Content:
    """The content of a built-in type's message; `at` (aware) is when the event was created. KeyError for others."""
    return _content(_LAYOUTS[type_name](data if isinstance(data, Mapping) else {}, at.astimezone(UTC), locale))


def test_message(locale: str) -> Content:
    """The message that shows a person that their link works."""
    return _content([i18n.text("notifications.test.title", locale), "", i18n.text("notifications.test.body", locale)])


def with_link(content: Content, url: str, locale: str) -> Content:
    """The content with an attachment's address as its last line, for when the file itself cannot be sent."""
    line = i18n.html("notifications.attachment_link", locale, url=url)
    return Content(
        text=f"{content.text}\n\n{line}" if content.text else line,
        format="html",
        buttons=content.buttons,
        silent=content.silent,
        link_preview=content.link_preview,
    )


def _post_success(data: Data, at: datetime, locale: str) -> list[str]:
    platform = values.line(data.get("platform"), PLATFORM)
    return _titled(
        _text("post_success.title", locale),
        f"{platforms.emoji(platform)} {platforms.display_name(platform)}" if platform else None,
        _line("content", locale, content=values.line(data.get("content"), PREVIEW)),
        _line("post_url", locale, post_url=values.http_url(data.get("post_url"))),
        _reactions(data, locale),
        _line("at", locale, at=_moment(at)),
    )


def _post_failure(data: Data, at: datetime, locale: str) -> list[str]:
    return [
        *_titled(
            _text("post_failure.title", locale),
            _platform(data, locale),
            _line("error", locale, error=values.line(data.get("error"), ERROR)),
            _line("at", locale, at=_moment(at)),
        ),
        "",
        _text("dashboard", locale),
    ]


def _automation_executed(data: Data, at: datetime, locale: str) -> list[str]:
    named = [platforms.display_name(name) for name in values.names(data.get("platforms"), PLATFORM)]
    shown = ", ".join(named[:MAX_PLATFORMS]) or None
    return _titled(
        _text("automation_executed.title", locale),
        _line("rule", locale, automation_name=values.line(data.get("automation_name"), NAME)),
        _line("platform" if len(named) == 1 else "platforms", locale, platform=shown, platforms=shown),
        _text("completed", locale),
        _line("execution_time", locale, execution_time=values.line(data.get("execution_time"), NAME)),
        _line("on", locale, on=_moment(at)),
    )


def _daily_summary(data: Data, at: datetime, locale: str) -> list[str]:
    counts = (("total", "total_posts"), ("successful", "successful_posts"), ("failed", "failed_posts"))
    lines = [
        *(_line(f"summary.{name}", locale, **{name: _count(data.get(key), locale)}) for name, key in counts),
        _line("summary.engagement", locale, engagement=_count(data.get("total_engagement"), locale)),
    ]
    blocks = [[line for line in lines if line], _by_platform(data.get("platforms"), locale)]
    # A summary is for a day that its reporter may name: yesterday where the person lives.
    on = values.day(data.get("date")) or at.date()
    blocks.append([_text("on", locale, on=on.isoformat())])
    return [_text("daily_summary.title", locale), *(line for block in blocks if block for line in ("", *block))]


_LAYOUTS: Final[Mapping[str, Callable[[Data, datetime, str], list[str]]]] = {
    "post_success": _post_success,
    "post_failure": _post_failure,
    "automation_executed": _automation_executed,
    "daily_summary": _daily_summary,
}
BUILT_IN: Final = tuple(_LAYOUTS)


def _by_platform(value: object, locale: str) -> list[str]:
    lines: list[str] = []
    more = 0
    for name, counts in value.items() if isinstance(value, Mapping) else ():
        if len(lines) == MAX_PLATFORMS:
            more += isinstance(counts, Mapping)
            continue
        platform = values.line(name, PLATFORM)
        if platform is None or not isinstance(counts, Mapping):
            continue
        posts, engagement = values.number(counts.get("posts")), _count(counts.get("engagement"), locale)
        pieces = [
            None if posts is None else _text("summary.posts", locale, count=posts),
            _line("summary.platform_engagement", locale, engagement=engagement),
        ]
        if any(pieces):
            shown = " | ".join(part for part in pieces if part)
            lines.append(f"{platforms.emoji(platform)} {platforms.display_name(platform)}: {shown}")
    if more:
        lines.append(_text("summary.more", locale, count=more))
    return [_text("summary.by_platform", locale), *lines] if lines else []


def _platform(data: Data, locale: str) -> str | None:
    platform = values.line(data.get("platform"), PLATFORM)
    return _line("platform", locale, platform=platform and platforms.display_name(platform))


def _reactions(data: Data, locale: str) -> str | None:
    pieces = [_line(name, locale, **{name: _count(data.get(name), locale)}) for name in ("likes", "comments")]
    return _line("reactions", locale, reactions=" | ".join(part for part in pieces if part) or None)


def _count(value: object, locale: str) -> str | None:
    number = values.number(value)
    return None if number is None else i18n.number(number, locale)


def _text(code: str, locale: str, **placeholders: object) -> str:
    return i18n.text(f"notifications.{code}", locale, **placeholders)


def _line(code: str, locale: str, **placeholders: str | None) -> str | None:
    """The catalog's line, or None when any of its data is missing."""
    if any(value is None for value in placeholders.values()):
        return None
    return _text(code, locale, **placeholders)


def _titled(title: str, *lines: str | None) -> list[str]:
    return [title, "", *(line for line in lines if line)]


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _content(lines: list[str]) -> Content:
    return Content(text=html.escape("\n".join(lines), quote=False), format="html")
