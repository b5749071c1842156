"""Transmission: from a claimed row to one operation at the provider, and from its answer to an outcome."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import BinaryIO, Final
from urllib.parse import urlsplit

from backend.channels import registry, transport
from backend.channels.base import Channel, Content, Credentials, Limits, Operation
from backend.channels.errors import ChannelError, OutcomeUnknown, Rejected
from backend.channels.forms import Form
from backend.core import clock, config, failpoints
from backend.core.encrypted_columns import keyring
from backend.core.leases import FENCING, Lease
from backend.core.logging import get_logger
from backend.services.dispatch.claims import Claimed
from backend.services.dispatch.kind_pace import KindPace
from backend.services.dispatch.outcomes import Outcome
from backend.services.dispatch.pace import SenderPace, SendSlot
from backend.services.dispatch.repetition import Repetition, repetition, report_wait
from backend.services.dispatch.retry_policy import BACKOFF, Decision, Next, decide, in_form

log = get_logger(__name__)
_MAX_SURPRISES = 5
_NO_DEADLINE = float("inf")
_CAPABILITY_OF: Final = {"edit": "edit", "edit_buttons": "edit", "delete": "delete", "chat_action": "typing"}
"""What a channel must be able to do for an operation; the others every channel does."""
_LOOKS_FIRST = frozenset({"campaign"})
"""Kinds of messages before which whatever is new in the chat is fetched: it may end the reason for writing."""


@dataclass(frozen=True, slots=True)
class SenderSession:
    """A sender under lease, as the dispatch loop knows it."""

    lease: Lease
    channel_name: str
    credentials: Credentials
    credentials_hash: bytes | None
    pace: SenderPace
    quota_key: bytes | None = None
    """Under which its attempts count against the ceiling of an account."""
    kind_pace: KindPace | None = None
    """The rates of single kinds; None where the channel has none."""

    @property
    def channel(self) -> Channel:
        """The sender's channel."""
        return registry.get(self.channel_name)


def limits_of(channel: Channel) -> Limits:
    """The channel's rates; none where a benchmark against a provider on this machine switched them off."""
    if config.test_env("TEST_SENDER_RATES") == "off":
        provider = urlsplit(config.get().telegram_api_url).hostname
        if provider in ("127.0.0.1", "localhost", "::1"):
            return Limits()
    return channel.limits


def transmit(session: SenderSession, claimed: Claimed, slot: SendSlot, open_file: Callable[[str], BinaryIO]) -> Outcome:
    """Carries out one operation and notes in `slot` when it was written.

    Never raises: an internal error ends in the row's history as `internal_error`.
    """
    transport.begin()
    outcome = _outcome_of(session, claimed, open_file)
    # Other libraries than our transport do not tell: then when it had been answered.
    slot.written = transport.written_at() or time.monotonic()
    return outcome


def _outcome_of(session: SenderSession, claimed: Claimed, open_file: Callable[[str], BinaryIO]) -> Outcome:
    if (pause := session.pace.pause_left(time.monotonic())) > 0:
        # The provider asked for a pause after this was claimed: nothing is written meanwhile.
        return Outcome(claimed, decision=Decision(Next.AGAIN, "sender_resting", "retry", seconds=pause))
    operation = None
    try:
        _require_capability(session.channel_name, claimed.operation)
        operation = operation_of(claimed, open_file)
        if (wait := _kind_wait(session, claimed, operation)) > 0:
            return Outcome(claimed, decision=Decision(Next.AGAIN, "kind_pace", "retry", seconds=wait))
        failpoints.hit("delivery.before_write")
        deadline = session.lease.deadline if FENCING else _NO_DEADLINE
        receipt = session.channel.perform(session.credentials, operation, deadline=deadline)
        failpoints.hit("delivery.accepted_not_recorded")
    except ChannelError as error:
        form = _milder(session.channel, operation, error)
        if form is not None:
            log.info("operation_refused", delivery_id=claimed.id, code=error.code, left_out=form.left_out)
            return Outcome(claimed, decision=in_form(error, form))
        row = session.pace.failed() if error.code in ("connect_failed", "gateway_refused") else 1
        decision = decide(
            error,
            attempts=claimed.attempts,
            at_most_once=claimed.at_most_once,
            failures_in_row=row,
            key=claimed.id,
            repetition=repetition(claimed.client_ref, claimed.tried_at, clock.now()),
        )
        if isinstance(error, OutcomeUnknown) and decision.next is Next.AGAIN and claimed.operation == "send":
            decision = replace(decision, seconds=max(decision.seconds, report_wait(session.channel_name)))
        log.info("operation_failed", delivery_id=claimed.id, code=decision.code, phase=decision.phase)
        return Outcome(claimed, decision=decision)
    except Exception as error:
        # A defect must neither end the thread nor lose the row: it is logged whole, tried again, then given up.
        log.exception("operation_defect", delivery_id=claimed.id, error=type(error).__name__)
        return Outcome(claimed, decision=_defect(claimed))
    session.pace.answered()
    return Outcome(claimed, receipt=receipt)


