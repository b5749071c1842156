"""The plain values that go to and come from every channel, and the interface a channel offers.

All of them are frozen: no database rows, no requests, no provider types. Ids given by a provider are strings,
times are aware UTC. Texts are either plain or the neutral HTML subset (`b i u s code pre a[href=http(s)]`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO, Literal, Protocol

from backend.channels.errors import Rejected
from backend.channels.forms import AS_MEANT, Form

TextFormat = Literal["html", "plain"]
MediaKind = Literal["photo", "document", "video", "audio", "voice", "sticker"]
OperationKind = Literal["send", "edit", "edit_buttons", "delete", "answer_callback", "chat_action"]


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a sender needs to act. `token` is the secret; `external_id` is the sender's id where addresses
    contain it (a phone number id, a page id); `settings` holds what else a channel documents. Its repr shows
    no secret."""

    token: str = field(repr=False)
    external_id: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Button:
    """One button under a message: opens `url`, or comes back as `ButtonPressed` with `data`. Exactly one is
    set."""

    text: str
    url: str | None = None
    data: str | None = None

    def __post_init__(self) -> None:
        if (self.url is None) == (self.data is None):
            raise ValueError("a button has either a url or data")


@dataclass(frozen=True, slots=True)
class Media:
    """A picture or a file to send, from exactly one source: our storage, an address, or the provider's own
    file id.

    Only `storage_key` is kept in a row; `opener` gives a fresh binary file at each call (a fallback opens it
    twice) and is attached by `Content.with_files` right before the operation, so that nothing is loaded whole
    or too early. `size` is in bytes.
    """

    kind: MediaKind
    storage_key: str | None = None
    url: str | None = None
    external_file_id: str | None = None
    filename: str | None = None
    mime: str | None = None
    size: int | None = None
    opener: Callable[[], BinaryIO] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        local = self.storage_key is not None or self.opener is not None
        if [local, self.url is not None, self.external_file_id is not None].count(True) != 1:
            raise ValueError("media comes from exactly one of storage, url, external_file_id")

    def to_json(self) -> dict[str, Any]:
        """The row's form. Raises ValueError for a file that exists only in memory."""
        if self.storage_key is None and self.opener is not None:
            raise ValueError("media without a storage key cannot be stored")
        names = ("kind", "storage_key", "url", "external_file_id", "filename", "mime", "size")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


