"""Channels: what is connected with WhatsApp, Messenger and Instagram, whether it works, and setting it up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response, request, url_for

from backend.core.errors import AppError, Conflict, Invalid, NotFound, TooManyRequests, Unavailable
from backend.http.console.channels import forms as channel_forms
from backend.http.console.channels import shown
from backend.http.console.kit import form_errors, form_replay, forms, pages
from backend.http.console.kit.guards import attribution, page
from backend.http.guards import public
from backend.http.schemas.integration_setup import IntegrationIn, RegisterIn
from backend.http.schemas.integrations import IntegrationChange
from backend.models import Sender
from backend.services.channel_setup import (
    catalog,
    checks,
    described,
    people_requests,
    renewal,
    states,
    subscribing,
    templates,
)
from backend.services.channel_setup.checks import Checklist
from backend.services.channel_setup.platforms import PLATFORMS, Platform

bp = pages.blueprint("channels", __name__)

_NAV = "channels"
_EXPECTED = (Invalid, Conflict, Unavailable, TooManyRequests)
"""What a form answers for; everything else is a page of its own."""


@bp.get("/console/channels")
@page()
def listing() -> Response:
    """Every integration with its state; of those that are not well the checks."""
    return pages.render(
        "channels/listing.html",
        _NAV,
        pages.t("console.nav.channels"),
        integrations=shown.rows(catalog.listing()),
        platforms=[(name, shown.ICONS[name]) for name in PLATFORMS],
    )


@bp.post("/console/channels/check-all")
@page("operator")
def check_all() -> Response:
    """Has every integration checked by the next turn of the job."""
    listed = catalog.listing()
    for sender in listed:
        states.check_soon(sender)
    text = pages.t("console_channels.said.checking", count=len(listed))
    return pages.redirect_with_toast(url_for(".listing"), text)


@bp.get("/console/channels/new")
@page("admin")
def new() -> Response:
    """The form for another integration."""
    asked = request.args.get("platform")
    return _new_form(asked if asked in PLATFORMS else "whatsapp", {})


@bp.post("/console/channels")
@page("admin")
def create() -> Response:
    """Adds an integration, and shows what Meta needs: the token of the handshake this once."""
    asked = request.form.get("platform")
    platform = asked if asked in PLATFORMS else "whatsapp"
    try:
        given = forms.checked(IntegrationIn, channel_forms.new(platform)).model_dump(exclude_none=True)
        added = catalog.create(attribution(), given.pop("platform"), given)
    except (Invalid, Conflict) as error:
        return _new_form(platform, channel_forms.typed(), error)
    form_replay.release()
    return _show(added.integration, verify_token=added.verify_token)


@bp.get("/console/channels/<int:integration_id>")
@page()
def show(integration_id: int) -> Response:
    """One integration: its checks as they were found last, what can be done, and its templates."""
    return _show(catalog.get(integration_id))


@bp.post("/console/channels/<int:integration_id>/check")
@page("operator")
def check(integration_id: int) -> Response:
    """Asks Meta now."""

    def act() -> str:
        checklist = checks.check(catalog.get(integration_id))
        return _said_of(checklist) if checklist.asked else pages.t("console_channels.said.not_asked")

    return _run_action(integration_id, act)


@bp.post("/console/channels/<int:integration_id>/subscribe")
@page("admin")
def subscribe(integration_id: int) -> Response:
    """Has Meta send its messages here."""

    def act() -> str:
        done = subscribing.subscribe(attribution(), integration_id)
        if done.address == "refused":
            return pages.t("console_channels.said.address_refused", detail=done.detail or done.reason or "")
        return _said_of(done.checklist, "console_channels.said.subscribed")

    return _run_action(integration_id, act)


@bp.post("/console/channels/<int:integration_id>/register")
@page("admin")
def register(integration_id: int) -> Response:
    """Registers a number by its PIN."""

    def act() -> str:
        given = forms.checked(RegisterIn, forms.values("pin"))
        done = subscribing.register(attribution(), integration_id, given.pin)
        return _said_of(done, "console_channels.said.registered")

    return _run_action(integration_id, act, channel_forms.PIN_FORM)


@bp.post("/console/channels/<int:integration_id>/renew")
@page("admin")
def renew(integration_id: int) -> Response:
    """Renews its token."""

    def act() -> str:
        return pages.t(f"console_channels.said.{renewal.renew(attribution(), integration_id)}")

    return _run_action(integration_id, act)


@bp.post("/console/channels/<int:integration_id>/templates")
@page("operator")
def refresh_templates(integration_id: int) -> Response:
    """Reads its templates from Meta."""

    def act() -> str:
        return pages.t("console_channels.said.templates", count=templates.refresh(attribution(), integration_id))

    return _run_action(integration_id, act)


@bp.get("/console/channels/<int:integration_id>/change")
@page("admin")
def change_form(integration_id: int) -> Response:
    """The form for what can be changed."""
    sender = catalog.own(integration_id, lock=False)
    known = described.describe(sender)
    return _change_form(sender, {name: str(known[name]) for name in ("name", "waba_id") if known.get(name)})


@bp.post("/console/channels/<int:integration_id>/change")
@page("admin")
def change(integration_id: int) -> Response:
    """Changes what was typed; secrets that were left empty stay."""
    sender = catalog.own(integration_id)
    try:
        given = forms.checked(IntegrationChange, channel_forms.changes(sender.channel)).model_dump(exclude_unset=True)
        catalog.change(attribution(), integration_id, given)
    except _EXPECTED as error:
        return _change_form(sender, channel_forms.typed(), error)
    return pages.redirect_with_toast(
        url_for(".show", integration_id=integration_id), pages.t("console_channels.said.changed")
    )


@bp.post("/console/channels/<int:integration_id>/remove")
@page("admin")
def remove(integration_id: int) -> Response:
    """Removes an integration; its conversations stay."""
    name = catalog.get(integration_id).name
    catalog.remove(attribution(), integration_id)
    return pages.redirect_with_toast(url_for(".listing"), pages.t("console_channels.said.removed", name=name))


@bp.get("/privacy/deletion/<code>")
@public("the code is the credential, and the page names nobody")
def deletion_status(code: str) -> Response:
    """How a person's request to be deleted stands."""
    title = pages.t("console_channels.deletion.title")
    try:
        row = people_requests.by_code(code)
    except NotFound as error:
        return pages.render("channels/deletion.html", "", title, error.status, state="unknown", at=None)
    return pages.render("channels/deletion.html", "", title, state=row.state, at=row.ended_at, code=row.code)


