"""My Telegram: linking one's chat, whether it works, and what one wants to hear."""

from __future__ import annotations

from typing import Any

from flask import Response, request, url_for

from backend.core import i18n
from backend.core.errors import AppError, Conflict, Invalid
from backend.http.console.kit import form_errors, forms, pages
from backend.http.console.kit.guards import actor, attribution, page
from backend.http.console.telegram import forms as settings_form
from backend.http.schemas.notifications import SettingsIn
from backend.models import User
from backend.services import linking, notifications
from backend.services.auth import people
from backend.services.linking import Invitation
from backend.services.notifications import known_types, settings

bp = pages.blueprint("telegram", __name__)


@bp.get("/console/telegram")
@page()
def telegram() -> Response:
    """The link, the settings, and the checklist that is asked for afterwards."""
    return _shown()


@bp.post("/console/telegram/link")
@page()
def link() -> Response:
    """Makes an address for linking and shows it; it is shown this once."""
    me = actor()
    try:
        invitation = linking.invite(me.by, _person(), picture=True)
    except AppError as error:
        if error.status != 503:
            raise
        return _shown(error.status, trouble=pages.t(f"console_telegram.trouble.{_known(error.code)}"))
    return _shown(invitation=invitation)


@bp.get("/console/telegram/state")
@page()
def state() -> Response:
    """Leads the page to itself when the link is no longer in the state it shows; nothing otherwise."""
    link = linking.status_of(_person(), linking.bot_for(actor().workspace_id, None))
    changed = link.state != request.args.get("shown")
    headers = {"HX-Redirect": url_for("console_telegram.telegram")} if changed else {}
    return pages.protect(Response(status=204, headers=headers))


@bp.get("/console/telegram/checks")
@page()
def checks() -> Response:
    """The checklist, made now: asks Telegram."""
    checklist = linking.diagnose(_person(), linking.bot_for(actor().workspace_id, None))
    return pages.fragment("telegram/checks.html", checks=checklist)


@bp.post("/console/telegram/settings")
@page()
def save() -> Response:
    """Saves what the person wants to hear, and when: all of it or nothing."""
    person = _person()
    given, typed = settings_form.typed(person)
    try:
        wanted = forms.checked(SettingsIn, given)
        notifications.change(attribution(), person, wanted.model_dump(exclude_unset=True))
    except Invalid as error:
        return _shown(error.status, faults=form_errors.by_field(error, settings_form.FORM), typed=typed)
    return pages.redirect_with_toast(url_for("console_telegram.telegram"), pages.t("console_telegram.saved"))


@bp.post("/console/telegram/test")
@page()
def test() -> Response:
    """Sends the person a test message."""
    try:
        notifications.send_test_message(attribution(), _person())
    except Conflict as error:
        return _shown(error.status, trouble=pages.t(f"console_telegram.trouble.{_known(error.code)}"))
    return pages.redirect_with_toast(url_for("console_telegram.telegram"), pages.t("console_telegram.test_queued"))


@bp.post("/console/telegram/unlink")
@page()
def unlink() -> Response:
    """Ends the link; also fine where it has ended already."""
    sender = linking.bot_for(actor().workspace_id, None)
    if sender is not None:
        linking.unlink_account(attribution(), _person(), sender)
    return pages.redirect_with_toast(url_for("console_telegram.telegram"), pages.t("console_telegram.unlinked"))


def _person() -> User:
    return people.get(actor().user_id)


def _known(code: str) -> str:
    return code if f"console_telegram.trouble.{code}" in i18n.catalog(pages.locale()) else "bot_unavailable"


def _shown(
    status: int = 200,
    *,
    invitation: Invitation | None = None,
    trouble: str | None = None,
    faults: dict[str, str] | None = None,
    typed: dict[str, Any] | None = None,
) -> Response:
    person = _person()
    sender = linking.bot_for(actor().workspace_id, None)
    preferences = notifications.preferences_of(person)
    quiet = preferences.quiet_hours or {}
    values = {
        "locale": preferences.locale,
        "timezone": preferences.timezone,
        "daily_summary_at": preferences.daily_summary_at,
        "daily_summary_when_empty": preferences.daily_summary_when_empty,
        "quiet_start": quiet.get("start", ""),
        "quiet_end": quiet.get("end", ""),
        "types": preferences.types,
    } | (typed or {})
    return pages.render(
        "telegram/telegram.html",
        "telegram",
        pages.t("console.nav.telegram"),
        status,
        bot=sender,
        link=linking.status_of(person, sender),
        invitation=invitation,
        trouble=trouble,
        faults=faults or {},
        values=values,
        titles=known_types.titles(pages.locale()),
        zones=settings.zones(),
        locales=[("en", "English"), ("ko", "한국어")],
    )
