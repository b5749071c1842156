"""The example provider's API: a message is sent by one POST, which answers with its id."""

from __future__ import annotations

from typing import Any

from backend.channels.base import Content, Credentials, Limits, Operation, Rate, Receipt, SenderFacts
from backend.channels.errors import (
    ChannelError,
    OutcomeUnknown,
    RecipientUnreachable,
    Rejected,
    RetryLater,
    SenderDisabled,
)
from backend.channels.forms import AS_MEANT, Form
from backend.channels.transport import Answer, Timeouts, Transport
from backend.core.egress.answers import read_json

TEXT_CHARACTERS = 500


class ExampleClient:
    """See `backend.channels.base.Channel`."""

    name = "example"
    limits = Limits(per_sender=(Rate(50, 1.0),), per_chat=(Rate(10, 1.0),))

    def __init__(self, url: str = "http://127.0.0.1:9", timeouts: Timeouts | None = None) -> None:
        self.url = url
        self._timeouts = timeouts or Timeouts(connect=2.0, read=4.0, total=6.0)
        self._transport = Transport(pool_size=4)

    def perform(self, credentials: Credentials, op: Operation, *, deadline: float) -> Receipt:
        """Sends a message; the provider can do nothing else."""
        if op.kind != "send" or op.content is None:
            raise Rejected("operation_unknown", op.kind)
        text = op.content.text + "".join(f"\n{button.text}" for row in op.content.buttons for button in row)
        message: dict[str, Any] = {
            "from": credentials.external_id,
            "to": op.chat_id,
            "text": text,
            "ref": op.client_ref,
        }
        if op.content.template is not None:
            message["template"] = {"name": op.content.template.name, "values": list(op.content.template.body)}
        answer = self.call(credentials, "POST", "/messages", message, deadline=deadline)
        if not isinstance(answer.get("id"), str):
            raise OutcomeUnknown("unreadable_answer")
        return Receipt((answer["id"],))

    def split(self, content: Content, form: Form = AS_MEANT, *, first: int = 0) -> list[Content]:
        """Pieces of 500 characters, cut at spaces where there are some; a template is one piece."""
        if content.template is not None:
            return [content]
        pieces, rest = [], content.text
        while len(rest) > TEXT_CHARACTERS:
            cut = max(rest.rfind(mark, 0, TEXT_CHARACTERS) for mark in " \n") + 1 or TEXT_CHARACTERS
            pieces.append(rest[:cut])
            rest = rest[cut:]
        pieces.append(rest)
        return [
            Content(
                piece,
                content.format,
                content.buttons if place == len(pieces) - 1 else (),
                silent=content.silent,
                link_preview=content.link_preview,
            )
            for place, piece in enumerate(pieces)
        ]

    def milder(self, op: Operation, refusal: Rejected) -> Form | None:
        """There is nothing around the words that could be left out."""
        return None

    def probe(self, credentials: Credentials) -> SenderFacts:
        """The account that the token belongs to."""
        account = self.call(credentials, "GET", "/account", None)
        if not isinstance(account.get("id"), str):
            raise OutcomeUnknown("unreadable_answer")
        return SenderFacts(account["id"], None, str(account.get("name")))

    def call(
        self, credentials: Credentials, method: str, path: str, body: Any, *, deadline: float = float("inf")
    ) -> dict[str, Any]:
        """The provider's answer. Raises one of the five errors."""
        answer = self._exchange(credentials, method, path, body, deadline)
        try:
            found = read_json(answer.body)
        except ValueError:
            found = None
        if answer.status == 200 and isinstance(found, dict) and found:
            return found
        raise _error(answer)

    def file(self, credentials: Credentials, file_id: str) -> bytes:
        """A file that somebody sent."""
        answer = self._exchange(credentials, "GET", f"/files/{file_id}", None)
        if answer.status == 200:
            return answer.body
        raise _error(answer)

    def _exchange(
        self, credentials: Credentials, method: str, path: str, body: Any, deadline: float = float("inf")
    ) -> Answer:
        return self._transport.exchange(
            method,
            self.url + path,
            json=body,
            headers={"Authorization": f"Bearer {credentials.token}"},
            timeouts=self._timeouts,
            deadline=deadline,
        )


def _error(answer: Answer) -> ChannelError:
    if answer.status == 429:
        wait = answer.headers.get("retry-after", "")
        return RetryLater(float(wait) if wait.isdigit() else 1.0, "rate_limited")
    if answer.status == 401:
        return SenderDisabled("token_refused")
    if answer.status == 410:
        return RecipientUnreachable("blocked")
    if 300 <= answer.status < 400:
        return RetryLater(60.0, "gateway_refused")
    if 400 <= answer.status < 500:
        return Rejected("refused")
    return OutcomeUnknown("provider_error" if answer.status >= 500 else "unreadable_answer")