def _show(sender: Sender, fault: str | None = None, status: int = 200, verify_token: str | None = None) -> Response:
    setup = catalog.setups_of([sender]).get(sender.id)
    kept = checks.kept(sender)
    listed, following = templates.listing(sender.id, cursor=request.args.get("cursor")) if _has(sender) else ([], None)
    return pages.render(
        "channels/show.html",
        _NAV,
        sender.name,
        status,
        integration=shown.integration(described.of(sender, setup), kept.results),
        checklist=shown.checks(kept.results),
        checked_at=kept.checked_at,
        next_at=kept.next_at,
        fault=fault,
        verify_token=verify_token,
        has_templates=_has(sender),
        templates=[shown.template(row) for row in listed],
        templates_at=setup.templates_at if setup is not None else None,
        following=following,
    )


def _has(sender: Sender) -> bool:
    return sender.channel == "whatsapp"


def _new_form(platform: Platform, typed: dict[str, str], error: AppError | None = None) -> Response:
    return pages.render(
        "channels/form.html",
        _NAV,
        pages.t("console_channels.new.title"),
        error.status if error else 200,
        integration=None,
        platform=platform,
        platforms=PLATFORMS,
        ids=channel_forms.IDS[platform],
        typed=typed,
        answers_long="human_agent" in typed,
        faults=form_errors.by_field(error, channel_forms.FORM) if error else {},
        width="text",
    )


def _change_form(sender: Sender, typed: dict[str, str], error: AppError | None = None) -> Response:
    known = described.describe(sender)
    return pages.render(
        "channels/form.html",
        _NAV,
        pages.t("console_channels.change.title", name=sender.name),
        error.status if error else 200,
        integration=known,
        platform=sender.channel,
        platforms=PLATFORMS,
        ids=("waba_id",) if _has(sender) else (),
        typed=typed,
        answers_long=known.get("human_agent") if error is None else "human_agent" in request.form,
        is_on=sender.is_active if error is None else "is_active" in request.form,
        faults=form_errors.by_field(error, channel_forms.FORM) if error else {},
        width="text",
    )


def _said_of(checklist: Checklist, otherwise: str = "console_channels.said.well") -> str:
    """What an act is answered with: the first thing that is still wrong, or that all is well."""
    wrong = next((result for result in checklist.results if result.state == "failed"), None)
    if wrong is None:
        return pages.t(otherwise)
    return pages.t("console_channels.said.still", name=wrong.name(pages.locale()), text=wrong.text(pages.locale()))


def _run_action(integration_id: int, act: Callable[[], str], form: form_errors.Form = form_errors.PLAIN) -> Response:
    """Does it and says so, or shows the integration with what was refused. What asks Meta commits on its way, so the
    form counts as not sent: it bears being sent twice."""
    form_replay.release()
    try:
        text = act()
    except _EXPECTED as error:
        faults: dict[str, Any] = form_errors.by_field(error, form)
        return _show(catalog.get(integration_id), next(iter(faults.values())), error.status)
    return pages.redirect_with_toast(url_for(".show", integration_id=integration_id), text)
