"""How the console looks to a person: language, zone, light or dark."""

from __future__ import annotations

from flask import Response, make_response, redirect, request

from backend.core import i18n
from backend.http.console.kit import forms, pages
from backend.http.console.kit.guards import actor, page
from backend.http.schemas.auth import ProfileChange
from backend.services.auth import people

bp = pages.blueprint("preferences", __name__)

_YEAR = 365 * 24 * 3600


@bp.post("/console/preferences")
@page()
def change() -> Response:
    """Keeps language and zone with the person, the theme with the browser; goes back to where it was chosen."""
    locale, theme = (request.form.get(name) for name in ("locale", "theme"))
    wanted = forms.values("locale", "timezone")
    if wanted:
        profile = forms.checked(ProfileChange, wanted)
        people.change_profile(actor(), name=None, locale=profile.locale, timezone=profile.timezone)
    response = make_response(redirect(forms.return_url(), 303))
    if theme in (*pages.THEMES, "system"):
        response.set_cookie("theme", theme, max_age=_YEAR, samesite="Lax", path="/")
    if locale in i18n.LOCALES:
        response.set_cookie("locale", locale, max_age=_YEAR, samesite="Lax", path="/")
    return pages.protect(response)
