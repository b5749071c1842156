"""Texts with placeholders for alerts: named ones of a workspace, or brought along. Bounded, and filled in escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import func, select

from backend.channels import richtext
from backend.core import clock
from backend.core.database import db
from backend.core.errors import Conflict, Invalid, NotFound, field_error
from backend.models import AlertTemplate
from backend.services import caps, paging
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.texts import templates as placeholders

NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,47}")
MAX_TITLE: Final = 200


def compose(title: str, message: str, template: str | None, values: Mapping[str, Any]) -> tuple[str, str]:
    """Returns title and rich text of an alert: as given, or of a template with its values, escaped.

    A template that looks like a name is one of the workspace's; anything else is the text itself. A given title goes
    before the template's, and a given message behind its text. Raises Invalid: `template_not_found`, or what is wrong
    with the text, with line and column.
    """
    if template is None:
        return title, message
    template_title, body = _find(template)
    text = placeholders.render(body, values)
    if template_title and not richtext.has_visible(title):
        title = placeholders.render_plain(template_title, values, MAX_TITLE)
    if richtext.has_visible(richtext.visible(richtext.read(message))):
        text = f"{text}\n\n{message}"
    return title, text


def _find(template: str) -> tuple[str | None, str]:
    """The title, if it has one, and the text of a template."""
    if NAME.fullmatch(template):
        row = db.session.scalars(select(AlertTemplate).where(AlertTemplate.name == template)).one_or_none()
        if row is None:
            fault = field_error("template", "template_not_found", "There is no template of that name.")
            raise Invalid("template_not_found", "There is no template of that name.", detail=[fault])
        return row.title, row.body
    faults = _faults("template", template)
    if faults:
        raise Invalid.of_fields(faults)
    return None, template


def get(template_id: int) -> AlertTemplate:
    """A template of the workspace in scope. Raises NotFound."""
    template = db.session.get(AlertTemplate, template_id)
    if template is None:
        raise NotFound("template_not_found", "There is no such template.")
    return template


def listing(*, cursor: str | None, limit: int) -> tuple[list[AlertTemplate], str | None]:
    """The workspace's templates, the oldest first."""
    return paging.page(select(AlertTemplate), AlertTemplate.id, cursor=cursor, limit=limit, descending=False)


def create(by: Attribution, fields: Mapping[str, Any]) -> AlertTemplate:
    """Adds a template. Raises Invalid, Conflict(`template_exists`, `too_many_templates`)."""
    _check(fields)
    caps.require_room("templates", select(func.count()).select_from(AlertTemplate))
    now = clock.now()
    template = AlertTemplate(
        name=fields["name"], title=fields.get("title"), body=fields["body"], created_at=now, updated_at=now
    )
    db.session.add(template)
    db.session.flush()
    audit.record(by, "alert_template.created", f"alert_template:{template.id}", name=template.name)
    return template


def change(by: Attribution, template_id: int, fields: Mapping[str, Any]) -> AlertTemplate:
    """Changes title or body; the name stays, because callers know it. Raises NotFound, Invalid."""
    template = get(template_id)
    _check({"name": template.name, "title": template.title, "body": template.body} | dict(fields), template.id)
    for name in ("title", "body"):
        if name in fields:
            setattr(template, name, fields[name])
    template.updated_at = clock.now()
    db.session.flush()
    audit.record(by, "alert_template.changed", f"alert_template:{template.id}", fields=sorted(fields))
    return template


def delete(by: Attribution, template_id: int) -> None:
    """Removes a template; alerts that it made stay as they are. Raises NotFound."""
    template = get(template_id)
    audit.record(by, "alert_template.deleted", f"alert_template:{template.id}", name=template.name)
    db.session.delete(template)
    db.session.flush()


def _check(fields: Mapping[str, Any], own_id: int | None = None) -> None:
    faults = _faults("body", fields["body"])
    if fields.get("title"):
        faults += _faults("title", fields["title"])
    if not NAME.fullmatch(fields["name"]):
        faults.append(field_error("name", "name_malformed", "1 to 48 of a-z, 0-9, _ and -, beginning with a letter."))
    if faults:
        raise Invalid.of_fields(faults)
    taken = db.session.scalars(select(AlertTemplate.id).where(AlertTemplate.name == fields["name"])).one_or_none()
    if taken not in (None, own_id):
        raise Conflict("template_exists", "The workspace has a template of that name.")


def _faults(field: str, template: str) -> list[dict[str, Any]]:
    return [
        field_error(field, problem.code, problem.message) | {"line": problem.line, "column": problem.column}
        for problem in placeholders.problems(template)
    ]
