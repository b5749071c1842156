"""What a channel cannot carry is left out of a content before it is stored, and its words stay. A pure function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from backend.channels import richtext
from backend.channels.base import Button, Content
from backend.channels.forms import AS_MEANT, Form
from backend.channels.spec import ChannelSpec


@dataclass(frozen=True, slots=True)
class Fitted:
    """A content as a channel carries it, and the form that says what is left out. `code` is why nothing is left to say;
    the content then is what was meant."""

    content: Content
    form: Form
    code: str | None = None

    @classmethod
    def of(cls, content: Content, spec: ChannelSpec, form: Form = AS_MEANT) -> Fitted:
        """The content without what the channel has no way to show, on top of what `form` leaves out already.

        Pictures and files of kinds that it does not take are left out; so are buttons beyond those that it shows, with
        their addresses in the text. Formatting becomes plain text, and a template its preview for people.
        """
        capabilities, sizes = spec.capabilities, spec.sizes
        fitted = content
        code: str | None = None
        if fitted.template is not None and not capabilities.templates:
            fitted, form = replace(fitted, template=None), replace(form, without_template=True)
            code = "template_unsupported"
        kinds = tuple(dict.fromkeys(item.kind for item in fitted.media if item.kind not in sizes.media_bytes))
        if kinds:
            kept = tuple(item for item in fitted.media if item.kind not in kinds)
            code = "media_unsupported"
            # A caption only names what is left out with it.
            text = "" if fitted.caption_only and not kept else fitted.text
            fitted = replace(fitted, media=kept, text=text)
            form = replace(form, without_media=tuple(dict.fromkeys((*form.without_media, *kinds))))
        if fitted.format == "html" and not capabilities.formatting:
            runs = richtext.read(fitted.text)
            form = replace(form, plain=form.plain or richtext.count_tags(runs) > 0)
            fitted = replace(fitted, text=richtext.without_markup(runs), format="plain")
        if sum(map(len, fitted.buttons)) > sizes.buttons:
            form = replace(form, buttons_kept=sizes.buttons)
            fitted = cls._with_fewer_buttons(fitted, sizes.buttons)
        says_nothing = not fitted.media and fitted.template is None and not richtext.has_visible(fitted.text)
        if code is not None and says_nothing:
            return cls(content, form, code)
        return cls(fitted, form)

    @staticmethod
    def _with_fewer_buttons(content: Content, kept: int) -> Content:
        """The first buttons stay; the addresses of the others stand in lines of their own."""
        buttons = [button for row in content.buttons for button in row]
        places = iter(buttons[:kept])
        rows = tuple(tuple(islice(places, len(row))) for row in content.buttons)
        lines = _lines(buttons[kept:])
        added = "\n".join(map(richtext.escape, lines) if content.format == "html" else lines)
        text = "\n\n".join(part for part in (content.text, added) if part)
        return replace(content, text=text, buttons=tuple(row for row in rows if row))


def _lines(buttons: Sequence[Button]) -> list[str]:
    return [f"{button.text}: {button.url}" for button in buttons if button.url is not None]
