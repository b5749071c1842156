"""In how mild a form a message is said: what a provider refused for good is left out, and the words stay.

A form only ever becomes milder, so a message has few of them, and the last is plain words. It is kept with the
message: after a crash, and for each later edit, what was refused once is not tried again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backend.channels.base import Channel, Content


@dataclass(frozen=True, slots=True)
class Form:
    """What is left out or put another way.

    `refused` are the addresses of single buttons that stand in the text instead; with `addresses_in_text` all of them
    do. `media_kept` counts the parts with media, from the first on, that go out; None keeps all. `narrower` halves the
    size of the parts so many times. The last three are what the channel cannot carry at all (`channels.fitting`): a
    template, media of these kinds, and buttons beyond so many.
    """

    refused: tuple[str, ...] = ()
    addresses_in_text: bool = False
    links_in_text: bool = False
    narrower: int = 0
    without_preview: bool = False
    as_documents: bool = False
    media_kept: int | None = None
    plain: bool = False
    without_buttons: bool = False
    without_template: bool = False
    without_media: tuple[str, ...] = ()
    buttons_kept: int | None = None

    def to_json(self) -> dict[str, Any]:
        """A JSON object that `from_json` reads back; what is as it was meant is left out."""
        names = (name for name in self.__slots__ if getattr(self, name) != getattr(AS_MEANT, name))
        values = ((name, getattr(self, name)) for name in names)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values}

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> Form:
        """The form that a row holds. Names that a later version wrote are passed over."""
        known = ((name, item) for name, item in (value or {}).items() if name in cls.__slots__)
        fields: dict[str, Any] = {name: tuple(item) if isinstance(item, list) else item for name, item in known}
        return cls(**fields)

    @property
    def left_out(self) -> tuple[str, ...]:
        """What differs from how it was meant, as codes, in a fixed order."""
        without_buttons = self.without_buttons or self.buttons_kept is not None
        different = {
            "template": self.without_template,
            "attachment": self.media_kept is not None or bool(self.without_media),
            "attachment_as_document": self.as_documents and self.media_kept is None,
            "buttons": without_buttons,
            "address_buttons": bool(self.refused or self.addresses_in_text) and not without_buttons,
            "links": self.links_in_text,
            "link_preview": self.without_preview,
            "formatting": self.plain,
        }
        return tuple(code for code, differs in different.items() if differs)


AS_MEANT = Form()


def restated(channel: Channel, parts: Sequence[Content], form: Form, *, first: int = 0) -> list[Content]:
    """Returns these parts of a message, the first of which is its part `first`, in a milder form. Empty where nothing
    is left to say: no text, or only the caption of media that are left out."""
    pieces = [piece for place, part in enumerate(parts, first) for piece in channel.split(part, form, first=place)]
    shown_pieces = [piece for piece in pieces if piece.media or (piece.text.strip() and not piece.caption_only)]
    if shown_pieces and pieces[-1] is not shown_pieces[-1] and pieces[-1].buttons and len(shown_pieces[-1].media) < 2:
        # The buttons stood under a picture of which nothing is left.
        shown_pieces[-1] = replace(shown_pieces[-1], buttons=pieces[-1].buttons)
    return shown_pieces
