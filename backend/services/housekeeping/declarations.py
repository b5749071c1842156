"""Every feature that declares a work, or registers a job of a schedule or of the instance.

They are imported here, so that each process knows all; a feature that declares one adds its line.
"""

from backend.services import column_encryption
from backend.services.alerts.ingest import rule_warnings
from backend.services.alerts.lifecycle import silence_application, timers
from backend.services.alerts.messages import failures
from backend.services.auth import password_resets
from backend.services.automation_rules import rule_runs
from backend.services.bots import health
from backend.services.campaigns import release as campaigns
from backend.services.channel_setup import work as channel_checks
from backend.services.contacts.imports import work as contact_imports
from backend.services.daily_summaries import jobs as daily_summaries
from backend.services.files import fetch_work
from backend.services.housekeeping import retention
from backend.services.inbox import assignment, followups, late_answers, search_index
from backend.services.inbox import timers as inbox_timers
from backend.services.intake import consumer, waiting_items
from backend.services.mail import sending as mails
from backend.services.outgoing_webhooks import sending as outgoing_webhooks
from backend.services.posts import jobs as posts
from backend.services.posts import publishing
from backend.services.posts.publishers import token_scopes
from backend.services.receipts import pending
from backend.services.scheduled_messages import fetch_adoption, sending
from backend.services.scheduling import firing

MODULES = (
    assignment,
    campaigns,
    channel_checks,
    column_encryption,
    consumer,
    contact_imports,
    daily_summaries,
    failures,
    fetch_adoption,
    fetch_work,
    firing,
    followups,
    health,
    inbox_timers,
    late_answers,
    mails,
    outgoing_webhooks,
    password_resets,
    pending,
    posts,
    publishing,
    retention,
    rule_runs,
    search_index,
    sending,
    silence_application,
    timers,
    token_scopes,
    waiting_items,
    rule_warnings,
)
