"""The API: one module per feature, each with a blueprint `bp`."""

from __future__ import annotations

from apiflask import APIBlueprint

from backend.http.api import (
    alert_rules,
    alerts,
    audit,
    auth,
    bots,
    docs,
    events,
    files,
    health,
    messages,
    notifications,
    people,
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
    telegram.bp,
    bots.bp,
    files.bp,
    health.bp,
    docs.bp,
]
