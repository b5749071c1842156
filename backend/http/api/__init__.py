"""The API: one module per feature, each with a blueprint `bp`."""

from __future__ import annotations

from apiflask import APIBlueprint

from backend.http.api import (
    audit,
    auth,
    docs,
    events,
    files,
    health,
    live,
    messages,
    metrics,
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
    telegram.bp,
    files.bp,
    live.bp,
    health.bp,
    metrics.bp,
    docs.bp,
]
