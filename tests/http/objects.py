"""One valid example of every operation, with a real object behind it.

The route walk and the generative test take their objects from here; an operation without an entry fails them, so that
a new route cannot be left out of either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select, update

from backend.core import clock
from backend.core.database import db, system_scope, workspace_scope
from backend.models import Heartbeat, SystemJobState, User
from backend.services.auth import password_resets
from tests.http import callers, holdings


@dataclass
class Example:
    """A request that succeeds: `path` fills the rule's arguments with a real object of the caller's workspace.

    `foreign` are further bodies or queries that name an object, of the workspace that owns it: 404 to anybody else.
    """

    path: dict[str, Any] = field(default_factory=dict)
    json: dict[str, Any] | None = None
    query: dict[str, Any] = field(default_factory=dict)
    files: dict[str, tuple[str, bytes]] | None = None
    """Name and content by field, sent as multipart/form-data."""
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200
    foreign: list[dict[str, Any]] = field(default_factory=list)
    instance_wide: bool = False
    """`path` names something of the instance, which every owner of it sees."""


Maker = Callable[[User], Example]
EXAMPLES: dict[str, Maker] = {}
"""By endpoint. The person given is the caller, an admin unless the test is about another role."""


def example(*endpoints: str) -> Callable[[Maker], Maker]:
    """Registers the example of these endpoints."""

    def register(maker: Maker) -> Maker:
        EXAMPLES.update(dict.fromkeys(endpoints, maker))
        return maker

    return register


@example("health.alive", "health.overview", "docs.document", "docs.page", "docs.start")
def _nothing(_caller: User) -> Example:
    return Example()


@example("docs.asset")
def _asset(_caller: User) -> Example:
    return Example(path={"name": "swagger-ui.css"})


@example("health.ready")
def _ready(_caller: User) -> Example:
    with system_scope("a test's heartbeats"):
        now = db.session.execute(select(func.clock_timestamp())).scalar_one()
        for name in ("sweep", "tick"):
            db.session.merge(Heartbeat(name=name, at=now))
    return Example()


# --- people and their access -----------------------------------------------------------------------------


@example("auth.register")
def _register(_caller: User) -> Example:
    number = clock.unix()
    body = {"email": f"new{number}@example.com", "password": callers.PASSWORD, "name": "New", "workspace": "Newly"}
    return Example(json=body, status=201)


@example("auth.login")
def _login(_caller: User) -> Example:
    return Example(json={"email": callers.member().email, "password": callers.PASSWORD})


@example("auth.refresh")
def _refresh(caller: User) -> Example:
    return Example(headers=callers.bearer(callers.refresh_of(callers.begin(caller))))


@example("auth.logout", "auth.me")
def _own(_caller: User) -> Example:
    return Example()


@example("auth.change_me")
def _change_me(_caller: User) -> Example:
    return Example(json={"name": "Kim", "locale": "ko", "timezone": "Asia/Seoul"})


@example("auth.change_password")
def _change_password(_caller: User) -> Example:
    return Example(json={"current_password": callers.PASSWORD, "new_password": callers.PASSWORD})


@example("auth.request_password_reset")
def _request_reset(caller: User) -> Example:
    return Example(json={"email": caller.email}, status=202)


@example("auth.confirm_password_reset")
def _confirm_reset(caller: User) -> Example:
    person = callers.member(holdings.home(caller), role="viewer")
    with workspace_scope(caller.workspace_id):
        link = password_resets.issue(callers.acting(holdings.admin_of(caller)), person.id)
    return Example(json={"token": link.token, "password": callers.PASSWORD})


@example("people.listing", "tokens.listing", "audit.listing", "notifications.list_types")
def _page(_caller: User) -> Example:
    return Example(query={"limit": 2})


@example("people.one")
def _person(caller: User) -> Example:
    return Example(path={"person_id": callers.member(holdings.home(caller), role="viewer").id})


@example("people.change")
def _change_person(caller: User) -> Example:
    return Example(
        path={"person_id": callers.member(holdings.home(caller), role="viewer").id}, json={"role": "operator"}
    )


@example("people.reset_password")
def _reset_person(caller: User) -> Example:
    return Example(path={"person_id": callers.member(holdings.home(caller), role="viewer").id}, status=201)


@example("tokens.issue")
def _issue(_caller: User) -> Example:
    return Example(json={"name": "A program", "scopes": ["read"]}, status=201)


@example("tokens.one")
def _token(caller: User) -> Example:
    return Example(path={"token_id": holdings.token(caller)})


@example("tokens.rename")
def _rename(caller: User) -> Example:
    return Example(path={"token_id": holdings.token(caller)}, json={"name": "Another name"})


@example("tokens.revoke")
def _revoke(caller: User) -> Example:
    return Example(path={"token_id": holdings.token(caller)}, status=204)


# --- notifications ---------------------------------------------------------------------------------------


@example("events.report")
def _report(caller: User) -> Example:
    data = {"platform": "instagram", "content": "Hello", "likes": 1234, "comments": 56}
    foreign: list[dict[str, Any]] = [
        {"json": {"type": "post_success", "user_id": caller.id, "data": data}},
        {"json": {"type": "post_success", "attachment": {"kind": "photo", "file_id": holdings.file(caller)}}},
    ]
    return Example(json={"type": "post_success", "data": data, "subject": "post:1"}, status=202, foreign=foreign)


@example("events.listing")
def _events(caller: User) -> Example:
    holdings.event(caller)
    return Example(query={"user_id": caller.id})


@example("events.show")
def _event(caller: User) -> Example:
    return Example(path={"event_id": holdings.event(caller)})


@example("messages.listing")
def _messages(caller: User) -> Example:
    holdings.message(caller)
    return Example(query={"limit": 1})


@example("messages.show")
def _message(caller: User) -> Example:
    return Example(path={"message_id": holdings.message(caller)})


@example("notifications.settings")
def _settings(_caller: User) -> Example:
    return Example()


@example("notifications.change_settings")
def _change_settings(_caller: User) -> Example:
    return Example(json={"quiet_hours": {"start": "22:00", "end": "07:00"}, "types": {"post_success": False}})


@example("notifications.create_type")
def _create_type(_caller: User) -> Example:
    name = f"order_{int(clock.unix() * 1e6)}"
    return Example(json={"name": name, "templates": {"en": "Order {order.id}"}}, status=201)


@example("notifications.preview_new")
def _preview_new(_caller: User) -> Example:
    return Example(json={"templates": {"en": "Order {order.id}"}, "data": {"order": {"id": 17}}})


@example("notifications.show_type")
def _show_type(caller: User) -> Example:
    return Example(path={"type_id": holdings.notification_type(caller)})


@example("notifications.change_type")
def _change_type(caller: User) -> Example:
    return Example(path={"type_id": holdings.notification_type(caller)}, json={"title": "Orders"})


@example("notifications.delete_type")
def _delete_type(caller: User) -> Example:
    return Example(path={"type_id": holdings.notification_type(caller)}, status=204)


@example("notifications.preview_type")
def _preview_type(caller: User) -> Example:
    return Example(path={"type_id": holdings.notification_type(caller)}, json={"data": {"order": {"id": 17}}})


@example("health.overview")
def _overview(_caller: User) -> Example:
    return Example()


@example("metrics.read")
def _metrics(_caller: User) -> Example:
    # Without METRICS_TOKEN there are none; tests/http/api/test_metrics.py has one.
    return Example(headers=callers.bearer("a-token"), status=404)


@example("live.listen")
def _listen(_caller: User) -> Example:
    # Under Flask alone; tests/front has the front, which serves it.
    return Example(query={"topics": "messages"}, status=503)


# --- alerts ----------------------------------------------------------------------------------------------


@example("alerts.raise_alert")
def _raise_alert(caller: User) -> Example:
    body = {"title": f"Disk full {clock.unix()}", "labels": {"service": "db"}, "severity": "critical"}
    foreign: list[dict[str, Any]] = [
        {"json": body | {"photo": {"file_id": holdings.file(caller)}}},
        {"json": body | {"bot_name": holdings.bot(holdings.home(caller)).name}},
    ]
    return Example(json=body, status=202, foreign=foreign)


@example("alerts.alertmanager", "alerts.grafana")
def _received(_caller: User) -> Example:
    one = {"status": "firing", "labels": {"alertname": f"HighLoad {clock.unix()}"}, "fingerprint": str(clock.unix())}
    return Example(json={"version": "4", "groupKey": f"{{}}:{clock.unix()}", "alerts": [one]}, status=202)


@example("alerts.listing")
def _alerts(caller: User) -> Example:
    holdings.alert(caller)
    return Example(query={"state": "open", "label": "service=db"})


@example("alerts.show", "alerts.items", "alerts.ack", "alerts.unack", "alerts.snooze", "alerts.wake", "alerts.resolve")
def _alert(caller: User) -> Example:
    return Example(path={"alert_id": holdings.alert(caller)})


@example("alerts.reopen")
def _resolved_alert(caller: User) -> Example:
    return Example(path={"alert_id": holdings.alert(caller, "resolved")})


_MATCHERS = [{"label": "service", "op": "=", "value": "db"}]


@example("alert_rules.list_silences", "alert_rules.list_policies", "alert_rules.list_templates")
def _alert_rules(_caller: User) -> Example:
    return Example(query={"limit": 2})


@example("alert_rules.create_silence")
def _create_silence(_caller: User) -> Example:
    return Example(json={"matchers": _MATCHERS, "seconds": 7200, "comment": "Planned"}, status=201)


@example("alert_rules.preview_silence")
def _preview_silence(caller: User) -> Example:
    holdings.alert(caller)
    return Example(json={"matchers": _MATCHERS})


@example("alert_rules.show_silence", "alert_rules.end_silence")
def _silence(caller: User) -> Example:
    return Example(path={"silence_id": holdings.silence(caller)})


@example("alert_rules.change_silence")
def _change_silence(caller: User) -> Example:
    return Example(path={"silence_id": holdings.silence(caller)}, json={"comment": "Longer"})


@example("alert_rules.create_policy")
def _create_policy(caller: User) -> Example:
    body = {"name": f"Policy {clock.unix()}", "group_by": ["service"], "repeat_interval": 3000}
    escalating = body | {"escalate_after": 600, "escalate_user_ids": [caller.id]}
    return Example(json=body, status=201, foreign=[{"json": escalating}])


@example("alert_rules.show_policy")
def _show_policy(caller: User) -> Example:
    return Example(path={"policy_id": holdings.alert_policy(caller)})


@example("alert_rules.change_policy")
def _change_policy(caller: User) -> Example:
    return Example(path={"policy_id": holdings.alert_policy(caller)}, json={"group_wait": 10})


@example("alert_rules.delete_policy")
def _delete_policy(caller: User) -> Example:
    return Example(path={"policy_id": holdings.alert_policy(caller)}, status=204)


@example("alert_rules.create_template")
def _create_template(_caller: User) -> Example:
    return Example(json={"name": f"down_{int(clock.unix() * 1e6)}", "body": "{host} is down"}, status=201)


@example("alert_rules.show_template")
def _show_template(caller: User) -> Example:
    return Example(path={"template_id": holdings.alert_template(caller)})


@example("alert_rules.change_template")
def _change_template(caller: User) -> Example:
    return Example(path={"template_id": holdings.alert_template(caller)}, json={"body": "{host} does not answer"})


@example("alert_rules.delete_template")
def _delete_template(caller: User) -> Example:
    return Example(path={"template_id": holdings.alert_template(caller)}, status=204)


@example("files.upload")
def _upload(_caller: User) -> Example:
    return Example(files={"file": ("notes.txt", b"some text\n")}, status=201)


@example("files.info", "files.download")
def _stored_file(caller: User) -> Example:
    return Example(path={"file_id": holdings.file(caller)})


# --- schedules -------------------------------------------------------------------------------------------


@example("scheduled_messages.listing")
def _scheduled_messages(caller: User) -> Example:
    holdings.scheduled_message(caller)
    return Example(query={"limit": 1})


@example("scheduled_messages.create")
def _plan(caller: User) -> Example:
    name = holdings.bot(holdings.home(caller)).name
    body = {"bot_name": name, "chat_ids": ["-5001"], "message": "Good morning", "kind": "cron", "cron": "0 9 * * 1-5"}
    return Example(json=body, status=201, foreign=[{"json": body}])


@example("scheduled_messages.show", "scheduled_messages.history")
def _planned(caller: User) -> Example:
    return Example(path={"message_id": holdings.scheduled_message(caller)})


@example("scheduled_messages.change")
def _change_planned(caller: User) -> Example:
    return Example(path={"message_id": holdings.scheduled_message(caller)}, json={"cron": "30 8 * * *"})


@example("scheduled_messages.delete")
def _delete_planned(caller: User) -> Example:
    return Example(path={"message_id": holdings.scheduled_message(caller)}, status=204)


@example("scheduled_messages.run")
def _run_planned(caller: User) -> Example:
    return Example(path={"message_id": holdings.scheduled_message(caller)}, status=202)


@example("scheduling.status")
def _scheduler(_caller: User) -> Example:
    return Example()


@example("scheduling.history", "scheduling.pause", "scheduling.resume")
def _job(_caller: User) -> Example:
    return Example(path={"job_id": "retention"}, instance_wide=True)


@example(
    "scheduling.trigger", "scheduling.trigger_by_get", "scheduling.trigger_short", "scheduling.trigger_short_by_get"
)
def _trigger(_caller: User) -> Example:
    with system_scope("a test's job, which nobody has triggered of late"):
        db.session.execute(update(SystemJobState).values(triggered_at=None))
    return Example(path={"job_id": "retention"}, status=202, instance_wide=True)


# --- Telegram --------------------------------------------------------------------------------------------


@example("telegram.link_account")
def _link_account(caller: User) -> Example:
    own = holdings.bot(holdings.home(caller))
    return Example(query={"bot": str(own.id)}, foreign=[{"query": {"bot": str(own.id)}}])


@example("telegram.verify_link")
def _verify(caller: User) -> Example:
    token, chat_id = holdings.redeemed_token(caller)
    body = {"token": token, "chat_id": chat_id}
    return Example(json=body, foreign=[{"json": body}])


@example("telegram.status", "telegram.unlink_account", "telegram.diagnostics")
def _own_link(caller: User) -> Example:
    holdings.linked(caller)
    own = holdings.bot(holdings.home(caller))
    return Example(foreign=[{"query": {"bot": str(own.id)}}])


@example("telegram.send_test_message")
def _send_test(caller: User) -> Example:
    holdings.linked(caller)
    return Example()


@example("provider_webhooks.telegram_bot")
def _default_webhook(caller: User) -> Example:
    holdings.default_bot(caller)
    return Example(json={"update_id": 1}, headers={"X-Telegram-Bot-Api-Secret-Token": "test-webhook-secret"})


@example("provider_webhooks.telegram_bot_by_id")
def _webhook(caller: User) -> Example:
    bot = holdings.bot(holdings.home(caller), secret="a-secret-of-its-own")
    headers = {"X-Telegram-Bot-Api-Secret-Token": "a-secret-of-its-own"}
    return Example(path={"sender_id": bot.id}, json={"update_id": 1}, headers=headers)


# --- bots ------------------------------------------------------------------------------------------------

BOT_TOKEN = "4242:FAKE-TOKEN-visibly-fake-for-examples"


@example("bots.listing")
def _bots(caller: User) -> Example:
    holdings.bot(holdings.home(caller))
    return Example(query={"limit": 1})


@example("bots.create")
def _create_bot(_caller: User) -> Example:
    number = int(clock.unix() * 1e6)
    body = {"name": f"deploy {number}", "token": f"{number}:FAKE-TOKEN-visibly-fake", "chat_ids": ["-1001234567890"]}
    return Example(json=body, status=201)


@example("bots.show", "bots.validate", "bots.sync_info", "bots.rotate_secret", "bots.webhook_info")
@example("bots.discover_chats")
def _bot(caller: User) -> Example:
    return Example(path={"bot_id": holdings.bot(holdings.home(caller)).id})


@example("bots.remove")
def _remove_bot(caller: User) -> Example:
    return Example(path={"bot_id": holdings.bot(holdings.home(caller)).id}, status=204)


@example("bots.change")
def _change_bot(caller: User) -> Example:
    body = {"chat_ids": ["-1001234567890"], "message_thread_id": "42"}
    return Example(path={"bot_id": holdings.bot(holdings.home(caller)).id}, json=body)


@example("bots.send_test")
def _test_bot(caller: User) -> Example:
    own = holdings.bot(holdings.home(caller))
    return Example(path={"bot_id": own.id}, json={"message": "Hello", "chat_id": "5001"}, status=202)


@example("bots.register_webhook", "bots.delete_webhook")
def _bot_webhook(caller: User) -> Example:
    return Example(path={"bot_id": holdings.bot(holdings.home(caller)).id}, json={})


@example("bots.validate_token", "bots.discover_chats_of_token")
def _token_to_ask(_caller: User) -> Example:
    return Example(json={"token": BOT_TOKEN})


@example("bots.look_up_chat")
def _chat_to_ask(_caller: User) -> Example:
    return Example(json={"token": BOT_TOKEN, "chat": "@example"})
