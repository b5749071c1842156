"""Pages for people who have no account: a link shows one, and only a press on its button does something.

Programs open every link of a message for its preview, so GET changes nothing.
"""

from __future__ import annotations

from flask import Response, make_response, redirect, request, url_for

from backend.core.errors import NotFound
from backend.http.console.kit import pages
from backend.http.guards import public
from backend.services.contacts import opt_in, unsubscribe

bp = pages.blueprint("person_pages", __name__)


@bp.get("/u/<token>")
@public("the link is the credential")
def show_unsubscribe(token: str) -> Response:
    """Says whose messages end, or that they have ended. Changes nothing."""
    try:
        link = unsubscribe.read(token)
        name = unsubscribe.workspace_name(link)
    except NotFound as error:
        return _unknown(error)
    return pages.render(
        "contacts/unsubscribe.html",
        "",
        pages.t("console_contacts.unsubscribe.title"),
        token=token,
        workspace=name,
        done=unsubscribe.is_done(link),
    )


@bp.post("/u/<token>")
@public("the link is the credential")
def unsubscribe_now(token: str) -> Response:
    """Ends the messages. Again is harmless."""
    try:
        link = unsubscribe.read(token)
        unsubscribe.workspace_name(link)
    except NotFound as error:
        return _unknown(error)
    unsubscribe.unsubscribe(link)
    return pages.protect(make_response(redirect(url_for(".show_unsubscribe", token=token), 303)))


@bp.get("/o/<token>")
@public("the link is the credential")
def show_opt_in(token: str) -> Response:
    """Asks whether the person may be written to, in the workspace's words. Changes nothing."""
    return _opt_in_page(token)


@bp.post("/o/<token>")
@public("the link is the credential")
def opt_in_now(token: str) -> Response:
    """Records that the person agreed. Again is harmless."""
    try:
        link = opt_in.read(token)
        agreed = opt_in.agree(link, request.form.get("digest", ""), night_ok="night_ok" in request.form)
    except NotFound as error:
        return _unknown(error)
    if not agreed:
        return _opt_in_page(token, changed=True)
    return pages.protect(make_response(redirect(url_for(".show_opt_in", token=token), 303)))


def _opt_in_page(token: str, *, changed: bool = False) -> Response:
    try:
        question = opt_in.question_of(opt_in.read(token))
    except NotFound as error:
        return _unknown(error)
    title = pages.t("console_contacts.opt_in.title")
    status = 409 if changed else 200
    return pages.render("contacts/opt_in.html", "", title, status, token=token, question=question, changed=changed)


def _unknown(error: NotFound) -> Response:
    title = pages.t("console_contacts.link.title")
    return pages.render("contacts/link_unknown.html", "", title, error.status, expired=error.code == "link_expired")
