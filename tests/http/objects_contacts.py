"""The examples of contacts, tags, segments and suppressions; see `objects`."""

from __future__ import annotations

import io
from datetime import timedelta
from itertools import count
from typing import Any

from backend.core.database import db, workspace_scope
from backend.models import User
from backend.services.contacts import custom_fields, points, records, segments, settings, suppressions, tags
from backend.services.contacts.filters import ContactFilter
from backend.services.contacts.imports import administration
from tests.http.objects import Example, example
from tests.support import factories

NUMBER = "+44 7700 900123"
_made = count()
"""Of each object a workspace may get several: their names and numbers differ."""


def contact(caller: User, **values: Any) -> int:
    """The id of a contact with a phone number."""
    with workspace_scope(caller.workspace_id):
        given = {"first_name": "Ada", "phone": f"+44 7700 900{200 + next(_made) % 700}", "tags": ["VIP"]} | values
        return records.create(factories.by("user:1"), given).id


def tag(caller: User) -> int:
    """A tag's id."""
    with workspace_scope(caller.workspace_id):
        return tags.create(factories.by("user:1"), f"Buyers {next(_made)}").id


def field(caller: User) -> int:
    """A custom field's id."""
    with workspace_scope(caller.workspace_id):
        return custom_fields.create(factories.by("user:1"), f"seats_{next(_made)}", "Seats", "number").id


def segment(caller: User) -> int:
    """A segment's id."""
    with workspace_scope(caller.workspace_id):
        return segments.create(factories.by("user:1"), f"Buyers {next(_made)}", ContactFilter(has=("phone",))).id


def suppression(caller: User) -> int:
    """The id of a suppression of a contact's number."""
    contact_id = contact(caller)
    with workspace_scope(caller.workspace_id):
        suppressions.suppress_contact(factories.by("user:1"), contact_id, code="requested", source="api")
        return suppressions.listing()[0][0].id


@example("contacts.listing", "contacts.download")
def _contacts(caller: User) -> Example:
    contact(caller)
    segment_id = segment(caller)
    query = {"has": "phone", "tag": "VIP", "segment_id": segment_id}
    return Example(query=query, foreign=[{"query": {"segment_id": segment_id}}])


@example("contacts.create")
def _create(caller: User) -> Example:
    body = {"first_name": "Ada", "email": "ada@example.com", "phone": "020 7946 0011", "region": "GB", "tags": ["VIP"]}
    return Example(json=body, status=201, foreign=[{"json": body | {"owner_id": caller.id}}])


@example("contacts.show")
def _contact(caller: User) -> Example:
    return Example(path={"contact_id": contact(caller)})


@example("contacts.change")
def _change(caller: User) -> Example:
    return Example(path={"contact_id": contact(caller)}, json={"title": "Buyer", "phone": "+44 7700 900124"})


@example("contacts.erase")
def _erase(caller: User) -> Example:
    return Example(path={"contact_id": contact(caller)}, status=204)


@example("contacts.add_point")
def _add_point(caller: User) -> Example:
    body = {"kind": "email", "value": "ada@example.com", "label": "work"}
    return Example(path={"contact_id": contact(caller)}, json=body, status=201)


@example("contacts.remove_point")
def _remove_point(caller: User) -> Example:
    contact_id = contact(caller)
    with workspace_scope(caller.workspace_id):
        point_id = points.of_contacts([contact_id])[contact_id][0].id
    return Example(path={"contact_id": contact_id, "point_id": point_id}, status=204)


@example("contacts.list_consents")
def _consents(caller: User) -> Example:
    return Example(path={"contact_id": contact(caller)})


@example("contacts.opt_in_link")
def _opt_in_link(caller: User) -> Example:
    with workspace_scope(caller.workspace_id):
        settings.change(factories.by("user:1"), {"opt_in_wording": "You may write to me about new flats."})
    return Example(path={"contact_id": contact(caller)})


@example("contacts.record_consent")
def _record_consent(caller: User) -> Example:
    body = {"channel": "telegram", "purpose": "marketing", "source": "form", "source_detail": "the newsletter's form"}
    return Example(path={"contact_id": contact(caller)}, json=body, status=201)


@example("contacts.settings")
def _settings(_caller: User) -> Example:
    return Example()


@example("contacts.change_settings")
def _change_settings(_caller: User) -> Example:
    return Example(json={"region": "KR", "timezone": "Asia/Seoul"})


