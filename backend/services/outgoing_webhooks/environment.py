"""The endpoints that the environment names: `CRM_WEBHOOK_URL` and `SHEETS_WEBHOOK_URL`, of the first workspace."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from backend.core import clock, config, events
from backend.core.database import db, system_scope, workspace_scope
from backend.models import OutgoingWebhook, Workspace
from backend.services.auth.events import WorkspaceCreated
from backend.services.outgoing_webhooks import endpoints, signing

NOT_CONFIGURED: Final = "not_configured"
"""Why an endpoint of the environment is off: its variable is empty."""
FORWARDED: Final = ("lead.*", "message.*", "conversation.*")
"""What such an endpoint is told unless an admin chooses otherwise."""
_NAMES: Final = {"CRM_WEBHOOK_URL": ("CRM", "webhook"), "SHEETS_WEBHOOK_URL": ("Sheets", "sheets")}


def ensure_environment_endpoints() -> None:
    """Brings the rows in step with the variables, in the caller's transaction.

    Each is made once, also when several processes start together, with a secret that an admin may read once. A changed
    address goes into the same row. Where the variable is empty the row stays and is switched off.
    """
    settings = config.get()
    addresses = {"CRM_WEBHOOK_URL": settings.crm_webhook_url, "SHEETS_WEBHOOK_URL": settings.sheets_webhook_url}
    with system_scope("the environment's endpoints belong to the first workspace"):
        rows = select(OutgoingWebhook).where(OutgoingWebhook.environment_name.in_(addresses))
        known = {row.environment_name: row for row in db.session.scalars(rows)}
        if all(_is_in_step(known.get(variable), url) for variable, url in addresses.items()):
            return
        workspace_id = db.session.execute(select(Workspace.id).order_by(Workspace.id).limit(1)).scalar()
    if workspace_id is None:
        return
    with workspace_scope(workspace_id):
        for variable, url in addresses.items():
            _ensure(workspace_id, variable, url)


def _is_in_step(row: OutgoingWebhook | None, url: str) -> bool:
    if row is None:
        return not url
    is_off = row.disabled_code == NOT_CONFIGURED
    return row.url == url and not is_off if url else is_off


def _ensure(workspace_id: int, variable: str, url: str) -> None:
    query = select(OutgoingWebhook).where(OutgoingWebhook.environment_name == variable).with_for_update()
    row = db.session.scalars(query.execution_options(populate_existing=True)).one_or_none()
    if row is None:
        if url:
            _make(workspace_id, variable, url)
        return
    if _is_in_step(row, url):
        return
    if url:
        row.url, row.disabled_code, row.disabled_at = url, None, None
        row.failures, row.failing_since, row.rest_until = 0, None, None
    else:
        row.disabled_code, row.disabled_at = NOT_CONFIGURED, clock.now()
        endpoints.end_waiting(row, "endpoint_off")
    row.updated_at = clock.now()
    db.session.flush()


def _make(workspace_id: int, variable: str, url: str) -> None:
    name, kind = _NAMES[variable]
    now = clock.now()
    row = OutgoingWebhook(
        workspace_id=workspace_id,
        name=name,
        kind=kind,
        environment_name=variable,
        url=url,
        events=list(FORWARDED),
        created_at=now,
        updated_at=now,
    )
    row.secret = signing.new_secret()
    try:
        with db.session.begin_nested():
            db.session.add(row)
    except IntegrityError:
        # Another process that starts at the same moment was first.
        return


def _workspace_created(event: WorkspaceCreated) -> None:
    ensure_environment_endpoints()


events.subscribe(WorkspaceCreated, _workspace_created)
