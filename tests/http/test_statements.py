"""What a list or a page asks of the database is a constant: the same number of statements with one row and with fifty.

Every GET route is walked. One that is not named here fails the walk, and so does one whose answer does not grow with
the rows: then `Seeding` has none for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from backend.core.database import db
from tests.http import callers, providers, routes
from tests.http.console.conftest import Browser
from tests.http.seeding import JOB, Seeding
from tests.support.statements import recorded

MANY = 50
MAX_FEW = 6
"""Rows of a list where everything is there once: messages that wait, were sent and failed, and an alert's."""

Address = str | Callable[[dict[str, int]], str]

LISTS: dict[str, Address] = {
    "alert_rules.list_policies": "/api/alerts/policies",
    "alert_rules.list_silences": "/api/alerts/silences",
    "alert_rules.list_templates": "/api/alerts/templates",
    "alerts.items": lambda ids: f"/api/alerts/{ids['alerts']}/items",
    "alerts.listing": "/api/alerts",
    "audit.listing": "/api/audit?action=person.renamed",
    "automation_rules.listing": "/api/automation-rules",
    "automation_rules.runs": lambda ids: f"/api/automation-rules/{ids['automation_rules']}/runs",
    "bots.listing": "/api/telegram-bots",
    "campaigns.listing": "/api/campaigns",
    "campaigns.recipients": lambda ids: f"/api/campaigns/{ids['campaigns']}/recipients",
    "assignment_rules.list_rules": "/api/assignment-rules",
    "canned_replies.list_replies": "/api/canned-replies",
    "contact_fields.listing": "/api/contact-fields",
    "contact_imports.listing": "/api/contacts/imports",
    "contacts.list_consents": lambda ids: f"/api/contacts/{ids['contacts']}/consents",
    "contacts.listing": "/api/contacts",
    "conversation_messages.list_messages": lambda ids: f"/api/conversations/{ids['conversations']}/messages?limit=50",
    "conversations.list_conversations": "/api/conversations",
    "conversations.list_notes": lambda ids: f"/api/conversations/{ids['conversations']}/notes",
    "events.listing": "/api/events",
    "inbox.find": "/api/search?q=flat&in=messages&limit=200",
    "labels.list_labels": "/api/labels",
    "messages.listing": "/api/messages",
    "notifications.list_types": "/api/notification-types",
    "integration_setup.list_templates": lambda ids: f"/api/integrations/{ids['integrations']}/templates",
    "outgoing_webhooks.deliveries": "/api/webhooks/deliveries",
    "outgoing_webhooks.listing": "/api/webhooks",
    "people.listing": "/api/people?role=viewer",
    "posts.listing": lambda ids: f"/api/posts?rule_id={ids['automation_rules']}",
    "scheduled_messages.history": lambda ids: f"/api/scheduled-messages/{ids['scheduled_messages']}/history",
    "scheduled_messages.listing": "/api/scheduled-messages",
    "scheduling.history": f"/api/admin/scheduler/jobs/{JOB}/history",
    "segments.listing": "/api/segments",
    "suppressions.listing": "/api/suppressions",
    "tags.listing": "/api/tags",
    "tokens.listing": "/api/tokens",
}
"""Lists of the API: each has a page of rows, one of one row and one of fifty."""

