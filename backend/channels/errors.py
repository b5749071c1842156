"""The five ways in which an operation at a provider can fail. Channels raise exactly these.

They differ in what is known about the other side, because that decides whether trying again may say a thing
twice:

| error                | was it said?   | what follows                                          |
|----------------------|----------------|-------------------------------------------------------|
| `RetryLater`         | certainly not  | again after `seconds`, whatever the message's kind     |
| `RecipientUnreachable` | certainly not | never again to this recipient                         |
| `SenderDisabled`     | certainly not  | nothing more from this sender until a person acts      |
| `Rejected`           | certainly not  | this operation can never succeed                       |
| `OutcomeUnknown`     | nobody knows   | the message's kind decides                             |

`code` is a stable lower-case word for rows and metrics; `detail` is text a person may read. Neither ever
holds a token, an address with a token in it, or the body of a message.
"""

from __future__ import annotations

from typing import Literal

Scope = Literal["sender", "chat"]
MAX_WAIT = 86_400.0
"""Seconds that any provider may ask to wait: due times are computed from it."""


class ChannelError(Exception):
    """What the five have in common; never raised itself."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}" if self.detail else self.code

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in sorted(vars(self).items()) if name != "about")
        return f"{type(self).__name__}({shown})"


class RetryLater(ChannelError):
    """Certainly nothing was said; `seconds` from now it may be tried again.

    `scope` tells who has to wait: the whole sender, or only this chat. `moved_to` is the chat's new id when
    it got another one; `seconds` is 0 then, and the next try goes to the new id.
    """

    def __init__(
        self,
        seconds: float,
        code: str,
        scope: Scope = "sender",
        moved_to: str | None = None,
        detail: str = "",
        growth: float = 1.0,
    ) -> None:
        super().__init__(code, detail)
        self.seconds = _bounded(seconds)
        self.growth = growth
        self.scope: Scope = scope
        self.moved_to = moved_to


def _bounded(seconds: float) -> float:
    if not seconds > 0:
        return 0.0
    return MAX_WAIT if seconds >= MAX_WAIT else float(seconds)


class RecipientUnreachable(ChannelError):
    """This recipient cannot be written to, and waiting does not help.

    `disables_link` is false where only a part of the chat is closed (a topic), or where the provider's text
    is known to be ambiguous: then the message has failed, and the link stays.
    """

    def __init__(self, code: str, *, disables_link: bool = True, detail: str = "") -> None:
        super().__init__(code, detail)
        self.disables_link = disables_link


class SenderDisabled(ChannelError):
    """The provider no longer accepts this sender's credentials: stop it and tell the operator."""


class Rejected(ChannelError):
    """The provider refuses this operation for what it is; the same operation can never succeed.

    `about` is what the provider quotes as the fault, a button's address: words of the message, never shown or logged.
    """

    def __init__(self, code: str, detail: str = "", *, about: str | None = None) -> None:
        super().__init__(code, detail)
        self.about = about


class OutcomeUnknown(ChannelError):
    """The request left, or may have left, and no trustworthy answer came: it was perhaps carried out."""
