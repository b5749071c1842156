"""The ladder of milder forms: what a refusal takes away from a message so that its words arrive.

Telegram refuses as a whole, so nothing was sent by a refused request. Each code has the steps that mend just that;
after them come the steps that take away what else could be meant, down to plain words without anything around them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from backend.channels.base import Operation
from backend.channels.errors import Rejected
from backend.channels.forms import Form
from backend.channels.telegram_bot import formatting

Step = Callable[[Operation, Rejected], Form | None]
MAX_NAMED: Final = 3
"""Buttons that are left out one by one; then all addresses are."""
MAX_HALVINGS: Final = 4


def milder(op: Operation, refusal: Rejected) -> Form | None:
    """The next milder form for a refused send or edit; None where nothing is left that could be left out, or where the
    refusal is about something else than what is said."""
    steps = _STEPS.get(refusal.code)
    if op.content is None or op.kind not in ("send", "edit") or steps is None:
        return None
    for step in (*steps, *_LAST):
        form = step(op, refusal)
        if form is not None and formatting.split(op.content, form, first=op.part) != [op.content]:
            return form
    return None


def _without_named(op: Operation, refusal: Rejected) -> Form | None:
    content, form = op.content, op.form
    if content is None or refusal.about is None or len(form.refused) >= MAX_NAMED:
        return None
    urls = [button.url for row in content.buttons for button in row if button.url is not None]
    # Telegram names an address as it was given, or with the slash that it adds.
    named = next((url for url in urls if refusal.about in (url, f"{url}/")), None)
    return None if named is None else replace(form, refused=(*form.refused, named))


def _addresses_in_text(op: Operation, refusal: Rejected) -> Form:
    # Refused addresses stand there as plain words: as links they might be refused again.
    return replace(op.form, addresses_in_text=True)


def _without_buttons(op: Operation, refusal: Rejected) -> Form:
    return replace(op.form, without_buttons=True)


def _links_in_text(op: Operation, refusal: Rejected) -> Form:
    return replace(op.form, links_in_text=True)


def _narrower(op: Operation, refusal: Rejected) -> Form | None:
    return replace(op.form, narrower=op.form.narrower + 1) if op.form.narrower < MAX_HALVINGS else None


def _without_preview(op: Operation, refusal: Rejected) -> Form:
    return replace(op.form, without_preview=True)


def _as_documents(op: Operation, refusal: Rejected) -> Form | None:
    # The kind of what was sent stays what it was, so an edit has no such choice; nor the next step.
    return replace(op.form, as_documents=True) if op.kind == "send" else None


def _without_media(op: Operation, refusal: Rejected) -> Form | None:
    if op.kind != "send" or op.content is None or not op.content.media:
        return None
    return replace(op.form, media_kept=op.part)


def _plain(op: Operation, refusal: Rejected) -> Form:
    return replace(op.form, plain=True)


_LAST: Final[tuple[Step, ...]] = (_addresses_in_text, _links_in_text, _without_media, _plain, _without_buttons)
_STEPS: Final[dict[str, tuple[Step, ...]]] = {
    "button_address_refused": (_without_named, _addresses_in_text, _without_buttons),
    "buttons_too_long": (_addresses_in_text, _without_buttons),
    "buttons_refused": (_addresses_in_text, _without_buttons),
    "links_too_long": (_links_in_text, _narrower, _narrower),
    "text_too_long": (_narrower,),
    "formatting_refused": (_plain,),
    "preview_not_allowed": (_without_preview,),
    "photo_refused": (_as_documents, _without_media),
    "media_not_allowed": (_without_media,),
    "media_refused": (_without_media,),
    "media_source_refused": (_without_media,),
    "file_too_large": (_without_media,),
    "file_missing": (_without_media,),
    "file_gone": (_without_media,),
    # Another server than Telegram's may lack a method, and a new refusal has no code here yet.
    "method_unknown": (_without_media,),
    "refused": (),
}
