"""Conversations as the list and the head of a conversation show them: who answers, which clocks run, what stands in
the way."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from flask import url_for

from backend.core import clock
from backend.http.console.inbox import bubbles
from backend.http.console.inbox.contents import t
from backend.http.console.kit import pages
from backend.services import delivery

GLYPHS: Final = {
    "telegram_bot": "send",
    "telegram_user": "send",
    "whatsapp": "phone",
    "messenger": "message-circle",
    "instagram": "instagram",
}
WINDOWED: Final = ("whatsapp", "messenger", "instagram")
"""Channels on which one may answer for a while only."""
SOON: Final = timedelta(minutes=15)
_REASONS: Final = ("message_24h", "ad_7d", "comment_7d_once", "human_agent_7d")

Fact = tuple[str, str, str, datetime | None]
"""An icon, a tone, words and a moment to count down to."""


def row(one: Mapping[str, Any], me_id: int, address: str) -> dict[str, Any]:
    """A conversation in the list, by its description as of the API."""
    last = one.get("last_message")
    return {
        "id": one["id"],
        "name": one["name"],
        "channel": one["channel"],
        "glyph": GLYPHS.get(one["channel"], "message-circle"),
        "at": one["last_activity_at"],
        "unread": one["unread_count"],
        "from_us": last is not None and last["direction"] == "out",
        "snippet": bubbles.snippet(last),
        "facts": facts(one, me_id),
        "address": address,
    }


def facts(one: Mapping[str, Any], me_id: int) -> list[Fact]:
    """What somebody has to know before they open it: who answers, how late it is, how long one still may."""
    found = [_who(one, me_id)]
    due = due_of(one)
    if due is not None:
        found.append(("timer", due["tone"], t("fact.late"), None) if due["is_late"] else _counting(due))
    state = window(one)
    if state == "closed":
        found.append(("timer-off", "warn", t("fact.window_closed"), None))
    elif state == "open" and one["reply_until"] - clock.now() < timedelta(hours=4):
        found.append(("lock-open", "warn", "", one["reply_until"]))
    return found


def due_of(one: Mapping[str, Any]) -> dict[str, Any] | None:
    """Until when somebody should answer, where the workspace has such an aim and the person waits."""
    moment: datetime | None = one.get("due_at")
    if moment is None or one["status"] not in ("open", "snoozed"):
        return None
    rest = moment - clock.now()
    tone = "bad" if rest <= timedelta(0) else "warn" if rest < SOON else "idle"
    return {"at": moment, "tone": tone, "is_late": rest <= timedelta(0)}


def window(one: Mapping[str, Any]) -> str:
    """`open`, `closed`, or `none` where the channel has no end of answers."""
    until: datetime | None = one.get("reply_until")
    if until is not None:
        return "open" if clock.now() < until else "closed"
    return "closed" if one["channel"] in WINDOWED else "none"


def mode(one: Mapping[str, Any]) -> str:
    """What can be written: `reply`, `template`, or why only a note: `standby`, `blocked`, `closed`."""
    if one["in_charge"] != "us":
        return "standby"
    if one.get("blocked_code"):
        return "blocked"
    if window(one) == "closed":
        return "template" if one["channel"] == "whatsapp" else "closed"
    return "reply"


def closed(one: Mapping[str, Any]) -> dict[str, str] | None:
    """Why no reply can be written, and what can be done."""
    what, channel = mode(one), t(f"channel.{one['channel']}")
    if what == "reply":
        return None
    if what == "blocked":
        why = delivery.explain_code(one["blocked_code"], pages.locale(), waits=False) or ""
        return {"title": t("closed.blocked"), "text": why}
    name = {"template": "template", "closed": "window", "standby": "standby"}[what]
    return {"title": t(f"closed.{name}", channel=channel), "text": t(f"closed.{name}_text", channel=channel)}


def strip(one: Mapping[str, Any]) -> dict[str, Any] | None:
    """The one fact about who answers, with its way on: the first of these that holds."""
    number = one["id"]
    if one["in_charge"] != "us":
        act = _act("take_control", number, "strip.take_control")
        return _strip("warn", "hand", t("strip.standby_text"), act, title=t(f"strip.{one['in_charge']}"))
    if one["status"] == "snoozed":
        words = t("strip.snoozed_reply") if one.get("snoozed_until") is None else t("strip.snoozed")
        return _strip("none", "alarm-clock", words, _act("wake", number, "strip.wake"), at=one.get("snoozed_until"))
    if one["status"] == "closed":
        return _strip("none", "check", t("strip.closed"), None)
    if one["status"] == "bot":
        return _strip("none", "sparkles", t("strip.bot"), _act("take_over", number, "strip.take_over"))
    if one.get("has_assistant"):
        return _strip("none", "user", t("strip.person"), _act("hand_back", number, "strip.hand_back", is_quiet=True))
    return None


def window_words(one: Mapping[str, Any]) -> str:
    """Why one may answer until then."""
    reason = one.get("reply_reason")
    return t(f"window.{reason}" if reason in _REASONS else "window.other")


def times(one: Mapping[str, Any]) -> list[tuple[str, str, datetime | None]]:
    """The clocks in words: when somebody answered, when the next answer is due, when the window closes."""
    found: list[tuple[str, str, datetime | None]] = []
    if one.get("answered_at"):
        found.append((t("time.first"), "", one["answered_at"]))
    if one.get("waiting_since"):
        found.append((t("time.waits"), "", one["waiting_since"]))
    due = due_of(one)
    if due is not None:
        found.append((t("time.next"), t("time.due"), due["at"]))
    if one.get("reply_until"):
        found.append((t("time.window"), "", one["reply_until"]))
    return found


def lately(one: Mapping[str, Any]) -> list[tuple[str, str, str, datetime | None, str]]:
    """The steps of the conversation so far, for the trace beside it."""
    steps: list[tuple[str, str, str, datetime | None, str]] = []
    if one.get("first_inbound_at"):
        steps.append(("ok", "message-circle", t("step.first"), one["first_inbound_at"], ""))
    if one.get("answered_at"):
        steps.append(("ok", "user", t("step.answered"), one["answered_at"], ""))
    if one.get("waiting_since"):
        steps.append(("warn", "clock", t("time.waits"), one["waiting_since"], ""))
    return steps


def presets() -> list[dict[str, Any]]:
    """Moments that people come back to, in the reader's zone: an hour, tomorrow morning, Monday."""
    here = clock.now().astimezone(pages.zone())
    morning = here.replace(hour=9, minute=0, second=0, microsecond=0)
    hour = (here + timedelta(hours=1)).replace(second=0, microsecond=0)
    monday = morning + timedelta(days=(7 - here.weekday()))
    return [
        {"words": t("snooze.hour"), "at": hour},
        {"words": t("snooze.tomorrow"), "at": morning + timedelta(days=1)},
        {"words": t("snooze.monday"), "at": monday},
    ]


