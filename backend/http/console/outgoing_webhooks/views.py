"""Webhooks and keys: where events go and how that went, and what programs call this instance with."""

from __future__ import annotations

import json
from typing import Any, Final

from flask import Response, request, url_for

from backend.core.errors import AppError, Conflict, Forbidden, Invalid
from backend.http.console.kit import form_errors, form_replay, forms, pages
from backend.http.console.kit.guards import actor, attribution, page
from backend.http.console.outgoing_webhooks import forms as page_forms
from backend.http.schemas.outgoing_webhooks import EndpointIn
from backend.http.schemas.people import TokenRequest
from backend.models import OutgoingWebhook, PersonalToken
from backend.models.user import ADMIN
from backend.services import outgoing_webhooks
from backend.services.auth import personal_tokens
from backend.services.auth.actor import SCOPES

bp = pages.blueprint("outgoing_webhooks", __name__)

_NAV: Final = "outgoing_webhooks"
_WORDS: Final = "console_outgoing_webhooks"
_EXPECTED = (Invalid, Conflict, Forbidden)
_STATES: Final = ("failed", "due", "delivered")
_MAX_TOKENS: Final = 100


@bp.get("/console/webhooks")
@page()
def listing() -> Response:
    """The endpoints, for admins, and one's own tokens."""
    return _listing()


@bp.get("/console/webhooks/new")
@page("admin")
def new() -> Response:
    """The form for another endpoint."""
    return _endpoint_form({})


@bp.post("/console/webhooks")
@page("admin")
def create() -> Response:
    """Adds an endpoint, and shows its secret this once."""
    try:
        given = forms.checked(EndpointIn, page_forms.endpoint())
        webhook, secret = outgoing_webhooks.create(
            attribution(), given.url, given.events, name=given.name, kind=given.kind
        )
    except (Invalid, Conflict) as error:
        return _endpoint_form(request.form.to_dict(), error)
    form_replay.release()
    return _show(webhook, secret=secret)


@bp.get("/console/webhooks/<int:webhook_id>")
@page("admin")
def show(webhook_id: int) -> Response:
    """One endpoint with what it was told, the newest first."""
    return _show(outgoing_webhooks.get(webhook_id))


@bp.post("/console/webhooks/<int:webhook_id>/rotate")
@page("admin")
def rotate(webhook_id: int) -> Response:
    """Gives it a new secret, shown this once; the one before signs as well for a day."""
    webhook, secret = outgoing_webhooks.rotate_secret(attribution(), webhook_id)
    return _show(webhook, secret=secret)


@bp.post("/console/webhooks/<int:webhook_id>/reveal")
@page("admin")
def reveal(webhook_id: int) -> Response:
    """Shows the secret of an endpoint of the environment, which nobody was shown yet, this once."""
    try:
        webhook, secret = outgoing_webhooks.reveal_secret(attribution(), webhook_id)
    except Conflict as error:
        return _done(webhook_id, form_errors.message_of(error))
    return _show(webhook, secret=secret)


@bp.post("/console/webhooks/<int:webhook_id>/test")
@page("admin")
def send_test(webhook_id: int) -> Response:
    """Stores a test event for it."""
    try:
        outgoing_webhooks.send_test(attribution(), webhook_id)
    except Conflict as error:
        return _done(webhook_id, form_errors.message_of(error))
    return _done(webhook_id, pages.t("console_outgoing_webhooks.said.test"))


@bp.post("/console/webhooks/<int:webhook_id>/switch")
@page("admin")
def switch(webhook_id: int) -> Response:
    """Switches it on or off; on also takes back that it was switched off after failing for long."""
    on = request.form.get("on") == "1"
    try:
        outgoing_webhooks.change(attribution(), webhook_id, {"enabled": on})
    except Conflict as error:
        return _done(webhook_id, form_errors.message_of(error))
    return _done(webhook_id, pages.t(f"console_outgoing_webhooks.said.{'on' if on else 'off'}"))


@bp.post("/console/webhooks/<int:webhook_id>/remove")
@page("admin")
def remove(webhook_id: int) -> Response:
    """Removes it with what waits for it and its log."""
    try:
        outgoing_webhooks.remove(attribution(), webhook_id)
    except Conflict as error:
        return _done(webhook_id, form_errors.message_of(error))
    return pages.redirect_with_toast(url_for(".listing"), pages.t("console_outgoing_webhooks.said.removed"))


