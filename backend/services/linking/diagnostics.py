"""The live checklist: everything that has to be right for a notification to reach a person, checked now."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from backend.channels.base import SenderFacts
from backend.channels.errors import ChannelError, SenderDisabled
from backend.channels.provider import WebhookStatus
from backend.core.database import db
from backend.models import SENT_STATES, Conversation, Message, NotificationSettings, Sender, TelegramLink, User
from backend.services import senders
from backend.services.linking import links
from backend.services.linking.bots import WHY_NOT_ASKED
from backend.services.linking.overview import status_of
from backend.services.senders.questions import NotAsked

_CHAT_ID = re.compile(r"-?[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the checklist. `ok` is None where it could not be found out, or does not matter."""

    check: str
    ok: bool | None
    detail: str


@dataclass(frozen=True, slots=True)
class _Answers:
    """What Telegram said, or the error with which it did not."""

    facts: SenderFacts | None
    error: ChannelError | None
    webhook: WebhookStatus | None
    webhook_at: datetime | None = None
    """When that was known last, where it was not asked now."""


def diagnose(user: User, sender: Sender | None) -> list[Check]:
    """Checks everything. Asks Telegram twice at most, with short time-outs, and commits before it does. What it does
    not ask now is shown as it was last known.

    Runs in the person's workspace scope; raises nothing that Telegram does.
    """
    if sender is None:
        return [Check("bot_configured", False, "No Telegram bot is configured (TELEGRAM_BOT_TOKEN).")]
    answers = _ask(sender)
    link = links.link_of(user.id, sender.id)
    return [
        Check("bot_configured", True, f"Bot “{sender.name}”."),
        *_about_bot(sender, answers),
        *_about_webhook(sender, answers.webhook, answers.webhook_at),
        *_about_link(user, sender, link),
    ]


def _ask(sender: Sender) -> _Answers:
    if not sender.credentials:
        return _Answers(None, SenderDisabled("no_token"), None)
    facts, failure = None, None
    try:
        facts = senders.probe(sender)
    except NotAsked as error:
        failure = error
    except ChannelError as error:
        return _Answers(None, error, None)
    try:
        return _Answers(facts, failure, senders.webhook_status(sender))
    except NotAsked as error:
        last = error.last
        return _Answers(facts, failure, last.value if last else None, last.at if last else None)
    except ChannelError as error:
        return _Answers(facts, failure or error, None)


def _about_bot(sender: Sender, answers: _Answers) -> list[Check]:
    facts, error = answers.facts, answers.error
    if isinstance(error, NotAsked) and facts is None:
        return _as_last_known(sender, error)
    refused = isinstance(error, SenderDisabled)
    reached = facts is not None or refused
    why = f"Telegram could not be asked ({error.code})." if error is not None and facts is None else ""
    checks = [
        Check("bot_reachable", reached, "Telegram answers." if reached else why),
        Check(
            "token_valid",
            False if refused else (True if facts is not None else None),
            f"Telegram refuses the token ({error.code})." if refused and error else why or "Accepted.",
        ),
        _active(sender),
    ]
    return [*checks, _privacy(facts.capabilities if facts is not None else {})]


def _privacy(capabilities: Mapping[str, Any], since: str = "") -> Check:
    reads_all = capabilities.get("can_read_all_group_messages")
    if not isinstance(reads_all, bool):
        return Check("privacy_mode", None, "Not known.")
    detail = {
        True: "Off: the bot sees every message of its groups.",
        False: "On: in groups the bot sees only commands and replies to it.",
    }[reads_all]
    return Check("privacy_mode", True, detail + since)


def _as_last_known(sender: Sender, error: NotAsked) -> list[Check]:
    """What is kept of the bot, with the time at which it was found out."""
    probed_at = sender.facts.get("probed_at")
    failed = sender.facts.get("probe_failed_at")
    if isinstance(failed, str):
        last_known = f"last known at {_kept_moment(failed)}: it could not be asked ({sender.facts.get('probe_error')})"
    elif isinstance(probed_at, str):
        last_known = f"last known at {_kept_moment(probed_at)}: it answers and accepts the token"
    else:
        last_known = "nothing is known yet"
    detail = f"Not asked now, for {WHY_NOT_ASKED[error.reason]}; {last_known}."
    kept = sender.facts.get("capabilities")
    since = f" (last known at {_kept_moment(probed_at)})" if isinstance(probed_at, str) else ""
    return [
        Check("bot_reachable", None, detail),
        Check("token_valid", None, detail),
        _active(sender),
        _privacy(kept if isinstance(kept, dict) else {}, since),
    ]


