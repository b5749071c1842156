"""Bots and channels: what speaks for the workspace, whether it works, and everything a person does to a bot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response, request, url_for

from backend.core.errors import AppError, Conflict, Invalid, NotFound, Unavailable
from backend.http import bodies
from backend.http.console.bots import forms as bot_forms
from backend.http.console.kit import form_errors, forms, pages
from backend.http.console.kit.guards import attribution, commit_and_ask, page
from backend.http.schemas.bots import BotChange, BotIn, TestIn
from backend.services.bots import (
    catalog,
    discovery,
    facts,
    operations,
    resolution,
    serializers,
    test_message,
    webhook_state,
    webhooks,
)

bp = pages.blueprint("bots", __name__)

_NAV = "bots"
_EXPECTED = (Invalid, Conflict, Unavailable, NotFound)
"""What a form answers for; everything else is a page of its own."""


@bp.get("/console/bots")
@page()
def listing() -> Response:
    """Every bot of the workspace, oldest first, and what a name means."""
    listed, following = catalog.listing(cursor=request.args.get("cursor"))
    ways = {bot.id: webhook_state.last_of(bot) for bot in listed}
    title = pages.t("console.nav.bots")
    return pages.render(
        "bots/listing.html", _NAV, title, bots=serializers.shown(listed), ways=ways, following=following
    )


@bp.get("/console/bots/meaning")
@page()
def meaning() -> Response:
    """Which bot a name means at this moment, at which level, and which chats go with it."""
    bodies.check_pairs(request.args.items(multi=True))
    name = request.args.get("name", "").strip()
    try:
        meant, fault = resolution.explain_name(name), None
    except (NotFound, Conflict, Invalid) as error:
        meant, fault = None, form_errors.message_of(error)
    if request.headers.get("HX-Request"):
        return pages.fragment("bots/meaning.html", asked_name=name, meaning=meant, fault=fault)
    title = pages.t("console_bots.meaning.title")
    return pages.render("bots/meaning_page.html", _NAV, title, asked_name=name, meaning=meant, fault=fault)


@bp.get("/console/bots/new")
@page("admin")
def new() -> Response:
    """The form for another bot."""
    return _new_form({"is_active": "on"})


@bp.post("/console/bots")
@page("admin")
def create() -> Response:
    """Adds a bot, after Telegram said whose token it is. A refusal keeps the form; the token is typed again."""
    try:
        given = forms.checked(BotIn, bot_forms.fields("name", "token")).model_dump()
        token = catalog.checked(given)["token"]
        known = commit_and_ask(lambda: operations.who_is(token))
        bot = catalog.create(attribution(), given, known)
    except (Invalid, Conflict, Unavailable) as error:
        return _new_form(request.form.to_dict(), error)
    return pages.redirect_with_toast(
        url_for("console_bots.show", bot_id=bot.id), pages.t("console_bots.said.added", name=bot.name)
    )


@bp.get("/console/bots/<int:bot_id>")
@page()
def show(bot_id: int) -> Response:
    """One bot: its facts, its health, and what can be done with it as it stands."""
    return _show(bot_id)


@bp.get("/console/bots/<int:bot_id>/webhook")
@page("admin")
def webhook(bot_id: int) -> Response:
    """What Telegram says of the webhook, asked now."""
    try:
        state, fault = serializers.webhook(webhooks.info(bot_id)), None
    except (Invalid, Unavailable) as error:
        state, fault = None, form_errors.message_of(error)
    return _part(bot_id, "bots/webhook.html", webhook=state, fault=fault)


@bp.get("/console/bots/<int:bot_id>/chats")
@page("admin")
def chats(bot_id: int) -> Response:
    """The chats that the bot could write to, asked now."""
    try:
        discovered, fault = discovery.of_bot(bot_id), None
    except (Invalid, Unavailable) as error:
        discovered, fault = None, form_errors.message_of(error)
    return _part(bot_id, "bots/chats.html", discovery=discovered, fault=fault)


@bp.post("/console/bots/<int:bot_id>/test")
@page("operator")
def send_test(bot_id: int) -> Response:
    """Stores a test message for the bot's chats, or for the one that is named."""

    def act() -> str:
        given = forms.checked(TestIn, forms.values("message", "chat_id", "message_thread_id"))
        messages = test_message.send_test(
            attribution(),
            bot_id,
            text=given.message,
            chat_id=given.chat_id,
            thread_id=given.message_thread_id,
        )
        return pages.t("console_bots.said.test", count=len(messages))

    return _run_action(bot_id, act, form=bot_forms.TEST_FORM)


@bp.post("/console/bots/<int:bot_id>/validate")
@page("admin")
def validate(bot_id: int) -> Response:
    """Asks Telegram whether it accepts the token."""

    def act() -> str:
        validated = facts.validate(attribution(), bot_id)
        return pages.t("console_bots.said.valid" if validated.valid else "console_bots.said.refused")

    return _run_action(bot_id, act)


@bp.post("/console/bots/<int:bot_id>/sync")
@page("admin")
def sync(bot_id: int) -> Response:
    """Asks Telegram about the bot and its chats, and keeps the answers."""

    def act() -> str:
        _, complete = facts.sync(attribution(), bot_id)
        return pages.t("console_bots.said.synced" if complete else "console_bots.said.synced_partly")

    return _run_action(bot_id, act)


@bp.post("/console/bots/<int:bot_id>/webhook")
@page("admin")
def register_webhook(bot_id: int) -> Response:
    """Has Telegram deliver the bot's updates here."""
    drop = "drop_pending" in request.form

    def act() -> str:
        webhooks.register(attribution(), bot_id, drop_pending=drop)
        return pages.t("console_bots.said.registered")

    return _run_action(bot_id, act)


