"""What stands around a message's words, put into the words where Telegram would not take it.

An address that cannot be a button stands in the text beside its label, so that nothing that was to be said is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from backend.channels import richtext
from backend.channels.base import Button, Content
from backend.channels.forms import Form
from backend.channels.richtext import Run
from backend.channels.telegram_bot import keyboards

_LONGEST_LINK = 2_000
"""Longer addresses are no links in neutral rich text."""


def applied(content: Content, form: Form) -> Content:
    """The content in this form, with only buttons that Telegram takes: the same content where nothing is to be done.
    Sizes of the text are not its business."""
    content = _with_fitting_buttons(content, form)
    if form.without_preview and content.link_preview:
        content = replace(content, link_preview=False)
    if content.format == "html" and (form.plain or form.links_in_text):
        runs = richtext.read(content.text)
        if form.plain:
            content = replace(content, text=richtext.without_markup(runs), format="plain")
        elif any(style.href for run in runs for style in run.styles):
            content = replace(content, text=richtext.write(links_in_text(runs)))
    return content


def _with_fitting_buttons(content: Content, form: Form) -> Content:
    """The buttons that can stay, the addresses of the others in the text."""
    if not content.buttons:
        return content
    every = [button for row in content.buttons for button in row]
    bare: list[Button] = []
    for button in every:
        refused = button.url is not None and (form.addresses_in_text or button.url in form.refused)
        if refused or form.without_buttons or not keyboards.is_acceptable(button):
            bare.append(button)
    rows = keyboards.without(content.buttons, bare)
    moved: list[Button] = []
    while not keyboards.fits(rows):
        left = [button for row in rows for button in row]
        addresses = [button for button in left if button.url is not None]
        worst = max(addresses, key=lambda button: len(button.url or "")) if addresses else left[-1]
        moved.append(worst)
        rows = keyboards.without(rows, [worst])
    if not bare and not moved:
        return content
    known, linked = {id(button) for button in (*bare, *moved)}, {id(button) for button in moved}
    lines = [
        _line(button, content.format == "html", linked=id(button) in linked)
        for button in every
        if id(button) in known and button.url is not None
    ]
    return replace(content, text=_below(content.text, lines), buttons=rows)


def _line(button: Button, is_html: bool, *, linked: bool) -> str:
    """An address in the text; as a link where it was only too long for the keyboard."""
    label, url = richtext.storable(button.text).strip(), richtext.storable(button.url or "")
    if not is_html:
        return f"{label}: {url}" if label else url
    if linked and label and len(url) <= _LONGEST_LINK:
        return f'<a href="{richtext.escape(url)}">{richtext.escape(label)}</a>'
    return richtext.escape(f"{label}: {url}" if label else url)


def _below(text: str, lines: Sequence[str]) -> str:
    return "\n\n".join(block for block in (text.rstrip(), "\n".join(lines)) if block)


def links_in_text(runs: Sequence[Run]) -> list[Run]:
    """The same runs without links; each address follows its words in brackets where they differ. Other styles stay."""
    out: list[Run] = []
    words = ""
    for index, run in enumerate(runs):
        link = richtext.link_of(run)
        bare = Run(run.text, tuple(style for style in run.styles if style.href is None))
        out.append(bare)
        if link is None:
            continue
        words += run.text
        following = richtext.link_of(runs[index + 1]) if index + 1 < len(runs) else None
        if following != link:
            if link not in (words.strip(), f"http://{words.strip()}", f"https://{words.strip()}"):
                out.append(Run(f" ({link})", bare.styles))
            words = ""
    return out
