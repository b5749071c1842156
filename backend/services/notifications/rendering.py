"""An event as a message: its text by type and locale, and the buttons under it."""

from __future__ import annotations

from collections.abc import Mapping

from backend.channels.base import Button, Content, Media
from backend.core import i18n
from backend.models import NotificationEvent, NotificationType
from backend.services.notifications import custom_types, known_types, retry, texts
from backend.services.texts import values

Keyboard = tuple[tuple[Button, ...], ...]


def content_of(
    event: NotificationEvent,
    own: NotificationType | None,
    locale: str,
    *,
    muted: bool,
    media: tuple[Media, ...] = (),
    link: str | None = None,
) -> Content:
    """What the event's message says. `own` is the workspace's type, None for a built-in one.

    `link` is the address of an attachment that is not there (yet): it stands in the text instead.
    """
    if own is None:
        content = texts.render(event.type, event.data, event.created_at, locale)
    else:
        content = Content(
            text=custom_types.render(own.templates, own.title, _mapping(event.data), locale), format="html"
        )
    if link:
        content = texts.with_link(content, link, locale)
    return Content(
        text=content.text,
        format="html",
        buttons=keyboard(event, own, locale, muted=muted),
        media=media,
        # The post is named and linked already; a preview would push the lines away.
        link_preview=False,
    )


def keyboard(event: NotificationEvent, own: NotificationType | None, locale: str, *, muted: bool) -> Keyboard:
    """View post (or the type's own button) and Retry, where they are possible; then Mute, or Unmute once muted."""
    first = []
    opens = _opens(event, own, locale)
    if opens:
        first.append(Button(text=opens[0], url=opens[1]))
    if retry.retry_available(event):
        first.append(Button(text=i18n.text("notifications.button.retry", locale), data=f"notify:retry:{event.id}"))
    rows = [tuple(first)] if first else []
    return (*rows, (mute_button(event.type, locale, muted=muted),))


def mute_button(type_name: str, locale: str, *, muted: bool) -> Button:
    """The button that switches a type, in the state in which it is."""
    action = "unmute" if muted else "mute"
    return Button(text=i18n.text(f"notifications.button.{action}", locale), data=f"notify:{action}:{type_name}")


def _opens(event: NotificationEvent, own: NotificationType | None, locale: str) -> tuple[str, str] | None:
    data = _mapping(event.data)
    if own is not None:
        return custom_types.button_of(own.button_label, own.button_url, data, locale)
    address = values.http_url(data.get("post_url"))
    return (i18n.text("notifications.button.view_post", locale), address) if address else None


def type_of(event: NotificationEvent) -> tuple[bool, NotificationType | None]:
    """Whether the event's type still exists, and the workspace's own type if it is one."""
    if event.type in known_types.BUILT_IN:
        return True, None
    own = known_types.find(event.type)
    return own is not None, own


def _mapping(data: object) -> Mapping[str, object]:
    return data if isinstance(data, Mapping) else {}
