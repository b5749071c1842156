"""The states of campaigns and recipients, the reasons, and what the life of a campaign allows. Pure."""

from __future__ import annotations

from typing import Final

from backend.core import i18n

DRAFT, SCHEDULED, RUNNING, PAUSED, FINISHED, CANCELED = (
    "draft",
    "scheduled",
    "running",
    "paused",
    "finished",
    "canceled",
)
TRANSITIONS: Final = {
    "launch": ((DRAFT, SCHEDULED), RUNNING),
    "schedule": ((DRAFT, SCHEDULED), SCHEDULED),
    "pause": ((RUNNING,), PAUSED),
    "resume": ((PAUSED,), RUNNING),
    "finish": ((RUNNING, PAUSED), FINISHED),
    "cancel": ((DRAFT, SCHEDULED, RUNNING, PAUSED), CANCELED),
}
"""What is done: from which states, and what comes of it."""
PAUSE_REASONS: Final = ("operator", "complaints", "bad_audience", "unseen", "account")

RECIPIENT_STATES: Final = (
    "waiting", "sending", "sent", "replied", "finished", "stopped", "skipped", "failed", "unknown", "canceled",
)  # fmt: skip
OPEN: Final = ("waiting", "sending", "sent")
"""In which somebody may still be written to: `sent` with steps to come; the last step ends as `finished`."""
PENDING: Final = ("waiting", "sent")
WAITING_REASONS: Final = (
    "queued", "outside_window", "hour_limit", "day_limit", "ramp", "flood_wait", "account_limited", "account_frozen",
    "account_needs_login", "catching_up", "looking_up", "lookup_limit", "previous_step", "paused", "consent_night",
    "recently_contacted",
)  # fmt: skip
SKIPPED_REASONS: Final = (
    "suppressed", "opted_out", "no_consent", "no_telegram", "needs_premium", "costs_stars", "same_person",
    "in_conversation", "in_other_campaign", "missing_field", "too_late", "identity_changed", "contact_erased",
)  # fmt: skip
STOPPED_REASONS: Final = (
    "replied", "reacted", "opted_out", "taken_over", "conversation_deleted", "account_removed",
)  # fmt: skip
FAILED_REASONS: Final = ("privacy", "blocked", "you_blocked", "deactivated", "peer_invalid", "rejected")
RETRYABLE: Final = frozenset({
    ("failed", "rejected"), ("failed", "internal_error"), ("failed", "privacy"), ("failed", "peer_invalid"),
    ("skipped", "no_telegram"), ("skipped", "no_consent"), ("skipped", "missing_field"), ("skipped", "needs_premium"),
    ("skipped", "costs_stars"), ("skipped", "in_conversation"), ("skipped", "in_other_campaign"),
})  # fmt: skip
"""States with reasons after which a person may be tried again: the operator may have changed what kept them out."""
OTHER_REASONS: Final = (
    "under_way",
    "accepted",
    "done",
    "outcome_unknown",
    "operator",
    "campaign_canceled",
    "taken_out",
    "internal_error",
    "by_bot",
)
REASONS: Final = tuple(
    dict.fromkeys((*WAITING_REASONS, *SKIPPED_REASONS, *STOPPED_REASONS, *FAILED_REASONS, *OTHER_REASONS))
)

ACCOUNT_CODES: Final = frozenset({
    "peer_flood", "user_restricted", "frozen", "logged_out", "session_revoked", "session_expired",
    "auth_key_duplicated", "account_deactivated", "account_banned", "sender_disabled", "expired",
})  # fmt: skip
"""What is wrong with the account and not with the recipient, who waits on."""
_FAILURES: Final = {
    "blocked_by_person": "blocked", "blocked": "blocked", "you_blocked": "you_blocked", "deactivated": "deactivated",
    "privacy": "privacy", "peer_invalid": "peer_invalid", "chat_not_found": "peer_invalid",
}  # fmt: skip
_SKIPS: Final = {
    "needs_premium": "needs_premium", "costs_stars": "costs_stars", "suppressed": "suppressed",
    "identity_changed": "identity_changed",
}  # fmt: skip


BLOCKS: Final = frozenset(_FAILURES)
"""Why nothing more can be sent to a chat."""


def outcome_of(code: str) -> tuple[str, str]:
    """The state and the reason of a recipient whose message was refused with this code of a channel."""
    if code in _SKIPS:
        return "skipped", _SKIPS[code]
    return "failed", _FAILURES.get(code, code if code in FAILED_REASONS else "rejected")


def reason_text(reason: str, locale: str) -> str:
    """What a person reads for a reason."""
    return i18n.text(f"campaigns.reason.{reason}", locale)
