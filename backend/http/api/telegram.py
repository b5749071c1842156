"""My Telegram: linking a chat to one's account, and whether it works."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from backend.core.errors import Conflict, Forbidden
from backend.http import errors, guards
from backend.http.guards import access
from backend.http.schemas.telegram import (
    BotQuery,
    Diagnostics,
    Done,
    LinkAddress,
    LinkQuery,
    PersonQuery,
    StatusOut,
    Verified,
    VerifyIn,
)
from backend.models import User
from backend.services import linking, notifications
from backend.services.auth import people
from backend.services.auth.actor import WRITE

_NOT_LINKED = "Telegram account not linked. Use /link-account endpoint to connect."

bp = APIBlueprint("telegram", __name__, url_prefix="/api/telegram", tag="Telegram")


@bp.get("/link-account")
@access(scope=WRITE)
@bp.input(LinkQuery, location="query")
@bp.output(LinkAddress)
@bp.doc(responses={404: "There is no such bot", 503: "The bot cannot be reached, or none is configured"})
def link_account(query_data: LinkQuery) -> Any:
    """Get an address for linking one's Telegram

    Open it on the device where Telegram is used and tap Start. Each call makes a new token; `token` can also be sent
    to the bot as text. A host application names its own person by `user_id` or `external_user_id`.
    """
    caller = guards.actor()
    return linking.invite(caller.by, _person(query_data), bot=query_data.bot, picture=query_data.qr)


@bp.post("/verify-link")
@access()
@bp.input(VerifyIn)
@bp.output(Verified)
@bp.doc(
    responses={
        404: "The token is unknown, expired, used elsewhere, or somebody else's",
        409: "`confirmation_required`: the chat was asked; repeat after the press. `chat_linked_elsewhere`",
    }
)
def verify_link(json_data: VerifyIn) -> dict[str, Any] | Response:
    """Make sure that a chat is linked

    Not needed after opening the address. Succeeds if the bot received this token from that chat; otherwise it asks
    there, once.
    """
    outcome = linking.verify(guards.attribution(), _person(json_data), json_data.token, json_data.chat_id)
    if not outcome.linked:
        # Answered and not raised: the question that was stored has to stay.
        return errors.answer(
            Conflict("confirmation_required", "The chat was asked to confirm. Repeat this after its answer.")
        )
    return {"message": "Telegram account linked successfully", "telegram_enabled": True}


@bp.get("/status")
@access()
@bp.input(BotQuery, location="query")
@bp.output(StatusOut)
def status(query_data: BotQuery) -> Response | dict[str, Any]:
    """Show one's link"""
    if query_data.bot is None:
        sender, link = linking.default_status_of(_known_person(query_data))
    else:
        sender = linking.bot_for(guards.actor().workspace_id, query_data.bot)
        link = linking.status_of(_known_person(query_data), sender)
    shown: dict[str, Any] = {"telegram_enabled": link.enabled, "state": link.state}
    optional = {
        "telegram_chat_id": link.chat_id,
        "linked_at": link.linked_at,
        "message": _NOT_LINKED if link.state == "none" and link.code is None else link.message,
        "code": link.code,
        "chat_kind": link.kind,
        "bot_username": sender.username if sender is not None else None,
    }
    return shown | optional


@bp.post("/send-test-message")
@access(idempotent=True)
@bp.input(PersonQuery, location="query")
@bp.output(Done)
@bp.doc(responses={409: "`not_linked`, or `blocked` while the bot is blocked there"})
def send_test_message(query_data: PersonQuery) -> dict[str, Any]:
    """Send oneself a test message

    Answers once it is stored; mutes and quiet hours do not hold it back.
    """
    notifications.send_test_message(guards.attribution(), _person(query_data))
    return {"message": "Test message sent successfully"}


@bp.post("/unlink-account")
@access()
@bp.input(BotQuery, location="query")
@bp.output(Done)
def unlink_account(query_data: BotQuery) -> dict[str, Any]:
    """End one's link

    The chat is told. Succeeds as well when nothing is linked.
    """
    caller = guards.actor()
    sender = linking.bot_for(caller.workspace_id, query_data.bot)
    if sender is not None:
        linking.unlink_account(caller.by, _person(query_data), sender)
    return {"message": "Telegram account unlinked successfully"}


@bp.get("/diagnostics")
@access()
@bp.input(BotQuery, location="query")
@bp.output(Diagnostics)
def diagnostics(query_data: BotQuery) -> dict[str, Any]:
    """Find out why notifications do not arrive

    Asks Telegram, so it takes some seconds where Telegram is slow.
    """
    sender = linking.bot_for(guards.actor().workspace_id, query_data.bot)
    checks = linking.diagnose(_known_person(query_data), sender)
    return {"ok": all(check.ok is not False for check in checks), "checks": checks}


def _person(named: PersonQuery) -> User:
    """Whose link is changed. Nobody but themselves changes the link of a person who signs in here.

    Raises Forbidden(`person_signs_in`): a link is where a person proves who they are to the bot.
    """
    caller = guards.actor()
    person = people.person_by(caller, named.user_id, named.external_user_id)
    if person.id != caller.user_id and (person.password_hash is not None or person.is_owner):
        raise Forbidden("person_signs_in", "Who signs in here links their Telegram themselves.")
    return person


def _known_person(named: PersonQuery) -> User:
    """Whose link is shown; nobody is made by looking."""
    return people.person_by(guards.actor(), named.user_id, named.external_user_id, make=False)
