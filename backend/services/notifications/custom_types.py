"""Types that a workspace defines, with its own templates."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from backend.channels import richtext
from backend.core import clock, i18n
from backend.core.database import current_workspace_id, db
from backend.core.errors import Conflict, Invalid, NotFound, field_error
from backend.models import NotificationType
from backend.services import caps, paging
from backend.services.auth import audit
from backend.services.auth.attribution import Attribution
from backend.services.notifications import known_types
from backend.services.texts import templates, values

NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,47}")
"""Short enough for a button's 64 bytes of callback data."""
MAX_TITLE: Final = 100

FIELDS: Final = ("name", "title", "templates", "button_label", "button_url")


@dataclass(frozen=True, slots=True)
class Preview:
    """What a template makes of data: the neutral rich text, the same as plain text, the button, and what is missing."""

    html: str
    text: str
    button_label: str | None
    button_url: str | None
    missing: list[str]


def create(by: Attribution, fields: Mapping[str, Any]) -> NotificationType:
    """Defines a type. Raises Invalid naming each place at fault, Conflict for a name that is taken or reserved."""
    _check(fields)
    workspace_id = current_workspace_id()
    caps.require_room("notification_types", select(func.count()).select_from(NotificationType))
    now = clock.now()
    row = {name: fields.get(name) for name in FIELDS}
    row |= {"title": row["title"] or row["name"], "workspace_id": workspace_id, "created_at": now, "updated_at": now}
    statement = insert(NotificationType).values(row).on_conflict_do_nothing().returning(NotificationType)
    created = db.session.scalars(statement).one_or_none()
    if created is None:
        raise _taken()
    audit.record(by, "notification_type.created", f"notification_type:{created.id}", name=created.name)
    return created


def get(type_id: int) -> NotificationType:
    """A type of the workspace in scope. Raises NotFound."""
    notification_type = db.session.get(NotificationType, type_id)
    if notification_type is None:
        raise NotFound()
    return notification_type


def listing(
    *, cursor: str | None = None, limit: int = paging.DEFAULT_LIMIT
) -> tuple[list[NotificationType], str | None]:
    """The workspace's types, oldest first."""
    return paging.page(select(NotificationType), NotificationType.id, cursor=cursor, limit=limit, descending=False)


def change(by: Attribution, type_id: int, fields: Mapping[str, Any]) -> NotificationType:
    """Changes the fields that are named; the name itself stays. Events already told are not told again."""
    notification_type = db.session.get(NotificationType, type_id, with_for_update=True, populate_existing=True)
    if notification_type is None:
        raise NotFound()
    if fields.get("name", notification_type.name) != notification_type.name:
        raise Invalid.of_fields(
            [field_error("name", "name_fixed", "A type keeps its name: events and settings refer to it.")]
        )
    _check({name: getattr(notification_type, name) for name in FIELDS} | dict(fields))
    for name in FIELDS:
        if name in fields:
            setattr(notification_type, name, fields[name])
    changed = sorted(name for name in fields if name in FIELDS)
    if not changed:
        return notification_type
    notification_type.title = notification_type.title or notification_type.name
    notification_type.updated_at = clock.now()
    db.session.flush()
    audit.record(by, "notification_type.changed", f"notification_type:{notification_type.id}", fields=changed)
    return notification_type


def delete(by: Attribution, type_id: int) -> None:
    """Deletes a type; its events and messages stay. Raises NotFound."""
    notification_type = get(type_id)
    audit.record(
        by,
        "notification_type.deleted",
        f"notification_type:{notification_type.id}",
        name=notification_type.name,
    )
    db.session.delete(notification_type)
    db.session.flush()