def now_local() -> str:
    """Now in the reader's zone, as a field for a moment takes it: nothing earlier can be chosen."""
    return clock.now().astimezone(pages.zone()).strftime("%Y-%m-%dT%H:%M")


def _who(one: Mapping[str, Any], me_id: int) -> Fact:
    if one["in_charge"] != "us":
        return ("lock", "idle", t(f"fact.{one['in_charge']}"), None)
    if one["status"] == "bot":
        return ("sparkles", "idle", t("fact.assistant"), None)
    if one["status"] == "closed":
        return ("check", "idle", t("fact.closed"), None)
    if one["status"] == "snoozed":
        return ("alarm-clock", "idle", t("fact.snoozed"), None)
    if one.get("assignee_id") is None:
        return ("user", "idle", t("fact.nobody"), None)
    return ("user", "idle", t("fact.you") if one["assignee_id"] == me_id else one.get("assignee") or "", None)


def _counting(due: Mapping[str, Any]) -> Fact:
    return ("timer", due["tone"], "", due["at"])


def _act(name: str, conversation_id: int, words: str, *, is_quiet: bool = False) -> dict[str, Any]:
    address = url_for(f"console_inbox_acts.{name}", conversation_id=conversation_id)
    return {"address": address, "words": t(words), "is_quiet": is_quiet}


def _strip(
    tone: str, icon: str, text: str, act: dict[str, Any] | None, *, title: str | None = None, at: datetime | None = None
) -> dict[str, Any]:
    return {"tone": tone, "icon": icon, "text": text, "act": act, "title": title, "at": at}
