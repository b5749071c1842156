"""The endpoints a workspace adds."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import func, select, update

from backend.core import clock, config, events, queue
from backend.core.database import current_workspace_id, db
from backend.core.egress import Egress, EgressFailed, EgressRefused
from backend.core.errors import Conflict, Invalid, NotFound, field_error
from backend.models import OutgoingDelivery, OutgoingWebhook
from backend.services import caps, paging
from backend.services.auth import audit
from backend.services.auth.attribution import SYSTEM, Attribution
from backend.services.outgoing_webhooks import emitting, signing
from backend.services.outgoing_webhooks.events import OutgoingWebhookDisabled
from backend.services.outgoing_webhooks.retry_policy import matches

OVERLAP: Final = timedelta(hours=24)
"""How long the secret before a rotation signs as well."""
_LOOK_UP_SECONDS: Final = 2.0


def create(
    by: Attribution,
    url: str,
    event_types: Sequence[str],
    *,
    name: str | None = None,
    kind: str = "webhook",
    enabled: bool = True,
) -> tuple[OutgoingWebhook, str]:
    """Adds an endpoint to the workspace in scope; with its secret, which is shown this once.

    Raises Invalid for an address that is not http(s) or not public and for events that do not exist, Conflict
    (`too_many_webhooks`).
    """
    _check_url(url)
    event_patterns = _checked_events(event_types)
    caps.require_room("webhooks", select(func.count()).select_from(OutgoingWebhook))
    now = clock.now()
    webhook = OutgoingWebhook(
        workspace_id=current_workspace_id(),
        name=name,
        kind=kind,
        url=url,
        events=event_patterns,
        enabled=enabled,
        created_at=now,
        updated_at=now,
    )
    secret = webhook.secret = signing.new_secret()
    db.session.add(webhook)
    db.session.flush()
    audit.record(by, "webhook.created", f"webhook:{webhook.id}", events=event_patterns)
    return webhook, secret


def get(webhook_id: int, *, lock: bool = False) -> OutgoingWebhook:
    """An endpoint of the workspace in scope. Raises NotFound."""
    webhook: OutgoingWebhook | None = db.session.get(
        OutgoingWebhook, webhook_id, with_for_update=lock or None, populate_existing=lock
    )
    if webhook is None:
        raise NotFound("webhook_not_found", "There is no such endpoint.")
    return webhook


def listing(
    *, cursor: str | None = None, limit: int = paging.DEFAULT_LIMIT
) -> tuple[list[OutgoingWebhook], str | None]:
    """The workspace's endpoints, oldest first."""
    return paging.page(select(OutgoingWebhook), OutgoingWebhook.id, cursor=cursor, limit=limit, descending=False)


def change(by: Attribution, webhook_id: int, changes: Mapping[str, Any]) -> OutgoingWebhook:
    """Changes `name`, `url`, `events` and `enabled` where they are named. Raises what `create` does, and NotFound.

    Switching on also takes back a disabling after long failure. What waits goes to the new address. The address of an
    endpoint of the environment is its variable's: Conflict (`environment_endpoint`).
    """
    if "url" in changes:
        _check_url(changes["url"])
    event_patterns = _checked_events(changes["events"]) if "events" in changes else None
    webhook = get(webhook_id, lock=True)
    if "name" in changes:
        webhook.name = changes["name"]
    if "url" in changes and changes["url"] != webhook.url:
        _check_own(webhook)
        webhook.url = changes["url"]
        webhook.failures, webhook.failing_since, webhook.rest_until = 0, None, None
    if event_patterns is not None:
        webhook.events = event_patterns
    if "enabled" in changes:
        webhook.enabled = changes["enabled"]
        if webhook.enabled and not (webhook.environment_name and webhook.disabled_code == "not_configured"):
            webhook.disabled_code = webhook.disabled_at = None
            webhook.failures, webhook.failing_since, webhook.rest_until = 0, None, None
            queue.wake(emitting.LANE)
        elif not webhook.enabled:
            end_waiting(webhook, "endpoint_off")
    webhook.updated_at = clock.now()
    db.session.flush()
    audit.record(by, "webhook.changed", f"webhook:{webhook.id}", fields=sorted(changes))
    return webhook


