"""Alerts from Python: raised, ended, filled from a template; or only written out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

from backend.core import clock
from backend.services import alerts
from backend.services.alerts import AlertInput, severities
from backend.services.alerts.messages import texts
from backend.services.alerts.messages.texts import ItemView, View
from backend.services.auth.attribution import HOST_APPLICATION
from backend.services.host_api.transactions import of_workspace
from backend.services.notifications import Attachment


@dataclass(frozen=True, slots=True)
class AlertResult:
    """What was done: `decision` is sent, counted, grouped, silenced, undelivered, resolved or ignored, with the reason.

    True where the alert stands and somebody hears of it; also one that is only counted.
    """

    alert_id: int | None
    decision: str
    reason: str | None
    count: int
    level: str | None
    message_ids: tuple[int, ...]

    def __bool__(self) -> bool:
        return self.decision not in ("ignored", "undelivered")


def send_alert(
    title: str,
    message: str = "",
    *,
    severity: str = "warning",
    bot_name: str | None = None,
    chat_ids: Sequence[str | int] = (),
    throttle_key: str | None = None,
    labels: Mapping[str, str] | None = None,
    buttons: Sequence[Mapping[str, str]] = (),
    photo: int | str | None = None,
    document: int | str | None = None,
    status: Literal["firing", "resolved"] = "firing",
    workspace_id: int | None = None,
) -> AlertResult:
    """Raises an alert, counts it once more, or ends it; the same as `POST /api/alerts`, in a transaction of its own.

    `message` may use `b i u s code pre a`; escape what it quotes. Without `bot_name` the bot named `alerts` says it,
    and one that does not work is no error: the admins get the alert. `photo` and `document` are a stored file's id or a
    public address. Raises what `alerts.raise_input` raises, and NotFound for an unknown workspace.
    """
    alert_input = _alert_input(
        title, message, severity, bot_name, chat_ids, throttle_key, labels, buttons, photo, document, status
    )
    return _raise(workspace_id, alert_input)


def send_alert_templated(
    template: str,
    vars: Mapping[str, Any] | None = None,
    *,
    title: str = "",
    severity: str = "warning",
    bot_name: str | None = None,
    chat_ids: Sequence[str | int] = (),
    throttle_key: str | None = None,
    labels: Mapping[str, str] | None = None,
    buttons: Sequence[Mapping[str, str]] = (),
    status: Literal["firing", "resolved"] = "firing",
    workspace_id: int | None = None,
) -> AlertResult:
    """Like `send_alert`, with a text made from a template of the workspace, by name, or from one that is given.

    Values are escaped. Raises also Invalid (`template_not_found`, or what is wrong with the template).
    """
    alert_input = _alert_input(
        title, "", severity, bot_name, chat_ids, throttle_key, labels, buttons, None, None, status
    )
    return _raise(workspace_id, alert_input, template, vars or {})


def format_alert(
    title: str,
    message: str = "",
    *,
    severity: str = "warning",
    labels: Mapping[str, str] | None = None,
    count: int = 1,
    locale: str = "en",
) -> str:
    """What an alert would say, as neutral rich text; for texts that are sent another way. Needs no database."""
    severity = severities.parse(severity) or severities.DEFAULT
    item = ItemView(title, message, severity, labels or {}, count)
    view = View(
        id=0, title=title, severity=severity, state="firing", labels={}, items=[item], opened_at=clock.now()
    )  # fmt: skip
    return texts.text(view, locale)


def _raise(
    workspace_id: int | None,
    alert_input: AlertInput,
    template: str | None = None,
    values: Mapping[str, Any] = MappingProxyType({}),
) -> AlertResult:
    with of_workspace(workspace_id):
        values = {**alert_input.labels, **values}
        title, message = alerts.compose(alert_input.title, alert_input.message, template, values)
        alert_input = replace(alert_input, title=title, message=message)
        outcome = alerts.raise_input(alert_input, HOST_APPLICATION)
    return AlertResult(
        outcome.alert_id, outcome.decision, outcome.reason, outcome.count, outcome.level, outcome.message_ids
    )


def _alert_input(
    title: str,
    message: str,
    severity: str,
    bot_name: str | None,
    chat_ids: Sequence[str | int],
    throttle_key: str | None,
    labels: Mapping[str, str] | None,
    buttons: Sequence[Mapping[str, str]],
    photo: int | str | None,
    document: int | str | None,
    status: Literal["firing", "resolved"],
) -> AlertInput:
    kind: Literal["photo", "document"] = "photo" if photo is not None else "document"
    source = photo if photo is not None else document
    attachment = None
    if source is not None:
        given = {"file_id": source} if isinstance(source, int) else {"url": source}
        attachment = Attachment(kind, **given)
    return AlertInput(
        title=title,
        message=message,
        severity=severity,
        bot_name=bot_name,
        chat_ids=[str(chat_id) for chat_id in chat_ids],
        throttle_key=throttle_key,
        labels=labels or {},
        buttons=buttons,
        attachment=attachment,
        status=status,
        source="python",
    )
