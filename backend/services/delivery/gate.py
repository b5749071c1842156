"""The gate: the ordered rules that say whether an operation that waits may be sent now.

The claim, the sweep and the status of a message read this one list. The first rule that answers gives the reason. A
rule that ends (a blocked chat, an opt-out, a conversation that somebody took over, a reply window that has closed)
stands before those that only hold (visibility, quotas, a sender that rests): what will never be sent says so at once.
What a rule asks of the channels' specs is written into its condition; one that concerns no channel costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Literal

from backend.channels import registry
from backend.channels.capabilities import MARGIN
from backend.core import clock, i18n
from backend.models import Conversation
from backend.services.delivery import campaign_ceilings

_SEPARATOR: Final = "="
_HAS_NO_TEMPLATE: Final = (
    "(SELECT m.body->'parts'->0->'template' FROM messages m WHERE m.id = d.message_id LIMIT 1) IS NULL"
)
_IS_HUMAN_AGENT: Final = (
    "coalesce((SELECT m.body->'human_agent' FROM messages m WHERE m.id = d.message_id LIMIT 1) = 'true', false)"
)
_OF_CONVERSATION: Final = "(SELECT {code} FROM conversations c WHERE c.id = d.conversation_id)"


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """What is to be said, as far as rules ask: a template of the provider, or a person's own reply where the provider
    lets people answer for longer than machines."""

    is_template: bool = False
    is_human_agent: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One reason for which an operation is not sent now.

    `code` is an SQL expression: the reason's code, or NULL where the rule has nothing against it. It reads the time
    `:now`, and, by `about`, the delivery `d` with its conversation `c`, or the sender `s` with its lease `l`. It is
    evaluated for each row that a claim reads: single rows by an index, subqueries with LIMIT 1.
    """

    name: str
    about: Literal["conversation", "sender"]
    code: str
    ends: bool = False
    """Whether what waits is canceled with the code; otherwise it waits until the rule has nothing against it."""
    until: str | None = None
    """An SQL expression: when a rule that holds will let go, where somebody knows."""
    is_noted: bool = False
    """Whether the sweep writes the rule's name on the rows as their reason: not for what lasts seconds."""
    known: Callable[[Conversation, OutgoingMessage], str | None] | None = None
    """What a loaded conversation says by itself of a message before it is stored."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The rule that forbids an operation now, and its code."""

    rule: Rule
    code: str

    def explain(self, locale: str) -> str:
        """What a person reads."""
        return i18n.text(f"delivery.gate.{self.rule.name}", locale, code=self.code)


SUPPRESSED: Final = Rule(
    "suppressed",
    "conversation",
    # Who wants to hear nothing more is still answered by people, once they write again.
    "(SELECT 'suppressed' FROM identities i"
    "   JOIN suppressions p ON p.workspace_id = c.workspace_id AND p.external_hash = i.external_hash"
    "  WHERE i.id = c.identity_id AND NOT (coalesce(c.last_inbound_at >= p.created_at, false) AND EXISTS ("
    "        SELECT FROM messages m WHERE m.id = d.message_id AND m.via IN ('console', 'api'))) LIMIT 1)",
    ends=True,
)
BLOCKED: Final = Rule(
    "blocked",
    "conversation",
    "c.blocked_code",
    ends=True,
    known=lambda conversation, message: conversation.blocked_code,
)
WINDOW_CLOSED: Final = "window_closed"
HUMAN_AGENT: Final = "human_agent_7d"
"""The window of a person's reply, where a channel has one."""


def _window_closed(conversation: Conversation, message: OutgoingMessage) -> str | None:
    spec = registry.spec(conversation.channel)
    if spec.reply_window is None or (spec.capabilities.templates and message.is_template):
        return None
    now, opened_at = clock.now(), conversation.last_inbound_at
    until = conversation.reply_until
    if until is None and opened_at is not None:
        until = opened_at + spec.reply_window.after_message
    if message.is_human_agent and opened_at is not None and HUMAN_AGENT in spec.reply_window.lengths:
        until = max(until or opened_at, spec.reply_window.until(opened_at, HUMAN_AGENT))
    return None if until is not None and now < until else WINDOW_CLOSED


REPLY_WINDOW: Final = Rule("reply_window", "conversation", "", ends=True, known=_window_closed)
"""Of channels where one may only answer for a while: what comes later is not sent, but for the provider's templates.
Its condition is made of the channels' windows; see `rules`."""
IN_CHARGE: Final = Rule(
    "in_charge",
    "conversation",
    "CASE WHEN c.in_charge <> 'us' AND d.operation = 'send' THEN 'not_in_charge' END",
    ends=True,
    known=lambda conversation, intended: "not_in_charge" if conversation.in_charge not in (None, "us") else None,
)
"""Another application answers in the chat, or a person in the provider's own inbox."""
SENDER_DISABLED: Final = Rule(
    "sender_disabled", "sender", "CASE WHEN NOT s.is_active THEN 'sender_disabled' END", is_noted=True
)
SENDER_PAUSED: Final = Rule(
    "sender_paused",
    "sender",
    "CASE WHEN l.paused_until > :now THEN coalesce(l.pause_reason, 'paused') END",
    until="l.paused_until",
)