@bp.post("/console/bots/<int:bot_id>/webhook/delete")
@page("admin")
def delete_webhook(bot_id: int) -> Response:
    """Has Telegram keep the bot's updates."""
    drop = "drop_pending" in request.form

    def act() -> str:
        webhooks.delete(attribution(), bot_id, drop_pending=drop)
        return pages.t("console_bots.said.unregistered")

    return _run_action(bot_id, act)


@bp.post("/console/bots/<int:bot_id>/secret")
@page("admin")
def rotate_secret(bot_id: int) -> Response:
    """Gives the webhook a new secret, which nobody has to know: only Telegram is told."""

    def act() -> str:
        registered = webhooks.rotate_secret(attribution(), bot_id)
        return pages.t("console_bots.said.rotated" if registered else "console_bots.said.rotated_here")

    return _run_action(bot_id, act)


@bp.get("/console/bots/<int:bot_id>/change")
@page("admin")
def change_form(bot_id: int) -> Response:
    """The form with what the bot has."""
    return _change_form(bot_id)


@bp.post("/console/bots/<int:bot_id>/change")
@page("admin")
def change(bot_id: int) -> Response:
    """Changes name, chats, topic and whether it works."""
    try:
        typed = forms.checked(BotChange, bot_forms.fields("name") | {"name": request.form.get("name", "").strip()})
        given = typed.model_dump(exclude_unset=True)
        if given["is_active"] is catalog.get(bot_id).is_active:
            # A bot that Telegram refused stays refused: saving its name is nobody's word to switch it off.
            del given["is_active"]
        bot = operations.change(attribution(), bot_id, given)
    except (Invalid, Conflict, Unavailable) as error:
        return _change_form(bot_id, error, request.form.to_dict())
    return pages.redirect_with_toast(
        url_for("console_bots.show", bot_id=bot.id), pages.t("console_bots.said.saved", name=bot.name)
    )


@bp.post("/console/bots/<int:bot_id>/token")
@page("admin")
def replace_token(bot_id: int) -> Response:
    """Gives the bot a new token of the same account, after Telegram has accepted it."""
    try:
        token = forms.checked(BotChange, {"token": request.form.get("token", "").strip()}).token
        refused = catalog.get(bot_id).disabled_code is not None
        # One that a person has switched off stays off.
        given = {"token": token, "is_active": True} if refused else {"token": token}
        bot = operations.change(attribution(), bot_id, given)
    except (Invalid, Conflict, Unavailable) as error:
        return _change_form(bot_id, error, token_fault=True)
    return pages.redirect_with_toast(
        url_for("console_bots.show", bot_id=bot.id), pages.t("console_bots.said.token", name=bot.name)
    )


@bp.post("/console/bots/<int:bot_id>/remove")
@page("admin")
def remove(bot_id: int) -> Response:
    """Removes a bot for good."""
    name = catalog.get(bot_id).name
    operations.remove(attribution(), bot_id)
    return pages.redirect_with_toast(url_for("console_bots.listing"), pages.t("console_bots.said.removed", name=name))


def _show(bot_id: int, error: AppError | None = None, **more: Any) -> Response:
    bot = catalog.get(bot_id)
    shown = serializers.bot_json(bot)
    values: dict[str, Any] = {"bot": shown, "way": webhook_state.last_of(bot), "faults": {}, "fault": None, "typed": {}}
    values |= more
    return pages.render("bots/show.html", _NAV, shown["name"], error.status if error else 200, **values)


def _run_action(bot_id: int, act: Callable[[], str], *, form: form_errors.Form | None = None) -> Response:
    """Does something to a bot and goes back to it; what was refused is said on the bot's page."""
    try:
        words = act()
    except _EXPECTED as error:
        if form is None:
            return _show(bot_id, error, fault=form_errors.message_of(error))
        return _show(bot_id, error, faults=form_errors.by_field(error, form), typed=request.form.to_dict())
    return pages.redirect_with_toast(url_for("console_bots.show", bot_id=bot_id), words)


def _part(bot_id: int, template: str, **values: Any) -> Response:
    """A part of the bot's page for the script, or the page with that part in it."""
    if request.headers.get("HX-Request"):
        return pages.fragment(template, bot_id=bot_id, **values)
    return _show(bot_id, part=template, **values)


def _new_form(typed: dict[str, str], error: AppError | None = None) -> Response:
    by_field = form_errors.by_field(error, bot_forms.FORM) if error is not None else {}
    status = error.status if error is not None else 200
    title = pages.t("console_bots.new.title")
    return pages.render("bots/form.html", _NAV, title, status, bot=None, typed=typed, faults=by_field, width="text")


def _change_form(
    bot_id: int, error: AppError | None = None, typed: dict[str, str] | None = None, *, token_fault: bool = False
) -> Response:
    bot = serializers.bot_json(catalog.get(bot_id))
    by_field = form_errors.by_field(error, bot_forms.FORM) if error is not None else {}
    status = error.status if error is not None else 200
    if typed is None:
        typed = {
            "name": bot["name"],
            "chat_ids": "\n".join(bot["chat_ids"]),
            "message_thread_id": bot["message_thread_id"] or "",
            **({"is_active": "on"} if bot["is_active"] else {}),
        }
    values: dict[str, Any] = {"bot": bot, "typed": typed, "faults": {} if token_fault else by_field}
    values["token_faults"] = by_field if token_fault else {}
    title = pages.t("console_bots.change.title", name=bot["name"])
    return pages.render("bots/form.html", _NAV, title, status, width="text", **values)