def remove(by: Attribution, webhook_id: int) -> None:
    """Takes an endpoint away with what waits for it and its log. Raises NotFound, Conflict (`environment_endpoint`)."""
    webhook = get(webhook_id, lock=True)
    _check_own(webhook)
    db.session.delete(webhook)
    db.session.flush()
    audit.record(by, "webhook.deleted", f"webhook:{webhook_id}")


def rotate_secret(by: Attribution, webhook_id: int) -> tuple[OutgoingWebhook, str]:
    """Gives the endpoint a new secret, shown this once; the old one signs as well for a day. Raises NotFound."""
    webhook = get(webhook_id, lock=True)
    webhook.previous_secret = webhook.secret
    webhook.previous_until = clock.now() + OVERLAP
    webhook.secret_shown_at = clock.now()
    secret = webhook.secret = signing.new_secret()
    webhook.updated_at = clock.now()
    db.session.flush()
    audit.record(by, "webhook.secret_rotated", f"webhook:{webhook.id}")
    return webhook, secret


def reveal_secret(by: Attribution, webhook_id: int) -> tuple[OutgoingWebhook, str]:
    """The secret of an endpoint of the environment, which was made without anybody there to be shown it: once.

    Raises NotFound, Conflict (`secret_already_shown`).
    """
    webhook = get(webhook_id, lock=True)
    if webhook.environment_name is None or webhook.secret_shown_at is not None:
        raise Conflict("secret_already_shown", "The secret was shown already; a new one is made by rotating it.")
    webhook.secret_shown_at = clock.now()
    db.session.flush()
    audit.record(by, "webhook.secret_shown", f"webhook:{webhook.id}")
    return webhook, webhook.secret


def send_test(by: Attribution, webhook_id: int) -> OutgoingDelivery:
    """Stores a test event for this endpoint, whatever it listens to. Raises NotFound, Conflict (`webhook_off`)."""
    webhook = get(webhook_id)
    if not webhook.is_served:
        raise Conflict("webhook_off", "The endpoint is switched off.")
    key = uuid.uuid4().hex
    delivery_ids = emitting.store(
        webhook.workspace_id, emitting.TEST, {"webhook_id": webhook.id}, key=key, webhook_ids=[webhook.id]
    )
    audit.record(by, "webhook.tested", f"webhook:{webhook.id}")
    return db.session.get_one(OutgoingDelivery, delivery_ids[0])


def disable(webhook: OutgoingWebhook, code: str) -> None:
    """Switches an endpoint off that failed for long; its waiting deliveries end, and can be replayed."""
    webhook.disabled_code, webhook.disabled_at = code, clock.now()
    end_waiting(webhook, "endpoint_disabled")
    audit.record(SYSTEM, "webhook.disabled", f"webhook:{webhook.id}", code=code)
    events.publish(OutgoingWebhookDisabled(webhook.id, webhook.workspace_id, code))


def end_waiting(webhook: OutgoingWebhook, code: str) -> None:
    """Ends what waits for the endpoint, with this reason."""
    db.session.execute(
        update(OutgoingDelivery)
        .where(OutgoingDelivery.webhook_id == webhook.id, OutgoingDelivery.state == "due")
        .values(state="failed", reason=code, ended_at=clock.now())
        .execution_options(synchronize_session=False)
    )


def _check_own(webhook: OutgoingWebhook) -> None:
    if webhook.environment_name is not None:
        message = f"This endpoint is the environment's: change {webhook.environment_name} instead."
        raise Conflict("environment_endpoint", message)


def _check_url(url: str) -> None:
    try:
        Egress(allow_private=config.get().egress_allow_private).judge(url, timeout=_LOOK_UP_SECONDS)
    except EgressRefused as error:
        raise Invalid.of("url", error.code, error.message) from None
    except EgressFailed:
        # A name that cannot be looked up now is judged when something is sent there.
        return


def _checked_events(event_types: Sequence[str]) -> list[str]:
    distinct = list(dict.fromkeys(event_types))
    faults = [
        field_error(f"events.{position}", "unknown_event_type", "No event has that type.")
        for position, pattern in enumerate(distinct)
        if not any(matches(pattern, event_type) for event_type in emitting.EVENTS)
    ]
    if faults:
        raise Invalid("unknown_event_type", "No event has that type.", detail=faults)
    return distinct
