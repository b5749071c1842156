"""What is done with a conversation: who answers, when it comes back, labels; with a way back where there is one."""

from __future__ import annotations

from datetime import datetime

from flask import Response, request, url_for

from backend.core import clock
from backend.core.errors import Invalid
from backend.http.console.inbox import commands
from backend.http.console.inbox.contents import t
from backend.http.console.kit import pages
from backend.http.console.kit.guards import page

bp = pages.blueprint("inbox_acts", __name__)


@bp.post("/console/inbox/<int:conversation_id>/take-over")
@page("operator")
def take_over(conversation_id: int) -> Response:
    """A person answers from now on."""
    commands.take_over(conversation_id)
    return _done(conversation_id, t("done.taken_over"))


@bp.post("/console/inbox/<int:conversation_id>/take-control")
@page("operator")
def take_control(conversation_id: int) -> Response:
    """Another application, or the page's own inbox, is in charge: the provider is asked to let us answer."""
    commands.take_control(conversation_id)
    return _done(conversation_id, t("done.took_control"))


@bp.post("/console/inbox/<int:conversation_id>/hand-back")
@page("operator")
def hand_back(conversation_id: int) -> Response:
    """The assistant answers again."""
    commands.hand_back(conversation_id)
    return _done(conversation_id, t("done.handed_back"), undo="take_over")


@bp.post("/console/inbox/<int:conversation_id>/assign")
@page("operator")
def assign(conversation_id: int) -> Response:
    """Somebody is to answer, or nobody."""
    name = commands.assign(conversation_id, _number("user_id"))
    return _done(conversation_id, t("done.assigned", name=name) if name else t("done.unassigned"))


@bp.post("/console/inbox/<int:conversation_id>/snooze")
@page("operator")
def snooze(conversation_id: int) -> Response:
    """It comes back at a moment, or when the person writes."""
    until_reply = "until_reply" in request.form
    commands.snooze(conversation_id, until=None if until_reply else chosen_time(), until_reply=until_reply)
    return _done(conversation_id, t("done.snoozed"), undo="wake")


@bp.post("/console/inbox/<int:conversation_id>/wake")
@page("operator")
def wake(conversation_id: int) -> Response:
    """It comes back now."""
    commands.reopen(conversation_id)
    return _done(conversation_id, t("done.woken"))


@bp.post("/console/inbox/<int:conversation_id>/close")
@page("operator")
def close(conversation_id: int) -> Response:
    """It is done with until the next message."""
    commands.close(conversation_id)
    return _done(conversation_id, t("done.closed"), undo="reopen")


@bp.post("/console/inbox/<int:conversation_id>/reopen")
@page("operator")
def reopen(conversation_id: int) -> Response:
    """It is not done with after all."""
    commands.reopen(conversation_id)
    return _done(conversation_id, t("done.reopened"), undo="close")


@bp.post("/console/inbox/<int:conversation_id>/label")
@page("operator")
def label(conversation_id: int) -> Response:
    """It has a label more: one that there is, or a new one by its name."""
    named = commands.label(conversation_id, label_id=_number("label_id"), name=request.form.get("name", "").strip())
    return _done(conversation_id, t("done.labeled", name=named))


@bp.post("/console/inbox/<int:conversation_id>/unlabel")
@page("operator")
def unlabel(conversation_id: int) -> Response:
    """It has a label less."""
    named = commands.unlabel(conversation_id, _number("label_id") or 0)
    return _done(conversation_id, t("done.unlabeled", name=named))


@bp.post("/console/inbox/<int:conversation_id>/read")
@page("operator")
def read(conversation_id: int) -> Response:
    """What is shown was seen."""
    commands.read(conversation_id, _number("up_to"))
    return pages.protect(Response(status=204))


@bp.post("/console/inbox/<int:conversation_id>/looking")
@page()
def looking(conversation_id: int) -> Response:
    """Somebody has it open: the others see it."""
    commands.look(conversation_id)
    return pages.protect(Response(status=204))


@bp.post("/console/inbox/<int:conversation_id>/typing")
@page("operator")
def typing(conversation_id: int) -> Response:
    """Somebody writes: the others see it."""
    commands.typing(conversation_id)
    return pages.protect(Response(status=204))


def chosen_time() -> datetime:
    """The moment that a form names, as an instant (`until`, `not_before`) or in the reader's zone (`local`).

    Raises Invalid where it names none, or one that has passed.
    """
    given = request.form.get("until") or request.form.get("not_before") or request.form.get("local") or ""
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise Invalid("time_not_chosen", t("refused.time")) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=pages.zone())
    if moment <= clock.now():
        raise Invalid("time_has_passed", t("refused.time"))
    return moment


def _number(name: str) -> int | None:
    """The id in this field; None where there is none."""
    return number(request.form.get(name, ""))


def number(given: str) -> int | None:
    """An id that an address or a form gives as text; None for anything else."""
    return int(given) if given.isascii() and given.isdigit() and len(given) < 19 else None


def _done(conversation_id: int, words: str, *, undo: str | None = None) -> Response:
    address = url_for("console_inbox.show", conversation_id=conversation_id)
    back = url_for(f".{undo}", conversation_id=conversation_id) if undo else None
    return pages.redirect_with_toast(address, words, undo=back)