OBJECTS: dict[str, Address] = {
    "accounts.pace": lambda ids: f"/api/accounts/{ids['accounts']}/pace",
    "alert_rules.show_policy": lambda ids: f"/api/alerts/policies/{ids['alert_policies']}",
    "alert_rules.show_silence": lambda ids: f"/api/alerts/silences/{ids['alert_silences']}",
    "alert_rules.show_template": lambda ids: f"/api/alerts/templates/{ids['alert_templates']}",
    "assignment_rules.show": lambda ids: f"/api/assignment-rules/{ids['assignment_rules']}",
    "alerts.show": lambda ids: f"/api/alerts/{ids['alerts']}",
    "auth.me": "/api/auth/me",
    "automation_rules.show": lambda ids: f"/api/automation-rules/{ids['automation_rules']}",
    "bots.discover_chats": lambda ids: f"/api/telegram-bots/{ids['senders']}/discover-chats",
    "bots.show": lambda ids: f"/api/telegram-bots/{ids['senders']}",
    "bots.webhook_info": lambda ids: f"/api/telegram-bots/{ids['senders']}/webhook-info",
    "campaigns.export": lambda ids: f"/api/campaigns/{ids['campaigns']}/recipients/export",
    "campaigns.preview": lambda ids: f"/api/campaigns/{ids['campaigns']}/preview",
    "campaigns.variants": lambda ids: f"/api/campaigns/{ids['campaigns']}/variants",
    "campaigns.show": lambda ids: f"/api/campaigns/{ids['campaigns']}",
    "contact_fields.show": lambda ids: f"/api/contact-fields/{ids['contact_fields']}",
    "contact_imports.show": lambda ids: f"/api/contacts/imports/{ids['contact_imports']}",
    "contacts.download": "/api/contacts/export",
    "contacts.opt_in_link": lambda ids: f"/api/contacts/{ids['contacts']}/opt-in-link",
    "canned_replies.render": lambda ids: (
        f"/api/canned-replies/{ids['canned_replies']}/render?conversation_id={ids['conversations']}"
    ),
    "canned_replies.show": lambda ids: f"/api/canned-replies/{ids['canned_replies']}",
    "contacts.settings": "/api/contacts/settings",
    "contacts.show": lambda ids: f"/api/contacts/{ids['contacts']}",
    "conversation_messages.versions": lambda ids: f"/api/messages/{ids['thread_messages']}/versions",
    "conversations.counts": "/api/conversations/counts",
    "conversations.draft": lambda ids: f"/api/conversations/{ids['conversations']}/draft",
    "conversations.show": lambda ids: f"/api/conversations/{ids['conversations']}",
    "conversations.viewers": lambda ids: f"/api/conversations/{ids['conversations']}/viewers",
    "events.show": lambda ids: f"/api/events/{ids['notification_events']}",
    "files.download": lambda ids: f"/api/files/{ids['files']}",
    "files.info": lambda ids: f"/api/files/{ids['files']}/info",
    "health.overview": "/api/admin/health",
    "inbox.show_settings": "/api/inbox/settings",
    "inbox.team": "/api/inbox/team",
    "integration_setup.check": lambda ids: f"/api/integrations/{ids['integrations']}/checks",
    "integration_setup.diagnostics": "/api/integrations/diagnostics",
    "integration_setup.show": lambda ids: f"/api/integrations/{ids['integrations']}",
    "integration_setup.show_template": lambda ids: (
        f"/api/integrations/{ids['integrations']}/templates/{ids['message_templates']}"
    ),
    "integrations.listing": "/api/integrations",
    "labels.show": lambda ids: f"/api/labels/{ids['labels']}",
    "messages.show": lambda ids: f"/api/messages/{ids['messages']}",
    "notifications.settings": "/api/notifications/settings",
    "notifications.show_type": lambda ids: f"/api/notification-types/{ids['notification_types']}",
    "outgoing_webhooks.event_types": "/api/webhooks/events",
    "outgoing_webhooks.show": lambda ids: f"/api/webhooks/{ids['outgoing_webhooks']}",
    "outgoing_webhooks.show_delivery": lambda ids: f"/api/webhooks/deliveries/{ids['outgoing_deliveries']}",
    "people.show": lambda ids: f"/api/people/{ids['users']}",
    "posts.show": lambda ids: f"/api/posts/{ids['posts']}",
    "scheduled_messages.show": lambda ids: f"/api/scheduled-messages/{ids['scheduled_messages']}",
    "scheduling.status": "/api/admin/scheduler/status",
    "segments.show": lambda ids: f"/api/segments/{ids['segments']}",
    "suppressions.show": lambda ids: f"/api/suppressions/{ids['suppressions']}",
    "tags.show": lambda ids: f"/api/tags/{ids['tags']}",
    "telegram_campaigns.messages": "/api/telegram/messages?limit=200",
    "telegram_campaigns.status": lambda ids: f"/api/telegram/campaign/status?account_id={ids['accounts']}",
    "telegram.diagnostics": "/api/telegram/diagnostics",
    "telegram.link_account": "/api/telegram/link-account",
    "telegram.status": "/api/telegram/status",
    "tokens.show": lambda ids: f"/api/tokens/{ids['personal_tokens']}",
}
"""Single objects and overviews of the API, with as many rows around them."""

