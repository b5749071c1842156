"""The console: the product's own pages, rendered here and working without a build step or a network.

One module per page with a blueprint `bp`, made by `pages.blueprint`; its template stands in `templates/console`, its
words in `backend/locales/<locale>/console_<page>.json`, its place in `navigation`. See docs/console.md.
"""

from __future__ import annotations

from apiflask import APIBlueprint

from backend.http.console import (
    alert_policies,
    alert_silences,
    alerts,
    assets,
    bots,
    entrance,
    notification_types,
    notifications,
    overview,
    preferences,
    scheduled_messages,
    scheduler,
    search,
    telegram,
)

BLUEPRINTS: list[APIBlueprint] = [
    assets.bp,
    entrance.bp,
    preferences.bp,
    search.bp,
    overview.bp,
    bots.bp,
    scheduler.bp,
    scheduled_messages.bp,
    alerts.bp,
    alert_silences.bp,
    alert_policies.bp,
    telegram.bp,
    notification_types.bp,
    notifications.bp,
]
