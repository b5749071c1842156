"""The message templates of a WhatsApp integration: read from the provider, followed by its webhooks, found for sending.

Templates belong to a WhatsApp account; where a workspace has two numbers of one account, each integration has the
account's templates. Within the scope of the integration's workspace, unless a function says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from backend.channels.base import Content
from backend.channels.graph import setup as graph
from backend.channels.graph.setup import TemplateFacts
from backend.core import clock
from backend.core.database import db, workspace_id_in_scope
from backend.core.errors import Conflict, Invalid, NotFound
from backend.models import MessageTemplate
from backend.services import paging
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.channel_setup import catalog, checks, states, template_texts
from backend.services.channel_setup.refusals import clear_errors
from backend.services.channel_setup.template_texts import Preview, Shape, Variables

APPROVED: Final = "approved"
STATES: Final = ("approved", "pending", "rejected", "paused", "disabled", "in_appeal", "flagged", "deleted")
"""The states of which there are words; a provider may have further ones."""
_BATCH: Final = 500


def listing(
    sender_id: int,
    *,
    state: str | None = None,
    cursor: str | None = None,
    limit: int = paging.DEFAULT_LIMIT,
) -> tuple[list[MessageTemplate], str | None]:
    """The templates of an integration, the newest known last, and the next page's cursor. Raises NotFound."""
    sender = catalog.get(sender_id)
    query = select(MessageTemplate).where(MessageTemplate.sender_id == sender.id)
    if state is not None:
        query = query.where(MessageTemplate.state == state)
    return paging.page(query, MessageTemplate.id, cursor=cursor, limit=limit, descending=False)


def get(sender_id: int, template_id: int) -> MessageTemplate:
    """A template of an integration. Raises NotFound(`template_not_found`)."""
    template = db.session.execute(
        select(MessageTemplate).where(MessageTemplate.id == template_id, MessageTemplate.sender_id == sender_id)
    ).scalar_one_or_none()
    if template is None:
        raise template_not_found()
    return template


def find(sender_id: int, name: str, language: str) -> MessageTemplate | None:
    """The template of that name and language, in whatever state."""
    return db.session.execute(
        select(MessageTemplate).where(
            MessageTemplate.sender_id == sender_id,
            MessageTemplate.name == name,
            MessageTemplate.language == language,
        )
    ).scalar_one_or_none()


def find_approved(sender_id: int, name: str, language: str) -> MessageTemplate | None:
    """The template of that name and language, where the provider lets it be sent."""
    template = find(sender_id, name, language)
    return template if template is not None and template.state == APPROVED else None


def require_approved(sender_id: int, name: str, language: str) -> MessageTemplate:
    """As `find_approved`; raises Invalid: `template_not_found`, `template_not_approved`."""
    template = find(sender_id, name, language)
    if template is None:
        raise Invalid.of("template.name", "template_not_found", "There is no template of that name and language.")
    if template.state != APPROVED:
        message = f"The template may not be sent: its state is {template.state}."
        raise Invalid.of("template.name", "template_not_approved", message)
    return template


def shape_of(template: MessageTemplate) -> Shape:
    """What the template is made of; its `keys` are the variables that it needs."""
    return template_texts.shape_of(template.components)


def preview(template: MessageTemplate, variables: Variables = ()) -> Preview:
    """The template with these values, as people read it."""
    return template_texts.preview(shape_of(template), variables)


def content_of(template: MessageTemplate, variables: Variables = ()) -> Content:
    """What is handed to the outbox. Raises Invalid naming each variable that is missing, unknown or not to be sent."""
    return template_texts.content_of(template.name, template.language, shape_of(template), variables)


def refresh(by: Attribution, sender_id: int) -> int:
    """Reads the templates from the provider and keeps them; those it no longer has are deleted. Returns how many there
    are. Commits before the network calls.

    Raises NotFound, Conflict(`not_whatsapp`), Invalid, TooManyRequests, Unavailable(`meta_unavailable`).
    """
    sender = catalog.get(sender_id)
    if sender.channel != "whatsapp":
        raise Conflict("not_whatsapp", "Only a WhatsApp integration has templates.")
    connection = checks.connection_of(sender)
    if connection is None:
        raise Invalid.of("access_token", "token_missing", "This integration has no token.")
    db.session.commit()
    with clear_errors():
        account_id = connection.require_object()
        listed = connection.read("templates", lambda client: graph.templates(client, account_id))
    count = store(sender_id, listed)
    states.of(catalog.get(sender_id), lock=True).templates_at = clock.now()
    audit.record(by, "integration.templates_refreshed", f"sender:{sender_id}", count=count)
    db.session.flush()
    return count


def store(sender_id: int, listed: Sequence[TemplateFacts]) -> int:
    """Keeps these as all of an integration's templates, by statements over many of them; returns how many there are."""
    # Of two that the provider calls the same, the later one counts: one statement cannot write a row twice.
    by_name = {(template.name, template.language): template for template in listed}
    known = {
        (row.name, row.language): row
        for row in db.session.execute(
            select(MessageTemplate).where(MessageTemplate.sender_id == sender_id).with_for_update()
        ).scalars()
    }
    now = clock.now()
    rows = []
    for key, template in by_name.items():
        values = _values(template)
        row = known.get(key)
        if row is not None and all(getattr(row, name) == value for name, value in values.items()):
            continue
        rows.append(
            {"workspace_id": workspace_id_in_scope(), "sender_id": sender_id, "created_at": now, "changed_at": now}
            | values
        )
    for start in range(0, len(rows), _BATCH):
        statement = insert(MessageTemplate).values(rows[start : start + _BATCH])
        changed = ("external_id", "category", "state", "quality", "reason", "components", "changed_at")
        db.session.execute(
            statement.on_conflict_do_update(
                index_elements=["workspace_id", "sender_id", "name", "language"],
                set_={name: statement.excluded[name] for name in changed},
            )
        )
    gone = [row.id for key, row in known.items() if key not in by_name]
    if gone:
        db.session.execute(delete(MessageTemplate).where(MessageTemplate.id.in_(gone)))
    db.session.expire_all()
    return len(by_name)


def template_not_found() -> NotFound:
    """What is said of a template that is not there."""
    return NotFound("template_not_found", "There is no such template.")


def _values(template: TemplateFacts) -> dict[str, Any]:
    return {
        "external_id": template.id,
        "name": template.name,
        "language": template.language,
        "category": template.category,
        "state": template.state,
        "quality": template.quality,
        "reason": template.reason,
        "components": list(template.components),
    }
