"""What somebody has: real objects of a person's workspace, for the examples of the routes. Each is flushed."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

from backend.core import clock
from backend.core.crypto import digest
from backend.core.database import db, system_scope, workspace_scope
from backend.models import LinkToken, Message, Sender, TelegramLink, User, Workspace
from backend.services import (
    alerts,
    automation_rules,
    files,
    notifications,
    outgoing_webhooks,
    posts,
    scheduled_messages,
    senders,
)
from backend.services.alerts.lifecycle import actions
from backend.services.alerts.rules import policies, silences
from backend.services.alerts.rules import templates as alert_templates
from backend.services.auth import personal_tokens
from backend.services.notifications import custom_types
from backend.services.posts import Place
from backend.services.scheduling import Timing
from tests.http import callers
from tests.support import factories


def home(caller: User) -> Workspace:
    """The person's workspace."""
    with system_scope("a test's objects"):
        found = db.session.get(Workspace, caller.workspace_id)
    assert found is not None
    return found


def admin_of(caller: User) -> User:
    """An admin of the person's workspace."""
    return caller if caller.role == "admin" else callers.member(home(caller))


def bot(of: Workspace, **values: Any) -> Sender:
    """A bot of the workspace's own."""
    return factories.bot(of, **values)


def default_bot(caller: User) -> Sender:
    """The environment's bot, whose name is known."""
    made = senders.ensure_environment_sender("telegram_bot")
    assert made is not None, "the tests' environment names a bot"
    made.username = made.username or "example_default_bot"
    with system_scope("a test's objects"):
        db.session.flush()
    return made


def linked(caller: User, chat_id: str | None = None) -> TelegramLink:
    """The person's link with the default bot."""
    return factories.link(caller, default_bot(caller), chat_id or str(7_000_000 + caller.id))


def redeemed_token(caller: User) -> tuple[str, str]:
    """A link token of the person that a chat has redeemed, and the chat's id."""
    chat_id = str(7_000_000 + caller.id)
    link = linked(caller, chat_id)
    token = f"user_{caller.id}_{'x' * 32}"
    now = clock.now()
    with workspace_scope(caller.workspace_id):
        db.session.add(
            LinkToken(
                workspace_id=caller.workspace_id,
                user_id=caller.id,
                sender_id=link.sender_id,
                token_hash=digest(token),
                created_at=now,
                expires_at=now,
                used_at=now,
                used_chat_hash=link.chat_hash,
            )
        )
        db.session.flush()
    return token, chat_id


def token(caller: User) -> int:
    """A personal access token's id."""
    with workspace_scope(caller.workspace_id):
        return personal_tokens.issue(callers.acting(caller), "A program", ["read"])[0].id


def event(caller: User) -> int:
    """A reported event's id."""
    with workspace_scope(caller.workspace_id):
        return notifications.report(factories.by("user:1"), "post_success", caller, {"platform": "instagram"}).id


def message(caller: User) -> int:
    """The id of a message that waits."""
    link = linked(caller)
    made = Message(
        workspace_id=caller.workspace_id,
        conversation_id=link.conversation_id,
        sender_id=link.sender_id,
        direction="out",
        kind="notification",
        state="queued",
        body={},
        user_id=caller.id,
        created_at=clock.now(),
    )
    with workspace_scope(caller.workspace_id):
        db.session.add(made)
        db.session.flush()
    return made.id


def notification_type(caller: User) -> int:
    """The id of a type the workspace defines."""
    fields = {"name": f"order_{int(clock.unix() * 1e6)}", "templates": {"en": "Order {order.id}"}}
    with workspace_scope(caller.workspace_id):
        return custom_types.create(factories.by("user:1"), fields).id


def alert(caller: User, state: str = "firing") -> int:
    """The id of an alert of the workspace."""
    by = alerts.Attribution("api", "user:1")
    with workspace_scope(caller.workspace_id):
        wish = alerts.AlertInput(title=f"Disk full {clock.unix()}", labels={"service": "db"})
        raised = alerts.raise_input(wish, by).alert_id
        assert raised is not None
        if state == "resolved":
            actions.apply(raised, "resolve", by)
    return raised


def silence(caller: User) -> int:
    """The id of a silence in force."""
    now = clock.now()
    matchers = [{"label": "service", "op": "=", "value": "edge"}]
    with workspace_scope(caller.workspace_id):
        by = alerts.Attribution("api", "user:1")
        return silences.make(by, matchers, now, now + timedelta(hours=1), comment=None).id


def alert_policy(caller: User) -> int:
    """The id of a policy."""
    with workspace_scope(caller.workspace_id):
        return policies.create(factories.by("user:1"), {"name": f"Policy {clock.unix()}", "group_by": ["service"]}).id


def alert_template(caller: User) -> int:
    """The id of a template for alerts."""
    fields = {"name": f"down_{int(clock.unix() * 1e6)}", "body": "{host} is down"}
    with workspace_scope(caller.workspace_id):
        return alert_templates.create(factories.by("user:1"), fields).id


def file(caller: User) -> int:
    """An uploaded file's id."""
    with workspace_scope(caller.workspace_id):
        return files.upload(factories.by("user:1", caller.id), "notes.txt", io.BytesIO(b"some text\n")).id


def webhook(caller: User) -> int:
    """The id of an endpoint that listens to everything."""
    with workspace_scope(caller.workspace_id):
        return outgoing_webhooks.create(factories.by("user:1"), "https://93.184.216.34/hooks", ["*"])[0].id


def environment_webhook(caller: User) -> int:
    """The id of an endpoint as the environment names one, whose secret nobody has read."""
    webhook_id = webhook(caller)
    with workspace_scope(caller.workspace_id):
        outgoing_webhooks.get(webhook_id).environment_name = f"EXAMPLE_{webhook_id}_WEBHOOK_URL"
        db.session.flush()
    return webhook_id


def delivery(caller: User) -> int:
    """The id of something that an endpoint is told."""
    webhook_id = webhook(caller)
    with workspace_scope(caller.workspace_id):
        return outgoing_webhooks.send_test(factories.by("user:1"), webhook_id).id


def post(caller: User, state: str = "draft") -> int:
    """The id of a post that a host application publishes, in this state."""
    webhook(caller)
    with workspace_scope(caller.workspace_id):
        made = posts.create(factories.by("user:1"), caller, Place("x", {}), "Hello", draft=True)
        if state != "draft":
            made.publisher, made.state, made.reason, made.attempts = "webhook", state, state, 1
        db.session.flush()
    return made.id


def rule(caller: User) -> int:
    """The id of a rule."""
    webhook(caller)
    with workspace_scope(caller.workspace_id):
        fields = {"platforms": ["x"], "content": "Hello"}
        return automation_rules.create(factories.by("user:1"), caller, fields, Timing("cron", cron="0 9 * * *")).id


def scheduled_message(caller: User) -> int:
    """The id of a message that is planned."""
    name = bot(home(caller)).name
    fields = {"bot_name": name, "chat_ids": ["-5001"], "message": "Hello", "kind": "cron", "cron": "0 9 * * *"}
    with workspace_scope(caller.workspace_id):
        return scheduled_messages.create(factories.by("user:1"), fields).message.id
