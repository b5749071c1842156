"""What the page says of an integration: its state with the reason, and its checks as a list."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from backend.core import i18n
from backend.http.console.kit import pages
from backend.models import MessageTemplate, Sender
from backend.services.channel_setup import catalog, described, results
from backend.services.channel_setup.platforms import rules_of
from backend.services.channel_setup.results import Result

ICONS: Final = {"whatsapp": "phone", "messenger": "zap", "instagram": "instagram"}
_TONES: Final = {
    "ok": ("ok", "circle-check"),
    "warning": ("warn", "triangle-alert"),
    "failed": ("bad", "octagon-alert"),
    "waiting": ("live", "loader"),
    "unknown": ("idle", "circle-dashed"),
}
_TAGS: Final = {
    "connected": "connected",
    "attention": "warning",
    "failing": "failed",
    "setting_up": "waiting",
    "stopped": "stopped",
}
_TEMPLATE_TAGS: Final = {
    "approved": "connected",
    "pending": "pending",
    "in_appeal": "pending",
    "rejected": "failed",
    "disabled": "disabled",
    "paused": "paused",
    "flagged": "warning",
}
_MAYBE: Final = ("app_secret", "checked_at", "last_inbound_at", "reason")
"""What an integration may lack, for the templates."""
_SHOWN_CHECKLISTS: Final = 6


def rows(listed: Sequence[Sender]) -> list[dict[str, Any]]:
    """These integrations as the list shows them; the first that are not well with their checks."""
    setups = catalog.setups_of(listed) if listed else {}
    shown, room = [], _SHOWN_CHECKLISTS
    for sender in listed:
        setup = setups.get(sender.id)
        values = described.of(sender, setup)
        findings = results.read(setup.results) if setup is not None else []
        is_well = values["status"] == "connected"
        with_checks = bool(findings) and not is_well and room > 0
        room -= with_checks
        shown.append(integration(values, findings) | {"checklist": checks(findings) if with_checks else []})
    return shown


def integration(values: dict[str, Any], findings: Sequence[Result]) -> dict[str, Any]:
    """An integration with its icon, its masked id, and why it is not well."""
    external_id = str(values.get(rules_of(values["platform"], None).id_name) or "")
    grave = [result for result in findings if result.state in ("failed", "warning")]
    names = ", ".join(result.name(pages.locale()) for result in grave[:3])
    return (
        dict.fromkeys(_MAYBE)
        | values
        | {
            "icon": ICONS[values["platform"]],
            "masked_id": f"••• {external_id[-4:]}" if external_id else "",
            "tag": _TAGS[values["status"]],
            "why": pages.t("console_channels.why.checks", count=len(grave), names=names) if grave else None,
        }
    )


def checks(findings: Sequence[Result]) -> list[dict[str, Any]]:
    """The lines of a checklist, in the reader's language."""
    return [_line(result) for result in findings]


def template(row: MessageTemplate) -> dict[str, Any]:
    """A template with its words; a state or category without words of its own is shown as the platform's."""
    values = described.template(row)
    return values | {
        "tag": _TEMPLATE_TAGS.get(row.state, "unknown"),
        "state_word": _known(f"console_channels.template_state.{row.state}", row.state),
        "category_word": _known(f"console_channels.category.{row.category}", row.category),
    }


def _known(code: str, otherwise: str) -> str:
    return pages.t(code) if code in i18n.catalog(pages.locale()) else otherwise


def _line(result: Result) -> dict[str, Any]:
    tone, icon = _TONES[result.state]
    at = result.values.get("at")
    locale = pages.locale()
    return {
        "check": result.check,
        "tone": tone,
        "icon": icon,
        "name": result.name(locale),
        "text": result.text(locale),
        "hint": result.hint(locale) if result.state != "ok" else None,
        "action": result.action,
        "moment": datetime.fromisoformat(at) if isinstance(at, str) else None,
    }
