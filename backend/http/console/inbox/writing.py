"""What people write in a conversation: replies, templates, notes and drafts. What is refused is said where it was
pressed, and what was typed is kept."""

from __future__ import annotations

import json
from typing import BinaryIO, Final, cast

from flask import Response, make_response, request, url_for

from backend.core.errors import AppError, Conflict, Invalid, TooLarge
from backend.http.console.inbox import acts, commands, queries, views
from backend.http.console.inbox.contents import t
from backend.http.console.kit import form_errors, pages
from backend.http.console.kit.guards import actor, attribution, page
from backend.services import files

bp = pages.blueprint("inbox_writing", __name__)

_MAX_FILES: Final = 10
_FORM: Final = 256 * 1024
_EXPECTED: Final = (Invalid, Conflict, TooLarge)
_WORDS: Final = ("window_closed", "not_in_charge", "text_too_long")


@bp.post("/console/inbox/<int:conversation_id>/messages")
@page("operator", max_body=files.MAX_DOCUMENT + _FORM)
def send(conversation_id: int) -> Response:
    """Sends a reply or a template, or adds a note, as the form says."""
    text = request.form.get("text", "").strip()
    try:
        outcome = _write(conversation_id, text)
    except _EXPECTED as error:
        return _refused(conversation_id, text, error)
    commands.forget_draft(conversation_id)
    commands.look(conversation_id)
    return _written(conversation_id, *outcome)


@bp.post("/console/inbox/<int:conversation_id>/draft")
@page("operator")
def save_draft(conversation_id: int) -> Response:
    """Keeps what was typed so far."""
    text = request.form.get("text", "")
    commands.save_draft(conversation_id, text)
    return pages.protect(make_response(t("draft_saved") if text.strip() else ""))


@bp.get("/console/inbox/<int:conversation_id>/canned")
@page("operator")
def canned(conversation_id: int) -> Response:
    """The canned replies, filled in for the conversation's person."""
    return pages.fragment("inbox/canned_list.html", replies=queries.canned_replies(attribution(), conversation_id))


@bp.get("/console/inbox/<int:conversation_id>/messages/<int:message_id>/versions")
@page()
def versions(conversation_id: int, message_id: int) -> Response:
    """What a message said before it was edited."""
    entries = queries.versions(actor().user_id, message_id)
    return pages.fragment("inbox/versions.html", conversation_id=conversation_id, versions=entries)


@bp.post("/console/inbox/<int:conversation_id>/messages/<int:message_id>/retry")
@page("operator")
def retry(conversation_id: int, message_id: int) -> Response:
    """Sends a message that failed again."""
    commands.retry(message_id)
    return _back(conversation_id, t("done.retried"))


@bp.post("/console/inbox/<int:conversation_id>/messages/<int:message_id>/cancel")
@page("operator")
def cancel(conversation_id: int, message_id: int) -> Response:
    """Takes back a message that waits."""
    commands.cancel(message_id)
    return _back(conversation_id, t("done.canceled"))


@bp.post("/console/inbox/<int:conversation_id>/notes/<int:note_id>/delete")
@page("operator")
def delete_note(conversation_id: int, note_id: int) -> Response:
    """Deletes a note of one's own."""
    commands.delete_note(conversation_id, note_id)
    return _back(conversation_id, t("done.note_deleted"))


def _write(conversation_id: int, text: str) -> tuple[str, bool]:
    """Carries the form out; what is said of it, and whether that deserves a toast."""
    mode = request.form.get("mode", "reply")
    if mode == "note":
        commands.note(conversation_id, text)
        return t("done.noted"), False
    is_later = bool(request.form.get("not_before")) or "later" in request.form
    moment = acts.chosen_time() if is_later else None
    last = acts.number(request.form.get("expect_last_message_id", ""))
    if mode == "template":
        commands.template(conversation_id, *_template(), not_before=moment, expected=last)
    else:
        ids = [known for given in request.form.getlist("file_ids") if (known := acts.number(given)) is not None]
        given = [file for file in request.files.getlist("files") if file.filename]
        if not text and not ids and not given:
            raise Invalid("message_empty", t("refused.nothing"))
        if len(given) + len(ids) > _MAX_FILES:
            raise Invalid("too_many_files", t("refused.files", count=_MAX_FILES))
        ids += [commands.upload(file.filename, cast(BinaryIO, file.stream)) for file in given]
        commands.reply(conversation_id, text, ids, not_before=moment, expected=last)
    return (t("done.later"), True) if is_later else (t("done.sent"), False)


def _template() -> tuple[str, str, dict[str, str]]:
    """The template that was chosen: its name, its language, and its values by their keys. Raises Invalid."""
    name, _, language = request.form.get("template", "").rpartition("/")
    if not name:
        raise Invalid("template_not_chosen", t("refused.template"))
    before = f"variable:{name}/{language}:"
    values = {key.removeprefix(before): value.strip() for key, value in request.form.items() if key.startswith(before)}
    return name, language, values


def _written(conversation_id: int, words: str, is_toast: bool) -> Response:
    address = url_for("console_inbox.show", conversation_id=conversation_id)
    if not request.headers.get("HX-Request"):
        return pages.redirect_with_toast(address, words)
    events = {"written": "", "done": address} | ({"toast": {"text": words}} if is_toast else {})
    return pages.protect(make_response("", 204, {"HX-Trigger": json.dumps(events)}))


def _refused(conversation_id: int, text: str, error: AppError) -> Response:
    words = (
        t(f"refused.{error.code}") if error.code in (*_WORDS, "conversation_moved") else form_errors.message_of(error)
    )
    if not request.headers.get("HX-Request"):
        draft = {"text": text, "mode": request.form.get("mode", "reply")}
        opened = views.conversation(conversation_id, draft=draft, error=words)
        return views.whole_page(conversation_id, opened, error.status)
    if error.code == "conversation_moved":
        return _moved(conversation_id, text, error)
    response = pages.fragment("inbox/said.html", error.status, error=words)
    return _into(response, "#said")


def _moved(conversation_id: int, text: str, error: AppError) -> Response:
    """What has arrived meanwhile; sent once more, it goes."""
    after = acts.number(request.form.get("expect_last_message_id", "")) or 0
    about, arrived = queries.arrived(actor().user_id, conversation_id, after)
    values = {"c": about, "arrived": arrived, "newest": about["last_message_id"], "text": text}
    return _into(pages.fragment("inbox/moved.html", error.status, **values), "#moved")


def _into(response: Response, place: str) -> Response:
    response.headers["HX-Retarget"] = place
    response.headers["HX-Reswap"] = "innerHTML"
    return response


def _back(conversation_id: int, words: str) -> Response:
    return pages.redirect_with_toast(url_for("console_inbox.show", conversation_id=conversation_id), words)