PAGES: dict[str, Address] = {
    "console_accounts.listing": "/console/accounts",
    "console_alert_policies.listing": "/console/alerts/policies",
    "console_alert_silences.listing": "/console/alerts/silences",
    "console_alert_silences.preview": "/console/alerts/silences/preview?label=service&op=%3D&value=db",
    "console_alerts.listing": "/console/alerts",
    "console_alerts.show": lambda ids: f"/console/alerts/{ids['alerts']}",
    "console_bots.listing": "/console/bots",
    "console_campaigns.listing": "/console/campaigns",
    "console_campaigns.show": lambda ids: f"/console/campaigns/{ids['campaigns']}",
    "console_channels.listing": "/console/channels",
    "console_channels.show": lambda ids: f"/console/channels/{ids['integrations']}",
    "console_contact_imports.listing": "/console/contacts/imports",
    "console_contact_segments.listing": "/console/contacts/segments",
    "console_contact_settings.show": "/console/contacts/settings",
    "console_contact_suppressions.listing": "/console/contacts/suppressed",
    "console_contact_tags.listing": "/console/contacts/tags",
    "console_contacts.listing": "/console/contacts",
    "console_contacts.show": lambda ids: f"/console/contacts/{ids['contacts']}",
    "console_notification_types.listing": "/console/notifications/types",
    "console_inbox.listing": "/console/inbox?show=all",
    "console_inbox.show": lambda ids: f"/console/inbox/{ids['conversations']}",
    "console_inbox.thread": lambda ids: f"/console/inbox/{ids['conversations']}/thread",
    "console_inbox_canned.listing": "/console/inbox/canned",
    "console_inbox_writing.canned": lambda ids: f"/console/inbox/{ids['conversations']}/canned",
    "console_notifications.log": "/console/notifications",
    "console_notifications.people": "/console/notifications/people",
    "console_outgoing_webhooks.listing": "/console/webhooks",
    "console_outgoing_webhooks.show": lambda ids: f"/console/webhooks/{ids['outgoing_webhooks']}",
    "console_overview.overview": "/console/",
    "console_overview.unsent": "/console/unsent",
    "console_scheduled_messages.show": lambda ids: f"/console/scheduler/messages/{ids['scheduled_messages']}",
    "console_scheduler.job": f"/console/scheduler/jobs/{JOB}",
    "console_scheduler.overview": "/console/scheduler",
    "console_search.palette": "/console/palette?q=bot",
}
"""Pages of the console that show more the more there is."""

