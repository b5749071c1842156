"""Providers' webhooks at the addresses of the channels' specs. A genuine body is stored and answered 200 whatever it
holds; a handshake by GET is answered as plain text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from apiflask import APIBlueprint
from flask import Response, jsonify, request
from flask.typing import ResponseReturnValue

from backend.channels import registry
from backend.channels.spec import ChannelSpec, Webhook, WebhookRoute
from backend.core.database import system_scope
from backend.core.errors import Forbidden, NotFound, TooLarge, Unauthorized, Unavailable
from backend.http.guards import public
from backend.services import intake, senders

MAX_SECONDS: Final = 25.0
"""How long a provider is kept waiting for the commit; Telegram gives up after a minute, others much sooner."""
_WHY: Final = "the sender's workspace is not known to the provider"


def blueprint() -> APIBlueprint:
    """The views of every channel that is registered now."""
    views = APIBlueprint("provider_webhooks", __name__, enable_openapi=False)
    for spec in registry.specs():
        for route in spec.webhook.routes if spec.webhook else ():
            _add(views, spec, route)
    return views


def _add(views: APIBlueprint, spec: ChannelSpec, route: WebhookRoute) -> None:
    webhook = spec.webhook
    assert webhook is not None
    name = f"{spec.name}_by_id" if route.names_sender else spec.name
    view = public("the provider proves itself with a secret", max_body=webhook.max_bytes)(_taking(spec.name, webhook))
    views.post(route.rule, strict_slashes=False, endpoint=name)(view)
    if webhook.handshake is not None:
        answer = public("the provider proves itself with a token")(_answering(spec.name, webhook))
        views.get(route.rule, strict_slashes=False, endpoint=f"{name}_handshake")(answer)


def _taking(channel: str, webhook: Webhook) -> Callable[..., ResponseReturnValue]:
    def take(sender_id: int | None = None) -> ResponseReturnValue:
        """Takes a body for a sender, by default the environment's."""
        with system_scope(_WHY):
            target = _target(channel, webhook, sender_id)
            headers = dict(request.headers)
            # Where the proof stands in the headers, a wrong one is refused before any of the body is read.
            if webhook.header_only and not target.verify(headers):
                raise Unauthorized("wrong_secret", webhook.wrong_secret)
            if request.content_length is not None and request.content_length > webhook.max_bytes:
                raise TooLarge("body_too_large", webhook.too_large.format(max_bytes=webhook.max_bytes))
            body = request.get_data(cache=False)
            recipients = target.prove(headers, body)
            if recipients is None:
                raise Unauthorized("wrong_secret", webhook.wrong_secret)
            try:
                intake.accept(target, body, recipients).result(MAX_SECONDS)
            except TimeoutError:
                raise Unavailable("database_unavailable", retry_after=2) from None
        return jsonify(ok=True)

    return take


def _answering(channel: str, webhook: Webhook) -> Callable[..., ResponseReturnValue]:
    def answer(sender_id: int | None = None) -> ResponseReturnValue:
        """Answers the handshake of a provider that subscribes to a sender's webhook."""
        with system_scope(_WHY):
            response = _target(channel, webhook, sender_id).answer_handshake(request.args.to_dict())
        if response is None:
            raise Forbidden("wrong_token", "The token is missing or wrong.")
        return Response(response, mimetype="text/plain")

    return answer


def _target(channel: str, webhook: Webhook, sender_id: int | None) -> senders.WebhookTarget:
    target = senders.webhook_target_of(channel, sender_id)
    if target is None:
        raise NotFound(*webhook.unknown_sender)
    return target