def preview(fields: Mapping[str, Any], data: Mapping[str, Any], locale: str) -> Preview:
    """What a person with that locale would read. Raises Invalid as `create` does; the name plays no part."""
    _check({"name": "preview", **fields})
    template = template_for(fields["templates"], locale)
    button = button_of(fields.get("button_label"), fields.get("button_url"), data, locale)
    html = render(fields["templates"], fields.get("title") or fields.get("name") or "", data, locale)
    used = [template, fields.get("button_label") or "", fields.get("button_url") or ""]
    paths = dict.fromkeys(path for template in used for path in templates.placeholder_paths(template))
    missing = [path for path in paths if not templates.has_value(data, path)]
    return Preview(
        html=richtext.write(richtext.read(html)),
        text=richtext.without_markup(richtext.read(html)),
        button_label=button[0] if button else None,
        button_url=button[1] if button else None,
        missing=missing,
    )


def template_for(by_locale: Mapping[str, Any], locale: str) -> str:
    """The template in that locale, else in the default one, else in whichever there is."""
    wanted = (i18n.negotiate(locale), i18n.DEFAULT, *by_locale)
    return next(str(by_locale[name]) for name in wanted if by_locale.get(name))


def render(by_locale: Mapping[str, Any], title: str, data: Mapping[str, Any], locale: str) -> str:
    """The neutral rich text of a message; the type's title where the data leaves nothing to say."""
    rendered = templates.render(template_for(by_locale, locale), data).strip()
    return rendered if richtext.has_visible(richtext.visible(richtext.read(rendered))) else richtext.escape(title)


def button_of(label: str | None, url: str | None, data: Mapping[str, Any], locale: str) -> tuple[str, str] | None:
    """The button's words and its http(s) address, or None where the data makes no address."""
    address = templates.render_url(url, data) if url else None
    if address is None:
        return None
    shown = templates.render_plain(label, data, templates.MAX_LABEL) if label else ""
    return shown or i18n.text("notifications.button.open", locale), address


def _check(fields: Mapping[str, Any]) -> None:
    name, title = fields.get("name"), fields.get("title")
    faults = []
    if not isinstance(name, str) or not NAME.fullmatch(name):
        message = "A name is 1 to 48 of a-z, 0-9 and _, beginning with a letter."
        faults.append(field_error("name", "name_malformed", message))
    elif name in known_types.RESERVED:
        faults.append(field_error("name", "name_reserved", "The product has a type of that name."))
    if title is not None and (len(title) > MAX_TITLE or not title or values.line(title, MAX_TITLE) != title):
        faults.append(
            field_error("title", "title_malformed", f"A title is one line of at most {MAX_TITLE} characters.")
        )
    faults += _template_faults(fields.get("templates"))
    label, url = fields.get("button_label"), fields.get("button_url")
    if label:
        faults += _placed("button_label", label)
        if len(label) > templates.MAX_LABEL:
            message = f"A label has at most {templates.MAX_LABEL} characters."
            faults.append(field_error("button_label", "label_too_long", message))
        if not url:
            faults.append(field_error("button_url", "button_without_url", "A button needs an address to open."))
    if url:
        faults += _placed("button_url", url)
        if not templates.is_web_template(url):
            message = "An http(s) address whose host is written out, or one placeholder."
            faults.append(field_error("button_url", "link_not_http", message))
    if faults:
        raise Invalid.of_fields(faults)


def _template_faults(by_locale: object) -> list[dict[str, Any]]:
    if not isinstance(by_locale, Mapping) or not by_locale:
        return [
            field_error("templates", "templates_missing", f"A template for at least one of {', '.join(i18n.LOCALES)}.")
        ]
    faults: list[dict[str, Any]] = []
    for locale, template in by_locale.items():
        field = f"templates.{locale}"
        if locale not in i18n.LOCALES:
            faults.append(field_error(field, "unknown_locale", f"One of {', '.join(i18n.LOCALES)}."))
        elif not isinstance(template, str):
            faults.append(field_error(field, "template_empty", "A template is a text."))
        else:
            faults += _placed(field, template)
    return faults


def _placed(field: str, template: str) -> list[dict[str, Any]]:
    return [
        field_error(field, problem.code, problem.message) | {"line": problem.line, "column": problem.column}
        for problem in templates.problems(template)
    ]


def _taken() -> Conflict:
    return Conflict("type_exists", "The workspace has a type of that name.")
