"""Setting up WhatsApp, Messenger and Instagram: integrations added, checked and mended, and their templates."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from backend.http import guards, languages
from backend.http.guards import access
from backend.http.schemas.integration_setup import (
    IntegrationAdded,
    IntegrationChecks,
    IntegrationIn,
    IntegrationStates,
    MessageTemplateOut,
    MessageTemplatePreviewIn,
    MessageTemplatePreviewOut,
    MessageTemplateQuery,
    MessageTemplates,
    RegisterIn,
    RenewOut,
    SubscribeOut,
    TemplatesRefreshed,
)
from backend.http.schemas.integrations import IntegrationOut
from backend.services.accounts import access as accounts
from backend.services.accounts import integrations
from backend.services.channel_setup import catalog, checks, described, renewal, subscribing, templates

bp = APIBlueprint("integration_setup", __name__, url_prefix="/api/integrations", tag="Integrations")

_AWAY = {429: "Meta asks to wait", 503: "`meta_unavailable`: Meta cannot be asked at the moment"}


@bp.post("")
@access("admin", idempotent=True, redact=("verify_token",))
@bp.input(IntegrationIn)
@bp.output(IntegrationAdded, status_code=201)
@bp.doc(responses={409: "`integration_exists`, `account_in_use`, `too_many_integrations`"})
def create(json_data: IntegrationIn) -> dict[str, Any]:
    """Connect WhatsApp, Messenger or Instagram

    Nothing is asked of Meta: give it `webhook_url` and `verify_token`, then see what the checks say.
    """
    given = json_data.model_dump(exclude_none=True)
    added = catalog.create(guards.attribution(), given.pop("platform"), given)
    return described.describe(added.integration) | {"verify_token": added.verify_token}


@bp.get("/diagnostics")
@access()
@bp.output(IntegrationStates)
def diagnostics() -> dict[str, Any]:
    """Find out what is wrong with integrations

    As it was found last: Meta is not asked. `GET …/checks` asks about one.
    """
    return described.diagnostics(catalog.listing(), languages.wanted())


@bp.get("/<int:integration_id>")
@access()
@bp.output(IntegrationOut)
def show(integration_id: int) -> dict[str, Any]:
    """Show an integration"""
    sender = catalog.find(integration_id)
    if sender is not None:
        return described.describe(sender)
    return integrations.describe([accounts.find(integration_id)])[0]


@bp.get("/<int:integration_id>/checks")
@access()
@bp.output(IntegrationChecks)
def check(integration_id: int) -> dict[str, Any]:
    """Find out whether an integration is set up

    Asks Meta, so it takes some seconds where Meta is slow; what it does not answer stands as it was found last.
    """
    return described.checklist(checks.check(catalog.get(integration_id)), languages.wanted())


@bp.post("/<int:integration_id>/subscribe")
@access("admin")
@bp.output(SubscribeOut)
@bp.doc(responses={422: "Meta's reason; `object_unknown` where an id is missing", **_AWAY})
def subscribe(integration_id: int) -> dict[str, Any]:
    """Have Meta send an integration's messages here

    Subscribes the application first, then asks for the integration's own address, and checks both.
    """
    done = subscribing.subscribe(guards.attribution(), integration_id)
    shown = described.checklist(done.checklist, languages.wanted())
    return shown | {"address": done.address, "reason": done.reason, "detail": done.detail}


@bp.post("/<int:integration_id>/register")
@access("admin")
@bp.input(RegisterIn)
@bp.output(IntegrationChecks)
@bp.doc(responses={409: "`not_whatsapp`", 422: "`pin_malformed`, `pin_wrong`, or Meta's reason", **_AWAY})
def register(integration_id: int, json_data: RegisterIn) -> dict[str, Any]:
    """Register a WhatsApp number"""
    done = subscribing.register(guards.attribution(), integration_id, json_data.pin)
    return described.checklist(done, languages.wanted())


@bp.post("/<int:integration_id>/renew")
@access("admin")
@bp.output(RenewOut)
@bp.doc(responses={409: "`not_renewable`", 422: "`token_refused`, or Meta's reason", **_AWAY})
def renew(integration_id: int) -> dict[str, Any]:
    """Renew the token of an Instagram account"""
    outcome = renewal.renew(guards.attribution(), integration_id)
    shown = described.describe(catalog.get(integration_id))
    return {"outcome": outcome, "token_expires_at": shown.get("token_expires_at")}


@bp.get("/<int:integration_id>/templates")
@access()
@bp.input(MessageTemplateQuery, location="query")
@bp.output(MessageTemplates)
def list_templates(integration_id: int, query_data: MessageTemplateQuery) -> dict[str, Any]:
    """List the message templates of a WhatsApp integration"""
    sender = catalog.get(integration_id)
    listed, following = templates.listing(
        integration_id, state=query_data.state, cursor=query_data.cursor, limit=query_data.limit
    )
    return {
        "templates": [described.template(row) for row in listed],
        "refreshed_at": described.templates_at(sender),
        "next_cursor": following,
    }


@bp.post("/<int:integration_id>/templates/refresh")
@access("operator")
@bp.output(TemplatesRefreshed)
@bp.doc(responses={409: "`not_whatsapp`", 422: "Meta's reason", **_AWAY})
def refresh_templates(integration_id: int) -> dict[str, int]:
    """Read the message templates from Meta"""
    return {"count": templates.refresh(guards.attribution(), integration_id)}


@bp.get("/<int:integration_id>/templates/<int:template_id>")
@access()
@bp.output(MessageTemplateOut)
def show_template(integration_id: int, template_id: int) -> dict[str, Any]:
    """Show a message template"""
    return described.template(templates.get(catalog.get(integration_id).id, template_id))


@bp.post("/<int:integration_id>/templates/<int:template_id>/preview")
@access("viewer", scope="read")
@bp.input(MessageTemplatePreviewIn)
@bp.output(MessageTemplatePreviewOut)
def preview_template(integration_id: int, template_id: int, json_data: MessageTemplatePreviewIn) -> Any:
    """See a message template with values"""
    return templates.preview(templates.get(catalog.get(integration_id).id, template_id), json_data.variables)