@example("contact_fields.listing", "tags.listing", "segments.listing")
def _page(caller: User) -> Example:
    field(caller), tag(caller), segment(caller)
    return Example(query={"limit": 2})


@example("contact_fields.create")
def _create_field(_caller: User) -> Example:
    return Example(json={"key": "grade", "name": "Grade", "type": "choice", "choices": ["A", "B"]}, status=201)


@example("contact_fields.show")
def _field(caller: User) -> Example:
    return Example(path={"field_id": field(caller)})


@example("contact_fields.change")
def _change_field(caller: User) -> Example:
    return Example(path={"field_id": field(caller)}, json={"name": "Places"})


@example("contact_fields.remove")
def _remove_field(caller: User) -> Example:
    return Example(path={"field_id": field(caller)}, status=204)


@example("tags.create")
def _create_tag(_caller: User) -> Example:
    return Example(json={"name": "Fair 2026"}, status=201)


@example("tags.show")
def _tag(caller: User) -> Example:
    return Example(path={"tag_id": tag(caller)})


@example("tags.change")
def _change_tag(caller: User) -> Example:
    return Example(path={"tag_id": tag(caller)}, json={"name": "Customers"})


@example("tags.remove")
def _remove_tag(caller: User) -> Example:
    return Example(path={"tag_id": tag(caller)}, status=204)


@example("segments.create")
def _create_segment(_caller: User) -> Example:
    return Example(json={"name": "With a phone", "filter": {"has": ["phone"]}}, status=201)


@example("segments.show")
def _segment(caller: User) -> Example:
    return Example(path={"segment_id": segment(caller)})


@example("segments.change")
def _change_segment(caller: User) -> Example:
    return Example(path={"segment_id": segment(caller)}, json={"filter": {"has": ["email"]}})


@example("segments.remove")
def _remove_segment(caller: User) -> Example:
    return Example(path={"segment_id": segment(caller)}, status=204)


@example("suppressions.listing")
def _suppressions(caller: User) -> Example:
    suppression(caller)
    contact_id = contact(caller, phone="+44 7700 900125")
    return Example(query={"contact_id": contact_id}, foreign=[{"query": {"contact_id": contact_id}}])


@example("suppressions.create")
def _create_suppression(caller: User) -> Example:
    foreign = [{"json": {"contact_id": contact(caller)}}]
    return Example(json={"kind": "phone", "value": NUMBER}, status=201, foreign=foreign)


@example("suppressions.load")
def _load(_caller: User) -> Example:
    return Example(files={"file": ("list.csv", b"ada@example.com\n+44 7700 900123\nnobody\n")})


@example("suppressions.show")
def _suppression(caller: User) -> Example:
    return Example(path={"suppression_id": suppression(caller)})


@example("suppressions.lift")
def _lift(caller: User) -> Example:
    return Example(path={"suppression_id": suppression(caller)}, json={"reason": "Asked to be written to again"})


def contact_import(caller: User, state: str = "reading") -> int:
    """The id of an import that was taken, or one that has got further."""
    with workspace_scope(caller.workspace_id):
        stream = io.BytesIO(b"Name,Phone\nAda,+44 7700 900123\n")
        job = administration.create(factories.by("user:1", caller.id), filename="people.csv", stream=stream)
        job.state = state
        if state == "done":
            job.task, job.run_at, job.undo_until = None, job.created_at, job.created_at + timedelta(days=30)
        db.session.flush()
        return job.id


@example("contact_imports.listing")
def _imports(caller: User) -> Example:
    contact_import(caller)
    return Example(query={"limit": 2})


@example("contact_imports.create")
def _begin_import(caller: User) -> Example:
    content = b"Name,Phone\nAda,+44 7700 900123\n"
    return Example(files={"file": ("people.csv", content)}, status=202)


@example("contact_imports.show")
def _import(caller: User) -> Example:
    return Example(path={"import_id": contact_import(caller)})


@example("contact_imports.change")
def _change_import(caller: User) -> Example:
    return Example(path={"import_id": contact_import(caller)}, json={"region": "KR", "mode": "create"})


@example("contact_imports.run")
def _run_import(caller: User) -> Example:
    return Example(path={"import_id": contact_import(caller, "checked")}, status=202)


@example("contact_imports.cancel")
def _cancel_import(caller: User) -> Example:
    return Example(path={"import_id": contact_import(caller)}, status=202)


@example("contact_imports.undo")
def _undo_import(caller: User) -> Example:
    return Example(path={"import_id": contact_import(caller, "done")}, status=202)