CAMPAIGN_ACCOUNT: Final = Rule("campaign_account", "conversation", campaign_ceilings.ACCOUNT)
CAMPAIGN_PACE: Final = Rule("campaign_pace", "conversation", campaign_ceilings.PACE)

RULES: tuple[Rule, ...] = (
    SUPPRESSED,
    BLOCKED,
    IN_CHARGE,
    REPLY_WINDOW,
    CAMPAIGN_ACCOUNT,
    CAMPAIGN_PACE,
    SENDER_DISABLED,
    SENDER_PAUSED,
)
"""In order. Those about a conversation stand before those about a sender, which a claim asks once for each lease."""


def rules() -> tuple[Rule, ...]:
    """The rules as statements are made of them: with what the channels declare, and without those that no channel
    needs. Equal for equal channels, so that statements are made once."""
    windows = tuple(
        (
            spec.name,
            int(spec.reply_window.after_message.total_seconds()),
            spec.capabilities.templates,
            int((spec.reply_window.lengths[HUMAN_AGENT] - MARGIN).total_seconds())
            if HUMAN_AGENT in spec.reply_window.lengths
            else None,
        )
        for spec in registry.specs()
        if spec.reply_window is not None
    )
    return _with_windows(RULES, windows)


@lru_cache
def _with_windows(listed: tuple[Rule, ...], windows: tuple[tuple[str, int, bool, int | None], ...]) -> tuple[Rule, ...]:
    """The list with the condition of the reply windows: name, seconds, whether templates go at any time, and for how
    many seconds a person's own reply goes."""
    cases = " ".join(
        f"WHEN '{name}' THEN coalesce(c.reply_until, c.last_inbound_at + interval '{seconds} seconds', '-infinity')"
        " <= :now"
        + (f" AND {_HAS_NO_TEMPLATE}" if has_templates else "")
        + (
            f" AND NOT (coalesce(c.last_inbound_at, '-infinity') > :now - interval '{by_people} seconds'"
            f" AND {_IS_HUMAN_AGENT})"
            if by_people is not None
            else ""
        )
        for name, seconds, has_templates, by_people in windows
    )
    code = f"CASE WHEN d.operation = 'send' AND CASE c.channel {cases} ELSE false END THEN '{WINDOW_CLOSED}' END"
    complete = (replace(rule, code=code if windows else "") if rule is REPLY_WINDOW else rule for rule in listed)
    return tuple(rule for rule in complete if rule.code)


def refusal(conversation: Conversation, *, is_template: bool = False, is_human_agent: bool = False) -> str | None:
    """The code of the rule that forbids to send to the conversation, as far as its row tells.

    `is_template`: what is to be said is a text that the provider keeps. `is_human_agent`: a person's own reply, sent
    under the provider's longer window for people.
    """
    message = OutgoingMessage(is_template, is_human_agent)
    answers = (rule.known(conversation, message) for rule in RULES if rule.known is not None)
    return next((code for code in answers if code), None)


def conversation_verdict(rules: tuple[Rule, ...]) -> str:
    """An SQL expression over a delivery `d`: what forbids it for its conversation's sake, or NULL; for `read`."""
    return _OF_CONVERSATION.format(code=_first(rules, "conversation"))


def sender_verdict(rules: tuple[Rule, ...]) -> str:
    """An SQL expression over a sender `s` with its lease `l`: what forbids all that it has, or NULL; for `read`."""
    return _first(rules, "sender")


def verdict(rules: tuple[Rule, ...]) -> str:
    """An SQL expression over `d`, `s` and `l`: the first rule that forbids the delivery, or NULL; for `read`."""
    return f"coalesce({conversation_verdict(rules)}, {sender_verdict(rules)})"


def until(rules: tuple[Rule, ...]) -> str:
    """An SQL expression over `s` and `l`: when the sender's first rule that forbids will let go, if somebody knows."""
    cases = " ".join(
        f"WHEN ({rule.code}) IS NOT NULL THEN {rule.until or 'NULL'}" for rule in rules if rule.about == "sender"
    )
    return f"CASE {cases} END" if cases else "NULL::timestamptz"


def read(value: str | None) -> Verdict | None:
    """The verdict that one of these expressions gave."""
    if value is None:
        return None
    name, code = value.split(_SEPARATOR, 1)
    return Verdict(next(rule for rule in RULES if rule.name == name), code)


def noted_reasons() -> list[str]:
    """The reasons that the sweep writes on rows, and takes back."""
    return [rule.name for rule in RULES if rule.is_noted]


def _first(rules: Iterable[Rule], about: str) -> str:
    codes = [f"'{rule.name}{_SEPARATOR}' || ({rule.code})" for rule in rules if rule.about == about]
    return f"coalesce({', '.join(codes)})" if codes else "NULL::text"