@dataclass(frozen=True, slots=True)
class Template:
    """A text that the provider keeps and has approved, with the values of its variables.

    `header` and `body` are in the order of the variables; `buttons` are what the template's buttons carry, by their
    place. `components` is what else a provider asks for, as its own plain JSON.
    """

    name: str
    language: str
    body: tuple[str, ...] = ()
    header: tuple[str, ...] = ()
    buttons: tuple[str, ...] = ()
    components: tuple[Mapping[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The row's form; what is empty is left out."""
        value: dict[str, Any] = {"name": self.name, "language": self.language}
        for name in ("body", "header", "buttons", "components"):
            if items := getattr(self, name):
                value[name] = list(items)
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Template:
        """The template that a row holds. Raises KeyError or TypeError for a value `to_json` never made."""
        lists = {name: tuple(value.get(name, ())) for name in ("body", "header", "buttons", "components")}
        return cls(name=value["name"], language=value["language"], **lists)


@dataclass(frozen=True, slots=True)
class Content:
    """What one message says. `buttons` are rows from top to bottom; a `template` is said in place of the text, which
    then is its preview for people. Kept in a JSONB column by `to_json`.

    With `caption_only` the text only names the media, and is not sent without it.
    """

    text: str = ""
    format: TextFormat = "plain"
    buttons: tuple[tuple[Button, ...], ...] = ()
    media: tuple[Media, ...] = ()
    silent: bool = False
    link_preview: bool = True
    template: Template | None = None
    caption_only: bool = False

    def to_json(self) -> dict[str, Any]:
        """A JSON value that `from_json` reads back; defaults are left out, so rows stay narrow and may
        grow."""
        value: dict[str, Any] = {"text": self.text, "format": self.format}
        if self.buttons:
            value["buttons"] = [[_button_to_json(button) for button in row] for row in self.buttons]
        if self.media:
            value["media"] = [item.to_json() for item in self.media]
        if self.silent:
            value["silent"] = True
        if not self.link_preview:
            value["link_preview"] = False
        if self.template is not None:
            value["template"] = self.template.to_json()
        if self.caption_only:
            value["caption_only"] = True
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Content:
        """The content a row holds. Raises KeyError, TypeError or ValueError for a value `to_json` never
        made."""
        text_format = value["format"]
        if text_format not in ("html", "plain"):
            raise ValueError("unknown text format")
        return cls(
            text=value["text"],
            format=text_format,
            buttons=tuple(tuple(Button(**button) for button in row) for row in value.get("buttons", ())),
            media=tuple(Media(**item) for item in value.get("media", ())),
            silent=value.get("silent", False),
            link_preview=value.get("link_preview", True),
            template=Template.from_json(value["template"]) if value.get("template") else None,
            caption_only=value.get("caption_only", False),
        )

    def with_files(self, open_file: Callable[[str], BinaryIO]) -> Content:
        """The same content with an opener on each stored file; `open_file` gets the storage key."""
        if not any(item.storage_key for item in self.media):
            return self
        return replace(self, media=tuple(_with_opener(item, open_file) for item in self.media))


def _button_to_json(button: Button) -> dict[str, str]:
    named = {"text": button.text, "url": button.url, "data": button.data}
    return {name: value for name, value in named.items() if value is not None}


def _with_opener(item: Media, open_file: Callable[[str], BinaryIO]) -> Media:
    key = item.storage_key
    return item if key is None else replace(item, opener=lambda: open_file(key))


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing to do at a provider: one request.

    `content` of a send or an edit is one part as `Channel.split` made it, the message's part number `part` in the form
    `form`; an edit of a message that has media carries that media in `content`, and changes its caption. `external_id`
    is the message to edit or delete, the callback to answer, or the person's message that a `chat_action` is about.
    `text` and `show_alert` belong to `answer_callback`;
    `text` names the action of `chat_action` ("typing" when empty). `thread_id` is a forum topic. `client_ref` is our
    own id of the operation, for providers that echo it, or that refuse it a second time (`idempotent_sends`).
    `human_agent` says that a person wrote it, and that it goes out after the usual window (Meta's human agents).

    The rest is for channels with idempotent sends. `after_id` is the newest message that is known here of the chat, by
    the provider's id. With `looks_first` whatever is newer is fetched before anything is sent. `was_tried` says that an
    earlier try has an unknown outcome: the chat is looked through before the text is sent again, and `may_repeat` says
    whether it may be sent again at all.
    """

    kind: OperationKind
    chat_id: str | None = None
    content: Content | None = None
    external_id: str | None = None
    thread_id: str | None = None
    reply_to: str | None = None
    text: str = ""
    show_alert: bool = False
    client_ref: str | None = None
    part: int = 0
    form: Form = AS_MEANT
    after_id: str | None = None
    looks_first: bool = False
    was_tried: bool = False
    may_repeat: bool = True
    human_agent: bool = False

    @property
    def kinds(self) -> tuple[str, ...]:
        """What rates by kind count it for: its own kind, and of a send those of its media; `recording` is any that
        lasts."""
        media = self.content.media if self.kind == "send" and self.content is not None else ()
        kinds = dict.fromkeys(item.kind for item in media)
        return (self.kind, *kinds, *(("recording",) if kinds.keys() & {"audio", "voice", "video"} else ()))


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the provider confirmed. `external_ids` are the ids of the messages made (several for an album;
    empty for what makes none). `facts` is plain JSON for the history: `unchanged`, `too_late`, `already_gone`,
    `sent_at`, `file_ids`."""

    external_ids: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` operations in any `seconds`."""

    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Limits:
    """How fast a channel may be used: each tuple's rates hold together. `per_group_chat` replaces `per_chat`
    in chats of several people. `per_kind` are a sender's further rates for single kinds: an operation's (`edit`,
    `chat_action`), or of a send its media's (`audio`, `video`)."""

    per_sender: tuple[Rate, ...] = ()
    per_chat: tuple[Rate, ...] = ()
    per_group_chat: tuple[Rate, ...] = ()
    per_kind: Mapping[str, tuple[Rate, ...]] = field(default_factory=dict)

    def for_chat(self, *, is_group: bool) -> tuple[Rate, ...]:
        """The rates of one chat."""
        return self.per_group_chat if is_group else self.per_chat

    def for_operation(self, op: Operation) -> tuple[Rate, ...]:
        """A sender's rates that this operation counts for."""
        return self.per_sender + tuple(rate for kind in op.kinds for rate in self.per_kind.get(kind, ()))


@dataclass(frozen=True, slots=True)
class SenderFacts:
    """Who the credentials belong to, as the provider tells. `capabilities` are plain JSON flags."""

    external_id: str
    username: str | None
    name: str
    capabilities: Mapping[str, Any] = field(default_factory=dict)


class Channel(Protocol):
    """A provider, as the rest of the product sees it. One instance serves all threads and all senders."""

    @property
    def name(self) -> str:
        """The word in rows and addresses, such as "telegram_bot"."""
        ...

    @property
    def limits(self) -> Limits:
        """The provider's published rates."""
        ...

    def perform(self, credentials: Credentials, op: Operation, *, deadline: float) -> Receipt:
        """Carry out one operation. No request begins to be written to a socket at or after `deadline`, a
        reading of `time.monotonic()` (`RetryLater("deadline_passed")` then); an upload and the answer may
        take longer. Raises one of `errors`, and nothing else for anything a provider or a network does."""
        ...

    def split(self, content: Content, form: Form = AS_MEANT, *, first: int = 0) -> list[Content]:
        """The parts that each fit one operation, in this form: at least one, in the order of sending, buttons on the
        last. What a split returns splits into itself. `first` is the number of the first part in its message."""
        ...

    def milder(self, op: Operation, refusal: Rejected) -> Form | None:
        """The next milder form in which a refused send or edit may be accepted; None where nothing is left to be left
        out. Each form is milder than the one before, so there are few."""
        ...

    def probe(self, credentials: Credentials) -> SenderFacts:
        """Ask the provider who this is; gives up within about six seconds. Raises one of `errors`."""
        ...
