"""What the pages say of campaigns: from whom, to whom, what holds them, and each person in the reader's words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from babel.dates import get_day_names

from backend.http.console.contacts import shown as contacts
from backend.http.console.kit import pages
from backend.models import Account, Campaign, Contact
from backend.services.accounts import access, integrations
from backend.services.campaigns import ledger, states
from backend.services.contacts import records as contact_records
from backend.services.contacts import segments

GRAVE: Final = frozenset({"account_frozen", "account_limited", "account_needs_login"})
NEGLIGIBLE: Final = ("reachable", "unknown", "costs_stars", "missing_fields")
"""Groups of a preflight that are no plain number of people who are left out."""


def account_names(accounts: Iterable[Account]) -> dict[int, str]:
    """Accounts by their id, each as it is called where there is no room."""
    return {account.sender_id: account_name(account) for account in accounts}


def account_name(account: Account) -> str:
    """An account's number, masked, and its name."""
    return " · ".join(part for part in (integrations.masked_phone(account.phone), account.name) if part)


def rows(campaigns: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Campaigns of the list with the account's name and what their counts amount to."""
    names = account_names(access.all_of_workspace())
    return [campaign | tally(campaign) | {"account": names.get(campaign["account_id"])} for campaign in campaigns]


def tally(campaign: Mapping[str, Any]) -> dict[str, int]:
    """How many people may still be written to, and how many have come to their end."""
    still = sum(campaign["counts"].get(state, 0) for state in states.OPEN)
    return {"still": still, "ended": sum(campaign["counts"].values()) - still}


def hold(campaign: Campaign) -> dict[str, Any] | None:
    """What keeps everybody of a campaign waiting, with until when; None where nothing does."""
    if campaign.state == states.PAUSED:
        why = pages.t(f"console_campaigns.because.{campaign.pause_reason or 'operator'}")
        return {"tone": "warn", "why": why, "until": None, "account": campaign.pause_reason == "account"}
    reason = ledger.hold_reason(campaign)
    if reason is None:
        return None
    until = None
    if campaign.sender_id is not None:
        account = access.find(campaign.sender_id)
        until = account.campaigns_paused_until or account.until
    return {
        "tone": "bad" if reason in GRAVE else "warn",
        "why": states.reason_text(reason, pages.locale()),
        "until": until,
        "account": True,
    }


def audience(campaign: Campaign) -> list[str]:
    """Whom it is for, part by part."""
    given, parts = campaign.audience, []
    parts += [pages.t("console_campaigns.audience.tag", name=name) for name in given.get("tags", ())]
    if given.get("segment_id"):
        named = {segment.id: segment.name for segment in segments.listing(limit=200)[0]}
        name = named.get(given["segment_id"], str(given["segment_id"]))
        parts.append(pages.t("console_campaigns.audience.segment", name=name))
    if given.get("filter"):
        parts.append(pages.t("console_campaigns.audience.filter"))
    if given.get("contact_ids"):
        parts.append(pages.t("console_campaigns.audience.people", count=len(given["contact_ids"])))
    return parts


def window(stored: Mapping[str, Any] | None) -> str:
    """When people are written to: days and hours."""
    if stored is None:
        return pages.t("console_campaigns.window.any")
    names = day_names()
    days = ", ".join(names[day] for day in stored["days"])
    return pages.t("console_campaigns.window.is", days=days, start=stored["from"], end=stored["to"])


def day_names() -> dict[int, str]:
    """The days of the week by number, Monday as 0, in the reader's language."""
    return dict(sorted(get_day_names("abbreviated", locale=pages.locale()).items()))


def recipient(row: Mapping[str, Any]) -> dict[str, Any]:
    """A person of the ledger with their name."""
    named = {"first_name": row["first_name"], "last_name": row["last_name"], "company": None, "points": []}
    return {**row, "name": contacts.name_of(named | {"id": row["contact_id"]})}


def planned(items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Messages of a simulation with the names of who gets them: one statement."""
    people = contact_records.several([item["contact_id"] for item in items])
    named = {contact.id: contact for contact in people}
    return [
        {**item, "name": contacts.name_of(_named(item["contact_id"], named.get(item["contact_id"])))} for item in items
    ]


def _named(contact_id: int, contact: Contact | None) -> dict[str, Any]:
    names = (None, None) if contact is None else (contact.first_name, contact.last_name)
    return {"id": contact_id, "first_name": names[0], "last_name": names[1], "company": None, "points": []}


def check(report: Mapping[str, Any]) -> dict[str, Any]:
    """A preflight's groups, apart: who gets something, who is left out with why, and the moments of its end."""
    groups = report["groups"]
    left_out = [
        (name, many, states.reason_text(name, pages.locale()))
        for name, many in groups.items()
        if name not in NEGLIGIBLE and many
    ]
    stars = groups["costs_stars"]
    if stars["count"]:
        left_out.append(("costs_stars", stars["count"], states.reason_text("costs_stars", pages.locale())))
    ends = {name: datetime.fromisoformat(moment) for name, moment in report["ends"].items()}
    return {
        **report,
        "left_out": left_out,
        "ends": ends,
        "will": groups["reachable"] + groups["unknown"],
    }
