"""What is done with several contacts at once: a tag, a suppression, a campaign to them."""

from __future__ import annotations

from typing import Final

from flask import Response, request, url_for

from backend.core.errors import Conflict, Invalid
from backend.http import bodies
from backend.http.console.kit import form_errors, pages
from backend.http.console.kit.guards import attribution, page
from backend.services.contacts import records, suppressions, tags

bp = pages.blueprint("contacts_bulk", __name__)

MAX_CHOSEN: Final = 200
"""As many as a page shows at most."""


@bp.post("/console/contacts/bulk")
@page("operator")
def act() -> Response:
    """Does with the chosen contacts what the form says; those that are gone are passed over."""
    bodies.check_pairs(request.form.items(multi=True))
    people = [contact.id for contact in records.several(_chosen())]
    if not people:
        return _back(pages.t("console_contacts.bulk.nobody"))
    wanted = request.form.get("act", "")
    if wanted == "campaign":
        ids = ",".join(str(contact_id) for contact_id in people)
        return pages.redirect_with_toast(
            url_for("console_campaign_forms.new", contact_ids=ids),
            pages.t("console_contacts.bulk.to_campaign", count=len(people)),
        )
    try:
        if wanted == "suppress":
            return _back(pages.t("console_contacts.bulk.suppressed", count=_suppress(people)))
        name = request.form.get("bulk_tag", "").strip()
        tags.give(people, name)
    except (Invalid, Conflict) as error:
        return _back(form_errors.message_of(error))
    return _back(pages.t("console_contacts.bulk.tagged", count=len(people), tag=name))


def _suppress(people: list[int]) -> int:
    """Suppresses those who have anything by which they can be; returns how many."""
    done = 0
    for contact_id in people:
        try:
            suppressions.suppress_contact(attribution(), contact_id, code="requested", source="console")
            done += 1
        except Invalid:  # nothing identifies this contact
            continue
    return done


def _chosen() -> list[int]:
    given = request.form.getlist("contact_id")[:MAX_CHOSEN]
    return [int(number) for number in given if number.isascii() and number.isdigit() and len(number) < 16]


def _back(text: str) -> Response:
    return pages.redirect_with_toast(url_for("console_contacts.listing"), text)
