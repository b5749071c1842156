"""The Python surface of alerts as jobs, for schedules and for whoever enqueues from elsewhere.

Arguments are plain JSON. A job that runs twice is counted twice and says nothing twice.

    Queue("notifications").enqueue("backend.jobs.alerts.send_alert", 1, "Backup failed", "Disk full", severity="error")
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend.services import host_api


def send_alert(workspace_id: int, title: str, message: str = "", **options: Any) -> str:
    """Raises or ends an alert; returns the decision. See `telegram_service.send_alert` for the options."""
    return host_api.send_alert(title, message, workspace_id=workspace_id, **options).decision


def send_alert_templated(
    workspace_id: int, template: str, vars: Mapping[str, Any] | None = None, **options: Any
) -> str:
    """Raises an alert from a template; returns the decision."""
    return host_api.send_alert_templated(template, vars, workspace_id=workspace_id, **options).decision


def format_alert(title: str, message: str = "", **options: Any) -> str:
    """What an alert would say."""
    return host_api.format_alert(title, message, **options)