def _kind_wait(session: SenderSession, claimed: Claimed, operation: Operation) -> float:
    if session.kind_pace is None:
        return 0.0
    return session.kind_pace.wait(claimed.id, operation.kinds, time.monotonic())


def _require_capability(channel: str, operation: str) -> None:
    """Raises Rejected for what the channel's spec does not offer, so that nothing is asked of the provider."""
    needed = _CAPABILITY_OF.get(operation)
    if needed is not None and not getattr(registry.spec(channel).capabilities, needed):
        raise Rejected(f"{operation}_unsupported")


def _milder(channel: Channel, operation: Operation | None, error: ChannelError) -> Form | None:
    """The milder form that a refusal leaves. A defect in finding it must not lose what was refused: then there is
    none."""
    if operation is None or not isinstance(error, Rejected):
        return None
    try:
        return channel.milder(operation, error)
    except Exception as defect:
        log.exception("milder_form_defect", code=error.code, error=type(defect).__name__)
        return None


def operation_of(claimed: Claimed, open_file: Callable[[str], BinaryIO]) -> Operation:
    """The provider operation of a claimed row. Raises Rejected for one that has become pointless."""
    chat_id = None
    if claimed.chat_id_encrypted is not None:
        chat_id = keyring().decrypt_text(
            claimed.chat_id_encrypted,
            table="conversations",
            column="chat_id_encrypted",
            row=str(claimed.conversation_id),
        )
    if claimed.operation == "answer_callback" and claimed.payload is not None:
        return Operation(
            "answer_callback",
            external_id=claimed.payload["external_id"],
            text=claimed.payload["text"],
            show_alert=claimed.payload["show_alert"],
        )
    if claimed.operation == "chat_action" and claimed.payload is not None:
        return Operation(
            "chat_action",
            chat_id=chat_id,
            thread_id=claimed.thread_id,
            text=claimed.payload["text"],
            external_id=claimed.payload.get("external_id"),
        )
    if claimed.operation in ("edit", "delete") and not claimed.external_id:
        raise Rejected("not_sent")
    content = None
    if claimed.operation in ("send", "edit"):
        parts = (claimed.body or {}).get("parts", [])
        if claimed.part >= len(parts):
            raise Rejected("part_gone")
        content = Content.from_json(parts[claimed.part]).with_files(open_file)
    return Operation(
        claimed.operation,  # type: ignore[arg-type]  # a text column holding exactly these kinds
        chat_id=chat_id,
        content=content,
        external_id=claimed.external_id if claimed.operation != "send" else None,
        # A message's own topic; two features may use two topics of one group.
        thread_id=(claimed.body or {}).get("thread_id") or claimed.thread_id,
        reply_to=claimed.reply_to if claimed.part == 0 else None,
        client_ref=_client_ref(claimed),
        part=claimed.part,
        form=Form.from_json((claimed.body or {}).get("form")),
        after_id=claimed.newest_id,
        looks_first=claimed.client_ref is not None and claimed.kind in _LOOKS_FIRST,
        was_tried=claimed.tried_at is not None,
        may_repeat=repetition(claimed.client_ref, claimed.tried_at, clock.now()) is not Repetition.OVER,
        human_agent=(claimed.body or {}).get("human_agent") is True,
    )


def _client_ref(claimed: Claimed) -> str:
    """Our number of the operation, or the name by which an echo tells it."""
    if claimed.client_ref is not None:
        return str(claimed.client_ref)
    return f"{claimed.message_id}:{claimed.part}"


def _defect(claimed: Claimed) -> Decision:
    if claimed.at_most_once and claimed.client_ref is None:
        return Decision(Next.UNKNOWN, "internal_error", "unknown")
    if claimed.client_ref is not None and claimed.attempts >= _MAX_SURPRISES:
        return Decision(Next.UNKNOWN, "internal_error", "unknown")
    if claimed.client_ref is not None:
        return Decision(Next.AGAIN, "internal_error", "unknown", seconds=BACKOFF.seconds(claimed.attempts, claimed.id))
    if claimed.attempts >= _MAX_SURPRISES:
        return Decision(Next.FAILED, "internal_error", "rejected")
    return Decision(Next.AGAIN, "internal_error", "retry", seconds=BACKOFF.seconds(claimed.attempts, claimed.id))
