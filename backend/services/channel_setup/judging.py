"""What the answers about a sender mean: pure functions, from what is known to results."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from backend.channels.errors import ChannelError, SenderDisabled
from backend.channels.graph import versions
from backend.channels.graph.setup import Subscription
from backend.services.channel_setup.asking import NO_OBJECT, Answers
from backend.services.channel_setup.platforms import Rules
from backend.services.channel_setup.results import Action, Result, State

TOKEN_NOTICE: Final = timedelta(days=7)
"""So long before its end a token is called expiring."""
DATA_NOTICE: Final = timedelta(days=14)
VERSION_NOTICE: Final = timedelta(days=90)
_QUALITIES: Final = {"green": "good", "yellow": "medium", "red": "low"}
_CONNECTED: Final = frozenset({"connected", ""})
_BROKEN: Final = frozenset({"banned", "restricted", "disconnected", "flagged", "unverified", "deleted", "migrated"})


@dataclass(frozen=True, slots=True)
class Known:
    """What this instance knows of a sender without asking anybody."""

    rules: Rules
    external_id: str
    webhook_url: str
    has_secret: bool
    has_verify_token: bool
    from_environment: bool
    api_version: str
    last_inbound_at: datetime | None = None
    dropped: int = 0
    parked: int = 0
    development_at: datetime | None = None
    """When the provider last said that its application is in development."""
    token_expires_at: datetime | None = None
    """Where the provider tells it only when it renews."""
    renew_at: datetime | None = None
    renew_failures: int = 0
    renew_error: str | None = None
    quality: str = ""
    """What a webhook has said since."""


def judge(known: Known, answers: Answers, now: datetime) -> list[Result]:
    """All checks of a sender, in their order."""
    findings = [
        *_local(known),
        *_token(known, answers, now),
        *_renewal(known),
        *_account(known, answers),
        *_subscription(known, answers),
        *_arrivals(known, now),
        _version(known, now),
        _unknown_items(known),
    ]
    return [Result(r.check, r.state, r.code, r.values, r.action, now) for r in findings]


def _local(known: Known) -> Iterator[Result]:
    change: Action | None = None if known.from_environment else "change"
    yield (
        Result("secret", "ok", "secret_set")
        if known.has_secret
        else Result("secret", "failed", "secret_unset", {}, change)
    )
    yield (
        Result("verify_token", "ok", "verify_token_set")
        if known.has_verify_token
        else Result("verify_token", "failed", "verify_token_unset", {}, change)
    )


def _token(known: Known, answers: Answers, now: datetime) -> Iterator[Result]:
    change: Action | None = None if known.from_environment else "change"
    refusal = _refusal(answers)
    facts = answers.token.value
    if refusal is not None or (facts is not None and not facts.is_valid):
        detail = refusal.detail if refusal is not None else (facts.detail if facts is not None else "")
        code = "token_expired" if refusal is not None and refusal.code == "token_expired" else "token_refused"
        yield Result("token", "failed", code, {"detail": detail}, change)
        return
    if not known.rules.can_debug:
        if answers.account.value is not None:
            yield _until("token", "token", known.token_expires_at, now, TOKEN_NOTICE, "renew")
        else:
            yield _not_asked("token", answers.account.error)
        return
    if facts is None:
        yield _not_asked("token", answers.token.error)
        return
    yield _until("token", "token", facts.expires_at, now, TOKEN_NOTICE, change)
    yield _until("data_access", "data_access", facts.data_access_expires_at, now, DATA_NOTICE, change)
    missing = sorted(set(known.rules.scopes) - facts.scopes)
    values = {"missing": ", ".join(missing), "count": len(known.rules.scopes)}
    if missing:
        yield Result("permissions", "failed", "scopes_missing", values, change)
    else:
        yield Result("permissions", "ok", "scopes_complete", values)


def _refusal(answers: Answers) -> SenderDisabled | None:
    """The answer by which the platform refused the sender's token. What it said to the application's own token is not
    the sender's."""
    asked = (answers.token, answers.account, answers.number, answers.subscriptions)
    return next((candidate.error for candidate in asked if isinstance(candidate.error, SenderDisabled)), None)


def _until(
    check: str, prefix: str, end: datetime | None, now: datetime, notice: timedelta, action: Action | None
) -> Result:
    if end is None:
        return Result(check, "ok", f"{prefix}_endless")
    values: dict[str, Any] = {"date": f"{end:%Y-%m-%d}", "count": max(0, (end - now).days)}
    if end <= now:
        return Result(check, "failed", f"{prefix}_expired", values, action)
    if end - now <= notice:
        return Result(check, "warning", f"{prefix}_expiring", values, action)
    return Result(check, "ok", f"{prefix}_valid", values)


def _renewal(known: Known) -> Iterator[Result]:
    if not known.rules.renews:
        return
    if known.renew_failures:
        state: State = "failed" if known.renew_failures >= 3 else "warning"
        values = {"count": known.renew_failures, "reason": known.renew_error or "unreadable_answer"}
        yield Result("renewal", state, "renewal_failing", values, "renew")
    elif known.renew_at is not None:
        yield Result("renewal", "ok", "renewal_planned", {"date": f"{known.renew_at:%Y-%m-%d}"})


