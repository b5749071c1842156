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
    form: dict[str, str] | None = None
    """Sent as a form without files."""
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


@example("people.show")
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


@example("tokens.show")
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
