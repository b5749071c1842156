"""The inbox: the list that the address asks for, one conversation in three panes, and the parts that the script asks
for again when something has changed."""

from __future__ import annotations

from typing import Any, Final

from flask import Response, request, url_for

from backend.core.errors import Invalid, Unavailable
from backend.http.console.inbox import acts, queries, shown
from backend.http.console.inbox.contents import t
from backend.http.console.kit import form_errors, forms, pages
from backend.http.console.kit.guards import actor, attribution, page

bp = pages.blueprint("inbox", __name__)

FILTERS: Final = ("show", "channel", "label", "unread", "q")
SHOWS: Final = ("open", "mine", "nobody", "bot", "waiting", "snoozed", "closed", "all")
_FIRST: Final = 50
_MOST: Final = 400
"""Messages of a thread that are shown at first, and at most."""


@bp.get("/console/inbox")
@page()
def listing() -> Response:
    """The conversations that the address asks for. The script asks for the list alone when something has changed."""
    values = _listed()
    if request.headers.get("HX-Request"):
        return pages.fragment("inbox/rows.html", **values)
    return pages.render("inbox/listing.html", "inbox", pages.t("console.nav.inbox"), c=None, view="list", **values)


@bp.get("/console/inbox/count")
@page()
def count() -> Response:
    """How many conversations have something unread, for the side bar of every page."""
    unread = queries.unread(actor().user_id)
    return pages.fragment("inbox/count.html", unread=unread)


@bp.get("/console/inbox/<int:conversation_id>")
@page()
def show(conversation_id: int) -> Response:
    """One conversation beside the list."""
    opened = conversation(conversation_id)
    if request.headers.get("HX-Request"):
        return pages.fragment("inbox/conversation.html", **opened)
    return whole_page(conversation_id, opened)


@bp.get("/console/inbox/<int:conversation_id>/thread")
@page()
def thread(conversation_id: int) -> Response:
    """What was said and what stands around it, for when something has changed."""
    return pages.fragment("inbox/thread.html", around=True, **conversation(conversation_id))


@bp.get("/console/inbox/<int:conversation_id>/composer")
@page()
def composer(conversation_id: int) -> Response:
    """What is written, for when a reply has become impossible, or possible again."""
    return pages.fragment("inbox/composer.html", **conversation(conversation_id))


@bp.get("/console/inbox/<int:conversation_id>/presence")
@page()
def presence(conversation_id: int) -> Response:
    """Who else is there."""
    return pages.fragment("inbox/presence.html", others=queries.others(actor().user_id, conversation_id))


def whole_page(conversation_id: int, opened: dict[str, Any], status: int = 200) -> Response:
    """The list with one conversation beside it; on a phone, the person where the address asks for that."""
    view = "person" if request.args.get("view") == "person" else "thread"
    values = _listed(conversation_id) | opened | {"view": view}
    return pages.render("inbox/listing.html", "inbox", opened["c"]["name"], status, **values)


def conversation(conversation_id: int, **more: Any) -> dict[str, Any]:
    """What the panes of a conversation show."""
    me_id = actor().user_id
    row, about = queries.conversation(me_id, conversation_id)
    limit, around = _limit(), acts.number(request.args.get("message", ""))
    thread_part = queries.items(me_id, row, about, limit, around)
    mode = shown.mode(about)
    return {
        "c": about
        | {
            "glyph": shown.GLYPHS.get(about["channel"], "message-circle"),
            "mode": mode,
            "window": shown.window(about),
            "window_words": shown.window_words(about),
            "due": shown.due_of(about),
            "strip": shown.strip(about),
            "closed": shown.closed(about),
            "times": shown.times(about),
            "lately": shown.lately(about),
            "presets": shown.presets(),
            "now_local": shown.now_local(),
        },
        "items": thread_part.items,
        "limit": limit,
        "message": around,
        "more": _more(limit) if thread_part.has_older and not around else None,
        "labels": queries.labels_of_workspace(),
        "people": queries.people(),
        "me_id": me_id,
        "draft": queries.draft(attribution(), conversation_id),
        "templates": queries.templates(row) if mode == "template" else [],
        "others": queries.others(me_id, conversation_id),
        "error": None,
    } | more


def _limit() -> int:
    given = request.args.get("limit", "")
    return min(_MOST, max(_FIRST, int(given))) if given.isascii() and given.isdigit() and len(given) < 6 else _FIRST


def _more(limit: int) -> int | None:
    return min(_MOST, limit * 2) if limit < _MOST else None


def _listed(open_id: int | None = None) -> dict[str, Any]:
    """The rows of the list with everything around it, by a fixed number of queries."""
    me_id = actor().user_id
    given = forms.query_values(*FILTERS, "cursor", "open")
    chosen: dict[str, Any] = {name: given[name] for name in FILTERS if name in given}
    if chosen.get("show") not in SHOWS:
        chosen.pop("show", None)
    show_now = chosen.get("show", "all" if "q" in chosen else "open")
    why = None
    try:
        listed = queries.listed(me_id, chosen, show_now, given.get("cursor"))
    except (Invalid, Unavailable) as error:
        listed, why = queries.Listed([]), form_errors.message_of(error)
    return {
        "rows": [
            shown.row(about, me_id, url_for("console_inbox.show", conversation_id=about["id"], **chosen))
            for about in listed.rows
        ],
        "older": url_for("console_inbox.listing", **chosen, cursor=listed.following) if listed.following else None,
        "why": why,
        "counts": listed.counts,
        "is_partial": listed.is_partial,
        "open_id": open_id or acts.number(given.get("open", "")),
        "hits": [_hit(hit, chosen) for hit in listed.hits],
        "chosen": chosen,
        "show": show_now,
        "shows": SHOWS,
        "without": _without,
        "is_filtered": any(name in chosen for name in FILTERS if name != "show"),
        "channels": tuple(shown.GLYPHS),
        "labels": queries.labels_of_workspace(),
    }


def _hit(hit: dict[str, Any], chosen: dict[str, Any]) -> dict[str, Any]:
    """A message that a search found, with the address at which the thread shows it."""
    where: dict[str, Any] = {
        "conversation_id": hit["conversation_id"],
        "message": hit["id"],
        "_anchor": f"m-{hit['id']}",
    }
    return {
        "name": hit["title"] or t("nameless", id=str(hit["conversation_id"])),
        "text": hit["snippet"],
        "at": hit["at"],
        "address": url_for("console_inbox.show", **where, **chosen),
    }


def _without(chosen: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in chosen.items() if key != name}