def _account(known: Known, answers: Answers) -> Iterator[Result]:
    if known.rules.platform == "whatsapp":
        yield from _number(known, answers)
        return
    facts = answers.account.value
    if facts is None:
        yield _not_asked("account", answers.account.error)
    elif known.external_id and facts.id != known.external_id:
        yield Result("account", "failed", "account_other", {"name": facts.name or facts.id})
    else:
        yield Result("account", "ok", "account_found", {"name": facts.name or facts.id})


def _number(known: Known, answers: Answers) -> Iterator[Result]:
    facts = answers.number.value
    if facts is None:
        yield _not_asked("number", answers.number.error)
        return
    values = {"number": facts.number, "name": facts.name, "status": facts.status or "unknown"}
    if facts.platform == "not_applicable" or facts.status == "pending":
        yield Result("number", "failed", "number_unregistered", values, "register")
    elif facts.status in _BROKEN:
        yield Result("number", "failed", "number_restricted", values)
    elif facts.status not in _CONNECTED:
        yield Result("number", "warning", "number_in_doubt", values)
    elif facts.on_phone:
        yield Result("number", "ok", "number_on_phone", values)
    else:
        yield Result("number", "ok", "number_connected", values)
    quality = _QUALITIES.get(facts.quality)
    if quality is None:
        yield Result("quality", "ok", "quality_unrated")
    else:
        state: State = "ok" if quality == "good" else "warning"
        yield Result("quality", state, f"quality_{quality}", {"quality": quality})


def _subscription(known: Known, answers: Answers) -> Iterator[Result]:
    listed = answers.subscriptions.value
    if listed is None:
        yield _not_asked("subscription", answers.subscriptions.error)
        return
    app_id = answers.token.value.app_id if answers.token.value is not None else ""
    ours = next(
        (candidate for candidate in listed if not app_id or not candidate.app_id or candidate.app_id == app_id), None
    )
    if ours is None:
        yield Result("subscription", "failed", "subscription_lost", {}, "subscribe")
        return
    callback = ours.callback or (answers.app.value.callback if answers.app.value is not None else "")
    if callback and callback.rstrip("/") != known.webhook_url.rstrip("/"):
        values = {"address": callback, "expected": known.webhook_url}
        yield Result("subscription", "warning", "subscribed_elsewhere", values, "subscribe")
    else:
        yield Result("subscription", "ok", "subscribed")
    yield _fields(known, answers, ours)


def _fields(known: Known, answers: Answers, ours: Subscription) -> Result:
    fields = ours.fields if known.rules.in_subscription or known.rules.own_login else None
    if fields is None and answers.app.value is not None:
        fields = answers.app.value.fields
    if not fields and not known.rules.in_subscription:
        if answers.app.error is not None:
            return _not_asked("fields", answers.app.error)
        return Result("fields", "unknown", "fields_untold")
    has = fields or frozenset()
    missing = [name for name in known.rules.fields if name not in has]
    values = {"missing": ", ".join(missing), "count": len(known.rules.fields)}
    action: Action | None = "subscribe" if known.rules.in_subscription else None
    if set(known.rules.required) - has:
        return Result("fields", "failed", "fields_missing", values, action)
    if missing:
        return Result("fields", "warning", "fields_missing", values, action)
    return Result("fields", "ok", "fields_complete", values)


def _arrivals(known: Known, now: datetime) -> Iterator[Result]:
    at = known.last_inbound_at
    if at is None:
        yield Result("inbound", "waiting", "inbound_never")
    else:
        yield Result("inbound", "ok", "inbound_seen", {"at": at.isoformat()})
    if known.development_at is not None and (at is None or at <= known.development_at):
        yield Result("development", "failed", "app_in_development")
    elif at is not None:
        yield Result("development", "ok", "app_reached")
    else:
        yield Result("development", "unknown", "app_unproven")


def _version(known: Known, now: datetime) -> Result:
    version, end = known.api_version, versions.ends_on(known.api_version)
    values: dict[str, Any] = {"version": version, "current": versions.CURRENT}
    if end is None:
        return Result("version", "ok", "version_current", values)
    values["date"] = end.isoformat()
    if versions.has_ended(version, now.date()):
        return Result("version", "warning", "version_ended", values)
    if end - now.date() <= VERSION_NOTICE:
        return Result("version", "warning", "version_ending", values)
    return Result("version", "ok", "version_lasting", values)


def _unknown_items(known: Known) -> Result:
    if known.parked:
        return Result("unknown_items", "warning", "items_parked", {"count": known.parked, "dropped": known.dropped})
    if known.dropped:
        return Result("unknown_items", "warning", "items_dropped", {"count": known.dropped})
    return Result("unknown_items", "ok", "items_none")


def _not_asked(check: str, error: ChannelError | None) -> Result:
    """What could not be found out this time, and why."""
    code = error.code if error is not None else "not_asked"
    if code == NO_OBJECT:
        return Result(check, "failed", "object_unknown", {}, "change")
    if code == "permission_missing":
        return Result(check, "failed", "not_permitted", {"detail": error.detail if error is not None else ""})
    return Result(check, "unknown", "not_asked", {"reason": code, "detail": error.detail if error is not None else ""})
