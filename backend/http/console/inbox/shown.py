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


def row(about: Mapping[str, Any], me_id: int, address: str) -> dict[str, Any]:
    """A conversation in the list, by its description as of the API."""
    last = about.get("last_message")
    return {
        "id": about["id"],
        "name": about["name"],
        "channel": about["channel"],
        "glyph": GLYPHS.get(about["channel"], "message-circle"),
        "at": about["last_activity_at"],
        "unread": about["unread_count"],
        "from_us": last is not None and last["direction"] == "out",
        "snippet": bubbles.snippet(last),
        "facts": facts(about, me_id),
        "address": address,
    }


def facts(about: Mapping[str, Any], me_id: int) -> list[Fact]:
    """What somebody has to know before they open it: who answers, how late it is, how long one still may."""
    facts_shown = [_who(about, me_id)]
    due = due_of(about)
    if due is not None:
        facts_shown.append(("timer", due["tone"], t("fact.late"), None) if due["is_late"] else _counting(due))
    state = window(about)
    if state == "closed":
        facts_shown.append(("timer-off", "warn", t("fact.window_closed"), None))
    elif state == "open" and about["reply_until"] - clock.now() < timedelta(hours=4):
        facts_shown.append(("lock-open", "warn", "", about["reply_until"]))
    return facts_shown


def due_of(about: Mapping[str, Any]) -> dict[str, Any] | None:
    """Until when somebody should answer, where the workspace has such an aim and the person waits."""
    moment: datetime | None = about.get("due_at")
    if moment is None or about["status"] not in ("open", "snoozed"):
        return None
    rest = moment - clock.now()
    tone = "bad" if rest <= timedelta(0) else "warn" if rest < SOON else "idle"
    return {"at": moment, "tone": tone, "is_late": rest <= timedelta(0)}


def window(about: Mapping[str, Any]) -> str:
    """`open`, `closed`, or `none` where the channel has no end of answers."""
    until: datetime | None = about.get("reply_until")
    if until is not None:
        return "open" if clock.now() < until else "closed"
    return "closed" if about["channel"] in WINDOWED else "none"


def mode(about: Mapping[str, Any]) -> str:
    """What can be written: `reply`, `template`, or why only a note: `standby`, `blocked`, `closed`."""
    if about["in_charge"] != "us":
        return "standby"
    if about.get("blocked_code"):
        return "blocked"
    if window(about) == "closed":
        return "template" if about["channel"] == "whatsapp" else "closed"
    return "reply"


def closed(about: Mapping[str, Any]) -> dict[str, str] | None:
    """Why no reply can be written, and what can be done."""
    what, channel = mode(about), t(f"channel.{about['channel']}")
    if what == "reply":
        return None
    if what == "blocked":
        why = delivery.explain_code(about["blocked_code"], pages.locale(), waits=False) or ""
        return {"title": t("closed.blocked"), "text": why}
    name = {"template": "template", "closed": "window", "standby": "standby"}[what]
    return {"title": t(f"closed.{name}", channel=channel), "text": t(f"closed.{name}_text", channel=channel)}


def strip(about: Mapping[str, Any]) -> dict[str, Any] | None:
    """The one fact about who answers, with its way on: the first of these that holds."""
    number = about["id"]
    if about["in_charge"] != "us":
        act = _act("take_control", number, "strip.take_control")
        return _strip("warn", "hand", t("strip.standby_text"), act, title=t(f"strip.{about['in_charge']}"))
    if about["status"] == "snoozed":
        words = t("strip.snoozed_reply") if about.get("snoozed_until") is None else t("strip.snoozed")
        return _strip("none", "alarm-clock", words, _act("wake", number, "strip.wake"), at=about.get("snoozed_until"))
    if about["status"] == "closed":
        return _strip("none", "check", t("strip.closed"), None)
    if about["status"] == "bot":
        return _strip("none", "sparkles", t("strip.bot"), _act("take_over", number, "strip.take_over"))
    if about.get("has_assistant"):
        return _strip("none", "user", t("strip.person"), _act("hand_back", number, "strip.hand_back", is_quiet=True))
    return None


def window_words(about: Mapping[str, Any]) -> str:
    """Why one may answer until then."""
    reason = about.get("reply_reason")
    return t(f"window.{reason}" if reason in _REASONS else "window.other")


def times(about: Mapping[str, Any]) -> list[tuple[str, str, datetime | None]]:
    """The clocks in words: when somebody answered, when the next answer is due, when the window closes."""
    clocks: list[tuple[str, str, datetime | None]] = []
    if about.get("answered_at"):
        clocks.append((t("time.first"), "", about["answered_at"]))
    if about.get("waiting_since"):
        clocks.append((t("time.waits"), "", about["waiting_since"]))
    due = due_of(about)
    if due is not None:
        clocks.append((t("time.next"), t("time.due"), due["at"]))
    if about.get("reply_until"):
        clocks.append((t("time.window"), "", about["reply_until"]))
    return clocks


def lately(about: Mapping[str, Any]) -> list[tuple[str, str, str, datetime | None, str]]:
    """The steps of the conversation so far, for the trace beside it."""
    steps: list[tuple[str, str, str, datetime | None, str]] = []
    if about.get("first_inbound_at"):
        steps.append(("ok", "message-circle", t("step.first"), about["first_inbound_at"], ""))
    if about.get("answered_at"):
        steps.append(("ok", "user", t("step.answered"), about["answered_at"], ""))
    if about.get("waiting_since"):
        steps.append(("warn", "clock", t("time.waits"), about["waiting_since"], ""))
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


def _who(about: Mapping[str, Any], me_id: int) -> Fact:
    if about["in_charge"] != "us":
        return ("lock", "idle", t(f"fact.{about['in_charge']}"), None)
    if about["status"] == "bot":
        return ("sparkles", "idle", t("fact.assistant"), None)
    if about["status"] == "closed":
        return ("check", "idle", t("fact.closed"), None)
    if about["status"] == "snoozed":
        return ("alarm-clock", "idle", t("fact.snoozed"), None)
    if about.get("assignee_id") is None:
        return ("user", "idle", t("fact.nobody"), None)
    return ("user", "idle", t("fact.you") if about["assignee_id"] == me_id else about.get("assignee") or "", None)


def _counting(due: Mapping[str, Any]) -> Fact:
    return ("timer", due["tone"], "", due["at"])


def _act(name: str, conversation_id: int, words: str, *, is_quiet: bool = False) -> dict[str, Any]:
    address = url_for(f"console_inbox_acts.{name}", conversation_id=conversation_id)
    return {"address": address, "words": t(words), "is_quiet": is_quiet}


def _strip(
    tone: str, icon: str, text: str, act: dict[str, Any] | None, *, title: str | None = None, at: datetime | None = None
) -> dict[str, Any]:
    return {"tone": tone, "icon": icon, "text": text, "act": act, "title": title, "at": at}
