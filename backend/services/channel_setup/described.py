"""Integrations as people and programs see them: no secret whole, the state of their checks, where their webhook is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from backend.models import ChannelSetup, MessageTemplate, Sender
from backend.services import senders
from backend.services.channel_setup import catalog, checks, results, templates
from backend.services.channel_setup.checks import Checklist
from backend.services.channel_setup.platforms import APP_SECRET, PAGE_ID, WABA_ID, rules_of
from backend.services.channel_setup.results import Result

_STATUSES: Final = {"ok": "connected", "warning": "attention", "failed": "failing", "unknown": "setting_up"}


def all_of(listed: Sequence[Sender]) -> list[dict[str, Any]]:
    """These integrations, by one statement over all of them together."""
    setups = catalog.setups_of(listed) if listed else {}
    return [of(sender, setups.get(sender.id)) for sender in listed]


def describe(sender: Sender) -> dict[str, Any]:
    """One integration."""
    return all_of([sender])[0]


def of(sender: Sender, setup: ChannelSetup | None) -> dict[str, Any]:
    """An integration with what is known of its set-up; what does not apply is left out."""
    settings = senders.settings_of(sender)
    findings = results.read(setup.results) if setup is not None else []
    values: dict[str, Any] = {
        "id": sender.id,
        "platform": sender.channel,
        "name": sender.name,
        "source": sender.source,
        rules_of(sender.channel, None).id_name: sender.external_id,
        "waba_id": settings.get(WABA_ID),
        "page_id": settings.get(PAGE_ID) or (sender.external_id if sender.channel == "messenger" else None),
        "username": sender.username,
        "access_token": _masked(sender.credentials),
        "app_secret": _masked(settings.get(APP_SECRET)),
        "webhook_url": senders.webhook_address(sender),
        "is_active": sender.is_active,
        "human_agent": bool(sender.facts.get(catalog.HUMAN_AGENT)) if sender.channel != "whatsapp" else None,
        "status": status_of(sender, findings),
        "reason": sender.disabled_code or next((r.code for r in findings if r.state in ("failed", "warning")), None),
        "checks": checks.counts_of(setup),
        "checked_at": setup.checked_at if setup is not None else None,
        "token_expires_at": setup.token_expires_at if setup is not None else None,
        "last_inbound_at": sender.last_inbound_at,
        "created_at": sender.created_at,
    }
    return {name: value for name, value in values.items() if value is not None}


def status_of(sender: Sender, findings: Sequence[Result]) -> str:
    """`connected`, `attention`, `failing`, `setting_up` before anything was found out, or `stopped`."""
    if not sender.is_active:
        return "stopped"
    return _STATUSES[results.worst(findings)]


def result(finding: Result, locale: str) -> dict[str, Any]:
    """A check with its words."""
    return {
        "check": finding.check,
        "name": finding.name(locale),
        "state": finding.state,
        "code": finding.code,
        "text": finding.text(locale),
        "hint": finding.hint(locale),
        "action": finding.action,
        "values": dict(finding.values),
        "at": finding.at,
    }


def checklist(known: Checklist, locale: str) -> dict[str, Any]:
    """The checks of an integration with their words."""
    return {
        "ok": all(finding.state in ("ok", "waiting", "unknown") for finding in known.results),
        "asked": known.asked,
        "checked_at": known.checked_at,
        "next_at": known.next_at,
        "checks": [result(finding, locale) for finding in known.results],
    }


def diagnostics(listed: Sequence[Sender], locale: str) -> dict[str, Any]:
    """These integrations with their checks as they were found last, by one statement over all of them together."""
    setups = catalog.setups_of(listed) if listed else {}
    shown: list[dict[str, Any]] = []
    for sender in listed:
        setup = setups.get(sender.id)
        findings = results.read(setup.results) if setup is not None else []
        at, following = (setup.checked_at, setup.check_at) if setup is not None else (None, None)
        shown.append(
            {
                "id": sender.id,
                "platform": sender.channel,
                "name": sender.name,
                "status": status_of(sender, findings),
                "checks": checklist(Checklist(findings, at, following), locale),
            }
        )
    return {"ok": all(entry["checks"]["ok"] for entry in shown), "integrations": shown}


def template(row: MessageTemplate) -> dict[str, Any]:
    """A template with its words and the variables that it needs."""
    shape = templates.shape_of(row)
    return {
        "id": row.id,
        "name": row.name,
        "language": row.language,
        "category": row.category,
        "state": row.state,
        "quality": row.quality,
        "reason": row.reason,
        "header": shape.header,
        "body": shape.body,
        "footer": shape.footer,
        "buttons": list(shape.buttons),
        "media": shape.media,
        "variables": list(shape.keys),
        "changed_at": row.changed_at,
    }


def templates_at(sender: Sender) -> datetime | None:
    """When an integration's templates were read last."""
    setup = catalog.setups_of([sender]).get(sender.id)
    return setup.templates_at if setup is not None else None


def _masked(secret: str | None) -> str | None:
    """The end of a secret, so that its owner knows which it is."""
    return f"…{secret[-4:]}" if secret and len(secret) >= 12 else ("…" if secret else None)
