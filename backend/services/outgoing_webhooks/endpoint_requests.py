"""One try at an endpoint: the request that its kind wants, and what the answer means.

An endpoint of kind `webhook` gets the event with its signature in a header, and is not redirected: what is signed is
for the address that the workspace named. One of kind `sheets` is a deployed Apps Script. It sees no headers, so the
signature is in the body; it takes seconds; and it answers by a redirect to Google's content host, which is to be
fetched by GET, exactly once (a second POST would run the script again). A failing script answers 200 with a page.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from datetime import timedelta
from html import unescape
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

from backend.core import clock, config
from backend.core.egress import Egress, EgressFailed, EgressRefused, Response, answers
from backend.core.logging import get_logger
from backend.models import OutgoingDelivery, OutgoingWebhook
from backend.services.outgoing_webhooks import signing
from backend.services.outgoing_webhooks.retry_policy import MAX_RETRY_AFTER, Outcome

log = get_logger(__name__)

DEFECT: Final = "internal_error"
"""The code of a try that failed by an internal error, whatever was answered."""
TIMEOUTS: Final = {"webhook": 10.0, "sheets": 30.0}
"""Seconds that an endpoint of each kind has for its whole answer."""
LEASES: Final = {"webhook": timedelta(seconds=30), "sheets": timedelta(seconds=60)}
"""For how long a thread has an endpoint of each kind to itself."""
CONTENT_HOST: Final = "script.googleusercontent.com"
"""Where Apps Script keeps what a script answered."""
_MAX_ANSWER: Final = 1024 * 1024
_TITLE: Final = re.compile(rb"<title[^>]*>(.{0,400}?)</title>", re.DOTALL | re.IGNORECASE)
_SIGN_IN: Final = b"accounts.google.com"
_DETAIL_LENGTH: Final = 200


@dataclass(frozen=True, slots=True)
class EndpointRequest:
    """One delivery, read for sending."""

    delivery_id: int
    kind: str
    url: str
    headers: dict[str, str]
    body: bytes
    allow_private: bool = False
    """Whether the address may be a private one: it stands in the environment."""


def build(webhook: OutgoingWebhook, delivery: OutgoingDelivery) -> EndpointRequest:
    """The request for a delivery, signed now."""
    secrets = [webhook.secret]
    if webhook.previous_secret and webhook.previous_until and webhook.previous_until > clock.now():
        secrets.append(webhook.previous_secret)
    content = delivery.body.encode()
    signature = signing.header(secrets, int(clock.unix()), content)
    headers = {"Content-Type": "application/json"}
    if webhook.kind == "sheets":
        content = json.dumps(_signed_inside(delivery, signature), ensure_ascii=False).encode()
    else:
        headers["Switchboard-Event-Id"] = delivery.event_id
        headers["Switchboard-Event-Type"] = delivery.type
        headers[signing.HEADER] = signature
    is_own = webhook.environment_name is not None
    return EndpointRequest(delivery.id, webhook.kind, webhook.url, headers, content, allow_private=is_own)


def _signed_inside(delivery: OutgoingDelivery, signature: str) -> dict[str, Any]:
    """The event's envelope with all of it once more as the string that is signed, so that nobody has to write the JSON
    again exactly as it was."""
    envelope: dict[str, Any] = json.loads(delivery.body)
    envelope.pop("data", None)
    return envelope | {"payload": delivery.body, "signature": signature}


def send(request: EndpointRequest) -> Outcome:
    """Asks the endpoint; raises nothing."""
    try:
        if request.kind == "sheets":
            return _ask_script(request)
        return _outcome(_post(request))
    except (EgressRefused, EgressFailed) as error:
        return Outcome(code=error.code)
    except Exception as error:
        log.exception("outgoing_webhook_defect", delivery_id=request.delivery_id, error=type(error).__name__)
        return Outcome(code=DEFECT)


def _client(request: EndpointRequest) -> Egress:
    return Egress(allow_private=request.allow_private or config.get().egress_allow_private)


def _post(request: EndpointRequest) -> Response:
    return _client(request).fetch(
        "POST",
        request.url,
        headers=request.headers,
        body=request.body,
        timeout=TIMEOUTS[request.kind],
        max_bytes=_MAX_ANSWER,
        max_redirects=0,
    )


def _outcome(answer: Response) -> Outcome:
    retry_after = answers.retry_after(answer.headers.get("retry-after"), now=clock.now(), most=MAX_RETRY_AFTER)
    return Outcome(answer.status, retry_after=retry_after)


def _ask_script(request: EndpointRequest) -> Outcome:
    began = time.monotonic()
    answer = _post(request)
    if answer.status in (302, 303):
        place = _content_address(request, answer.headers.get("location", ""))
        if place is None:
            return Outcome(answer.status, code="redirected")
        left = TIMEOUTS[request.kind] - (time.monotonic() - began)
        if left <= 0:
            return Outcome(code="timeout")
        answer = _client(request).fetch("GET", place, timeout=left, max_bytes=_MAX_ANSWER, max_redirects=0)
    if answer.status != 200:
        return _outcome(answer)
    return _script_outcome(answer)


def _content_address(request: EndpointRequest, location: str) -> str | None:
    """Where a script's answer is fetched; None for a redirect to anywhere else."""
    try:
        place = urljoin(request.url, location)
        asked, reached = urlsplit(request.url), urlsplit(place)
        is_google = (reached.scheme, reached.hostname, reached.port or 443) == ("https", CONTENT_HOST, 443)
    except ValueError:
        return None
    # A script of one's own network, or the simulated one, has both addresses on one host.
    may_be_near = request.allow_private or config.get().egress_allow_private
    is_same_host = (asked.scheme, asked.netloc) == (reached.scheme, reached.netloc) and asked.path != reached.path
    return place if is_google or (may_be_near and is_same_host) else None


def _script_outcome(answer: Response) -> Outcome:
    """A script has done its work when it says so in JSON; anything else is a failure, whatever its status."""
    try:
        value = answers.read_json(answer.content)
    except ValueError:
        title = _TITLE.search(answer.content)
        detail = unescape(" ".join(title[1].decode("utf-8", "replace").split())) if title else ""
        code = "sign_in_page" if _SIGN_IN in answer.content else "no_json"
        return Outcome(answer.status, code=code, detail=detail[:_DETAIL_LENGTH])
    if isinstance(value, dict) and value.get("ok") is True:
        return Outcome(answer.status)
    error = value.get("error") if isinstance(value, dict) else None
    return Outcome(answer.status, code="not_ok", detail=error[:_DETAIL_LENGTH] if isinstance(error, str) else "")