PLAIN_PAGES: dict[str, Address] = {
    "console_account_logins.connected": lambda ids: f"/console/accounts/{ids['accounts']}/connected",
    "console_account_logins.new": "/console/accounts/connect",
    "console_account_logins.show": lambda ids: f"/console/accounts/connect/{ids['account_logins']}",
    "console_accounts.pace": lambda ids: f"/console/accounts/{ids['accounts']}/pace",
    "console_accounts.remove_form": lambda ids: f"/console/accounts/{ids['accounts']}/remove",
    "console_accounts.senders_form": lambda ids: f"/console/accounts/{ids['accounts']}/senders",
    "console_alert_policies.new": "/console/alerts/policies/new",
    "console_alert_policies.setup": "/console/alerts/setup",
    "console_alert_policies.show": lambda ids: f"/console/alerts/policies/{ids['alert_policies']}",
    "console_alert_silences.new": "/console/alerts/silences/new",
    "console_bots.change_form": lambda ids: f"/console/bots/{ids['senders']}/change",
    "console_bots.chats": lambda ids: f"/console/bots/{ids['senders']}/chats",
    "console_bots.meaning": "/console/bots/meaning?name=bot+000",
    "console_bots.new": "/console/bots/new",
    "console_bots.show": lambda ids: f"/console/bots/{ids['senders']}",
    "console_bots.webhook": lambda ids: f"/console/bots/{ids['senders']}/webhook",
    "console_campaign_acts.show_check": lambda ids: (
        f"/console/campaigns/{ids['campaigns']}/check/{ids['campaign_preflights']}"
    ),
    "console_campaign_forms.change_form": lambda ids: f"/console/campaigns/{ids['campaigns']}/change",
    "console_campaign_forms.new": "/console/campaigns/new",
    "console_campaigns.download": lambda ids: f"/console/campaigns/{ids['campaigns']}/recipients",
    "console_campaigns.simulate": lambda ids: f"/console/campaigns/{ids['campaigns']}/simulation",
    "console_campaigns.preview": lambda ids: f"/console/campaigns/{ids['campaigns']}/preview",
    "console_channels.change_form": lambda ids: f"/console/channels/{ids['integrations']}/change",
    "console_channels.new": "/console/channels/new?platform=instagram",
    "console_contact_consents.new": lambda ids: f"/console/contacts/{ids['contacts']}/consents/new",
    "console_contact_imports.issues": lambda ids: f"/console/contacts/imports/{ids['contact_imports']}/issues",
    "console_contact_imports.new": "/console/contacts/imports/new",
    "console_contact_imports.show": lambda ids: f"/console/contacts/imports/{ids['contact_imports']}",
    "console_contact_segments.new": "/console/contacts/segments/new",
    "console_contact_settings.field_form": lambda ids: f"/console/contacts/settings/fields/{ids['contact_fields']}",
    "console_contact_suppressions.lift_form": lambda ids: f"/console/contacts/suppressed/{ids['suppressions']}/lift",
    "console_contact_tags.change_form": lambda ids: f"/console/contacts/tags/{ids['tags']}",
    "console_contacts.change_form": lambda ids: f"/console/contacts/{ids['contacts']}/change",
    "console_contacts.download": "/console/contacts/export",
    "console_contacts.new": "/console/contacts/new",
    "console_notification_types.new": "/console/notifications/types/new",
    "console_notification_types.show": lambda ids: f"/console/notifications/types/{ids['notification_types']}",
    "console_inbox.composer": lambda ids: f"/console/inbox/{ids['conversations']}/composer",
    "console_inbox.count": "/console/inbox/count",
    "console_inbox.presence": lambda ids: f"/console/inbox/{ids['conversations']}/presence",
    "console_inbox_canned.change_form": lambda ids: f"/console/inbox/canned/{ids['canned_replies']}",
    "console_inbox_canned.new": "/console/inbox/canned/new",
    "console_inbox_files.show": lambda ids: f"/console/inbox/{ids['conversations']}/files/{ids['files']}",
    "console_inbox_writing.versions": lambda ids: (
        f"/console/inbox/{ids['conversations']}/messages/{ids['thread_messages']}/versions"
    ),
    "console_notifications.event": lambda ids: f"/console/notifications/{ids['notification_events']}",
    "console_outgoing_webhooks.new": "/console/webhooks/new",
    "console_outgoing_webhooks.new_token": "/console/webhooks/tokens/new",
    "console_outgoing_webhooks.show_delivery": lambda ids: f"/console/webhooks/deliveries/{ids['outgoing_deliveries']}",
    "console_scheduled_messages.change_form": lambda ids: (
        f"/console/scheduler/messages/{ids['scheduled_messages']}/change"
    ),
    "console_scheduled_messages.content_fields": "/console/scheduler/messages/content?content=message",
    "console_scheduled_messages.new": "/console/scheduler/messages/new",
    "console_scheduled_messages.preview": "/console/scheduler/messages/preview?kind=cron&cron=0+9+*+*+*",
    "console_scheduled_messages.timing_fields": "/console/scheduler/messages/timing?kind=cron",
    "console_telegram.checks": "/console/telegram/checks",
    "console_telegram.state": "/console/telegram/state",
    "console_telegram.telegram": "/console/telegram",
}
"""Forms and single objects of the console."""

