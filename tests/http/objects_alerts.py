"""What a call about alerts or their rules is made with; see `objects`."""

from __future__ import annotations

from typing import Any

from backend.core import clock
from backend.models import User
from tests.http import holdings
from tests.http.objects import Example, example

# --- alerts ----------------------------------------------------------------------------------------------


@example("alerts.raise_alert")
def _raise_alert(caller: User) -> Example:
    body = {"title": f"Disk full {clock.unix()}", "labels": {"service": "db"}, "severity": "critical"}
    foreign: list[dict[str, Any]] = [
        {"json": body | {"photo": {"file_id": holdings.file(caller)}}},
        {"json": body | {"bot_name": holdings.bot(holdings.home(caller)).name}},
    ]
    return Example(json=body, status=202, foreign=foreign)


@example("alerts.alertmanager", "alerts.grafana")
def _received(_caller: User) -> Example:
    one = {"status": "firing", "labels": {"alertname": f"HighLoad {clock.unix()}"}, "fingerprint": str(clock.unix())}
    return Example(json={"version": "4", "groupKey": f"{{}}:{clock.unix()}", "alerts": [one]}, status=202)


@example("alerts.listing")
def _alerts(caller: User) -> Example:
    holdings.alert(caller)
    return Example(query={"state": "open", "label": "service=db"})


@example("alerts.show", "alerts.items", "alerts.ack", "alerts.unack", "alerts.snooze", "alerts.wake", "alerts.resolve")
def _alert(caller: User) -> Example:
    return Example(path={"alert_id": holdings.alert(caller)})


@example("alerts.reopen")
def _resolved_alert(caller: User) -> Example:
    return Example(path={"alert_id": holdings.alert(caller, "resolved")})


_MATCHERS = [{"label": "service", "op": "=", "value": "db"}]


@example("alert_rules.list_silences", "alert_rules.list_policies", "alert_rules.list_templates")
def _alert_rules(_caller: User) -> Example:
    return Example(query={"limit": 2})


@example("alert_rules.create_silence")
def _create_silence(_caller: User) -> Example:
    return Example(json={"matchers": _MATCHERS, "seconds": 7200, "comment": "Planned"}, status=201)


@example("alert_rules.preview_silence")
def _preview_silence(caller: User) -> Example:
    holdings.alert(caller)
    return Example(json={"matchers": _MATCHERS})


@example("alert_rules.show_silence", "alert_rules.end_silence")
def _silence(caller: User) -> Example:
    return Example(path={"silence_id": holdings.silence(caller)})


@example("alert_rules.change_silence")
def _change_silence(caller: User) -> Example:
    return Example(path={"silence_id": holdings.silence(caller)}, json={"comment": "Longer"})


@example("alert_rules.create_policy")
def _create_policy(caller: User) -> Example:
    body = {"name": f"Policy {clock.unix()}", "group_by": ["service"], "repeat_interval": 3000}
    escalating = body | {"escalate_after": 600, "escalate_user_ids": [caller.id]}
    return Example(json=body, status=201, foreign=[{"json": escalating}])


@example("alert_rules.show_policy")
def _show_policy(caller: User) -> Example:
    return Example(path={"policy_id": holdings.alert_policy(caller)})


@example("alert_rules.change_policy")
def _change_policy(caller: User) -> Example:
    return Example(path={"policy_id": holdings.alert_policy(caller)}, json={"group_wait": 10})


@example("alert_rules.delete_policy")
def _delete_policy(caller: User) -> Example:
    return Example(path={"policy_id": holdings.alert_policy(caller)}, status=204)


@example("alert_rules.create_template")
def _create_template(_caller: User) -> Example:
    return Example(json={"name": f"down_{int(clock.unix() * 1e6)}", "body": "{host} is down"}, status=201)


@example("alert_rules.show_template")
def _show_template(caller: User) -> Example:
    return Example(path={"template_id": holdings.alert_template(caller)})


@example("alert_rules.change_template")
def _change_template(caller: User) -> Example:
    return Example(path={"template_id": holdings.alert_template(caller)}, json={"body": "{host} does not answer"})


@example("alert_rules.delete_template")
def _delete_template(caller: User) -> Example:
    return Example(path={"template_id": holdings.alert_template(caller)}, status=204)
