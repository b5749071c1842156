"""Rows of the age that a test asks for, of every table that retention touches."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from backend.core import clock
from backend.core.database import db
from backend.models import (
    AccountLogin,
    AccountSignal,
    Alert,
    Attempt,
    Campaign,
    CampaignPreflight,
    Contact,
    ContactImport,
    ContactImportChange,
    DailySummary,
    FileFetch,
    IdempotencyKey,
    JobRun,
    LinkToken,
    Mail,
    MetaRequest,
    OutgoingDelivery,
    OutgoingWebhook,
    PasswordReset,
    PendingReceipt,
    Schedule,
    ScheduleFire,
    SignIn,
    UndoStep,
    UnknownRecipient,
    WebhookEvent,
    WebhookEventKey,
)
from backend.services import scheduling


def event(bot, person, at: datetime, **values: Any) -> WebhookEvent:
    given = {
        "sender_id": bot.id,
        "channel": "telegram_bot",
        "key": uuid.uuid4().bytes,
        "conversation_key": 1,
        "body_encrypted": b"sealed",
        "state": "done",
        "due_at": at,
        "received_at": at,
    }
    return WebhookEvent(**given | values)


def event_key(bot, person, at):
    return WebhookEventKey(sender_id=bot.id, key=uuid.uuid4().bytes, seen_at=at)


def idempotency_key(bot, person, at):
    return IdempotencyKey(
        workspace_id=person.workspace_id,
        actor="user:1",
        route="POST /api/events",
        key=uuid.uuid4().hex,
        request_hash=b"x",
        created_at=at,
    )


def link_token(bot, person, at):
    return LinkToken(
        workspace_id=person.workspace_id,
        user_id=person.id,
        sender_id=bot.id,
        token_hash=uuid.uuid4().bytes,
        created_at=at,
        expires_at=at,
    )


def attempt(bot, person, at):
    return Attempt(
        workspace_id=person.workspace_id,
        sender_id=bot.id,
        delivery_id=1,
        part=0,
        operation="send",
        phase="started",
        epoch=1,
        at=at,
    )


def job_run(bot, person, at):
    return JobRun(job="another", state="succeeded", started_at=at)


def mail(bot, person, at):
    return Mail(workspace_id=person.workspace_id, kind="notice", due_at=at, expires_at=at, created_at=at)


def resolved_alert(bot, person, at):
    return Alert(
        workspace_id=person.workspace_id,
        group_key=uuid.uuid4().bytes,
        source="api",
        bot_name="alerts",
        severity="warning",
        title="Disk full",
        state="resolved",
        opened_at=at,
        last_seen_at=at,
        resolved_at=at,
    )


def schedule_fire(bot, person, at):
    schedule = db.session.execute(select(Schedule)).scalar() or scheduling.create(
        person.workspace_id, "a test", 1, scheduling.Timing("interval", interval_seconds=3600)
    )
    return ScheduleFire(
        workspace_id=person.workspace_id, schedule_id=schedule.id, fire_at=at, state="done", fired_at=at
    )


def outgoing_delivery(bot, person, at):
    webhook = db.session.execute(select(OutgoingWebhook)).scalar()
    if webhook is None:
        webhook = OutgoingWebhook(
            workspace_id=person.workspace_id, url="https://example.com/", events=["*"], created_at=at, updated_at=at
        )
        webhook.secret = "EXAMPLE-not-a-secret"
        put(webhook)
    return OutgoingDelivery(
        workspace_id=person.workspace_id,
        webhook_id=webhook.id,
        event_id=uuid.uuid4().hex,
        type="webhook.test",
        body="{}",
        state="delivered",
        due_at=at,
        created_at=at,
        ended_at=at,
    )


def daily_summary(bot, person, at):
    # A day for each, whenever it was decided.
    day = at.date() + timedelta(days=at.minute)
    return DailySummary(workspace_id=person.workspace_id, user_id=person.id, day=day, outcome="no_posts", created_at=at)


def password_reset(bot, person, at):
    return PasswordReset(
        workspace_id=person.workspace_id,
        user_id=person.id,
        token_hash=uuid.uuid4().bytes,
        created_at=at,
        expires_at=at,
    )


def sign_in(bot, person, at):
    return SignIn(
        workspace_id=person.workspace_id,
        user_id=person.id,
        current_jti=uuid.uuid4().hex,
        created_at=at,
        refreshed_at=at,
        expires_at=at,
    )


def pending_receipt(bot, person, at):
    made = PendingReceipt(sender_id=bot.id, due_at=at, created_at=at)
    made.payload = "{}"
    return made


def unknown_recipient(bot, person, at):
    return UnknownRecipient(sender_id=bot.id, recipient_id=uuid.uuid4().hex, count=1, first_at=at, last_at=at)


def file_fetch(bot, person, at):
    return FileFetch(
        workspace_id=person.workspace_id,
        owner_kind="post",
        owner_id=1,
        kind="photo",
        source_kind="url",
        state="failed",
        max_tries=3,
        due_at=at,
        created_at=at,
        ended_at=at,
    )


def import_of_contacts(bot, person, at):
    made = ContactImport(
        workspace_id=person.workspace_id, actor="user:1", state="done", due_at=at, filename="people.csv", size=1,
        created_at=at, updated_at=at, run_at=at, counts={}, mapping={},
    )  # fmt: skip
    made.columns_json = made.report_json = "[]"
    return made


def import_change(bot, person, at):
    contact = Contact(workspace_id=person.workspace_id, source="import", created_at=at, updated_at=at)
    job = import_of_contacts(bot, person, clock.now())
    put(contact, job)
    return ContactImportChange(
        workspace_id=person.workspace_id, import_id=job.id, contact_id=contact.id, created=True, before={}, after={},
        created_at=at,
    )  # fmt: skip


Make = Callable[[Any, Any, datetime], Any]


def account_signal(bot, person, at: datetime) -> AccountSignal:
    return AccountSignal(workspace_id=person.workspace_id, sender_id=bot.id, code="flood_wait", at=at)


def undo_step(bot, person, at: datetime) -> UndoStep:
    return UndoStep(workspace_id=person.workspace_id, action="close", changes=[], created_at=at, until=at)


def meta_request(bot, person, at: datetime) -> MetaRequest:
    names = {"kind": "deletion", "code": uuid.uuid4().hex, "user_hash": uuid.uuid4().bytes}
    return MetaRequest(**names, issued_at=at, state="done", created_at=at)


def account_login(bot, person, at: datetime) -> AccountLogin:
    return AccountLogin(
        workspace_id=person.workspace_id,
        user_id=person.id,
        settings_encrypted=b"sealed",
        command="start",
        expires_at=at,
        created_at=at,
        updated_at=at,
    )


def campaign_preflight(bot, person, at: datetime) -> CampaignPreflight:
    campaign = db.session.scalars(select(Campaign)).first()
    if campaign is None:
        campaign = Campaign(workspace_id=person.workspace_id, name="Spring", created_at=at, updated_at=at)
        put(campaign)
    return CampaignPreflight(
        workspace_id=person.workspace_id,
        campaign_id=campaign.id,
        version=1,
        fingerprint=b"f",
        created_at=at,
        expires_at=at,
    )


DELETING: dict[str, tuple[Make, timedelta]] = {
    "webhook duplicates' keys": (event_key, timedelta(days=7)),
    "idempotency keys": (idempotency_key, timedelta(hours=24)),
    "changes that can be taken back no more": (undo_step, timedelta(hours=24)),
    "link tokens": (link_token, timedelta(days=7)),
    "attempts": (attempt, timedelta(days=90)),
    "job history": (job_run, timedelta(days=90)),
    "mails": (mail, timedelta(days=30)),
    "resolved alerts": (resolved_alert, timedelta(days=90)),
    "fires of schedules": (schedule_fire, timedelta(days=90)),
    "outgoing webhooks' log": (outgoing_delivery, timedelta(days=30)),
    "decided daily summaries": (daily_summary, timedelta(days=90)),
    "ended fetches of files": (file_fetch, timedelta(days=7)),
    "password resets": (password_reset, timedelta(days=7)),
    "receipts without a message": (pending_receipt, timedelta(days=7)),
    "people's requests by Meta": (meta_request, timedelta(days=730)),
    "recipients that nobody owns": (unknown_recipient, timedelta(days=90)),
    "ended sign-ins": (sign_in, timedelta(days=30)),
    "processed webhook events": (event, timedelta(days=30)),
    "signals of accounts": (account_signal, timedelta(days=90)),
    "logins of accounts": (account_login, timedelta(hours=24)),
    "preflights of campaigns": (campaign_preflight, timedelta(days=7)),
    "changes by imports of contacts": (import_change, timedelta(days=31)),
}


def put(*made):
    db.session.add_all(made)
    db.session.commit()
