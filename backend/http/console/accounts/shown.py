"""What the list says of an account: its state, because of what, until when, and what may be done about it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from backend.core import clock, i18n
from backend.http.console.kit import pages
from backend.models import Account
from backend.services.accounts import access, health, integrations
from backend.services.auth.actor import Actor

_TONES: Final = {"limited": "bad", "frozen": "bad", "needs_login": "warn", "waiting": "warn", "unconfirmed": "warn"}
_ICONS: Final = {
    "limited": "octagon-alert",
    "frozen": "lock",
    "needs_login": "key-round",
    "waiting": "clock",
    "unconfirmed": "smartphone",
}
_GRAVE: Final = frozenset({"peer_flood", "user_restricted", "frozen"})


def all_of(actor: Actor, accounts: Sequence[Account]) -> list[dict[str, Any]]:
    """Each account with what the list says of it, by statements over all of them together."""
    described = integrations.describe(accounts)
    return [_of(actor, account, values) for account, values in zip(accounts, described, strict=True)]


def name_of(account: Account) -> str:
    """An account as it is called where there is no room: its number, masked, or its name."""
    return integrations.masked_phone(account.phone) or account.name


def _of(actor: Actor, account: Account, values: dict[str, Any]) -> dict[str, Any]:
    now = clock.now()
    paused = health.campaigns_pause(account, now) == "account_limited"
    closed = account.state in ("frozen", "needs_login")
    return values | {
        "title": name_of(account),
        "is_mine": account.owner_user_id == actor.user_id,
        "may_change": access.may_change(actor, account),
        "may_see": access.may_see(actor, account),
        "tone": _TONES.get(account.state) or ("warn" if paused else None),
        "icon": _ICONS.get(account.state, "pause"),
        "headline": _headline(account, paused=paused),
        "code": account.reason or account.campaigns_pause_reason,
        "paused_until": account.campaigns_paused_until if paused else None,
        "strict_until": _ahead(account.strict_until, now),
        "waits_for_decision": not closed and paused and account.campaigns_paused_until is None,
        "service_notice_at": account.service_notice_at,
        "freeze_until": account.freeze_until,
        "lookups_paused_until": _ahead(account.lookups_paused_until, now),
        "trace": [_signal(signal) for signal in values["signals"]],
    }


def _ahead(moment: datetime | None, now: datetime) -> datetime | None:
    return moment if moment is not None and moment > now else None


def _headline(account: Account, *, paused: bool) -> str | None:
    """What happened, in a sentence; None where nothing is wrong."""
    if account.state == "connected" and not paused:
        return None
    code = account.reason or account.campaigns_pause_reason or ""
    return _known(f"console_accounts.because.{code}") or pages.t(f"console_accounts.because.state.{account.state}")


def _signal(signal: dict[str, Any]) -> tuple[str, str, str, Any, str]:
    code, value = signal["code"], signal["value"]
    if "seconds" in value:
        what = pages.t(f"console_accounts.signal.wait_{value['on']}", count=value["seconds"])
    else:
        what = _known(f"console_accounts.because.{code}") or ""
    bad = code in _GRAVE
    return "bad" if bad else "warn", "octagon-alert" if bad else "clock", code.upper(), signal["at"], what


def _known(code: str) -> str | None:
    return pages.t(code) if code in i18n.catalog(pages.locale()) else None
