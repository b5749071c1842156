"""What people want to be told, and the types a workspace defines."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from backend.http import guards
from backend.http.guards import access
from backend.http.schemas.base import PageQuery
from backend.http.schemas.notifications import (
    PreviewData,
    PreviewIn,
    PreviewOut,
    SettingsIn,
    SettingsOut,
    TypeChange,
    TypeIn,
    TypeOut,
    Types,
)
from backend.services import notifications
from backend.services.auth import people
from backend.services.notifications import Preferences, custom_types
from backend.services.notifications.custom_types import Preview

bp = APIBlueprint("notifications", __name__, url_prefix="/api", tag="Notifications")


@bp.get("/notifications/settings")
@access()
@bp.output(SettingsOut)
def settings() -> Preferences:
    """Show what the caller wants to be told"""
    return notifications.preferences_of(people.get(guards.actor().user_id))


@bp.patch("/notifications/settings")
@access()
@bp.input(SettingsIn)
@bp.output(SettingsOut)
def change_settings(json_data: SettingsIn) -> Preferences:
    """Change what the caller wants to be told

    What is left out stays; `types` is merged; `quiet_hours: null` turns them off.
    """
    caller = guards.actor()
    return notifications.change(caller.by, people.get(caller.user_id), json_data.model_dump(exclude_unset=True))


@bp.get("/notification-types")
@access()
@bp.input(PageQuery, location="query")
@bp.output(Types)
def list_types(query_data: PageQuery) -> dict[str, Any]:
    """List the workspace's own types"""
    types, following = custom_types.listing(cursor=query_data.cursor, limit=query_data.limit)
    return {"notification_types": types, "next_cursor": following}


@bp.post("/notification-types")
@access("operator", idempotent=True)
@bp.input(TypeIn)
@bp.output(TypeOut, status_code=201)
def create_type(json_data: TypeIn) -> Any:
    """Define a type

    A template is text with `{name}`, `{name|default}` and `{path.to.it}`, nothing else; what is wrong is named with its
    line and column.
    """
    return custom_types.create(guards.attribution(), json_data.model_dump())


@bp.post("/notification-types/preview")
@access()
@bp.input(PreviewIn)
@bp.output(PreviewOut)
def preview_new(json_data: PreviewIn) -> dict[str, Any]:
    """Try a type that need not exist yet

    Stores nothing.
    """
    fields = json_data.model_dump(include={"title", "templates", "button_label", "button_url"})
    return _shown(custom_types.preview(fields, json_data.data, _locale(json_data)))


@bp.get("/notification-types/<int:type_id>")
@access()
@bp.output(TypeOut)
def show_type(type_id: int) -> Any:
    """Show a type"""
    return custom_types.get(type_id)


@bp.patch("/notification-types/<int:type_id>")
@access("operator")
@bp.input(TypeChange)
@bp.output(TypeOut)
def change_type(type_id: int, json_data: TypeChange) -> Any:
    """Change a type

    Its name stays, and so do the messages already sent.
    """
    return custom_types.change(guards.attribution(), type_id, json_data.model_dump(exclude_unset=True))


@bp.delete("/notification-types/<int:type_id>")
@access("operator")
@bp.output({}, status_code=204)
def delete_type(type_id: int) -> Response:
    """Delete a type

    Its events and messages stay.
    """
    custom_types.delete(guards.attribution(), type_id)
    return Response(status=204)


@bp.post("/notification-types/<int:type_id>/preview")
@access()
@bp.input(PreviewData)
@bp.output(PreviewOut)
def preview_type(type_id: int, json_data: PreviewData) -> dict[str, Any]:
    """Try a type with data"""
    custom_type = custom_types.get(type_id)
    fields = {name: getattr(custom_type, name) for name in custom_types.FIELDS}
    return _shown(custom_types.preview(fields, json_data.data, _locale(json_data)))


def _locale(wanted: PreviewData) -> str:
    return wanted.locale or people.get(guards.actor().user_id).locale


def _shown(preview: Preview) -> dict[str, Any]:
    button = {"label": preview.button_label, "url": preview.button_url} if preview.button_url else None
    return {"text": preview.text, "html": preview.html, "button": button, "missing": preview.missing}
