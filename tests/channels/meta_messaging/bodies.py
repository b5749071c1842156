"""Webhook bodies of every kind of event, with fictional ids and words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PAGE, PERSON = "1000000001", "2000000002"
AT = 1764460800000
PAYLOADS = Path(__file__).parents[2] / "payloads"


def event(name: str, content: Any, *, from_page: bool = False, at: int = AT, person: str = PERSON) -> dict[str, Any]:
    """One event of a chat."""
    sender, recipient = (PAGE, person) if from_page else (person, PAGE)
    return {"sender": {"id": sender}, "recipient": {"id": recipient}, "timestamp": at, name: content}


def message(mid: str = "m_1", *, from_page: bool = False, **content: Any) -> dict[str, Any]:
    """A message's event."""
    return event("message", {"mid": mid, **content}, from_page=from_page)


def body(*events: dict[str, Any], edge: str = "messaging", name: str = "page", account: str = PAGE) -> bytes:
    """A body with one account's events."""
    return json.dumps({"object": name, "entry": [{"id": account, "time": AT, edge: list(events)}]}).encode()


def attachment(kind: str, **payload: Any) -> dict[str, Any]:
    """An attachment of a message."""
    return {"type": kind, "payload": payload}


def collected(folder: str) -> list[bytes]:
    """The bodies of public projects and of the documentation."""
    return [path.read_bytes() for path in sorted((PAYLOADS / folder).glob("*.json"))]


EVENTS: tuple[dict[str, Any], ...] = (
    message("m_text", text="Is it still there?"),
    message("m_file", attachments=[attachment("image", url="https://cdn.example/1.jpg"), attachment("audio")]),
    message("m_reply", text="that one", reply_to={"mid": "m_text"}),
    message("m_choice", text="Yes", quick_reply={"payload": "yes"}),
    message("m_echo", from_page=True, text="We have it", is_echo=True, app_id=77, metadata="12:0"),
    message("m_gone", is_deleted=True),
    message("m_odd", is_unsupported=True),
    message("m_ad", text="Hi", referral={"source": "ADS", "ad_id": "9", "ads_context_data": {"ad_title": "Boots"}}),
    event("message_edit", {"mid": "m_text", "text": "Is it there?", "num_edit": 1}),
    event("reaction", {"mid": "m_text", "action": "react", "reaction": "love", "emoji": "❤"}),
    event("reaction", {"mid": "m_text", "action": "unreact"}),
    event("postback", {"title": "Start", "payload": "start", "referral": {"ref": "shop", "source": "SHORTLINK"}}),
    event("postback", {"mid": "m_press", "title": "More", "payload": "more"}),
    event("referral", {"ref": "shop", "source": "SHORTLINK", "type": "OPEN_THREAD"}),
    event("optin", {"type": "notification_messages", "notification_messages_status": "STOP_NOTIFICATIONS"}),
    event("read", {"watermark": AT}),
    event("read", {"mid": "m_text"}),
    event("delivery", {"mids": ["m_echo"], "watermark": AT}),
    event("pass_thread_control", {"previous_owner_app_id": "1", "new_owner_app_id": "263902037430900"}),
    event("take_thread_control", {"previous_owner_app_id": "1", "new_owner_app_id": "2"}),
    event("request_thread_control", {"requested_owner_app_id": "2"}),
    event("app_roles", {"123": ["primary_receiver"]}),
    event("policy_enforcement", {"action": "block", "reason": "of an example"}),
    event("messaging_feedback", {"feedback_screens": [{"questions": {"q1": {"payload": "5"}}}]}),
    event("account_linking", {"status": "linked"}),
)