ROWLESS = {
    "console_assets.asset": "a file of the product",
    "console_channels.deletion_status": "for somebody who has a link and no account",
    "console_kit.showcase": "shows the components, in development only",
    "console_person_pages.show_opt_in": "for somebody who has a link and no account",
    "console_person_pages.show_unsubscribe": "for somebody who has a link and no account",
    "console_sign_in.nowhere": "there is no such page",
    "console_sign_in.reset_form": "for somebody who is not signed in",
    "console_sign_in.root": "leads on",
    "console_sign_in.sign_in_form": "for somebody who is not signed in",
    "docs.asset": "a file of the product",
    "docs.document": "describes the API",
    "docs.page": "describes the API",
    "docs.start": "describes the API",
    "health.alive": "reads no rows",
    "health.ready": "reads three rows of the instance",
    "live.listen": "served in front of Flask",
    "metrics.read": "has a test of its own, by token",
    "scheduling.trigger_by_get": "writes, by GET for old callers",
    "scheduling.trigger_short_by_get": "writes, by GET for old callers",
} | {
    f"provider_webhooks.{channel}{address}_handshake": "answers a provider with what it sent"
    for channel in ("instagram", "messenger", "whatsapp")
    for address in ("", "_by_id")
}
"""Routes that show no rows, and why."""

API = LISTS | OBJECTS
CONSOLE = PAGES | PLAIN_PAGES


@pytest.fixture(autouse=True)
def _telegram(app: Flask) -> Iterator[None]:
    with providers.answering():
        yield


def test_every_route_is_walked(app: Flask) -> None:
    known = {route.endpoint for console in (False, True) for route in routes.walk(app, console=console)
             if route.method == "GET"}  # fmt: skip
    named = [*API, *CONSOLE, *ROWLESS]
    assert len(named) == len(set(named))
    assert set(named) == known


def test_the_number_of_statements_does_not_grow_with_the_rows(app: Flask, client: FlaskClient) -> None:
    person = callers.member(role="admin", is_owner=True)
    seeding, headers, browser = Seeding(person), callers.signed_in(person), Browser(app, person)

    def measured() -> dict[str, tuple[int, TestResponse]]:
        found = {}
        for endpoint, address in (API | CONSOLE).items():
            path = address if isinstance(address, str) else address(seeding.ids)
            calls: Callable[[], TestResponse] = (
                (lambda path=path: client.get(path, headers=headers))  # type: ignore[misc]
                if endpoint in API
                else (lambda path=path: browser.get(path))  # type: ignore[misc]
            )
            calls()  # what a process learns once is no cost of a request
            db.session.remove()  # nor is what this test has loaded a saving
            with recorded() as statements:
                response = calls()
            assert response.status_code in (200, 204), (
                endpoint,
                response.status_code,
                response.get_data(as_text=True)[:500],
            )
            found[endpoint] = len(statements), response
        return found

    seeding.add(1)
    few = measured()
    seeding.add(MANY - 1)
    many = measured()

    for endpoint in LISTS:
        assert 1 <= _rows(few[endpoint][1]) <= MAX_FEW, endpoint
        assert _rows(many[endpoint][1]) == MANY, endpoint
    for endpoint in PAGES:
        assert len(many[endpoint][1].data) > len(few[endpoint][1].data), f"{endpoint} shows no more with more rows"
    grown = {name: (few[name][0], many[name][0]) for name in few if few[name][0] != many[name][0]}
    assert grown == {}


def _rows(response: TestResponse) -> int:
    """How many rows a list of the API answers: the length of its one array."""
    body: dict[str, Any] = response.get_json()
    assert "next_cursor" in body
    (rows,) = [value for value in body.values() if isinstance(value, list)]
    return len(rows)
