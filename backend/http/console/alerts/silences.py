"""Silences: what is silenced, since when and until when; made with a preview of what it would silence."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from flask import Response, request, url_for

from backend.core import clock
from backend.core.errors import Invalid, NotFound
from backend.http.console.alerts import forms as silence_form
from backend.http.console.alerts import texts
from backend.http.console.alerts.views import by
from backend.http.console.kit import form_errors, forms, pages
from backend.http.console.kit.guards import page
from backend.http.schemas.alert_rules import AlertSilenceIn, SilencePreviewIn
from backend.services.alerts import queries
from backend.services.alerts.lifecycle import actions
from backend.services.alerts.rules import silence_preview, silences

bp = pages.blueprint("alert_silences", __name__)

SPANS: Final = (1800, 7200, 8 * 3600, 86_400, 7 * 86_400)
"""For how long one can silence without naming an end, in seconds."""
_STATES: Final = ("active", "pending", "disabled", "expired")
_SPARE_LINES: Final = 1
_LEAST_LINES: Final = 2


@bp.get("/console/alerts/silences")
@page()
def listing() -> Response:
    """The silences, the newest first."""
    given = forms.query_values("state", "cursor")
    state = given.get("state") if given.get("state") in _STATES else None
    kept: dict[str, Any] = {"state": state} if state else {}
    listed, following = silences.listing(state=state, cursor=given.get("cursor"), limit=50)
    return pages.render(
        "alerts/silences.html",
        "alerts",
        pages.t("console_alerts.tab.silences"),
        rows=[(silence, silences.state_of(silence)) for silence in listed],
        hushing=silences.silencing_now(listed),
        state=state,
        states=_STATES,
        older=url_for(".listing", cursor=following, **kept) if following else None,
    )


@bp.get("/console/alerts/silences/new")
@page("operator")
def new() -> Response:
    """The form: for the alert that the address names, for the silence that it renews, or empty."""
    given = forms.query_values("alert", "again")
    matchers: list[dict[str, str]] = []
    comment = ""
    if (alert_id := _number(given.get("alert"))) is not None:
        matchers = actions.silence_matchers(alert_id)
    elif (silence_id := _number(given.get("again"))) is not None:
        known = silences.get(silence_id)
        matchers, comment = list(known.matchers), known.comment or ""
    return _form(matchers, {"comment": comment}, {})


@bp.get("/console/alerts/silences/preview")
@page("operator")
def preview() -> Response:
    """What the lines of the form would silence now. Stores nothing."""
    try:
        matchers = _matchers(SilencePreviewIn, forms.rows(request.args, "label", "op", "value"), {})
        previewed = silence_preview.preview([matcher.model_dump() for matcher in matchers.matchers])
    except Invalid as error:
        return pages.fragment(
            "alerts/silence_preview.html", found=None, faults=form_errors.by_field(error, silence_form.SILENCE)
        )
    return pages.fragment(
        "alerts/silence_preview.html", found=previewed, overviews=queries.overviews(previewed.alerts), faults={}
    )


@bp.post("/console/alerts/silences")
@page("operator")
def create() -> Response:
    """Silences from now, or a beginning, for a while or until an end."""
    given = forms.values("seconds", "starts_at", "ends_at", "comment")
    lines = forms.rows(request.form, "label", "op", "value")
    try:
        wanted = _matchers(AlertSilenceIn, lines, silence_form.times(given))
        starts_at = wanted.starts_at or clock.now()
        ends_at = wanted.ends_at or starts_at + timedelta(seconds=wanted.seconds or actions.SILENCE_SECONDS)
        silence = silences.make(
            by(), [matcher.model_dump() for matcher in wanted.matchers], starts_at, ends_at, comment=wanted.comment
        )
    except Invalid as error:
        return _form(lines, given, form_errors.by_field(error, silence_form.SILENCE), status=error.status)
    return pages.redirect_with_toast(
        forms.return_url(url_for(".listing")),
        pages.t("console_alerts.done.silence", until=texts.moment(silence.ends_at)),
        undo=url_for(".end", silence_id=silence.id),
    )


@bp.post("/console/alerts/silences/<int:silence_id>/end")
@page("operator")
def end(silence_id: int) -> Response:
    """What it silences is heard again."""
    silences.end(by(), silence_id)
    return pages.redirect_with_toast(url_for(".listing"), pages.t("console_alerts.done.silence_ended"))


def _form(
    matchers: list[dict[str, str]], given: dict[str, str], faults: dict[str, str], *, status: int = 200
) -> Response:
    lines = [*matchers, *({"label": "", "op": "=", "value": ""} for _ in range(_SPARE_LINES))]
    while len(lines) < _LEAST_LINES:
        lines.append({"label": "", "op": "=", "value": ""})
    values: dict[str, Any] = {
        "lines": lines,
        "given": given,
        "faults": faults,
        "spans": SPANS,
        "zone": pages.zone().key,
    }
    if request.headers.get("HX-Request"):
        return pages.fragment("alerts/silence_form.html", status, in_dialog=True, **values)
    title = pages.t("console_alerts.act.new_silence")
    return pages.render("alerts/silence.html", "alerts", title, status, in_dialog=False, width="text", **values)


def _matchers(schema: Any, lines: list[dict[str, str]], times: dict[str, Any]) -> Any:
    return forms.checked(schema, {"matchers": lines, **times})


def _number(text: str | None) -> int | None:
    """An id in the address. Raises NotFound for what cannot be one."""
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise NotFound()
    return int(text)
