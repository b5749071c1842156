"""The console: the product's own pages, rendered here and working without a build step or a network.

One folder per page, with its templates beside its views; a blueprint `bp` is made by `kit.pages.blueprint`. Words stand
in `backend/locales/<locale>/console_<page>.json`, the page's place in `kit.navigation`. See docs/console.md.
"""

from __future__ import annotations

from apiflask import APIBlueprint

from backend.http.console.accounts import connecting as account_logins
from backend.http.console.accounts import views as accounts
from backend.http.console.alerts import policies, silences
from backend.http.console.alerts import views as alerts
from backend.http.console.bots import views as bots
from backend.http.console.campaigns import acts as campaign_acts
from backend.http.console.campaigns import editing as campaign_forms
from backend.http.console.campaigns import views as campaigns
from backend.http.console.channels import views as channels
from backend.http.console.contacts import bulk as contacts_bulk
from backend.http.console.contacts import consents as contact_consents
from backend.http.console.contacts import imports as contact_imports
from backend.http.console.contacts import person_pages
from backend.http.console.contacts import segments as contact_segments
from backend.http.console.contacts import settings as contact_settings
from backend.http.console.contacts import suppressed as contact_suppressions
from backend.http.console.contacts import tags as contact_tags
from backend.http.console.contacts import views as contacts
from backend.http.console.inbox import acts as inbox_acts
from backend.http.console.inbox import canned_pages as inbox_canned
from backend.http.console.inbox import files as inbox_files
from backend.http.console.inbox import views as inbox
from backend.http.console.inbox import writing as inbox_writing
from backend.http.console.kit import assets, preferences, showcase
from backend.http.console.notifications import types as notification_types
from backend.http.console.notifications import views as notifications
from backend.http.console.outgoing_webhooks import views as outgoing_webhooks
from backend.http.console.overview import views as overview
from backend.http.console.scheduler import messages as scheduled_messages
from backend.http.console.scheduler import views as scheduler
from backend.http.console.search import views as search
from backend.http.console.sign_in import views as sign_in
from backend.http.console.telegram import views as telegram

BLUEPRINTS: list[APIBlueprint] = [
    assets.bp,
    sign_in.bp,
    preferences.bp,
    showcase.bp,
    search.bp,
    overview.bp,
    bots.bp,
    channels.bp,
    outgoing_webhooks.bp,
    accounts.bp,
    account_logins.bp,
    scheduler.bp,
    scheduled_messages.bp,
    alerts.bp,
    silences.bp,
    policies.bp,
    telegram.bp,
    notification_types.bp,
    notifications.bp,
    inbox.bp,
    inbox_acts.bp,
    inbox_canned.bp,
    inbox_files.bp,
    inbox_writing.bp,
    contacts.bp,
    contact_consents.bp,
    contact_segments.bp,
    contact_tags.bp,
    contacts_bulk.bp,
    contact_suppressions.bp,
    contact_imports.bp,
    contact_settings.bp,
    person_pages.bp,
    campaigns.bp,
    campaign_acts.bp,
    campaign_forms.bp,
]