def _active(sender: Sender) -> Check:
    off = f"Switched off ({sender.disabled_code or 'by a person'})."
    return Check("bot_active", sender.is_active, "Switched on." if sender.is_active else off)


def _about_webhook(sender: Sender, info: WebhookStatus | None, known_at: datetime | None) -> list[Check]:
    last_inbound_at = sender.last_inbound_at
    last_update = Check(
        "last_update",
        None if last_inbound_at is None else True,
        _moment(last_inbound_at) if last_inbound_at else "None yet.",
    )
    secret = bool(senders.webhook_secret_of(sender))
    checks = [Check("webhook_secret", secret, "Set." if secret else "Not set: the webhook refuses every update.")]
    if info is None:
        unknown = [Check(name, None, "Not known.") for name in ("webhook_address", "last_error")]
        return [*checks, unknown[0], last_update, unknown[1]]
    expected = senders.webhook_address(sender)
    if not info.url:
        address = Check("webhook_address", None, "None: updates come only while `flask telegram poll` runs.")
    elif info.url == expected:
        address = Check("webhook_address", True, f"{info.url} ({info.pending} waiting)")
    else:
        address = Check("webhook_address", False, f"{info.url}, but this instance is {expected}")
    if info.last_error is None:
        error = Check("last_error", True, "None.")
    else:
        # Telegram keeps showing an error after it is over: an update that came later says that it is.
        over = info.last_error_at is not None and last_inbound_at is not None and last_inbound_at > info.last_error_at
        when = _moment(info.last_error_at) if info.last_error_at else "unknown time"
        error = Check("last_error", over, f"{info.last_error} ({when}{', over since' if over else ''})")
    if known_at is not None:
        since = f" (not asked now, last known at {_moment(known_at)})"
        address, error = (replace(check, ok=None, detail=check.detail + since) for check in (address, error))
    return [*checks, address, last_update, error]


def _about_link(user: User, sender: Sender, link: TelegramLink | None) -> list[Check]:
    status = status_of(user, sender)
    state = Check("link_state", status.state == "active", status.message or "Linked and active.")
    if link is None or status.chat_id is None:
        unknown = "No chat is linked."
        return [
            Check("chat_id_well_formed", None, unknown),
            state,
            Check("notifications_on", None, unknown),
            Check("last_failed_send", None, unknown),
        ]
    well_formed = _CHAT_ID.fullmatch(status.chat_id) is not None
    return [
        Check("chat_id_well_formed", well_formed, status.chat_id if well_formed else "Not a chat id."),
        state,
        _notifications(user, link),
        _last_failed_send(user, link),
    ]


def _notifications(user: User, link: TelegramLink) -> Check:
    if link.paused_at is not None:
        return Check("notifications_on", False, "Paused by /stop.")
    row = db.session.get(NotificationSettings, user.id)
    off = sorted(name for name, on in (row.types if row else {}).items() if on is False)
    return Check("notifications_on", True, f"On, except {', '.join(off)}." if off else "On.")


def _last_failed_send(user: User, link: TelegramLink) -> Check:
    chat = db.session.get_one(Conversation, link.conversation_id)
    ended = db.session.execute(
        select(Message.state, Message.error, Message.created_at)
        .where(Message.conversation_id == chat.id, Message.direction == "out", Message.user_id == user.id)
        .where(Message.state.in_((*SENT_STATES, "failed", "unknown")))
        .order_by(Message.id.desc())
        .limit(100)
    ).all()
    for place, row in enumerate(ended):
        if row.state in ("failed", "unknown"):
            later = "; messages were sent after it" if place else ""
            return Check("last_failed_send", place > 0, f"{row.error or row.state} ({_moment(row.created_at)}{later})")
    return Check("last_failed_send", True, "None.")


def _kept_moment(at: str) -> str:
    return _moment(datetime.fromisoformat(at))


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
