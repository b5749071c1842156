"""What Alertmanager and Grafana send to a webhook, as groups of reports: pure functions of their bodies and the time.

Alertmanager: version 4 of the body of `webhook_configs` (notify/webhook/webhook.go and template/template.go of
prometheus/alertmanager). Grafana: version 1 of the webhook contact point of unified alerting (the page "Webhook
notifier" of its documentation), which extends the former. Nothing in a body is trusted: what is missing or of another
type is left out, as long as there are alerts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from backend.channels import richtext
from backend.core import clock, i18n
from backend.core.errors import Invalid, field_error
from backend.services.alerts import labels as labeling
from backend.services.alerts.ingest import api_input, monitoring_fields
from backend.services.alerts.ingest.monitoring_fields import severity_of as severity_of
from backend.services.alerts.ingest.reports import Group, Report
from backend.services.alerts.state import keys
from backend.services.texts import values

ALERTMANAGER: Final = "alertmanager"
GRAFANA: Final = "grafana"
MAX_ALERTS: Final = 2_000
"""Firing alerts of one body that are listed; how many more there are is said as a number."""
_NAMES: Final = ("alertname", "rulename")
_FOLDER: Final = "grafana_folder"


def group_of(source: str, body: Mapping[str, Any], *, bot_name: str | None, locale: str = "en") -> Group:
    """The group that a body reports. Raises Invalid(`no_alerts`) for one without alerts."""
    name, now = bot_name or api_input.BOT, clock.now()
    given = body.get("alerts")
    alerts = [alert for alert in given if isinstance(alert, Mapping)] if isinstance(given, list) else []
    if not alerts:
        message = "The body holds no alerts."
        raise Invalid("no_alerts", message, detail=[field_error("alerts", "no_alerts", message)])
    firing = [alert for alert in alerts if monitoring_fields.is_firing(alert, body, now)]
    over = [alert for alert in alerts if not monitoring_fields.is_firing(alert, body, now)]
    reports = [
        *(_report(source, name, alert, now, locale, firing=True) for alert in firing[:MAX_ALERTS]),
        *(_report(source, name, alert, now, locale, firing=False) for alert in over),
    ]
    shared = monitoring_fields.labels(body.get("groupLabels"))
    # One thing told twice in a body is one thing.
    unique = list({report.key: report for report in reports}.values())
    key = _group_key(body, shared)
    return Group(
        source=source,
        bot_name=name,
        reports=unique,
        key=keys.reported_group(source, name, key or min(report.key.hex() for report in unique)),
        follows=not key,
        title=_title(body, shared, unique),
        labels=shared,
        links=_group_links(source, body, locale),
        more=monitoring_fields.count(body.get("truncatedAlerts")) + len(firing[MAX_ALERTS:]),
    )


def _report(
    source: str, bot_name: str, alert: Mapping[str, Any], now: datetime, locale: str, *, firing: bool
) -> Report:
    labels, notes = monitoring_fields.labels(alert.get("labels")), _notes(alert.get("annotations"))
    title = _item_title(labels, notes)
    summary, description = notes.get("summary", ""), notes.get("description") or notes.get("message", "")
    lines = [text for text in (summary, description, monitoring_fields.measured(alert)) if text and text != title]
    fingerprint = alert.get("fingerprint")
    if not isinstance(fingerprint, str) or not fingerprint:
        named = monitoring_fields.texts(alert.get("labels")) or notes
        fingerprint = "\n".join(f"{name}={value}" for name, value in sorted(named.items()))
    return Report(
        key=keys.reported_group(f"{source}:item", bot_name, fingerprint),
        severity=severity_of(labels),
        title=richtext.shorten(" ".join(title.split()), api_input.MAX_TITLE),
        body=richtext.escape(richtext.shorten("\n".join(dict.fromkeys(lines)), api_input.MAX_BODY // 2)),
        labels=labels,
        links=_links(alert, notes, locale),
        firing=firing,
        started_at=monitoring_fields.started_at(alert, now),
        ended_at=None if firing else monitoring_fields.ended_at(alert, now),
    )


def _item_title(labels: Mapping[str, str], notes: Mapping[str, str]) -> str:
    """What an alert is called: by its name, else its summary, else a label with its value."""
    named = next((labels[name] for name in _NAMES if richtext.has_visible(labels.get(name, ""))), "")
    shown = sorted(labeling.public(labels).items())
    pairs = (f"{name}={value}" for name, value in shown if richtext.has_visible(value))
    return named or notes.get("summary", "") or next(pairs, "") or "Alert"


def _title(body: Mapping[str, Any], shared: Mapping[str, str], reports: Sequence[Report]) -> str:
    """What the group is called: by its alerts' name and its labels, else by its receiver.

    Labels stand as `name=value` where no label of the group's names the alerts: a bare value says too little. The
    names are then those of the alerts themselves, the commonest first with the number of the others.
    """
    named = next((shared[name] for name in _NAMES if richtext.has_visible(shared.get(name, ""))), "")
    shown = {name: value for name, value in sorted(labeling.public(shared).items()) if richtext.has_visible(value)}
    rest = {name: value for name, value in shown.items() if name not in (*_NAMES, _FOLDER)}
    if named:
        return _line([named, *rest.values()])
    titles = Counter(report.title for report in reports).most_common()
    if shown or len(titles) == 1:
        others = f" +{len(titles) - 1}" if len(titles) > 1 else ""
        return _line([f"{titles[0][0]}{others}", *(f"{name}={value}" for name, value in (rest or shown).items())])
    receiver = body.get("receiver")
    return _line([receiver if isinstance(receiver, str) and richtext.has_visible(receiver) else "Alerts"])


def _line(parts: Sequence[str]) -> str:
    return richtext.shorten(" ".join(" · ".join(dict.fromkeys(parts)).split()), api_input.MAX_TITLE)


def _group_key(body: Mapping[str, Any], shared: Mapping[str, str]) -> str:
    """What the sender calls the group; else its labels. Empty where it says neither."""
    given = monitoring_fields.identifier(body.get("groupKey"))
    if not given and shared:
        given = "\n".join(f"{name}={value}" for name, value in sorted(shared.items()))
    # Two organisations of one Grafana may have groups of the same name.
    return f"{body.get('orgId')}:{body.get('receiver')}:{given}" if given else ""


def _group_links(source: str, body: Mapping[str, Any], locale: str) -> list[dict[str, str]]:
    address = values.http_url(body.get("externalURL"))
    return [{"text": i18n.text(f"alerts.link.{source}", locale), "url": address}] if address else []


def _links(alert: Mapping[str, Any], notes: Mapping[str, str], locale: str) -> list[dict[str, str]]:
    wanted = (
        ("source", alert.get("generatorURL")),
        ("dashboard", alert.get("dashboardURL")),
        ("panel", alert.get("panelURL")),
        ("runbook", notes.get("runbook_url") or notes.get("runbook")),
        ("silence", alert.get("silenceURL")),
    )
    links = ((name, values.http_url(address)) for name, address in wanted)
    return [{"text": i18n.text(f"alerts.link.{name}", locale), "url": address} for name, address in links if address]


def _notes(given: object) -> dict[str, str]:
    """The annotations that say something."""
    return {name: value for name, value in monitoring_fields.texts(given).items() if richtext.has_visible(value)}