@bp.get("/console/webhooks/deliveries/<int:delivery_id>")
@page("admin")
def show_delivery(delivery_id: int) -> Response:
    """One event for one endpoint: what is sent, and every try."""
    delivery = outgoing_webhooks.delivery(delivery_id)
    return pages.render(
        "outgoing_webhooks/delivery.html",
        _NAV,
        delivery.type,
        delivery=delivery,
        webhook=outgoing_webhooks.get(delivery.webhook_id),
        tries=outgoing_webhooks.attempts_of(delivery),
        body=_pretty(delivery.body),
    )


@bp.post("/console/webhooks/deliveries/<int:delivery_id>/replay")
@page("admin")
def replay(delivery_id: int) -> Response:
    """Sends it again: the same event with the same id."""
    address = url_for(".show_delivery", delivery_id=delivery_id)
    try:
        outgoing_webhooks.replay(attribution(), delivery_id)
    except Conflict as error:
        return pages.redirect_with_toast(address, form_errors.message_of(error))
    return pages.redirect_with_toast(address, pages.t("console_outgoing_webhooks.said.replayed"))


@bp.get("/console/webhooks/tokens/new")
@page()
def new_token() -> Response:
    """The form for another token."""
    return _token_form({}, [])


@bp.post("/console/webhooks/tokens")
@page()
def issue_token() -> Response:
    """Makes a token of the person's, and shows it this once."""
    try:
        given = forms.checked(TokenRequest, page_forms.token())
        token, secret = personal_tokens.issue(actor(), given.name, given.scopes, given.expires_at)
    except _EXPECTED as error:
        return _token_form(request.form.to_dict(), request.form.getlist("scope"), error)
    form_replay.release()
    return _listing(token, secret)


@bp.post("/console/webhooks/tokens/<int:token_id>/revoke")
@page()
def revoke_token(token_id: int) -> Response:
    """Ends a token with the next call."""
    personal_tokens.revoke(actor(), token_id)
    return pages.redirect_with_toast(url_for(".listing"), pages.t("console_outgoing_webhooks.said.revoked"))


def _listing(token: PersonalToken | None = None, secret: str | None = None) -> Response:
    webhooks: list[OutgoingWebhook] = []
    following: str | None = None
    if actor().reaches(ADMIN):
        webhooks, following = outgoing_webhooks.listing(cursor=request.args.get("cursor"))
    tokens, _ = personal_tokens.listing(actor(), cursor=None, limit=_MAX_TOKENS)
    return pages.render(
        "outgoing_webhooks/listing.html",
        _NAV,
        pages.t("console.nav.outgoing_webhooks"),
        webhooks=webhooks,
        following=following,
        tokens=tokens,
        token=token,
        secret=secret,
    )


def _show(webhook: OutgoingWebhook, secret: str | None = None) -> Response:
    state = request.args.get("state")
    listed, following = outgoing_webhooks.deliveries(
        webhook_id=webhook.id, state=state if state in _STATES else None, cursor=request.args.get("cursor")
    )
    return pages.render(
        "outgoing_webhooks/endpoint.html",
        _NAV,
        webhook.name or webhook.url,
        webhook=webhook,
        secret=secret,
        deliveries=listed,
        following=following,
        state=state if state in _STATES else "",
        states=("", *_STATES),
    )


def _endpoint_form(typed: dict[str, str], error: AppError | None = None) -> Response:
    return pages.render(
        "outgoing_webhooks/endpoint_form.html",
        _NAV,
        pages.t("console_outgoing_webhooks.new"),
        error.status if error else 200,
        typed=typed,
        chosen=request.form.getlist("event"),
        events=sorted(outgoing_webhooks.EVENTS.items()),
        faults=form_errors.by_field(error, page_forms.ENDPOINT) if error else {},
        width="text",
    )


def _token_form(typed: dict[str, str], chosen: list[str], error: AppError | None = None) -> Response:
    allowed = actor().scopes
    return pages.render(
        "outgoing_webhooks/token_form.html",
        _NAV,
        pages.t("console_outgoing_webhooks.new_token"),
        error.status if error else 200,
        typed=typed,
        chosen=chosen,
        scopes=[scope for scope in SCOPES if scope in allowed],
        lives=[
            (days, pages.t(f"{_WORDS}.life.days", count=int(days)) if days else pages.t(f"{_WORDS}.life.endless"))
            for days in page_forms.LIVES
        ],
        faults=form_errors.by_field(error, page_forms.TOKEN) if error else {},
        width="text",
    )


def _done(webhook_id: int, text: str) -> Response:
    return pages.redirect_with_toast(url_for(".show", webhook_id=webhook_id), text)


def _pretty(body: str) -> str:
    try:
        value: Any = json.loads(body)
    except ValueError:
        return body
    return json.dumps(value, ensure_ascii=False, indent=2)
