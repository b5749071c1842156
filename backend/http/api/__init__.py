"""The API: one module per feature, each with a blueprint `bp`."""

from __future__ import annotations

from apiflask import APIBlueprint

from backend.http.api import (
    alert_rules,
    alerts,
    audit,
    auth,
    automation_rules,
    bots,
    docs,
    events,
    files,
    health,
    messages,
    notifications,
    outgoing_webhooks,
    people,
    posts,
    scheduled_messages,
    scheduling,
    telegram,
    tokens,
)

BLUEPRINTS: list[APIBlueprint] = [
    auth.bp,
    people.bp,
    tokens.bp,
    audit.bp,
    events.bp,
    messages.bp,
    notifications.bp,
    alerts.bp,
    alert_rules.bp,
    posts.bp,
    automation_rules.bp,
    outgoing_webhooks.bp,
    telegram.bp,
    scheduled_messages.bp,
    scheduling.bp,
    bots.bp,
    files.bp,
    health.bp,
    docs.bp,
]
